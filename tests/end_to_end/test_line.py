"""The whole line as a user runs it: train -> MLflow -> registry -> every way to call the model."""

import json
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import mlflow
import pytest

from tests.conftest import Project, read_lines

FINAL = ("accuracy", "macro_f1", "macro_f1_low", "macro_f1_high", "ece", "aurc")


@pytest.fixture(scope="module")
def finished(project):
    mlflow.set_tracking_uri(project.store)
    [run] = mlflow.search_runs(
        experiment_names=["stance"], filter_string="attributes.run_name = 'tiny'", output_format="list"
    )
    return run


def test_a_run_holds_what_a_reader_needs(finished):
    assert finished.info.status == "FINISHED"
    assert finished.data.params["optimiser.learning_rate"] == "0.001"
    assert finished.data.params["seed"] == "13"
    assert len(finished.data.params) < 40
    for part in ("validation", "test"):
        for head in ("stance", "sentiment"):
            assert {f"{part}/{head}/{name}" for name in FINAL} <= set(finished.data.metrics)
    for label in ("support", "neutrality", "criticism"):
        assert f"test/stance/f1_{label}" in finished.data.metrics
    low, value, high = (finished.data.metrics[f"test/stance/macro_f1{end}"] for end in ("_low", "", "_high"))
    assert low <= value <= high
    ends = {name.rpartition("/")[2] for name in finished.data.metrics if name.endswith(("_low", "_high"))}
    assert ends == {"macro_f1_low", "macro_f1_high"}
    assert len(finished.data.tags["data.test.sha256"]) == 64
    assert len(finished.data.tags["dataset_digest"]) == 16
    assert finished.data.params["encoder"].endswith("encoder0")
    contexts = {i.dataset.name: i.tags[0].value for i in finished.inputs.dataset_inputs}
    assert contexts == {"train": "training", "validation": "validation", "test": "test"}
    client = mlflow.MlflowClient()
    steps = [point.step for point in client.get_metric_history(finished.info.run_id, "curve/validation_loss")]
    assert steps == [5, 10]


def test_a_run_holds_plots_tables_and_config(finished):
    client = mlflow.MlflowClient()
    run_id = finished.info.run_id
    plots = {file.path for file in client.list_artifacts(run_id, "plots")}
    assert plots == {f"plots/{name}.png" for name in ("confusion_matrices", "reliability", "risk_coverage", "loss")}
    table = client.load_table(finished.info.experiment_id, "tables/test_predictions.json", [run_id])
    assert len(table) == 60
    assert {"stance_true", "stance_predicted", "stance_p_criticism", "sentiment_abstained"} <= set(table.columns)
    errors = client.load_table(finished.info.experiment_id, "tables/test_worst_errors.json", [run_id])
    assert (errors["true"] != errors["predicted"]).all()
    figures = client.load_table(finished.info.experiment_id, "tables/metrics.json", [run_id])
    named = figures.set_index(figures["part"] + "/" + figures["head"] + "/" + figures["metric"])
    for name, row in named.iterrows():
        assert row["value"] == pytest.approx(finished.data.metrics[name])
    assert (named["low"] <= named["value"]).sum() > 20
    assert named.loc["test/stance/ece", "low"] < named.loc["test/stance/ece", "high"]
    assert named.loc[["test/stance/coverage"], ["low", "high"]].isna().all(axis=None)
    assert "config.json" in {file.path for file in client.list_artifacts(run_id)}


def test_the_logged_model_has_signature_example_requirements_and_metrics(finished):
    [model] = mlflow.search_logged_models(
        experiment_ids=[finished.info.experiment_id],
        filter_string=f"source_run_id = '{finished.info.run_id}'",
        output_format="list",
    )
    assert "test/stance/macro_f1" in {metric.key for metric in model.metrics}
    info = mlflow.models.get_model_info(model.model_uri)
    assert info.signature.inputs.required_input_names() == ["text"]
    folder = mlflow.artifacts.download_artifacts(artifact_uri=model.model_uri)
    names = {path.name for path in Path(folder).rglob("*") if path.is_file()}
    assert "model.safetensors" in names
    assert "input_example.json" in names
    assert not {name for name in names if name.endswith((".pkl", ".bin", ".pt", ".pickle"))}
    requirements = (Path(folder) / "requirements.txt").read_text().split()
    assert all("==" in line for line in requirements)
    for package in ("torch", "py3langid", "rjieba", "snowballstemmer"):
        assert any(line.startswith(f"{package}==") for line in requirements), package


def test_the_registered_version_carries_its_model_card(finished):
    client = mlflow.MlflowClient()
    version = client.get_model_version_by_alias("stance", "champion")
    for part in (
        "# tiny",
        "| test, 60 rows | stance | sentiment |",
        "| macro-F1 |",
        "| train | train | 160",
        "## Use and",
    ):
        assert part in version.description
    assert f'StanceClassifier.load("runs:/{finished.info.run_id}")' in version.description
    assert f"{100 * finished.data.metrics['test/stance/ece']:.1f} [" in version.description
    assert len(version.description) <= 5000
    assert "calibrated probabilities" in client.get_registered_model("stance").description
    card = Path(mlflow.artifacts.download_artifacts(run_id=finished.info.run_id, artifact_path="model_card.md"))
    assert card.read_text(encoding="utf-8").startswith(version.description[:4000])


