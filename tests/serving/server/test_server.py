"""The server as clients see it: its own protocol, its limits, its refusals."""

import http.client
import json
import socket
import time

import pytest

from serving import Statement
from tests.conftest import STATEMENTS, read_lines
from tests.serving.server.servers import served

SECRET = "Vexillology"
OPTIONS = ("--queue", "300", "--request-statements", "200", "--body-bytes", "300000", "--read-seconds", "1")


@pytest.fixture(scope="module")
def server(champion, tmp_path_factory):
    with served(champion, tmp_path_factory.mktemp("server") / "log", *OPTIONS) as running:
        yield running


def bodies(count):
    rows = read_lines(STATEMENTS / "validation.jsonl")[:count]
    return [{key: row[key] for key in ("text", "speaker", "target")} for row in rows]


def test_answers_are_those_of_the_inference_module_with_the_model_named(server, classifier):
    rows = bodies(30)
    answer = server.predict(rows).json
    expected = classifier.predict([Statement(**row) for row in rows])
    for got, want in zip(answer["predictions"], expected, strict=True):
        for name in ("stance", "sentiment"):
            head = getattr(want, name)
            assert got[name]["label"] == head.label
            assert got[name]["probabilities"] == pytest.approx(head.probabilities, abs=1e-5)
            assert got[name]["probability"] == max(got[name]["probabilities"].values())
            assert got[name]["abstained"] == head.abstained
        assert got["abstained"] == want.abstained
    assert answer["model"]["run_id"] == classifier.settings.run_id
    assert answer["model"]["runtime"] == "torch"
    [one] = server.predict(rows[0]).json["predictions"]
    assert one["stance"]["probabilities"] == pytest.approx(expected[0].stance.probabilities, abs=1e-5)


def test_the_model_is_described(server, classifier):
    answer = server.ask("/v1/model").json
    assert answer["heads"]["stance"] == ["support", "neutrality", "criticism"]
    assert answer["temperatures"] == classifier.settings.temperatures
    assert answer["abstain_below"] == classifier.settings.abstain_below
    assert answer["languages"] == ["en"]


ITALIAN = "Il consorzio accusa i supermercati di pagare i pomodori meno di quanto costi raccoglierli."


def test_another_language_is_named_counted_and_no_answer_to_rely_on(server):
    before = server.metric("stancewise_foreign_texts_total")
    [other, english] = server.predict([{"text": ITALIAN}, *bodies(1)]).json["predictions"]
    assert (other["language"], other["foreign"], other["abstained"]) == ("it", True, True)
    assert (other["stance"]["abstained"], other["sentiment"]["abstained"]) == (True, True)
    assert (english["language"], english["foreign"]) == ("en", False)
    [row] = server.ask("/invocations", {"dataframe_records": [{"text": ITALIAN}]}).json["predictions"]
    assert (row["language"], row["abstained"]) == ("it", True)
    article = server.ask("/v1/article", {"text": f"{ITALIAN} I pescatori festeggiano."}).json["article"]
    assert (article["language"], article["statements"]) == ("it", [])
    assert "the text is in it, and the model reads en" in article["notes"][0]
    assert server.metric("stancewise_foreign_texts_total") == before + 3
    assert 'stancewise_foreign_texts_total{kind="article",language="it"}' in server.ask("/metrics").body.decode()


def test_a_server_may_be_told_to_answer_to_any_language(champion, tmp_path):
    with served(champion, tmp_path / "log", "--any-language") as every:
        [answer] = every.predict({"text": ITALIAN}).json["predictions"]
        assert (answer["language"], answer["foreign"]) == ("it", False)
        assert every.ask("/v1/model").json["languages"] is None
        assert every.metric("stancewise_foreign_texts_total") == 0


def test_metrics_count_statements_batches_and_statuses(server):
    before = server.metric("stancewise_statements_total")
    server.predict(bodies(7))
    server.predict({"text": 5})
    assert server.metric("stancewise_statements_total") == before + 7
    text = server.ask("/metrics").body.decode()
    assert 'stancewise_requests_total{path="/v1/predict",status="422"}' in text
    for name in ("queue_seconds", "tokenise_seconds", "inference_seconds", "batch_tokens", "batch_statements"):
        assert server.metric(f"stancewise_{name}_count") > 0
    assert server.metric("stancewise_queue_statements") == 0


DEEP = b'{"text": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"


@pytest.mark.parametrize(
    ("body", "status", "path"),
    [
        (b"", 422, "body"),
        (b"{", 422, "body"),
        (b"[]", 422, None),
        (b"null", 422, "body"),
        (DEEP, 422, "body"),
        (b'{"text": "Vexillology \xff"}', 422, "body"),
        (b'{"text": "Vexillology \\ud800"}', 422, "body"),
        ({"text": [SECRET]}, 422, "text"),
        ({"target": SECRET}, 422, "text"),
        ({"text": "a", "target": SECRET * 60}, 422, "target"),
        ({"text": "a", SECRET * 5: 1}, 422, "body"),
        ([{"text": "a"}, {"text": "b", "target_start": SECRET}], 422, "1.target_start"),
        ([{"text": "a"}, {"text": "b", SECRET * 5: SECRET}], 422, "1"),
        ({"text": "a " * 300, "target": "long " * 90}, 422, None),
        ([{"text": "a"}] * 201, 413, None),
        (b" " * 300_001, 413, None),
    ],
)
def test_what_is_wrong_is_named_without_the_text(server, body, status, path):
    answer = server.predict(body)
    assert answer.status == status
    assert SECRET not in answer.body.decode()
    assert answer.json["error"]
    if path is not None:
        assert answer.json["details"][0]["path"] == path
    assert server.predict({"text": "a"}).status == 200


