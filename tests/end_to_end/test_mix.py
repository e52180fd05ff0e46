"""A mix of our statements, a public set and a user's table, from config to MLflow run."""

import csv

import mlflow
import pytest
import yaml

from tests.conftest import read_lines, write_lines
from training.data.corpus import read_corpus
from training.data.sources.teacher import question_id

NEWS = [
    ("allsides_1_1_1_Rhee_0_4", "Rhee kept the promise and the crowd cheered.", "Rhee", 0, 4, 1),
    ("allsides_1_1_2_Oduya_0_5", "Oduya dodged every question for an hour.", "Oduya", 0, 5, -1),
    ("allsides_2_1_1_Lind_3_7", "At Lind's table sat nine clerks.", "Lind", 3, 7, 0),
    ("allsides_3_1_1_Voss_0_4", "Voss lost the vote by a landslide and left.", "Voss", 0, 4, -1),
]


@pytest.fixture(scope="module")
def mixed(project):
    """A finished run on three sets; the last story of the public set also stands in the test part."""
    folder = project.folder / "news" / "newsmtsc-rw-hf"
    folder.mkdir(parents=True)
    names = ("id", "sentence", "mention", "from", "to", "polarity")
    write_lines(folder / "train.jsonl", [dict(zip(names, row, strict=True)) for row in NEWS])
    with (project.folder / "speeches.csv").open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["sentence", "mp", "bill", "position"])
        rows.writerow(["I will vote for the harbour bill with both hands.", "", "the harbour bill", "pro"])
        rows.writerow(["The harbour bill will sink every boat in my ward.", "", "The harbour bill", "contra"])
    shared = {"id": "t", "text": NEWS[3][1], "target": "Voss", "sentiment": "negative", "group": "newsmtsc:allsides_3"}
    write_lines(project.folder / "held.jsonl", [*read_lines(project.folder / "statements" / "test.jsonl"), shared])
    columns = {"text": "sentence", "speaker": "mp", "target": "bill", "stance": "position"}
    labels = {"stance": {"pro": "support", "contra": "criticism", "none": "neutrality"}}
    values = yaml.safe_load((project.folder / "tiny.yaml").read_text())
    values |= {"name": "mixed", "epochs": 1, "register": None}
    values["data"] = {
        "train": [
            {"path": "statements/train.jsonl", "scheme": "stancewise"},
            {"source": "newsmtsc", "path": "news", "scheme": "newsmtsc", "weight": 0.5},
            {"source": "table", "path": "speeches.csv", "columns": columns, "labels": labels},
        ],
        "validation": "statements/validation.jsonl",
        "test": "held.jsonl",
        "leaks": "drop",
    }
    (project.folder / "mixed.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")
    done = project.run("training", "train", "mixed.yaml")
    mlflow.set_tracking_uri(project.store)
    [run] = mlflow.search_runs(
        experiment_names=["stance"], filter_string="attributes.run_name = 'mixed'", output_format="list"
    )
    return done, run


def test_it_says_what_it_found_before_it_trains(mixed):
    done, _ = mixed
    before = done.stdout.partition("training statements")[0]
    assert "NewsMTSC (train): 1 of 4 rows share a story or a text" in before
    assert "MIT text" in before
    assert "sentiment 1 / 1 / 1" in before  # what is left of the four
    assert "stance 1 / 0 / 1" in before  # the table


def test_the_run_holds_sets_weights_and_provenance(mixed):
    _, run = mixed
    assert run.info.status == "FINISHED"
    sets = run.data.params["data.train"]
    assert sets.startswith(
        "statements/train.jsonl (scheme stancewise), newsmtsc/train news x0.5 (scheme newsmtsc), table"
    )
    assert '"target": "bill"' in sets
    assert '"contra": "criticism"' in sets
    tags = [{tag.key: tag.value for tag in one.tags} for one in run.inputs.dataset_inputs]
    [news] = [one for one in tags if one.get("provenance.name") == "NewsMTSC"]
    assert news["provenance.licence"] == "MIT text"
    assert "EACL 2021" in news["provenance.reference"]
    assert news["weight"] == "0.5"
    assert [one["mlflow.data.context"] for one in tags] == ["training"] * 3 + ["validation", "test"]


def test_the_model_knows_its_schemes(mixed, project):
    _, run = mixed
    from serving import StanceClassifier, Statement

    mlflow.set_tracking_uri(project.store)
    classifier = StanceClassifier.load(f"runs:/{run.info.run_id}", device="cpu")
    assert classifier.settings.schemes == ("stancewise", "newsmtsc")
    statement = Statement(text="Rhee kept the promise.", target="Rhee")
    plain, own, news = classifier.predict(
        [statement, *(statement.model_copy(update={"scheme": name}) for name in classifier.settings.schemes)]
    )
    assert plain == own != news


def test_a_model_teaches_another(project):
    done = project.run("training", "teach", "models:/stance@champion", "tiny.yaml", "--output", "taught.jsonl")
    assert "160 rows labelled: taught.jsonl" in done.stdout
    answers = read_lines(project.folder / "taught.jsonl")
    statements = read_corpus(project.folder / "statements" / "train.jsonl").statements()
    assert [one["id"] for one in answers] == [question_id(statement) for statement in statements]
    assert all(sum(one["sentiment_probabilities"].values()) == pytest.approx(1, abs=1e-3) for one in answers)
    values = yaml.safe_load((project.folder / "tiny.yaml").read_text())
    data = values["data"] | {"train": {"path": "statements/train.jsonl", "teacher": "taught.jsonl"}}
    config = project.config("taught", data=data, epochs=1, register=None, loss={"teacher_share": 1.0})
    assert "macro-F1" in project.run("training", "train", config).stdout
    done = project.run(
        "training", "teach", "models:/stance@champion", "tiny.yaml", "--output", "no/t.jsonl", check=False
    )
    assert done.returncode == 1
    assert "the folder no does not exist" in done.stderr
