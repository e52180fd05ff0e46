"""A teacher's answers beside the labels: found by what was asked, or not at all."""

import pytest

from serving import StancewiseError, Statement
from tests.conftest import REPOSITORY, read_lines, write_lines
from training.config import DataSet
from training.data.sources import read_set
from training.data.sources.teacher import question_id

ASKED = {"text": "Ada praised Bo.", "speaker": "Ada", "target": "Bo"}
SENTIMENT = {"sentiment_probabilities": {"positive": 0.7, "neutral": 0.2, "negative": 0.1}}
STANCE = {"stance_probabilities": {"support": 0.7, "neutrality": 0.2, "criticism": 0.1}}


def taught(folder, rows, answers, source="table"):
    path, teacher = write_lines(folder / "rows.jsonl", rows), write_lines(folder / "answers.jsonl", answers)
    return [row.taught for row in read_set(DataSet(source=source, path=path, teacher=teacher)).rows]


def test_an_answer_is_found_by_text_holder_target_and_their_places():
    same = Statement(**ASKED)
    others = (
        {"text": "Ada praised Bo"},
        {"speaker": "Bo", "target": "Ada"},
        {"speaker": None},
        {"target_start": 12, "target_end": 14},
    )
    ids = {question_id(Statement(**{**ASKED, **other})) for other in ({}, *others)}
    assert len(ids) == len(others) + 1
    assert question_id(same.model_copy(update={"scheme": "own"})) == question_id(same)


def test_a_row_that_nobody_labelled_learns_from_a_teacher(tmp_path):
    rows = [{"id": "a", **ASKED}]
    assert taught(tmp_path, rows, [{"id": question_id(Statement(**ASKED)), **SENTIMENT}]) == [
        {"sentiment": (0.7, 0.2, 0.1)}
    ]
    with pytest.raises(StancewiseError, match="no row with a stance or a sentiment"):
        read_set(DataSet(source="table", path=tmp_path / "rows.jsonl"))


def test_what_predict_wrote_is_found_by_its_own_columns(tmp_path):
    labelled = [{"id": "a", "stance": "support", **ASKED}]
    assert taught(tmp_path, labelled, [{"id": "b", **ASKED, **STANCE}], "statements") == [{"stance": (0.7, 0.2, 0.1)}]


@pytest.mark.parametrize("change", [{"text": "Ada praised Bo!"}, {"target": "Ada"}, {"speaker": None}])
def test_an_answer_to_another_question_is_not_taken(tmp_path, change):
    rows = [{"id": "a", **ASKED}, {"id": "b", **ASKED, **change}]
    message = r"answers\.jsonl: no answers for 1 of the 2 rows of .*rows\.jsonl \(the first: .*rows\.jsonl:2\)"
    for answer in ({"id": question_id(Statement(**ASKED))}, ASKED):
        with pytest.raises(StancewiseError, match=message):
            taught(tmp_path, rows, [{**answer, **SENTIMENT}])


def test_a_damaged_answer_is_named(tmp_path):
    with pytest.raises(StancewiseError, match=r"answers\.jsonl:1: stance_probabilities"):
        taught(tmp_path, [ASKED], [{**ASKED, "stance_probabilities": {"support": 1.0}}])
    with pytest.raises(StancewiseError, match=r"answers\.jsonl:1: no text and no id"):
        taught(tmp_path, [ASKED], [STANCE])


def test_the_shipped_pairs_have_the_ids_that_their_answers_are_found_by():
    for row in read_lines(REPOSITORY / "data/pairs.jsonl"):
        assert row["id"] == question_id(Statement(**{name: row[name] for name in ("text", "speaker", "target")}))
