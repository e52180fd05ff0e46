"""What is worth labelling: the pool that is held of a table, and what is chosen from it."""

from itertools import combinations

import numpy as np
import pytest

from serving.article.text.copies import NEAR_DUPLICATE
from serving.rows.read import Row
from serving.runtime.base import all_logits
from serving.statement import Statement
from tests.conftest import STATEMENTS, read_lines
from training.data.similar import Unlike, similar_texts
from training.experiments import pool as pools
from training.experiments.pick import Gradients, choose, embed, gradients
from training.experiments.pool import Candidate, read_pool

WORDS = ["harbour", "ferry", "orchard", "tax", "school", "river", "bridge", "tram", "museum", "market", "forest", "dam"]


def text(number: int) -> str:
    """One of many texts that are unlike each other."""
    rng = np.random.default_rng(number)
    return " ".join(rng.permutation(WORDS)[:6]) + f" {number}"


def rows(count: int, targets: int = 3) -> list[Row]:
    return [Row(i + 1, {"text": text(i), "target": f"target {i % targets}"}) for i in range(count)]


def candidates(given: list[Row]) -> list[Candidate]:
    return read_pool(given, [], 1, no_bad_row).candidates


def no_bad_row(line: int, reason: str) -> None:
    pytest.fail(f"{line}: {reason}")


def points(count: int, seed: int = 0) -> Gradients:
    rng = np.random.default_rng(seed)
    return Gradients(rng.normal(size=(count, 6)), rng.normal(size=(count, 8)))


def test_distances_are_those_of_the_gradients_themselves():
    given = points(5)
    whole = np.einsum("ne,nh->neh", given.errors, given.hidden).reshape(5, -1)
    assert given.lengths == pytest.approx((whole**2).sum(axis=1))
    assert given.distances(2) == pytest.approx(((whole - whole[2]) ** 2).sum(axis=1))


def test_the_unsure_and_the_different_are_chosen():
    given = candidates(rows(60, targets=1))
    # Thirty sure statements, and three kinds of unsure ones that point elsewhere.
    errors, hidden = np.full((60, 6), 1e-3), np.ones((60, 3))
    for kind in range(3):
        some = slice(30 + 10 * kind, 40 + 10 * kind)
        errors[some], hidden[some] = 0, np.eye(3)[kind]
        errors[some, kind] = 1
    for seed in range(5):
        chosen = choose(Gradients(errors, hidden), given, 3, seed)
        assert sorted((place - 30) // 10 for place in chosen) == [0, 1, 2]


def test_every_target_has_a_row_and_one_seed_gives_one_choice():
    given = candidates(
        [*rows(300, targets=4), *(Row(1000 + i, {"text": text(900 + i), "target": f"rare {i}"}) for i in range(6))]
    )
    space = points(len(given))
    chosen = choose(space, given, 12, seed=3)
    assert len({given[place].target for place in chosen}) == 10
    assert chosen == choose(space, given, 12, seed=3)
    assert chosen != choose(space, given, 12, seed=4)
    few = choose(space, given, 5, seed=3)
    assert len({given[place].target for place in few}) == 5, "no target has two while another has none"


def test_no_two_chosen_texts_are_nearly_the_same():
    given = [Row(i + 1, {"text": text(i // 5) + f", said witness {i % 5}", "target": "a"}) for i in range(100)]
    every = candidates(given)
    chosen = choose(points(100), every, 40, seed=1)
    texts = [every[place].statement.text for place in chosen]
    assert len(chosen) == 20
    assert not list(similar_texts(texts, NEAR_DUPLICATE))


def test_unlike_says_what_similar_texts_says():
    texts = [row["text"] for row in read_lines(STATEMENTS / "train.jsonl")[:60]]
    near = {(i, j) for i, j, _ in similar_texts(texts, NEAR_DUPLICATE)}
    for i, j in combinations(range(len(texts)), 2):
        unlike = Unlike()
        unlike.add(texts[i])
        assert unlike.add(texts[j]) == ((i, j) not in near)


def test_a_longer_table_leaves_a_bounded_pool_with_every_target(monkeypatch):
    monkeypatch.setattr(pools, "MOST_TARGETS", 5)
    given = [*rows(2000, targets=1), Row(2001, {"text": text(5000), "target": "rare"})]
    pool = read_pool(iter(given), [], 1, no_bad_row, most=100)
    assert (pool.rows, pool.targets) == (2001, 2)
    assert 100 <= len(pool.candidates) <= 100 + 5 * pools.OF_A_TARGET
    assert "rare" in {one.target for one in pool.candidates}
    lines = [one.row.line for one in pool.candidates]
    assert lines == sorted(lines)
    assert lines == [one.row.line for one in read_pool(iter(given), [], 1, no_bad_row, most=100).candidates]
    assert lines[50] > 500, "rows of the whole table, not its beginning"


def test_what_is_labelled_is_left_out_and_its_other_targets_stay():
    first = {
        "text": "The harbour board of Oslo will fund the new quay from its own reserves.",
        "target": "the new quay",
    }
    near = {**first, "text": first["text"].replace("Oslo", "Bergen")}
    other = {**first, "target": "reserves"}
    unlike = {"text": "Lima has not decided.", "target": "the new quay"}
    given = [Row(i, values) for i, values in enumerate((first, near, other, unlike), 1)]
    labelled = [Row(1, {**first, "text": first["text"].upper(), "stance": "support"})]
    pool = read_pool(given, labelled, 1, no_bad_row)
    assert [one.row.line for one in pool.candidates] == [3, 4]
    assert pool.labelled == 2


def test_a_row_that_is_no_statement_is_told():
    told = []
    read_pool([Row(1, {"text": " "}), Row(2, {}, "not JSON")], [], 1, lambda *one: told.append(one))
    assert told == [(1, "text: empty"), (2, "not JSON")]


def test_the_embedding_is_what_the_last_layer_reads(classifier):
    import torch

    statements = [Statement(text=text(i), target="harbour") for i in range(40)]
    steps = []
    logits, hidden = embed(classifier.runtime, statements, steps.append)
    assert sum(steps) == 40
    assert logits == pytest.approx(all_logits(classifier.runtime, statements), abs=1e-5)
    last = classifier.runtime.model.classifier
    with torch.inference_mode():
        again = last(torch.from_numpy(hidden.astype(np.float32))).double().numpy()
    assert again == pytest.approx(logits, abs=1e-5)
    found = gradients(classifier.settings, logits, hidden)
    assert found.errors.shape == (40, 6)
    assert found.errors[:, :3].sum(axis=1) == pytest.approx(0)
