import pytest

from tests.conftest import write_lines
from training.data.corpus import LabelledStatement
from training.data.sources.asked import read_asked, rows_of
from training.data.sources.reports import Listed, Report

pytest.importorskip("spacy")

TEXT = "The mayor of Bergen praised the new ferry, and the fishermen rejected the toll in the harbour."


def at(words):
    return TEXT.index(words), TEXT.index(words) + len(words)


def listed(holder, target, stance, holder_at, target_at, **more):
    return Listed(
        holder=holder,
        target=target,
        stance=stance,
        sentence=(0, len(TEXT)),
        holder_at=holder_at,
        target_at=target_at,
        **more,
    )


ENTITIES = {
    "mayor": ("The mayor of Bergen",),
    "ferry": ("the new ferry",),
    "fishermen": ("the fishermen",),
    "toll": ("the toll",),
    "harbour": ("the harbour",),
}
PRAISED = listed("mayor", "ferry", "support", at("The mayor of Bergen"), at("the new ferry"))


def rows(*positions):
    return list(rows_of(Report(id="r", text=TEXT, entities=ENTITIES, positions=positions)))


def pair(row):
    return row.speaker, row.target


def test_what_is_asked_and_listed_has_its_stance_and_the_rest_expresses_nothing():
    found = rows(PRAISED)
    [right] = [row for row in found if row.stance]
    assert (right.stance, right.target) == ("support", "the new ferry")
    assert "mayor" in right.speaker
    others = [row for row in found if not row.stance]
    assert others
    assert all(row.taught["stance"][1] == 0.85 for row in others)
    assert all(row.group == "r" for row in found)


def test_a_listed_position_that_is_not_asked_is_a_row_too():
    odd = listed("fishermen", "harbour", "support", at("the fishermen"), at("the harbour"))
    [row] = [row for row in rows(odd) if row.stance]
    assert pair(row) == ("the fishermen", "the harbour")
    assert TEXT[row.target_start : row.target_end] == "the harbour"


def test_an_optional_position_teaches_nothing():
    faint = PRAISED.model_copy(update={"optional": True})
    assert len(rows(faint)) == len(rows(PRAISED)) - 1
    assert all(row.stance is None for row in rows(faint))


def test_of_labelled_statements_only_pairs_without_a_label_are_asked(tmp_path):
    labelled = {
        "id": "s1",
        "text": TEXT,
        "speaker": "The mayor of Bergen",
        "target": "the new ferry",
        "stance": "support",
        "group": "g1",
    }
    corpus = read_asked(write_lines(tmp_path / "a.jsonl", [labelled]))
    assert corpus.rows
    assert all(isinstance(row, LabelledStatement) and row.stance is None and row.group == "g1" for row in corpus.rows)
    assert not any("ferry" in row.target and row.speaker and "mayor" in row.speaker for row in corpus.rows)