def test_the_terminal_shows_epochs_figures_and_where_the_model_went(project):
    log = (project.folder / "train.log").read_text(encoding="utf-8")
    assert "epoch 2" in log
    assert "macro f1" in log
    assert "models:/stance@champion" in log
    assert "Traceback" not in log
    assert not list((project.folder / "runs").iterdir()), "checkpoints of a finished run are removed"


PROBE = """
import sys, json, os
import mlflow, pandas as pd
frame = pd.DataFrame(json.load(open(sys.argv[1])))
answer = mlflow.pyfunc.load_model("models:/stance@{alias}").predict(frame)
assert not {{"training", "datasets", "matplotlib"}} & set(sys.modules), "serving must stay alone"
answer.to_json(sys.argv[2], orient="records")
"""

# The four defects of mlflow.transformers.log_model that this model must not have, and other hard texts.
HARD = [
    {"text": "2024", "speaker": None, "target": None},
    {"text": "'quoted'", "speaker": None, "target": None},
    {"text": "Oslo hailed the accord.", "speaker": "Oslo", "target": "the accord"},
    {"text": "word " * 3000 + "Oslo hailed the accord.", "speaker": "Oslo", "target": "the accord"},
    {"text": "?", "speaker": None, "target": "the accord"},
    {"text": "🚢🔥 what a deal 👏", "speaker": None, "target": "deal"},
    {"text": "رحّب الوزير بالاتفاق الجديد", "speaker": "الوزير", "target": "الاتفاق"},
    {"text": "nul\0inside the accord", "speaker": None, "target": "the accord"},
    {"text": "x" * 100_000, "speaker": None, "target": None},
    {"text": "No target here.", "speaker": "nobody", "target": None},
]


def test_pyfunc_names_the_row_that_has_no_text_and_not_what_stands_in_it(project):
    import pandas as pd

    mlflow.set_tracking_uri(project.store)
    model = mlflow.pyfunc.load_model("models:/stance@baseline")
    with pytest.raises(Exception, match="row 1: text: empty") as raised:
        model.predict(pd.DataFrame({"text": ["a", None], "speaker": ["Oslo", "secret"]}))
    assert "secret" not in str(raised.value)
    with pytest.raises(Exception, match="row 0: target: Input should be a valid string"):
        model.predict(pd.DataFrame({"text": ["a"], "target": [2024]}))
    empty = model.predict(pd.DataFrame({"text": []}, dtype=str))
    assert next(iter(empty.columns)) == "stance"
    chosen = pd.DataFrame({"text": ["a", "b", "c"]}).iloc[[2, 0]]
    assert list(model.predict(chosen).index) == [2, 0]  # so that the answers can be joined to the rows


def test_pyfunc_abstains_on_another_language_unless_its_config_says_otherwise(project):
    import pandas as pd

    mlflow.set_tracking_uri(project.store)
    texts = ["Les dockers ont rejeté l'offre du port et cesseront le travail dès lundi.", "Oslo hailed the accord."]
    frame = pd.DataFrame({"text": texts})
    answered = {}
    for every in (False, True):
        config = {"any_language": True} if every else None
        model = mlflow.pyfunc.load_model("models:/stance@baseline", model_config=config)
        answered[every] = model.predict(frame)
        assert model.unwrap_python_model().classifier.languages == (None if every else ("en",))
    assert answered[False]["language"][0] == answered[True]["language"][0] == "fr"
    assert answered[False]["abstained"][0]
    assert answered[False]["stance_probabilities"].tolist() == answered[True]["stance_probabilities"].tolist()
    assert list(answered[False].columns) == model.metadata.signature.outputs.input_names()


def test_pyfunc_takes_the_columns_that_pandas_makes(project):
    import pandas as pd

    mlflow.set_tracking_uri(project.store)
    model = mlflow.pyfunc.load_model("models:/stance@baseline")
    rows = [("Oslo hailed the accord.", None, "the accord"), ("Rome left.", None, None)]
    plain = pd.DataFrame(rows, columns=["text", "speaker", "target"], dtype=object)
    wanted = model.predict(plain)["stance_probabilities"].tolist()
    for changed in (
        plain.assign(speaker=float("nan")),
        plain.assign(speaker=pd.NA, target=plain["target"].astype("string")),
        plain.astype("category"),
        plain.drop(columns="speaker").set_axis([7, 9]),
    ):
        assert model.predict(changed)["stance_probabilities"].tolist() == wanted


