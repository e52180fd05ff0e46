"""The positions listed for the sample articles, and how found ones are compared with them."""

import json

import pytest

from benchmarks import articles
from benchmarks.articles import ARTICLES, PARTS, Triple

POSITIONS = sorted((ARTICLES / "positions").glob("*.jsonl"))


def triple(speaker, target, stance="support"):
    return Triple((speaker,) if speaker else (), (target,), stance)


@pytest.mark.parametrize("path", POSITIONS, ids=lambda path: path.stem)
def test_listed_positions_stand_in_their_article(path):
    text = (ARTICLES / f"{path.stem}.txt").read_text(encoding="utf-8")
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert {row["stance"] for row in rows} <= {"support", "neutrality", "criticism"}
    for row in rows:
        assert row["evidence"] in text
        for name in (*(row["speaker"] or ()), *row["target"]):
            assert name.casefold() in text.casefold(), name
    keys = [(tuple(row["speaker"] or ()), tuple(row["target"]), row["stance"]) for row in rows]
    assert len(keys) == len(set(keys))


def test_every_article_is_in_one_part():
    assert sorted(name for part in PARTS.values() for name in part) == [path.stem for path in POSITIONS]


def test_names_are_compared_without_articles_and_owners():
    assert triple("The Mayor", "her bridge").names(triple("mayor", "the bridge"))
    assert triple("Ilse Brandvold", "bridge").names(triple("Brandvold", "the bridge"))
    assert not triple("Ilse Brandvold", "bridge").names(triple("Ilse Brandvold", "the bridge toll ruling"))
    assert not triple(None, "bridge").names(triple("Brandvold", "bridge"))
    assert not triple("Brandvold", "bridge").names(triple("Brandvold", "bridge", "criticism"))
    assert triple("Brandvold", "bridge").names(triple("Brandvold", "bridge", "criticism"), with_stance=False)


def test_hits_count_both_sides():
    gold = [triple("A", "bridge"), triple("B", "toll", "criticism")]
    found = [triple("A", "bridge"), triple("A", "the bridge"), triple("C", "toll", "criticism")]
    assert articles._hits(found, gold, True) == (2, 3, 1, 2)
