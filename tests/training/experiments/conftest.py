"""A store for tests that log runs in their own process."""

import mlflow
import pytest


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """An empty SQLite store with an experiment, for the tests of one file."""
    before = mlflow.get_tracking_uri()
    folder = tmp_path_factory.mktemp("store")
    mlflow.set_tracking_uri(f"sqlite:///{folder}/mlflow.db")
    mlflow.set_experiment(experiment_id=mlflow.create_experiment("tests", str(folder / "artifacts")))
    yield
    mlflow.set_tracking_uri(before)
