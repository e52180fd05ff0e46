"""The model of these tests that is up fast."""

import pytest


@pytest.fixture(scope="module")
def baseline(project):
    import mlflow

    from serving.store.versions import find_model

    mlflow.set_tracking_uri(project.store)
    return find_model("models:/stance@baseline")
