"""A reader for a tracked model: trained by a command, registered, used by command, library and server alike."""

import json
import shutil

import mlflow
import pytest
import yaml

from serving import StanceClassifier, Statement
from serving.article.statements import Article
from serving.runtime.reader import READER_FOLDER, SETTINGS_FILE
from serving.store.folder import check_files, read_settings
from serving.store.versions import find_model
from tests.conftest import REPOSITORY
from tests.serving.server.servers import served
from training.data.sources.taught import text_id

TEXT = "Ada Brekke called the tram plan a mistake. The council of Lund welcomed it, and shopkeepers stayed neutral."


def config(project, name, **changes):
    folder = project.folder
    for part, count in (("train", 4), ("validation", 2)):
        lines = (
            (REPOSITORY / "data" / "reports" / f"{part}.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
        )
        (folder / f"reports-{part}.jsonl").write_text("".join(lines[:count]), encoding="utf-8")
    encoder = yaml.safe_load((folder / "tiny.yaml").read_text(encoding="utf-8"))["encoder"]
    data = {"train": ["reports-train.jsonl"], "validation": "reports-validation.jsonl"}
    data["statements"] = ["statements/test.jsonl"]
    values = {"name": name, "data": data, "encoder": encoder, "epochs": 1, **changes}
    (folder / f"{name}.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")
    return f"{name}.yaml"


@pytest.fixture(scope="module")
def made(project):
    return project.run("training", "reader", config(project, "reader"), "--output-alias", "reader")


@pytest.fixture(scope="module")
def folder(made, project):
    mlflow.set_tracking_uri(project.store)
    return find_model("models:/stance@reader")


def test_a_new_version_holds_the_old_model_and_a_reader(made, folder, champion):
    assert "python -m training promote models:/stance/" in made.stdout
    assert "positions of the validation reports: precision" in made.stdout
    assert "Traceback" not in made.stderr
    check_files(folder, read_settings(folder))
    new = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    old = {str(path.relative_to(champion)) for path in champion.rglob("*") if path.is_file()}
    assert old < new
    assert all(name.startswith(READER_FOLDER) for name in new - old)
    statement = Statement(text=TEXT, speaker="Ada Brekke", target="the tram plan")
    assert StanceClassifier.load(folder).predict([statement]) == StanceClassifier.load(champion).predict([statement])


def test_its_run_says_how_it_reads(made, folder, project):
    mlflow.set_tracking_uri(project.store)
    client = mlflow.MlflowClient()
    version = client.get_model_version_by_alias("stance", "reader")
    run = client.get_run(version.run_id)
    assert run.data.tags["kind"] == "reader"
    assert {"reader/precision", "reader/recall", "reader/f1", "reader/least"} <= run.data.metrics.keys()
    kept = json.loads((folder / READER_FOLDER / SETTINGS_FILE).read_text(encoding="utf-8"))
    assert kept["shown_above"] == run.data.metrics["reader/least"]
    assert kept["neutral_above"] is None or 0 <= kept["neutral_above"] <= 1
    assert "## Reader" in version.description
    assert not (project.folder / "runs" / "reader").exists() or not any((project.folder / "runs" / "reader").iterdir())


def test_the_version_can_be_proposed_as_champion(made, folder, project):
    mlflow.set_tracking_uri(project.store)
    run_id = mlflow.MlflowClient().get_model_version_by_alias("stance", "reader").run_id
    gate = {"model": "withreader", "least_difference": -1.0, "most_ece": 1.0}
    gate["samples"] = str(REPOSITORY / "data" / "articles" / "state-visit.jsonl")
    (project.folder / "withreader.yaml").write_text(yaml.safe_dump(gate), encoding="utf-8")
    project.run("training", "promote", run_id, "--gate", "withreader.yaml")
    assert (find_model("models:/withreader@champion") / READER_FOLDER).is_dir()


def test_command_library_and_server_find_the_same(folder, project, tmp_path):
    shown = tmp_path / "model"
    shutil.copytree(folder, shown)
    settings = shown / READER_FOLDER / SETTINGS_FILE
    settings.write_text(json.dumps(json.loads(settings.read_text()) | {"shown_above": 0.0}), encoding="utf-8")
    own = json.loads((shown / "stancewise.json").read_text())
    (shown / "stancewise.json").write_text(json.dumps(own | {"files": {}}), encoding="utf-8")
    expected = StanceClassifier.load(shown, device="cpu").read_article(TEXT)
    assert expected.statements
    assert all(one.sureness is not None for one in expected.statements)
    (project.folder / "tram.txt").write_text(TEXT, encoding="utf-8")
    printed = project.run(
        "serving", "article", "tram.txt", "--model", str(shown), "--device", "cpu", "--format", "jsonl"
    )
    rows = [json.loads(line) for line in printed.stdout.splitlines()]
    assert [(row["speaker"], row["target"], row["stance"], row["sureness"]) for row in rows] == [
        (one.speaker, one.target, one.stance.label, pytest.approx(one.sureness)) for one in expected.statements
    ]
    with served(shown, tmp_path / "log") as server:
        answer = server.ask("/v1/article", {"text": TEXT})
    article = Article.model_validate(answer.json["article"])
    assert [(one.speaker, one.target, one.stance.label) for one in article.statements] == [
        (one.speaker, one.target, one.stance.label) for one in expected.statements
    ]
    assert [one.sureness for one in article.statements] == pytest.approx([one.sureness for one in expected.statements])


def test_only_what_is_sure_is_shown_where_that_is_asked_for(folder, project, champion, tmp_path):
    shown = tmp_path / "model"
    shutil.copytree(folder, shown)
    limits = {"max_length": 96, "shown_above": 0.0, "sure_above": 0.3}
    (shown / READER_FOLDER / SETTINGS_FILE).write_text(json.dumps(limits), encoding="utf-8")
    (shown / "stancewise.json").write_text((champion / "stancewise.json").read_text(encoding="utf-8"), encoding="utf-8")
    (project.folder / "sure.txt").write_text(TEXT, encoding="utf-8")
    command = ["serving", "article", "sure.txt", "--device", "cpu", "--format", "jsonl", "--model"]
    rows = [
        [json.loads(line) for line in project.run(*command, str(shown), *more).stdout.splitlines()]
        for more in ((), ["--sure"])
    ]
    assert rows[1] == [row for row in rows[0] if row["sureness"] >= 0.3]
    without = project.run(*command, "models:/stance@champion", "--sure")
    assert all(json.loads(line)["sureness"] >= 0.9 for line in without.stdout.splitlines())


@pytest.mark.parametrize(
    ("changes", "arguments", "message"),
    [
        ({}, ["--model", "models:/stance@baseline"], "a tfidf model takes no reader"),
        ({}, ["--output-alias", "champion"], "promote decides that"),
        ({}, ["--model", "somewhere"], "a tracked model is needed"),
        ({"data": {"train": ["none.jsonl"], "validation": "none.jsonl"}}, [], "none.jsonl"),
        ({"epoch": 3}, [], "epochs"),
        (
            {"data": {"train": ["reports-validation.jsonl"], "validation": "reports-validation.jsonl"}},
            [],
            "is also a validation report",
        ),
    ],
)
def test_a_mistake_is_one_line(project, changes, arguments, message):
    done = project.run("training", "reader", config(project, "wrong", **changes), *arguments, check=False)
    assert done.returncode == 1
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_a_reader_learns_from_what_another_one_says(folder, project):
    texts = [json.loads(line)["text"] for line in (project.folder / "reports-train.jsonl").open(encoding="utf-8")]
    asked = project.folder / "texts.jsonl"
    asked.write_text("".join(json.dumps({"text": text}) + "\n" for text in [*texts, TEXT, TEXT]), encoding="utf-8")
    printed = project.run("training", "teach-reader", "models:/stance@reader", "texts.jsonl", "--output", "read.jsonl")
    assert "5 texts read: read.jsonl" in printed.stdout
    answers = [json.loads(line) for line in (project.folder / "read.jsonl").open(encoding="utf-8")]
    assert [one["id"] for one in answers] == [text_id(text) for text in [*texts, TEXT]]
    for text, pairs in zip([*texts, TEXT], (one["pairs"] for one in answers), strict=True):
        for holder, target, *shares in pairs:
            assert holder is None or text[holder].isalpha()
            assert text[target].isalpha()
            assert len(shares) == 3
            assert 0 < sum(shares) < 1.02
    assert answers[-1]["pairs"]
    data = yaml.safe_load((project.folder / config(project, "small")).read_text(encoding="utf-8"))["data"]
    taught = {"taught": [{"texts": "texts.jsonl", "answers": "read.jsonl"}]}
    project.run("training", "reader", config(project, "small", data=data | taught), "--output-alias", "small")
    asked.write_text(json.dumps({"text": "Lund is far."}) + "\n", encoding="utf-8")
    refused = project.run("training", "reader", "small.yaml", check=False)
    assert refused.returncode == 1
    assert "read.jsonl: no answers for a text of texts.jsonl" in refused.stderr.replace("\n", " ")
