"""What a body that is no request is called, without a word of its content."""

import gzip
import json

import pytest

from serving.server.problems import BadShape
from serving.server.routes import article, invocations, tei, v1

GOOD = {"text": "Oslo hailed the accord.", "target": "the accord"}


@pytest.mark.parametrize(
    ("read", "body"),
    [
        (v1.parse_statements, GOOD),
        (v1.parse_statements, [GOOD, GOOD]),
        (invocations.parse_statements, {"dataframe_records": [GOOD]}),
        (tei.parse_query, {"inputs": GOOD["text"]}),
        (lambda body: article.parse_article(body, 1000), {"text": GOOD["text"]}),
    ],
)
def test_a_byte_order_mark_is_no_part_of_a_body(read, body):
    plain = json.dumps(body).encode()
    assert read(b"\xef\xbb\xbf" + plain) == read(plain)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "body: empty; send JSON as UTF-8"),
        (b" \n", "body: empty"),
        (
            gzip.compress(json.dumps(GOOD).encode(), mtime=0),
            "body: compressed (gzip), not JSON; send JSON as UTF-8, not compr",
        ),
        (json.dumps(GOOD).encode("utf-16"), "body: UTF-16, not JSON"),
        (json.dumps(GOOD).encode("utf-16-le"), "body: UTF-16 or no text"),
        ('{"text": "été"}'.encode("latin-1"), "body: not UTF-8 at byte 10"),
        (b"text,target\nOslo left.,Oslo\n", "body: CSV, a form or other plain text, not JSON"),
        (b"text=Oslo&target=Rome", "a table goes through: python -m serving predict --input"),
        (b"PAR1\x15", "body: Parquet"),
        (
            json.dumps(GOOD).encode() + b"\n\n" + json.dumps(GOOD).encode() + b"\n",
            "body: JSON Lines, not JSON; put the obj",
        ),
        (json.dumps(GOOD).encode() + b"\n}", "body: Invalid JSON"),
        (b'{"text": "Oslo', "body: Invalid JSON: EOF while parsing a string at line 1 column 14"),
    ],
)
@pytest.mark.parametrize("read", [v1.parse_statements, invocations.parse_statements, tei.parse_query])
def test_a_body_that_is_no_json_is_called_what_it_is(read, body, message):
    with pytest.raises(BadShape) as error:
        read(body)
    assert message in str(error.value)
    assert error.value.details[0].path == "body"
    assert "Oslo" not in str(error.value)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (GOOD | {"Target": "x"}, "body: has a field that is not known: 'Target'; did you mean 'target'?"),
        (GOOD | {"holder": "x"}, "body: has a field that is not known: 'holder'; did you mean 'speaker'?"),
        ([GOOD, GOOD | {"year": 1}], "1: has a field that is not known: 'year'"),
        (GOOD | {"Somebody took this whole sentence for a key": 1}, "body: has a field that is not known"),
        ({"statements": [GOOD]}, "body: has a field that is not known: 'statements'"),
        (GOOD | {"«Oslo left»": 1}, "body: has a field that is not known"),
        (GOOD | {"text": " \u00a0"}, "text: empty"),
        ([GOOD, {"text": ""}], "1.text: empty"),
    ],
)
def test_what_is_wrong_with_a_statement_is_named(body, message):
    with pytest.raises(BadShape) as error:
        v1.parse_statements(json.dumps(body).encode())
    assert str(error.value) == message