@pytest.mark.parametrize("alias", ["champion", "baseline"])
def test_pyfunc_in_a_fresh_process_without_pickle(project, tmp_path, alias):
    (tmp_path / "rows.json").write_text(json.dumps(HARD), encoding="utf-8")
    script = tmp_path / "probe.py"
    script.write_text(PROBE.format(alias=alias), encoding="utf-8")
    environment = {**project.environment, "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false"}
    done = subprocess.run(
        [sys.executable, script, tmp_path / "rows.json", tmp_path / "out.json"],
        env=environment,
        cwd=project.folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answers = json.loads((tmp_path / "out.json").read_text())
    assert len(answers) == len(HARD)
    for answer in answers:
        assert answer["stance"] in ("support", "neutrality", "criticism")
        assert sum(answer["stance_probabilities"].values()) == pytest.approx(1)
        assert sum(answer["sentiment_probabilities"].values()) == pytest.approx(1)


def test_quotes_count_and_a_long_text_keeps_its_target(classifier):
    from serving import Statement

    plain, quoted = classifier.runtime.inputs.encode([Statement(text="2024"), Statement(text="'2024'")])
    assert len(quoted) == len(plain) + 2
    [encoded] = classifier.runtime.inputs.encode([Statement(**HARD[3])])
    shown = classifier.runtime.inputs.tokenizer.decode(encoded.ids, skip_special_tokens=False).replace(" ##", "")
    assert "[T] the accord [/T]" in shown
    assert "[H] oslo [/H]" in shown


def test_mlflow_models_serve_answers_json(project):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = ["mlflow", "models", "serve", "-m", "models:/stance@champion", "-p", str(port), "--env-manager", "local"]
    log = (project.folder / "serve.log").open("w")
    server = subprocess.Popen(
        [sys.executable, "-m", *command],
        env=project.environment,
        cwd=project.folder,
        stdout=log,
        stderr=log,
        start_new_session=True,
    )
    try:
        body = json.dumps({"dataframe_records": [row for row in HARD if "\0" not in row["text"]]}).encode()
        answers = _post(f"http://127.0.0.1:{port}/invocations", body, server)["predictions"]
        assert len(answers) == len(HARD) - 1
        assert set(answers[0]["stance_probabilities"]) == {"support", "neutrality", "criticism"}
    finally:
        import os
        import signal

        os.killpg(server.pid, signal.SIGTERM)
        server.wait(30)


def _post(url: str, body: bytes, server: subprocess.Popen) -> dict:
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
    for _ in range(120):
        assert server.poll() is None, "the server stopped"
        try:
            with urllib.request.urlopen(request, timeout=60) as response:
                return json.load(response)
        except urllib.error.HTTPError as error:
            raise AssertionError(error.read().decode()) from error
        except OSError:
            time.sleep(0.5)
    raise AssertionError("the server did not start")


def test_reuse_runs_nothing_twice(project):
    before = mlflow.search_runs(experiment_names=["stance"], output_format="list")
    done = project.run("training", "train", "tiny.yaml", "--reuse")
    assert "nothing to do" in done.stdout
    assert len(mlflow.search_runs(experiment_names=["stance"], output_format="list")) == len(before)


def test_several_seeds_are_nested_under_a_parent_with_their_mean(project):
    project.run("training", "train", project.config("seeds", seeds=[1, 2], epochs=1, experiment="seeds", register=None))
    runs = mlflow.search_runs(experiment_names=["seeds"], output_format="list")
    [parent] = [run for run in runs if run.info.run_name == "seeds"]
    children = [run for run in runs if run.data.tags.get("mlflow.parentRunId") == parent.info.run_id]
    assert {run.data.params["seed"] for run in children} == {"1", "2"}
    scores = [run.data.metrics["test/stance/macro_f1"] for run in children]
    assert parent.data.metrics["test/stance/macro_f1"] == pytest.approx(sum(scores) / 2)


def test_one_head_leaves_the_other_unanswered(project):
    project.run("training", "train", project.config("onehead", heads=["stance"], epochs=1, register={"name": "one"}))
    done = project.run("serving", "predict", "--model", "models:/one/1", stdin='{"text": "Oslo left."}\n')
    answer = json.loads(done.stdout)
    assert answer["stance"] is not None
    assert answer["sentiment"] is None
    assert answer["sentiment_probabilities"] is None


def test_evaluate_prints_the_figures(project):
    done = project.run("training", "evaluate", "models:/stance@baseline", "statements/test.jsonl")
    assert "macro f1" in done.stdout
    assert len(read_lines(project.folder / "statements" / "test.jsonl")) == 60


def test_a_store_that_does_not_answer_is_an_error_before_any_work(project):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        nowhere = {**project.environment, "MLFLOW_TRACKING_URI": f"http://127.0.0.1:{probe.getsockname()[1]}"}
        done = Project(project.folder, nowhere).run("training", "train", "tiny.yaml", check=False)
    assert done.returncode == 1
    assert "start it, or set MLFLOW_TRACKING_URI" in done.stderr
    assert "run " not in done.stdout