def test_the_log_is_json_with_ids_and_times_and_no_text(server):
    answer = server.predict({"text": SECRET, "target": SECRET}, **{"x-request-id": "mine-7"})
    assert answer.headers["x-request-id"] == "mine-7"
    server.predict({"text": {"a": SECRET}})
    server.ask(f"/{SECRET}")
    forged = server.predict({"text": "a"}, **{"x-request-id": f"{SECRET} {{}}"})
    assert SECRET not in forged.headers["x-request-id"]
    time.sleep(0.2)
    [line] = [line for line in server.lines() if line.get("request_id") == "mine-7"]
    assert line["status"] == 200
    assert line["statements"] == 1
    assert line["ms"] >= line["queued_ms"] >= 0
    assert SECRET not in server.log.read_text()


def test_more_than_the_queue_holds_is_refused_with_a_time_to_come_back(server):
    rows = [{"text": "word " * 200}] * 200
    connections = [http.client.HTTPConnection("127.0.0.1", server.port, timeout=60) for _ in range(6)]
    for connection in connections:
        connection.request("POST", "/v1/predict", json.dumps(rows))
    answers = [connection.getresponse() for connection in connections]
    statuses = [answer.status for answer in answers]
    assert set(statuses) == {200, 429}
    refused = answers[statuses.index(429)]
    assert int(refused.headers["retry-after"]) >= 1
    for answer in answers:
        content = json.loads(answer.read())
        assert len(content["predictions"]) == 200 if answer.status == 200 else content["error_type"] == "overloaded"


def test_a_client_that_went_away_is_dropped_from_the_queue(champion, tmp_path):
    rows = json.dumps([{"text": "word " * 300}] * 200)
    with served(champion, tmp_path / "log", "--queue", "4000") as server:
        connections = [http.client.HTTPConnection("127.0.0.1", server.port, timeout=60) for _ in range(12)]
        for connection in connections:
            connection.request("POST", "/v1/predict", rows)
        for connection in connections:
            connection.close()
        assert server.predict({"text": "a"}).status == 200
        assert server.metric("stancewise_dropped_statements_total") > 200
        assert server.metric("stancewise_queue_statements") == 0
        assert 499 in {line.get("status") for line in server.lines()}


def test_past_the_deadline_the_answer_is_503(champion, tmp_path):
    with served(champion, tmp_path / "log", "--deadline", "0.002") as server:
        answer = server.predict([{"text": "word " * 300}] * 1000)
    assert answer.status == 503
    assert answer.json["error_type"] == "deadline"


def exchange(server, data, seconds=20):
    """Send bytes as they are; what comes back until the server closes."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=seconds) as connection:
        connection.sendall(data)
        received = b""
        while chunk := connection.recv(65536):
            received += chunk
    return received


def test_a_body_of_a_gigabyte_is_refused_before_it_is_sent(server):
    answer = exchange(server, b"POST /v1/predict HTTP/1.1\r\nhost: x\r\ncontent-length: 1073741824\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 413")


def test_an_endless_chunked_body_is_cut_off(server):
    head = b"POST /v1/predict HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n"
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
        connection.sendall(head)
        sent, chunk = 0, b"8000\r\n" + b" " * 0x8000 + b"\r\n"
        with pytest.raises(OSError):  # noqa: PT011
            while sent < 1 << 30:
                connection.sendall(chunk)
                sent += 0x8000
    assert sent < 50 << 20
    assert server.predict({"text": "a"}).status == 200


@pytest.mark.parametrize(
    "part", [b"POST /v1/pre", b"POST /v1/predict HTTP/1.1\r\nhost: x\r\ncontent-length: 50\r\n\r\n{"]
)
def test_a_client_that_dawdles_is_cut_off(server, part):
    start = time.monotonic()
    answer = exchange(server, part)
    assert time.monotonic() - start < 10
    assert answer == b"" or answer.startswith(b"HTTP/1.1 408")


def test_unknown_paths_and_methods(server):
    assert server.ask("/v2/predict", {}).status == 404
    assert server.ask("/v1/predict").status == 405
    assert server.ask("/openapi.json").json["paths"].keys() >= {"/v1/predict", "/invocations", "/predict", "/metrics"}


def test_the_examples_of_the_document_are_answered(server):
    for path, methods in server.ask("/openapi.json").json["paths"].items():
        for method in methods.values():
            content = method.get("requestBody", {}).get("content", {}).get("application/json", {})
            for example in [content.get("example"), *(one["value"] for one in content.get("examples", {}).values())]:
                if example is not None:
                    assert server.ask(path, example).status == 200


def test_the_key_is_asked_for_and_never_said(champion, tmp_path):
    key = tmp_path / "key"
    key.write_text("squirrel-42\n")
    with served(champion, tmp_path / "log", "--api-key-file", str(key)) as server:
        for headers in ({}, {"authorization": "Bearer wrong"}, {"authorization": "squirrel-42"}):
            refused = server.ask("/v1/predict", {"text": "a"}, headers)
            assert refused.status == 401
            assert refused.headers["www-authenticate"] == "Bearer"
        assert server.ask("/metrics").status == 401
        assert server.ask("/health").status == 200
        assert server.predict({"text": "a"}, authorization="Bearer squirrel-42").status == 200
        assert "squirrel" not in server.log.read_text()


def test_without_a_file_the_key_comes_from_the_environment(champion, tmp_path):
    with served(champion, tmp_path / "log", STANCEWISE_API_KEY="squirrel-42") as server:
        assert server.predict({"text": "a"}).status == 401
        assert server.predict({"text": "a"}, authorization="Bearer squirrel-42").status == 200
