"""Models of a tracking server: fetched once into the cache, checked, bounded, shared by processes."""

import subprocess
import sys
import tempfile
from pathlib import Path

import mlflow
import pytest

from serving import StanceClassifier, StancewiseError, Statement
from serving.store import cache
from serving.store.folder import check_files, read_settings
from serving.store.package import log_model
from serving.store.versions import find_model
from tests.conftest import REPOSITORY
from tests.end_to_end.stores import free_port, mlflow_server, stop

ROW = Statement(text="Oslo hailed the accord.", target="the accord")


class Store:
    """A tracking server that keeps the artifacts itself, with `kept@champion` and three versions of `many`."""

    def __init__(self, folder: Path, url: str) -> None:
        self.log, self.url = folder / "server.log", url

    def fill(self, model: Path) -> None:
        mlflow.set_tracking_uri(self.url)
        client = mlflow.MlflowClient()
        experiment = client.create_experiment("kept")  # not the one that another test's store made the active one
        with mlflow.start_run(experiment_id=experiment) as run:
            self.run_id, self.model_id = run.info.run_id, log_model(model, read_settings(model)).model_id
        mlflow.register_model(f"models:/{self.model_id}", "kept")
        client.set_registered_model_alias("kept", "champion", "1")
        client.create_registered_model("many")
        for _ in range(3):
            with mlflow.start_run(experiment_id=experiment) as run:
                mlflow.log_artifacts(str(model), "model")
            client.create_model_version("many", f"{run.info.artifact_uri}/model", run.info.run_id)

    def sent(self) -> int:
        """How many files the server has sent."""
        return self.log.read_text().count('"GET /api/2.0/mlflow-artifacts/artifacts/')


@pytest.fixture(scope="module")
def server(project, tmp_path_factory):
    mlflow.set_tracking_uri(project.store)
    model = find_model("models:/stance@baseline")
    folder, port = tmp_path_factory.mktemp("server"), free_port()
    with mlflow_server(folder, f"sqlite:///{folder}/behind.db", port) as process:
        store = Store(folder, f"http://127.0.0.1:{port}")
        store.fill(model)
        yield store, process


@pytest.fixture
def store(server, tmp_path, monkeypatch):
    """The server, an empty cache and an empty folder for temporary files."""
    mlflow.set_tracking_uri(server[0].url)
    monkeypatch.setenv(cache.CACHE_VARIABLE, str(tmp_path / "cache"))
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    return server[0]


def copies(tmp_path):
    """The weights of all copies."""
    return sorted((tmp_path / "cache").rglob("tfidf.safetensors"))


def test_whatever_names_a_model_it_is_fetched_once_and_nothing_is_left(store, tmp_path):
    [expected] = StanceClassifier.load("models:/kept@champion").predict([ROW])
    sent = store.sent()
    assert sent > 3
    for uri in ("models:/kept@champion", "models:/kept/1", f"models:/{store.model_id}", f"runs:/{store.run_id}"):
        assert StanceClassifier.load(uri).predict([ROW]) == [expected]
    assert store.sent() == sent
    assert len(copies(tmp_path)) == 1
    assert list((tmp_path / "temporary").iterdir()) == []
    assert list((tmp_path / "cache").rglob(".*")) == []
    assert list((tmp_path / "cache").rglob("partial")) == []


def test_a_model_among_the_artifacts_of_a_run_is_found_too(store):
    run_id = mlflow.MlflowClient().get_model_version("many", "2").run_id
    assert find_model(f"runs:/{run_id}") == find_model("models:/many/2")


def test_a_damaged_copy_is_fetched_anew(store, tmp_path):
    folder = find_model("models:/kept/1")
    for damage in (lambda path: path.write_bytes(b"cut short"), Path.unlink):
        sent = store.sent()
        damage(folder / "tfidf.safetensors")
        assert find_model("models:/kept/1") == folder
        check_files(folder, read_settings(folder))
        assert store.sent() > sent
    assert len(copies(tmp_path)) == 1


def test_the_bound_removes_what_was_used_longest_ago(store, tmp_path, monkeypatch):
    first = find_model("models:/many/1")
    size = sum(path.stat().st_size for path in first.iterdir())
    monkeypatch.setenv(cache.BOUND_VARIABLE, str(2.5 * size / 1e9))
    second = find_model("models:/many/2")
    find_model("models:/many/1")
    third = find_model("models:/many/3")
    assert [folder.exists() for folder in (first, second, third)] == [True, False, True]
    monkeypatch.setenv(cache.BOUND_VARIABLE, "0")
    assert find_model("models:/many/2") == second
    assert copies(tmp_path) == [second / "tfidf.safetensors"], "the one just asked for stays, whatever its size"
    for wrong in ("much", "-1", "nan"):
        monkeypatch.setenv(cache.BOUND_VARIABLE, wrong)
        with pytest.raises(StancewiseError, match=r"STANCEWISE_CACHE_GB: .* is not a size"):
            find_model("models:/many/2")


FIND = "import mlflow, sys; from serving.store.versions import find_model; print(find_model(sys.argv[1]), flush=True)"


def finder(store, uri, then=""):
    """Another process that asks for a model."""
    command = [sys.executable, "-c", f"import mlflow; mlflow.set_tracking_uri({store.url!r}); {FIND}; {then}", uri]
    return subprocess.Popen(command, cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def test_a_copy_that_another_process_uses_stays(store, tmp_path, monkeypatch):
    monkeypatch.setenv(cache.BOUND_VARIABLE, "0")
    with finder(store, "models:/many/1", "sys.stdin.read()") as other:
        used = Path(other.stdout.readline().strip())
        second = find_model("models:/many/2")
        assert used.exists()
        other.communicate()
    third = find_model("models:/many/3")
    assert [folder.exists() for folder in (used, second, third)] == [False, False, True]


def test_processes_that_ask_at_once_get_the_same_copy(store, tmp_path):
    find_model("models:/many/1")
    before = store.sent()
    find_model("models:/many/2")
    files = store.sent() - before
    several = [finder(store, "models:/many/3") for _ in range(3)]
    found = {one.communicate()[0].strip() for one in several}
    assert [one.returncode for one in several] == [0, 0, 0]
    assert found == {str(find_model("models:/many/3"))}
    assert store.sent() - before == 2 * files, "one of them fetched"


def test_a_store_on_this_machine_is_used_where_it_is(project, tmp_path, monkeypatch):
    monkeypatch.setenv(cache.CACHE_VARIABLE, str(tmp_path / "cache"))
    mlflow.set_tracking_uri(project.store)
    run_id = mlflow.MlflowClient().get_model_version_by_alias("stance", "baseline").run_id
    for uri in ("models:/stance@baseline", f"runs:/{run_id}"):
        assert find_model(uri).is_relative_to(project.folder)
    assert copies(tmp_path) == []


def test_a_command_says_that_the_registry_does_not_answer(server, store, project, tmp_path):
    find_model("models:/kept@champion")  # a copy does not stand in for the registry
    stop(server[1])
    with pytest.raises(StancewiseError, match=r"models:/kept@champion: the registry does not answer \(.*; start it"):
        find_model("models:/kept@champion")
    project = type(project)(project.folder, {**project.environment, "MLFLOW_TRACKING_URI": store.url})
    done = project.run("serving", "predict", "--model", "models:/kept@champion", "--text", "Oslo left.", check=False)
    assert done.returncode == 1
    assert "the registry does not answer" in done.stderr
    assert "Traceback" not in done.stderr
