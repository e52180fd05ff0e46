import pytest

from serving import StancewiseError, Statement
from serving.rows.check import Columns, cell, checked, nearly, statement_of
from serving.rows.read import Row

NAN = float("nan")


@pytest.mark.parametrize(
    ("column", "field"),
    [
        ("Text", "text"),
        ("TARGET", "target"),
        (" speaker ", "speaker"),
        ("\ufefftext", "text"),
        ("Target Start", "target_start"),
        ("targetEnd", "target_end"),
        ("holder", "speaker"),
        ("Opinion Holder", "speaker"),
        ("text", None),
        ("topic", None),
        ("speaker_id", None),
        ("scheme", None),
    ],
)
def test_a_column_one_letter_case_or_synonym_away(column, field):
    assert nearly(column) == field


def run(*values, header=False):
    told = []
    rows = [Row(number, one) if isinstance(one, dict) else Row(number, {}, one) for number, one in enumerate(values, 1)]
    return list(checked(iter(rows), "rows", told.append, header)), told


def test_columns_that_are_nearly_fields_stop_the_work_all_at_once():
    with pytest.raises(StancewiseError, match=r"rows: .*'Holder' as 'speaker', 'Target' as 'target'"):
        run({"text": "a", "Holder": "x", "Target": "y"}, header=True)


def test_beside_its_field_such_a_column_is_passed_on():
    assert run({"text": "a", "Text": "b", "speaker": "x", "holder": "y", "target": "z"}) == (
        [Row(1, {"text": "a", "Text": "b", "speaker": "x", "holder": "y", "target": "z"})],
        [],
    )


def test_json_lines_are_looked_at_row_by_row():
    rows = [{"text": "a", "target": "b"}] * 300
    with pytest.raises(StancewiseError, match=r"rows:301: .*'Target' as 'target'"):
        run(*rows, {"text": "a", "Target": "b"})
    with pytest.raises(StancewiseError, match="rows:2: "):
        run({"text": "a", "target": "b", "Target": "c"}, {"text": "a", "Target": "b"})


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (
            ("tweet", "year"),
            "rows: no column 'text'; rename 'tweet', if that is it, to 'text'; its columns: 'tweet'",
        ),
        (("x" * 41, "year"), "no column 'text'; rename the column of the texts to 'text'; its columns: .of 41 charac"),
        ([f"c{i}" for i in range(90)], "'c19' and 70 more"),
    ],
)
def test_a_table_without_texts_is_one_error_with_its_columns(columns, message):
    for header in (True, False):
        with pytest.raises(StancewiseError, match=message):
            run(*[dict.fromkeys(columns, "a")] * 3, header=header)


@pytest.mark.parametrize(
    ("columns", "told"),
    [
        (("text", "speaker", "target"), None),
        (("text", "target"), "no column 'speaker': the author of each text is taken for the holder"),
        (
            ("text", "speaker", "Topic"),
            "no column 'target': the main subject of each text is taken for the target (if 'Topic' is the target, re",
        ),
        (("text", "speaker", "tagret"), "(if 'tagret' is the target, rename it)"),
    ],
)
def test_what_a_table_lacks_is_told_once(columns, told):
    _, lines = run(*[dict.fromkeys(columns, "a")] * 400, header=True)
    assert len(lines) == (told is not None)
    assert told is None or told in lines[0]


def test_lines_of_which_none_can_be_read_are_one_error():
    with pytest.raises(StancewiseError, match=r"rows:1: not JSON.*; nor can a line after it"):
        run("not JSON: x", "not JSON: y")
    assert len(run("not JSON", {"text": "a", "speaker": "b", "target": "c"})[0]) == 2
    assert len(run("fewer fields", header=True)[0]) == 1


@pytest.mark.parametrize("value", [None, "", "  ", "\u00a0", NAN])
def test_missing_values(value):
    assert cell(Row(1, {"speaker": value}), "speaker") is None
    assert statement_of(Row(1, {"text": "a", "speaker": value, "target_start": value})) == Statement(text="a")
    assert statement_of(Row(1, {"text": value})) == "text: empty"
    assert statement_of(Row(1, {"speaker": "Oslo"})) == "text: empty"


def test_a_word_for_a_missing_value_is_none_and_a_name_in_quotation_marks_is_one():
    values = {"text": "a", "speaker": "NA", "target": "NA"}
    assert statement_of(Row(1, values, None, frozenset({"speaker"}))) == Statement(text="a", target="NA")
    assert statement_of(Row(1, values, None, frozenset({"text"}))) == "text: empty"


@pytest.mark.parametrize(
    "text",
    ["", " \t\r\n", "\u00a0\u2003", "\u200b \ufeff\u200d", "\u00ad", "\x00", "\u2800", "\u3164", "&nbsp; &#8203;"],
)
def test_a_text_that_nobody_sees_is_empty(text):
    assert statement_of(Row(1, {"text": text})) == "text: empty"
    with pytest.raises(ValueError, match="empty"):
        Statement(text=text)


def test_a_sign_is_a_text():
    assert Statement(text="👎").text == "👎"


def test_columns_are_kept_over_several_files():
    columns = Columns()
    columns.see("a", {"text": 1, "target": 2})
    with pytest.raises(StancewiseError, match=r"^b: .*'TARGET' as 'target'"):
        columns.see("b", {"text": 1, "TARGET": 2})
