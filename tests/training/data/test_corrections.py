import csv

import pytest

from serving import StancewiseError
from tests.conftest import write_lines
from training.config import DataSet
from training.data.corrections import correct, read_corrections
from training.data.sources import read_set

ROWS = [
    {"id": "a", "text": "Oslo hailed the dam.", "stance": "support", "sentiment": "positive"},
    {"id": "b", "text": "Rome rejected the pact.", "stance": "support"},
]


def written(tmp_path, *rows):
    path = tmp_path / "doubts.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, ["id", "head", "label", "corrected"])
        table.writeheader()
        table.writerows(dict(zip(("id", "head", "label", "corrected"), row, strict=True)) for row in rows)
    return path


@pytest.fixture
def parts(tmp_path):
    path = write_lines(tmp_path / "rows.jsonl", ROWS)
    return {"train": [read_set(DataSet(path=path))]}


def test_filled_corrections_are_applied_and_counted(tmp_path, parts):
    path = written(
        tmp_path,
        ("b", "stance", "support", "criticism"),
        ("a", "stance", "support", ""),  # left open
        ("a", "sentiment", "positive", "positive"),  # confirmed
    )
    corrected, changed = correct(parts, read_corrections(path))
    [corpus] = corrected["train"]
    assert [row.stance for row in corpus.rows] == ["support", "criticism"]
    assert corpus.rows[0].sentiment == "positive"
    assert changed == 1
    assert corpus.digest != parts["train"][0].digest
    assert corpus.lines == parts["train"][0].lines


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (("b", "tone", "", "criticism"), r"doubts\.csv:2: 'tone' is not a head; the heads are stance, sentiment"),
        (("b", "stance", "", "negative"), r"doubts\.csv:2: corrected 'negative' is not a stance label"),
        (("c", "stance", "", "support"), r"doubts\.csv:2: no row of these sets has the id 'c'"),
    ],
)
def test_a_wrong_correction_is_named(tmp_path, parts, row, message):
    with pytest.raises(StancewiseError, match=message):
        correct(parts, read_corrections(written(tmp_path, row)))


def test_contradicting_corrections_and_missing_columns_are_named(tmp_path, parts):
    path = written(tmp_path, ("b", "stance", "", "criticism"), ("b", "stance", "", "neutrality"))
    with pytest.raises(StancewiseError, match=r"doubts\.csv:3: b is criticism at .*doubts\.csv:2; keep one"):
        correct(parts, read_corrections(path))
    other = write_lines(tmp_path / "c.jsonl", [{"id": "b", "corrected": "support"}])
    with pytest.raises(StancewiseError, match=r"c\.jsonl:1: no column head"):
        read_corrections(other)


def test_an_id_that_stands_on_two_texts_is_refused(tmp_path, parts):
    other = write_lines(tmp_path / "test.jsonl", [ROWS[1] | {"text": "Lima counted the votes."}])
    parts |= {"test": [read_set(DataSet(path=other))]}
    path = written(tmp_path, ("b", "stance", "support", "criticism"))
    with pytest.raises(StancewiseError, match=r"doubts\.csv:2: .*rows\.jsonl:2 and .*test\.jsonl:1 have the id 'b'"):
        correct(parts, read_corrections(path))
