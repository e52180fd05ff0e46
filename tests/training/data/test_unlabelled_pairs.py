"""Pairs of names that no label relates."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import STATEMENTS
from training.data.corpus import Corpus, LabelledStatement, join, read_corpus
from training.data.unlabelled_pairs import with_unrelated

TEXT = "In Lima on Friday, Ana Ruiz praised the harbour plan of Rosa Paz, and Otto Berg said nothing."


def labelled(number: int, speaker: str | None, target: str, stance: str | None, text: str = TEXT) -> LabelledStatement:
    return LabelledStatement.model_validate(
        {"id": f"r{number}", "text": text, "speaker": speaker, "target": target, "stance": stance, "group": "g"}
    )


ROWS = [
    labelled(1, "Ana Ruiz", "the harbour plan", "support"),
    labelled(2, "Otto Berg", "the harbour plan", "neutrality"),
]


def added(corpus: Corpus, share: float = 1.0, seed: int = 1) -> list[LabelledStatement]:
    return with_unrelated(corpus, share, seed).rows[len(corpus.rows) :]


def test_the_holder_takes_no_side_and_the_pair_has_no_label():
    seen = set()
    for seed in range(60):
        [row] = added(Corpus(Path("a"), ROWS), seed=seed)
        assert (row.text, row.stance, row.sentiment, row.group) == (TEXT, "neutrality", None, "g")
        assert row.speaker != "Ana Ruiz"
        assert (row.speaker, row.target) != ("Otto Berg", "the harbour plan")
        seen |= {row.speaker, row.target}
    assert seen == {"Lima", "Friday", "Ana Ruiz", "Rosa Paz", "Otto Berg", "the harbour plan"}


def test_a_text_without_such_a_pair_or_without_a_stance_gets_none():
    alone = labelled(1, None, "the bridge", "support", "A fine bridge, the bridge of this town.")
    assert added(Corpus(Path("a"), [alone])) == []
    assert added(Corpus(Path("a"), [labelled(1, None, "Rosa Paz", None)])) == []


def test_rows_and_weights_of_several_sets_stay_and_a_new_row_weighs_what_its_text_weighs():
    heavy = Corpus(Path("b"), [labelled(3, "Rosa Paz", "Lima", "criticism", TEXT + " Again.")], weight=2.0)
    corpus = join([Corpus(Path("a"), ROWS), heavy])
    more = with_unrelated(corpus, 1.0, 1)
    assert more.rows[:3] == corpus.rows
    assert dict(zip([row.text for row in more.rows], more.weights(), strict=True)) == {TEXT: 1.0, TEXT + " Again.": 2.0}
    assert len(more.rows) == 5


@pytest.mark.parametrize("share", [0.25, 0.75])
def test_it_is_a_share_of_our_texts_and_the_same_for_the_same_seed(share):
    corpus = read_corpus(STATEMENTS / "train.jsonl")
    rows = added(corpus, share)
    texts = {row.text for row in corpus.rows}
    assert len(rows) == pytest.approx(share * len(texts), rel=0.1)
    assert len({row.text for row in rows}) == len(rows)
    assert rows == added(corpus, share)
    assert rows != added(corpus, share, seed=2)
    pairs = {(row.text, row.speaker, row.target) for row in corpus.rows}
    assert not pairs & {(row.text, row.speaker, row.target) for row in rows}


@given(st.text(max_size=60))
def test_any_text_is_taken(text):
    rows = added(Corpus(Path("a"), [labelled(1, "Ana", "Berta", "support", text + " Ana hit Berta in Lima")]))
    assert all(row.speaker in row.text and row.target in row.text and row.speaker != row.target for row in rows)
