"""`python -m training pick` as a user runs it."""

import csv
import json

import pytest

from tests.conftest import REPOSITORY, read_lines, write_lines

TABLE = REPOSITORY / "data" / "own-topic" / "statements.csv"


def read(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_rows_are_chosen_with_their_columns_and_the_same_again(project):
    for name in ("one", "two"):
        done = project.run("training", "pick", "--input", str(TABLE), "--rows", "30", "--output", f"{name}.csv")
    assert "30 of 200 rows chosen" in done.stderr
    one, two = (read(project.folder / f"{name}.csv") for name in ("one", "two"))
    assert one == two
    every = read(TABLE)
    assert all(row in every for row in one)
    assert len({row["id"] for row in one}) == 30


def test_labelled_rows_are_left_out_and_suggestions_come_when_asked(project):
    options = [
        "--input",
        str(TABLE),
        "--rows",
        "20",
        "--labelled",
        "first.csv",
        "--suggest",
        "--output",
        "second.jsonl",
    ]
    project.run("training", "pick", "--input", str(TABLE), "--rows", "20", "--output", "first.csv")
    project.run("training", "pick", *options)
    first = {row["id"] for row in read(project.folder / "first.csv")}
    second = read_lines(project.folder / "second.jsonl")
    assert len(second) == 20
    assert not first & {row["id"] for row in second}
    for row in second:
        assert row["model_stance"] in ("support", "neutrality", "criticism")
        assert row["model_sentiment"] in ("positive", "neutral", "negative")
        assert 1 / 3 <= row["model_stance_sureness"] <= 1


def test_rows_that_are_no_statements_are_listed(project):
    rows = [
        {"text": "Oslo hailed the accord.", "target": "the accord"},
        {"text": " "},
        {"text": "a", "target": "b " * 240},
    ]
    write_lines(project.folder / "odd.jsonl", rows)
    done = project.run("training", "pick", "--input", "odd.jsonl", "--output", "picked.jsonl", check=False)
    assert done.returncode == 3
    bad = read_lines(project.folder / "picked.jsonl.bad.jsonl")
    assert [row["line"] for row in bad] == [2, 3]
    assert bad[0]["reason"] == "text: empty"
    assert "leave no room for the text" in bad[1]["reason"]
    assert read_lines(project.folder / "picked.jsonl") == rows[:1]
    assert "b b b" not in json.dumps(bad) + done.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--input", "none.csv"], "none.csv: no such file"),
        (["--output", "picked.xlsx"], "unknown extension"),
        (["--labelled", "none.csv"], "none.csv: no such file"),
        (["--labelled", str(TABLE)], "no statement is left to label"),
        (["--model", "models:/stance@baseline"], "has no embeddings"),
        (["--input", "columns.csv"], "write 'Target' as 'target'"),
    ],
)
def test_a_mistake_is_one_line_and_leaves_no_file(project, arguments, message):
    (project.folder / "columns.csv").write_text("text,Target\na,b\n", encoding="utf-8")
    done = project.run("training", "pick", "--input", str(TABLE), "--output", "wrong.csv", *arguments, check=False)
    assert done.returncode == 1
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(project.folder.glob("*wrong.csv*"))
