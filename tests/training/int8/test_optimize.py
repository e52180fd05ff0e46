"""int8 versions: made from a tracked model alone, measured beside it, registered, judged by the gate."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import mlflow
import numpy as np
import pytest
import yaml
from mlflow.utils.file_utils import local_file_uri_to_path

from serving import StanceClassifier, StancewiseError, Statement
from serving.store.folder import check_files, read_settings
from serving.store.versions import find_model
from serving.watch.reference import read_reference
from tests.conftest import REPOSITORY, read_lines, write_lines

pytest.importorskip("nncf")

NAME = "small"  # the project's champion stays what it is


def promote(project, candidate):
    values = {"model": NAME, "least_difference": -1.0, "most_ece": 1.0}
    values["samples"] = str(REPOSITORY / "data" / "articles" / "state-visit.jsonl")
    (project.folder / f"{NAME}-gate.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")
    return project.run("training", "promote", candidate, "--gate", f"{NAME}-gate.yaml")


@pytest.fixture(scope="module")
def trained(project):
    """The id of the project's fine-tuning run; its model is `small@champion`."""
    mlflow.set_tracking_uri(project.store)
    run_id = mlflow.MlflowClient().get_model_version_by_alias("stance", "champion").run_id
    promote(project, run_id)
    return run_id


@pytest.fixture(scope="module")
def made(project, trained):
    """What the command printed; its model is `small@int8`."""
    return project.run("serving", "optimize", "--model", f"models:/{NAME}@champion", "--output-alias", "int8")


@pytest.fixture(scope="module")
def version(made):
    return mlflow.MlflowClient().get_model_version_by_alias(NAME, "int8")


def test_a_new_version_holds_the_old_model_and_int8(made, version, trained, project):
    assert f"made models:/{NAME}/2" in made.stdout
    assert "python -m training promote models:/small/2" in made.stdout
    for noise in ("nncf", "INFO", "Statistics collection", "Traceback"):
        assert noise not in made.stdout + made.stderr
    folder, before = find_model(f"models:/{NAME}/2"), find_model(f"models:/{NAME}/1")
    settings = read_settings(folder)
    assert settings.run_id == trained
    names = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    added = {"int8/model.xml", "int8/model.bin"}
    assert names == {path.name for path in before.iterdir()} | added
    assert settings.files.keys() == names - {"stancewise.json"}
    check_files(folder, settings)
    assert read_reference(folder) == read_reference(before) is not None
    assert version.tags["runtime"] == "openvino"
    requirements = (folder.parent.parent / "requirements.txt").read_text()
    assert all(f"{name}==" in requirements for name in ("openvino", "torch", "transformers"))
    assert mlflow.MlflowClient().get_model_version_by_alias(NAME, "champion").version == 1


def test_it_answers_like_torch_and_torch_still_loads(made, project):
    rows = read_lines(project.folder / "statements" / "test.jsonl")
    statements = [Statement(text=row["text"], speaker=row["speaker"], target=row["target"]) for row in rows]
    int8, torch = (StanceClassifier.load(f"models:/{NAME}@int8", "cpu", runtime) for runtime in ("auto", "torch"))
    assert (int8.runtime.name, torch.runtime.name) == ("openvino", "torch")
    probabilities = [
        np.array([list(one.stance.probabilities.values()) for one in classifier.predict(statements)])
        for classifier in (int8, torch)
    ]
    assert np.abs(probabilities[0] - probabilities[1]).max() < 0.02


def test_the_run_and_the_card_name_the_figures(made, version, trained):
    client = mlflow.MlflowClient()
    run, before = client.get_run(version.run_id), client.get_run(trained)
    assert run.info.experiment_id == before.info.experiment_id
    assert run.info.run_name == "tiny-int8"
    assert run.data.tags["kind"] == "optimize"
    assert run.data.tags["optimized_from"] == trained
    assert run.data.tags["dataset_digest"] == before.data.tags["dataset_digest"]
    assert "stancewise.fingerprint" not in run.data.tags, "train --reuse would find it"
    assert run.data.params == {**before.data.params, "runtime": "openvino int8"}
    metrics = run.data.metrics
    for head in ("stance", "sentiment"):
        low, value, high = (metrics[f"int8/{head}/macro_f1_difference{end}"] for end in ("_low", "", "_high"))
        assert low <= value <= high
        assert {f"test/{head}/{name}" for name in ("macro_f1_low", "ece", "aurc")} <= metrics.keys()
        assert f"test/{head}/ece_low" not in metrics
        after, old = metrics[f"test/{head}/macro_f1"], before.data.metrics[f"test/{head}/macro_f1"]
        assert value == pytest.approx(after - old, abs=1e-6), "both are measured as training measures"
    table = client.load_table(run.info.experiment_id, "tables/metrics.json", [run.info.run_id])
    assert {("test", "ece"), ("int8", "macro_f1_difference")} <= set(zip(table["part"], table["metric"], strict=True))
    assert 0 < metrics["cost/model_mb"] < 1
    assert {"int8/speed_ratio", "int8/single_ratio", "cost/ms_per_statement", "cost/minutes"} <= metrics.keys()
    _, _, section = version.description.partition("## Int8")
    section, _, rest = section.partition("## Data")
    assert rest, "the training run's card goes on after it"
    for words in (trained, "160 training rows", "test stance macro-F1", "size in MB", "statements/s", "one by itself"):
        assert words in section
    assert f'load("runs:/{version.run_id}")' in rest


