"""Clients that exist already, against our server."""

import mlflow
import numpy as np
import pandas as pd
import pytest
from huggingface_hub import InferenceClient
from mlflow.pyfunc.scoring_server.client import ScoringServerClient

from serving import Statement
from tests.serving.server.servers import served
from tests.serving.server.test_server import bodies


@pytest.fixture(scope="module")
def server(champion, tmp_path_factory):
    with served(champion, tmp_path_factory.mktemp("protocols") / "log") as running:
        yield running


@pytest.fixture(scope="module")
def expected(project):
    """The rows of the first 12 statements from the MLflow model itself."""
    mlflow.set_tracking_uri(project.store)
    model = mlflow.pyfunc.load_model("models:/stance@champion")
    return model.predict(pd.DataFrame(bodies(12))).to_dict("records")


def same(got, wanted):
    for one, two in zip(got, wanted, strict=True):
        assert one["stance"] == two["stance"]
        assert one["sentiment_probabilities"] == pytest.approx(two["sentiment_probabilities"], abs=1e-5)
        assert one["abstained"] == two["abstained"]


def test_mlflow_s_own_client(server, expected):
    client = ScoringServerClient("127.0.0.1", server.port)
    client.ping()
    assert client.get_version().startswith("3.")
    same(client.invoke(pd.DataFrame(bodies(12))).get_predictions().to_dict("records"), expected)


def test_every_form_of_mlflow_s_data(server, expected):
    rows = bodies(12)
    columns = ["text", "speaker", "target"]
    forms = [
        {"dataframe_split": {"columns": columns, "data": [[row[c] for c in columns] for row in rows]}},
        {"dataframe_records": rows, "params": {"temperature": 1}},
        {"dataframe_records": [{**row, "id": 7, "note": "kept by nobody"} for row in rows]},
        {"inputs": rows},
        {"inputs": {c: [row[c] for row in rows] for c in columns}},
        {"instances": rows},
    ]
    for form in forms:
        same(server.ask("/invocations", form).json["predictions"], expected)
    texts = server.ask("/invocations", {"inputs": [row["text"] for row in rows]}).json["predictions"]
    assert len(texts) == 12
    [one] = server.ask("/invocations", {"inputs": rows[0]}).json["predictions"]
    same([one], expected[:1])
    missing = [{**rows[0], "speaker": None, "target": float("nan")}]
    assert server.ask("/invocations", {"dataframe_records": missing}).status == 200
    assert server.ask("/invocations", {"dataframe_records": []}).json == {"predictions": []}


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({}, "exactly one of dataframe_split"),
        ({"inputs": ["a"], "instances": ["a"]}, "exactly one of"),
        ({"inputs": [["a"]]}, "inputs: give objects with a text"),
        ({"inputs": {"text": ["a", "b"], "target": ["c"]}}, "inputs: all columns need lists of the same length"),
        ({"dataframe_split": {"columns": ["text"], "data": [["a", "b"]]}}, "every row needs 1 values"),
        ({"dataframe_records": [{"text": "a"}, {"target": "b"}]}, "dataframe_records.1.text: Field required"),
        ({"signature": 1}, "body: has a field that is not known: 'signature'"),
        ({"dataframe_records": [{"text": "a", "Target": "b"}]}, "dataframe_records.0: columns that would not be read"),
        ({"inputs": {"text": ["a"], "holder": ["b"]}}, "'holder' as 'speaker'"),
    ],
)
def test_what_mlflow_s_protocol_does_not_know(server, body, path):
    answer = server.ask("/invocations", body)
    assert answer.status == 422
    assert path in answer.json["error"]


def test_text_embeddings_inference_single_pair_and_batch(server, classifier):
    text, target = bodies(1)[0]["text"], bodies(1)[0]["target"]
    [alone, about] = classifier.predict([Statement(text=text), Statement(text=text, target=target)])
    single = server.ask("/predict", {"inputs": text}).json
    pair = server.ask("/predict", {"inputs": [text, target], "truncate": True}).json
    batch = server.ask("/predict", {"inputs": [[text], [text, target]]}).json
    for scores, prediction in ((single, alone), (pair, about), (batch[0], alone), (batch[1], about)):
        assert [one["score"] for one in scores] == sorted((one["score"] for one in scores), reverse=True)
        by_label = {one["label"]: one["score"] for one in scores}
        for name in ("stance", "sentiment"):
            head = getattr(prediction, name)
            wanted = [head.probabilities[label] for label in head.probabilities]
            assert np.allclose([by_label[f"{name}:{label}"] for label in head.probabilities], wanted, atol=1e-5)


@pytest.mark.parametrize("inputs", [[], [[]], [["a", "b", "c"]], ["a", "b", "c"], 5, [["a"], "b"]])
def test_other_inputs_are_refused(server, inputs):
    assert server.ask("/predict", {"inputs": inputs}).status == 422


def test_raw_scores_are_refused(server):
    assert "calibrated" in server.ask("/predict", {"inputs": "a", "raw_scores": True}).json["error"]


def test_hugging_face_s_client(server, classifier):
    text = bodies(1)[0]["text"]
    client = InferenceClient(model=f"{server.url}/predict")
    [prediction] = classifier.predict([Statement(text=text)])
    answer = client.text_classification(text)
    assert len(answer) == 6
    assert answer[0].score == pytest.approx(
        max(prediction.stance.probability, prediction.sentiment.probability), abs=1e-5
    )
    assert len(client.text_classification(text, top_k=2)) == 2
