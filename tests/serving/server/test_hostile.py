"""Hostile input: whatever is sent, the answer is a status below 500."""

import json
from contextlib import suppress
from itertools import product

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from serving.server.problems import BadShape
from serving.server.routes import invocations, tei, v1
from serving.statement import Statement
from tests.serving.server.servers import served

anything = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
near = st.dictionaries(
    st.sampled_from(
        ["text", "target", "speaker", "target_start", "inputs", "instances", "dataframe_records", "dataframe_split"]
    ),
    anything,
    max_size=4,
)
payloads = (anything | near | st.lists(near, max_size=3)).map(json.dumps).map(str.encode) | st.binary(max_size=60)

READERS = [v1.parse_statements, invocations.parse_statements, lambda body: tei.parse_query(body)[1]]


@settings(deadline=None, max_examples=300)
@given(body=payloads, read=st.sampled_from(READERS))
def test_a_body_is_read_or_refused(body, read):
    with suppress(BadShape):
        assert all(isinstance(one, Statement) for one in read(body))


@given(text=st.text(alphabet="ξψζ", min_size=6, max_size=30), name=st.sampled_from(["text", "target", "spaeker", "x"]))
@settings(deadline=None, max_examples=100)
def test_a_refusal_never_holds_what_was_sent(text, name):
    values = ([text], {text: text}, [[{text: 1}]])
    shapes = [shape for value in values for shape in ({name: value}, {text: value}, [{"text": "a"}, {name: value}])]
    readers = READERS
    for body, read in product([*shapes, {"inputs": {text: text}}], readers):
        with pytest.raises(BadShape) as refusal:
            read(json.dumps(body).encode())
        assert text not in f"{refusal.value} {refusal.value.details}"


@pytest.fixture(scope="module")
def server(champion, tmp_path_factory):
    with served(champion, tmp_path_factory.mktemp("hostile") / "log") as running:
        yield running


def test_schemathesis_finds_no_server_error(server):
    schema = schemathesis.openapi.from_url(f"{server.url}/openapi.json")
    tried = 0
    for operation in schema.get_all_operations():

        @given(case=operation.ok().as_strategy())
        @settings(
            max_examples=100,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        def check(case):
            nonlocal tried
            tried += 1
            assert case.call().status_code < 500

        check()
    assert tried > 100
    assert server.predict({"text": "a"}).status == 200
