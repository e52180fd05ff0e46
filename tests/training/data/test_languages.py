"""The statements in six languages: fit to train and measure on, apart, their names found in their texts."""

import pytest

from serving.inputs import mention_span
from tests.conftest import STATEMENTS, read_lines
from training.data.check import check
from training.data.corpus import read_corpus
from training.data.leaks import find_leaks

FOLDER = STATEMENTS.parent / "languages"
PARTS = ("train", "validation", "test", "translated")
SIX = ("ar", "de", "es", "fr", "ru", "zh")


def corpus(code, part):
    return read_corpus(FOLDER / f"{code}-{part}.jsonl")


@pytest.mark.parametrize("code", SIX)
def test_the_parts_of_a_language_are_sound_and_apart(code):
    problems = check([FOLDER / f"{code}-{part}.jsonl" for part in PARTS], least_share=0.2, most_share=0.5)
    assert [str(problem) for problem in problems] == []
    assert {row.language for part in PARTS for row in corpus(code, part).rows} == {code}


def test_translations_share_the_story_of_a_test_row_and_no_training_row_does():
    english = {row.id: row for row in read_corpus(STATEMENTS / "test.jsonl").rows}
    for code in SIX:
        rows = corpus(code, "translated").rows
        assert len(rows) == 60
        for row in rows:
            original = english[row.id.removesuffix(f"-{code}")]
            assert (row.group, row.stance, row.sentiment) == (original.group, original.stance, original.sentiment)
        held_out = [corpus(other, part) for other in SIX for part in ("validation", "test", "translated")]
        assert find_leaks(corpus(code, "train"), held_out) == {}


def test_a_second_reader_agreed():
    first = {row.id: row for code in SIX for part in PARTS for row in corpus(code, part).rows}
    second = read_lines(FOLDER / "second-reading.jsonl")
    for head, least in (("stance", 0.99), ("sentiment", 0.95)):
        same = sum(getattr(first[row["id"]], head) == row[head] for row in second)
        assert same / len(second) >= least, head


@pytest.mark.parametrize("code", SIX)
def test_names_are_found_in_their_texts_also_in_other_grammatical_forms(code):
    named = [
        (row, name)
        for part in PARTS
        for row in corpus(code, part).rows
        for name in (row.speaker, row.target)
        if name is not None
    ]
    lost = [row.id for row, name in named if mention_span(row.text, name, None, None) is None]
    assert len(lost) <= (0.02 if code == "ar" else 0.005) * len(named), lost
