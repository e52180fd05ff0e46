"""How far two labellers agree: the measures against known figures, the rows to settle, the command."""

import csv
import json
import math
from pathlib import Path

import numpy as np
import pytest
import typer.testing

from serving.errors import StancewiseError
from tests.conftest import write_lines
from training.commands import app
from training.data.corpus import LabelledStatement
from training.labelling.agree import alpha, compare

STANCES = ("support", "neutrality", "criticism")


def side(labels, **more):
    return {
        str(i): LabelledStatement(id=str(i), text=f"Text {i}.", target="the levy", stance=label, **more)
        for i, label in enumerate(labels)
    }


def counts(one, other):
    cells = np.zeros((1, 3, 3))
    for pair in zip(one, other, strict=True):
        cells[0][pair] += 1
    return cells


def test_alpha_is_that_of_krippendorffs_example_of_two_observers():
    one, other = (0, 1, 0, 0, 0, 0, 0, 0, 1, 0), (1, 1, 1, 0, 0, 1, 0, 0, 0, 0)
    assert alpha(counts(one, other))[0] == pytest.approx(0.095, abs=5e-4)


def test_full_agreement_is_one_and_one_label_alone_says_nothing():
    both = side(STANCES * 5)
    [stance] = compare(both, both).agreements
    assert (stance.rows, stance.same, stance.raw.value, stance.kappa.value, stance.alpha.value) == (15, 15, 1, 1, 1)
    alone = side(("support",) * 9)
    [stance] = compare(alone, alone).agreements
    assert stance.raw.value == 1
    assert math.isnan(stance.kappa.value)
    assert math.isnan(stance.alpha.value)


def test_the_interval_holds_the_figure_and_narrows_with_rows():
    widths = []
    for rows in (30, 300):
        rng = np.random.default_rng(0)
        one = [STANCES[i] for i in rng.integers(0, 3, rows)]
        other = [label if rng.random() < 0.7 else STANCES[rng.integers(0, 3)] for label in one]
        [stance] = compare(side(one), side(other)).agreements
        for figure in (stance.raw, stance.kappa, stance.alpha):
            assert figure.low < figure.value < figure.high
        widths.append(stance.alpha.high - stance.alpha.low)
    assert widths[1] < widths[0]


def test_only_rows_that_ask_the_same_are_compared():
    one, other = side(STANCES), side(STANCES[:2])
    other["1"] = other["1"].model_copy(update={"target": "the mayor"})
    other["9"] = other["0"].model_copy(update={"id": "9"})
    found = compare(one, other)
    assert (found.agreements[0].rows, found.only_first, found.only_second, found.other_mentions) == (1, 1, 1, 1)
    [differing] = found.differ
    assert (differing["target_a"], differing["target_b"], differing["stance_a"]) == (
        "the levy",
        "the mayor",
        "neutrality",
    )


def answers(path, labels, sentiment="neutral"):
    rows = [
        {"id": str(i), "text": f"The guild spoke of the levy, time {i}.", "speaker": "The guild", "stance": one}
        for i, one in enumerate(labels)
    ]
    return write_lines(path, [row | ({"sentiment": sentiment} if sentiment else {}) for row in rows])


def run(*arguments):
    done = typer.testing.CliRunner().invoke(app, [str(one) for one in arguments])
    if done.exception:
        raise done.exception
    return done.output


def test_the_command_counts_and_writes_the_rows_to_settle(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    answers(Path("ada.jsonl"), ["support", "criticism", "support", "neutrality", "support"])
    answers(Path("bo.jsonl"), ["support", "neutrality", "support", "neutrality"], sentiment=None)
    printed = run("agree", "ada.jsonl", "bo.jsonl", "--output", "differ.csv")
    assert "stance" in printed
    assert "sentiment" not in printed, "only one has labelled it"
    assert "75.0 [" in printed
    assert "rows only ada.jsonl has: 1" in printed
    assert "rows they differ on: 1" in printed
    [row] = csv.DictReader(Path("differ.csv").read_text("utf-8").splitlines())
    assert (row["id"], row["stance_a"], row["stance_b"]) == ("1", "criticism", "neutrality")


@pytest.mark.parametrize(
    ("second", "said"),
    [
        ("gone.jsonl", "gone.jsonl: no such file"),
        ("half.jsonl", "half.jsonl:2: not JSON"),
        ("odd.jsonl", "odd.jsonl:1: stance: label 'zebra' is not in the map"),
        ("twice.jsonl", "twice.jsonl:2: its id stands at line 1 already"),
        ("other.jsonl", "no row that both have labelled; rows belong together by their id"),
    ],
)
def test_bad_input_is_named(tmp_path, second, said):
    first = answers(tmp_path / "ada.jsonl", STANCES)
    answers(tmp_path / "odd.jsonl", ["zebra"])
    row = json.dumps({"id": "1", "text": "Text.", "stance": "support"})
    (tmp_path / "half.jsonl").write_text(row + "\n" + row[:20], encoding="utf-8")
    (tmp_path / "twice.jsonl").write_text(row + "\n" + row + "\n", encoding="utf-8")
    (tmp_path / "other.jsonl").write_text(row.replace('"1"', '"x"') + "\n", encoding="utf-8")
    with pytest.raises(StancewiseError) as error:
        run("agree", first, tmp_path / second)
    assert said in str(error.value)
