"""What another reader says of texts: the file of answers, and what is wrong with one."""

import json

import pytest

from serving import StancewiseError
from training.data.sources.taught import read_answers, text_id, texts_of


def test_answers_are_found_by_text_and_heads(tmp_path):
    path = tmp_path / "read.jsonl"
    path.write_text(json.dumps({"id": text_id("A"), "pairs": [[None, 4, 0.9, 0.0, 0.05], [0, 4, 0.5, 0.51, 0.0]]}))
    assert read_answers(path) == {
        text_id("A"): {(None, 4): (pytest.approx(0.05), 0.9, 0.0, 0.05), (0, 4): (0.0, 0.5, 0.51, 0.0)}
    }


@pytest.mark.parametrize(
    "row",
    [
        {"id": "1"},
        {"pairs": []},
        {"id": "1", "pairs": [[0, 1, 0.5]]},
        {"id": "1", "pairs": [[0, 1, 0.9, 0.9, 0.9]]},
        {"id": "1", "pairs": [[0, 1, "much", 0, 0]]},
    ],
)
def test_a_file_of_another_kind_is_refused(tmp_path, row):
    path = tmp_path / "read.jsonl"
    path.write_text(json.dumps(row))
    with pytest.raises(StancewiseError, match=r"read.jsonl:1: .*make the file with teach-reader"):
        read_answers(path)


def test_every_text_is_asked_once_and_a_row_without_one_is_named(tmp_path):
    path = tmp_path / "texts.jsonl"
    path.write_text('{"text": "A.", "target": "x"}\n{"text": "B."}\n{"text": "A."}\n')
    assert texts_of(path) == ["A.", "B."]
    path.write_text('{"text": "A."}\n{"text": " "}\n')
    with pytest.raises(StancewiseError, match=r"texts.jsonl:2: no text"):
        texts_of(path)
