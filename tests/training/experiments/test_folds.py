import numpy as np
import pandas as pd
import pytest

from serving import StancewiseError
from tests.conftest import STATEMENTS
from training.config import DataSet
from training.data.corpus import group_key, join
from training.data.sources import read_set
from training.experiments.audit import ranked_by_doubt
from training.experiments.folds import HELD_OUT, split


@pytest.fixture(scope="module")
def sets():
    one = read_set(DataSet(path=STATEMENTS / "test.jsonl")).keep(range(300))
    two = read_set(DataSet(path=STATEMENTS / "validation.jsonl", weight=0.5)).keep(range(100))
    return [one, two]


def test_every_row_is_held_out_once_and_no_story_is_in_two_parts(sets):
    held_out = []
    for fold in split(sets, 4, seed=1):
        stories = {part: {group_key(row) for row in corpus.rows} for part, corpus in fold.items()}
        assert not stories["train"] & stories["validation"]
        assert not (stories["train"] | stories["validation"]) & stories[HELD_OUT]
        assert sum(len(corpus.rows) for corpus in fold.values()) == 400
        held_out += [row.id for row in fold[HELD_OUT].rows]
    assert sorted(held_out) == sorted(row.id for row in join(sets).rows)


def test_folds_have_like_shares_of_labels_and_keep_weights(sets):
    whole = np.bincount(join(sets).labels("stance"), minlength=3) / 400
    for fold in split(sets, 4, seed=1):
        labels = fold[HELD_OUT].labels("stance")
        np.testing.assert_allclose(np.bincount(labels, minlength=3) / len(labels), whole, atol=0.1)
        assert set(fold["train"].weights()) == {1.0, 0.5}
        assert len(fold["train"].weights()) == len(fold["train"].rows)


def test_folds_repeat_with_the_seed(sets):
    first, again, other = ([f[HELD_OUT].digest for f in split(sets, 3, seed=s)] for s in (1, 1, 2))
    assert first == again != other


def test_more_folds_than_stories_is_an_error(sets):
    with pytest.raises(StancewiseError, match=r"--folds 900: give a number from 2 to \d+, the stories"):
        list(split(sets, 900, seed=1))


def test_planted_labels_come_first():
    rng = np.random.default_rng(0)
    names = np.array(["support", "neutrality", "criticism"])
    true = rng.integers(0, 3, 300)
    shares = np.full((300, 3), 0.1)
    shares[np.arange(300), true] = 0.8
    planted = rng.choice(300, 15, replace=False)
    given = true.copy()
    given[planted] = (true[planted] + 1) % 3
    table = pd.DataFrame({"id": np.arange(300).astype(str), "text": "t", "speaker": None, "target": "x"})
    table["stance_true"] = names[given]
    for i, name in enumerate(names):
        table[f"stance_p_{name}"] = shares[:, i]
    table.loc[0, "stance_true"] = None  # unlabelled rows are left out
    ranked = ranked_by_doubt(table, "stance")
    expected = {str(i) for i in planted if i}
    assert set(ranked["id"][: len(expected)]) == expected
    assert set(ranked.loc[ranked["doubtful"], "id"]) == expected
    assert len(ranked) == 299
    assert ranked["reason"][0].endswith("80%")
