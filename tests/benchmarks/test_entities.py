"""What the measurement of entities asks the reader about."""

import importlib
import os
import sys

import pytest

from tests.conftest import REPOSITORY, ran
from training.data.sources.reports import Listed, Report

TEXT = (
    "Mayor Anna Holm praised the tram. “I love it,” she said. Her deputy, Jonas Lund, rejected the tram.\n\n"
    "Whoever rejected it before was wrong, the mayor said."
)
ENTITIES = {"holm": ("Anna Holm", "the mayor"), "lund": ("Jonas Lund",), "tram": ("the tram",), "some": ("Whoever",)}


@pytest.fixture
def entities(monkeypatch):
    monkeypatch.syspath_prepend(REPOSITORY / "benchmarks")
    return importlib.import_module("entities")


def position(holder, at, target, target_at):
    def span(words, start=0):
        return (begin := TEXT.index(words, start)), begin + len(words)

    return Listed(
        holder=holder,
        target=target,
        stance="support",
        sentence=(0, len(TEXT)),
        holder_at=span(*at) if at else None,
        target_at=span(*target_at),
    )


def test_each_mention_is_asked_once_with_its_kind_and_the_name_that_is_shown(entities):
    positions = (
        position("holm", ("Anna Holm",), "tram", ("the tram",)),
        position("holm", ("I",), "tram", ("it",)),
        position("holm", ("she",), "tram", ("it",)),
        position("lund", ("Jonas Lund",), "tram", ("the tram", 60)),
        position("some", ("Whoever",), "tram", ("it", 100)),
        position("holm", ("the mayor",), "some", ("Whoever",)),
    )
    report = Report(id="r", text=TEXT, entities=ENTITIES, positions=positions)
    found = {TEXT[slice(*one.at)]: one for one in entities.mentions(report)}
    assert {words: (one.kind, one.shown) for words, one in found.items()} == {
        "Anna Holm": ("names", "Anna Holm"),
        "the tram": ("descriptions", "tram"),
        "it": ("pronouns", "tram"),
        "she": ("pronouns", "Anna Holm"),
        "Jonas Lund": ("names", "Jonas Lund"),
        "Whoever": ("descriptions", "Whoever"),
        "the mayor": ("descriptions", "Anna Holm"),
    }  # but not I
    assert found["she"].found is found["Anna Holm"].found
    assert all(one.is_right(report) for one in found.values())


def test_words_with_two_entities_are_left_out(entities):
    both = (
        position("holm", ("Anna Holm",), "tram", ("the tram",)),
        position("lund", ("Anna Holm",), "tram", ("the tram",)),
    )
    found = entities.mentions(Report(id="r", text=TEXT, entities=ENTITIES, positions=both))
    assert [TEXT[slice(*one.at)] for one in found] == ["the tram"]


def test_the_command_prints_every_kind():
    program = str(REPOSITORY / "benchmarks" / "entities.py")
    done = ran([sys.executable, program, "score", "--every", "10", "--verbose"], REPOSITORY, os.environ)
    for kind in ("all", "names", "descriptions", "pronouns"):
        assert f"│ {kind} " in done.stdout
    assert " <- " in done.stdout
