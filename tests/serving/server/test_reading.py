"""The process that reads articles, as a client of the server meets it: too long, lost, and gone with the server."""

import http.client
import json
import signal
import threading
import time
from contextlib import contextmanager

import psutil
import pytest

from tests.serving.server.servers import served
from tests.serving.server.test_article import STREAM, TEXT, lines

LONG = "\n\n".join(f"Mara Venn welcomed plan {i}. “The plan is a waste,” said Otto Brandsma." for i in range(6000))


def children(server, name="spawn_main"):
    """The living processes below the server's that were started by multiprocessing."""
    found = psutil.Process(server.process.pid).children(recursive=True)
    return [one for one in found if one.status() != psutil.STATUS_ZOMBIE and name in " ".join(one.cmdline())]


def ended(processes):
    """Whether all of them end; a container may have nobody who collects what its parent has left."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        left = [one for one in processes if one.is_running() and one.status() != psutil.STATUS_ZOMBIE]
        if not left:
            return True
        time.sleep(0.05)
    return False


@contextmanager
def reading(server, text=LONG):
    """A stream of a long article of which a part is read already."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=120)
    connection.request("POST", "/v1/article", json.dumps({"text": text}), STREAM)
    answer = connection.getresponse()
    while json.loads(answer.readline())["progress"]["done"] == 0:
        pass
    yield answer
    connection.close()


@pytest.fixture(scope="module")
def server(champion, tmp_path_factory):
    with served(champion, tmp_path_factory.mktemp("reading") / "log", "--article-seconds", "1.5") as running:
        yield running


def test_an_article_that_takes_too_long_is_refused_and_others_are_answered_meanwhile(server):
    def run(headers):
        done.append(server.ask("/v1/article", {"text": LONG}, headers))

    done = []
    threads = [threading.Thread(target=run, args=[headers]) for headers in ({}, STREAM)]
    for thread in threads:
        thread.start()
    answered = 0
    while any(thread.is_alive() for thread in threads):
        assert server.predict({"text": "a"}).status == 200
        answered += 1
    assert answered > 3
    whole, stream = sorted(done, key=lambda one: one.status, reverse=True)
    assert (whole.status, stream.status) == (422, 200)
    error = lines(stream)[-1]["error"]
    assert error["status"] == 422
    for refusal in (whole.json, error):
        assert refusal["error_type"] == "too_long"
        assert "within 1.5 seconds" in refusal["error"]
        assert "--article-seconds" in refusal["error"]
    metrics = server.ask("/metrics").body.decode()
    assert 'stancewise_reader_ends_total{cause="time limit"} 2.0' in metrics
    assert 'stancewise_requests_total{path="/v1/article",status="422"} 2.0' in metrics
    assert server.wait_for("the process that reads articles ended")["seconds"] == 1.5
    assert server.ask("/v1/article", {"text": TEXT, "all": True}).json["article"]["statements"]


def test_a_killed_reader_costs_one_article(champion, tmp_path):
    with served(champion, tmp_path / "log") as server:
        assert children(server) == [], "who sends no article needs no reader"
        with reading(server) as answer:
            [reader] = children(server)
            reader.kill()
            error = json.loads(answer.read().splitlines()[-1])["error"]
        assert error["status"] == 503
        assert error["error_type"] == "reader_lost"
        assert error["retry_after"] >= 1
        assert server.predict({"text": "a"}).status == 200
        assert server.wait_for("the process that reads articles ended")["how"] == "exit code -9"
        assert server.metric("stancewise_reader_ends_total") == 1
        assert server.ask("/v1/article", {"text": TEXT}).status == 200
        [after] = children(server)
        assert after != reader
        after.kill()
        assert ended([after])
        assert server.ask("/v1/article", {"text": TEXT}).status == 200, "it read nothing when it was killed"
        assert server.metric("stancewise_reader_ends_total") == 1


def test_an_accepted_article_is_read_to_its_end_after_sigterm(champion, tmp_path):
    with served(champion, tmp_path / "log", "--grace", "300") as server, reading(server, LONG[:50_000]) as answer:
        readers = children(server)
        for one in readers:  # as service managers do, and Ctrl+C with SIGINT
            one.send_signal(signal.SIGINT)
            one.terminate()
        server.process.terminate()
        assert "result" in json.loads(answer.read().splitlines()[-1])
        assert server.process.wait(60) == 0
        assert len(readers) == 1
        assert ended(readers)


@pytest.mark.parametrize(
    ("number", "options"), [(signal.SIGTERM, ["--grace", "0"]), (signal.SIGKILL, []), (signal.SIGKILL, ["--workers=2"])]
)
def test_no_process_outlives_the_server(champion, tmp_path, number, options):
    with served(champion, tmp_path / "log", *options) as server, reading(server):
        started = children(server, "multiprocessing")
        assert len(started) >= 2  # with the one that multiprocessing starts for itself
        server.process.send_signal(number)
        server.process.wait(60)
        assert ended(started)
