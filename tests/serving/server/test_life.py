"""Start, a moving alias, a registry that is away, lost workers, and the end."""

import json
import shutil
import socket
import subprocess
import sys
import threading
import time
import urllib.error
from concurrent.futures import ThreadPoolExecutor

import mlflow
import psutil
import pytest

from serving.store.folder import SETTINGS_FILE
from tests.end_to_end.stores import free_port, mlflow_server, stop
from tests.serving.server.servers import served
from tests.serving.server.test_server import bodies


def refused(*arguments, environment):
    command = [sys.executable, "-m", "serving", "serve", "--device", "cpu", *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    return done.stderr.replace("\n", " ")


def test_a_mistake_at_the_start_is_one_line(champion, project, tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        said = refused("--model", str(champion), "--port", port, environment=project.environment)
        assert f"127.0.0.1:{port}: Address already in use; choose another --port" in said
    assert "no such folder" in refused("--model", "nowhere", environment=project.environment)
    missing = tmp_path / "key"
    said = refused("--model", str(champion), "--api-key-file", str(missing), environment=project.environment)
    assert "cannot be read" in said


def test_one_byte_damaged_is_refused_with_the_digest_named(champion, project, tmp_path):
    folder = tmp_path / "model"
    shutil.copytree(champion, folder)
    weights = bytearray((folder / "model.safetensors").read_bytes())
    weights[-1] ^= 1
    (folder / "model.safetensors").write_bytes(weights)
    said = refused("--model", str(folder), environment=project.environment)
    digest = json.loads((folder / SETTINGS_FILE).read_text())["files"]["model.safetensors"]
    assert "model.safetensors: damaged, its SHA-256 is" in said
    assert digest in said


@pytest.fixture
def versions(project, tmp_path):
    """A registered model of its own: version 1 behind the alias, version 2 with the same content, version 3 damaged."""
    mlflow.set_tracking_uri(project.store)
    client = mlflow.MlflowClient()
    name = f"live-{tmp_path.name}"
    first = client.get_model_version("stance", "1")
    client.create_registered_model(name)
    for folder in ("first", "second", "broken"):
        shutil.copytree(mlflow.artifacts.download_artifacts("models:/stance/1"), tmp_path / folder)
        client.create_model_version(name, str(tmp_path / folder), first.run_id)
    weights = tmp_path / "broken" / "artifacts" / "model" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    client.set_registered_model_alias(name, "champion", "1")
    return name


class Load:
    """Requests without a pause, until it is left."""

    def __init__(self, server):
        self.server = server
        self.statuses, self.versions, self.broken = [], [], 0
        self.over = threading.Event()
        self.threads = [threading.Thread(target=self.run) for _ in range(4)]

    def run(self):
        rows = bodies(3)
        while not self.over.is_set():
            try:
                answer = self.server.predict(rows)
            except (OSError, urllib.error.URLError):
                self.broken += 1
                continue
            self.statuses.append(answer.status)
            if answer.status == 200:
                self.versions.append(answer.json["model"]["version"])

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *error):
        self.over.set()
        for thread in self.threads:
            thread.join()


def test_when_the_alias_moves_no_request_fails(project, versions, tmp_path):
    client = mlflow.MlflowClient(project.store)
    environment = {"MLFLOW_TRACKING_URI": project.store, "STANCEWISE_CACHE": str(tmp_path / "cache")}
    uri = f"models:/{versions}@champion"
    with served(uri, tmp_path / "log", "--watch", "0.3", **environment) as server:
        with Load(server) as load:
            time.sleep(1)
            client.set_registered_model_alias(versions, "champion", "2")
            server.wait_for("the alias was moved; the new version is served")
            time.sleep(1)
            client.set_registered_model_alias(versions, "champion", "3")
            line = server.wait_for("the new version cannot be loaded; the present model stays in use")
            assert "damaged, its SHA-256 is" in line["cause"]
            time.sleep(1)
        assert set(load.statuses) == {200}
        assert load.broken == 0
        assert sorted(set(load.versions)) == ["1", "2"]
        assert load.versions.index("2") > 0
        assert server.ask("/v1/model").json["version"] == "2"
        assert server.metric("stancewise_model_version") == 2
        text = server.ask("/metrics").body.decode()
        assert 'stancewise_model_swaps_total{outcome="swapped"} 1.0' in text
        assert 'stancewise_model_swaps_total{outcome="refused"} 1.0' in text
        refusals = [line for line in server.lines() if line["message"].startswith("the new version cannot be loaded")]
        assert len(refusals) == 1, "a version that does not load is not tried again and again"


def test_a_registry_that_is_away_does_not_matter_to_those_who_have_a_copy(project, versions, tmp_path):
    port = free_port()
    cache = tmp_path / "cache"
    environment = {"MLFLOW_TRACKING_URI": f"http://127.0.0.1:{port}", "STANCEWISE_CACHE": str(cache)}
    environment["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] = "2"  # MLflow's own 7 take half a minute
    uri = f"models:/{versions}@champion"
    with mlflow_server(tmp_path, project.store, port) as registry:
        with served(uri, tmp_path / "log", "--watch", "0.3", **environment) as server:
            stop(registry)
            server.wait_for("the registry does not answer; the present model stays in use")
            assert server.predict(bodies(3)).status == 200
            assert 'outcome="unreachable"' in server.ask("/metrics").body.decode()
        with served(uri, tmp_path / "log2", **environment) as server:
            line = server.wait_for("the registry does not answer; the local copy is served")
            assert line["version"] == "1"
            assert server.predict(bodies(3)).json["model"]["version"] == "1"
        [weights] = cache.rglob("model.safetensors")
        weights.write_bytes(weights.read_bytes()[:-1] + b"x")
        shutil.rmtree(tmp_path / "first")
        said = refused("--model", uri, environment={**project.environment, **environment})
        assert "damaged, its SHA-256 is" in said
        assert "fetching it again failed" in said
        shutil.rmtree(cache)
        said = refused("--model", uri, environment={**project.environment, **environment})
        assert "the registry does not answer" in said
        assert "no local copy" in said


def test_what_was_accepted_is_answered_after_sigterm(champion, tmp_path):
    rows = [{"text": "word " * 200}] * 300
    with served(champion, tmp_path / "log") as server, ThreadPoolExecutor(6) as pool:
        answers = [pool.submit(server.predict, rows) for _ in range(6)]
        until = time.monotonic() + 30
        while server.metric("stancewise_queue_statements") < 1500 and time.monotonic() < until:
            time.sleep(0.01)
        server.process.terminate()
        assert [answer.result().status for answer in answers] == [200] * 6
        assert server.process.wait(20) == 0
        with pytest.raises(urllib.error.URLError):
            server.predict(rows[:1])


def workers(server):
    children = psutil.Process(server.process.pid).children()
    return [one.pid for one in children if "spawn_main" in " ".join(one.cmdline())]


def test_a_worker_that_is_killed_is_replaced_and_the_others_go_on(champion, tmp_path):
    with served(champion, tmp_path / "log", "--workers", "2") as server:
        until = time.monotonic() + 60
        while len([line for line in server.lines() if line["message"] == "ready"]) < 2:
            assert time.monotonic() < until
            time.sleep(0.1)
        before = workers(server)
        assert len(before) == 2
        with Load(server) as load:
            time.sleep(1)
            psutil.Process(before[0]).kill()
            while len([line for line in server.lines() if line["message"] == "ready"]) < 3:
                assert time.monotonic() < until
                time.sleep(0.1)
            answered = len(load.statuses)
            time.sleep(1)
        assert load.broken <= 8, "only what the lost worker held is lost"
        assert set(load.statuses) == {200}
        assert len(load.statuses) > answered
        after = workers(server)
        assert len(after) == 2
        assert before[0] not in after
        assert before[1] in after
        assert server.metric("stancewise_statements_total") > 0
        server.process.terminate()
        assert server.process.wait(30) == 0


def test_a_full_disk_is_said_and_the_old_model_goes_on(project, versions, tmp_path):
    if subprocess.run(["mount", "--version"], capture_output=True, check=False).returncode:
        pytest.skip("no mount command")
    small = tmp_path / "small"
    small.mkdir()
    size = sum(path.stat().st_size for path in (tmp_path / "broken").rglob("*") if path.is_file())
    command = ["mount", "-t", "tmpfs", "-o", f"size={round(size * 1.7)}", "tmpfs", str(small)]
    mounted = subprocess.run(command, capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip("a small file system cannot be mounted here")
    try:
        environment = {"MLFLOW_TRACKING_URI": project.store, "STANCEWISE_CACHE": str(small)}
        with served(f"models:/{versions}@champion", tmp_path / "log", "--watch", "0.3", **environment) as server:
            mlflow.MlflowClient(project.store).set_registered_model_alias(versions, "champion", "2")
            line = server.wait_for("the new version cannot be loaded; the present model stays in use")
            assert "No space left on device" in line["cause"]
            assert "make room" in line["cause"]
            assert server.predict(bodies(2)).json["model"]["version"] == "1"
            assert not list(small.rglob("partial"))
    finally:
        subprocess.run(["umount", "-l", str(small)], check=False)