def test_it_is_compared_and_promoted_as_any_run(made, version, trained, project):
    compared = project.run("training", "compare", trained, version.run_id).stdout
    assert "openvino int8" in compared
    assert "no difference between tiny-int8 and tiny is shown" in compared
    assert "version 2 is now champion" in promote(project, f"models:/{NAME}/2").stdout
    assert mlflow.MlflowClient().get_model_version_by_alias(NAME, "champion").run_id == version.run_id


def test_mistakes_are_named(made, trained, project, tmp_path):
    from rich.console import Console

    from training.int8.optimize import optimize

    for uri, alias, message in (
        ("models:/stance@baseline", None, "a tfidf model has nothing to quantise"),
        (f"models:/{NAME}@int8", None, "holds an int8 model already"),
        (str(tmp_path), None, "a tracked model is needed"),
        ("models:/nobody@champion", None, "not found in the tracking store"),
        (f"models:/{NAME}/1", "champion", "python -m training promote decides that"),
        (f"runs:/{trained}", "int8", "names no registered model"),
    ):
        with pytest.raises(StancewiseError, match=message):
            optimize(uri, alias, Console(quiet=True))
    kept = Path(local_file_uri_to_path(mlflow.get_run(trained).info.artifact_uri)) / "optimize"
    kept.rename(kept.with_name("away"))  # as in a run of an earlier version
    try:
        with pytest.raises(StancewiseError, match=f"run {trained}.*optimize/train.jsonl.*train again"):
            optimize(f"runs:/{trained}", None, Console(quiet=True))
    finally:
        kept.with_name("away").rename(kept)


# Weights that make answers differ from row to row, and among them one channel of the values 10,000 times as large,
# which the next layer undoes: the same answers in floating point, but in int8 that layer's input has room for it alone.
OUTLIER = """
import json, sys
from pathlib import Path
from serving.cli import quiet
quiet()
import numpy as np
from safetensors.numpy import load_file, save_file
from openvino.tools.ovc import telemetry_utils
from serving.store.folder import read_settings
from serving.labels import HEADS, LOGITS
from training.int8.quantise import MOST_LOSS, Rows, quantise
from serving.runtime.base import all_logits
from serving.runtime.pytorch import TorchRuntime
from serving.statement import Statement

folder, rows = Path(sys.argv[1]), Path(sys.argv[2]).read_text().splitlines()
weights, random = load_file(folder / "model.safetensors"), np.random.default_rng(0)
for name, weight in weights.items():
    if weight.ndim == 2:
        weights[name] = random.normal(0, 0.3, weight.shape).astype(np.float32)
layer = "bert.encoder.layer.0.attention."
for name in ("weight", "bias"):
    weights[f"{layer}self.value.{name}"][3] *= 1e4
weights[f"{layer}output.dense.weight"][:, 3] /= 1e4
save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
settings = read_settings(folder)
torch = TorchRuntime(folder, settings, "cpu")
statements = [Statement(text=json.loads(row)["text"]) for row in rows]
logits = all_logits(torch, statements)
# Its own answers are the labels, on the rows where it is sure of both.
ordered = [np.sort(logits[:, LOGITS[head]], axis=1) for head in HEADS]
sure = np.argsort(np.min([one[:, 2] - one[:, 1] for one in ordered], axis=0))[-40:]
labels = {head: logits[sure][:, LOGITS[head]].argmax(1) for head in HEADS}
validation = Rows([statements[place] for place in sure], labels, np.arange(len(sure)))
done = quantise(torch, settings, statements[:40], validation, folder, lambda step: None)
print(json.dumps({"loss": done.loss, "plain": done.plain_loss, "kept": done.kept, "most": MOST_LOSS, "text": str(done),
                  "telemetry": telemetry_utils.tm.__name__}))
"""


def test_the_layer_that_int8_spoils_is_kept_in_higher_precision(champion, project, tmp_path):
    folder = tmp_path / "model"
    shutil.copytree(champion, folder)
    command = [sys.executable, "-c", OUTLIER, str(folder), str(project.folder / "statements" / "train.jsonl")]
    done = subprocess.run(command, env=project.environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["plain"] > result["most"] >= result["loss"]
    kept = result["kept"]
    assert "bert.encoder.layer.0.attention.output.dense" in kept
    assert len(kept) < 14, "not all of them"
    assert f"layers kept in higher precision: {len(kept)} (" in result["text"]
    assert result["telemetry"].endswith("telemetry_stub"), "nothing is reported to anyone"


def test_adapting_an_int8_version_goes_on_from_the_weights_behind_it(project, version):
    rows = read_lines(REPOSITORY / "data" / "statements" / "train.jsonl")[1000:1070]
    kept = ("text", "speaker", "target", "stance")
    write_lines(project.folder / "own.jsonl", [{name: row[name] for name in kept} for row in rows])
    options = ["--data", "own.jsonl", "--alias", "adapted", "--epochs", "1"]
    project.run("training", "adapt", "--model", f"models:/{NAME}@int8", *options)
    folder = find_model(f"models:/{NAME}@adapted")
    check_files(folder, read_settings(folder))
    assert not (folder / "int8").exists()
    made = mlflow.MlflowClient().get_model_version_by_alias(NAME, "adapted")
    assert "The int8 weights of the model before are left out" in made.description
