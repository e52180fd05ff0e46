"""Whom first names belong to."""

import json
from importlib.resources import files

from serving.article.text.people import gender_of


def test_a_first_name_is_a_womans_or_a_mans_or_says_nothing():
    assert [gender_of(one) for one in ("Liz", "Mike", "Robin", "Svetlana", "Abdullah")] == ["f", "m", None, "f", "m"]


def test_no_name_stands_twice():
    table = json.loads(files("serving.article.text").joinpath("first_names.json").read_text("utf-8"))
    names = [name for several in table.values() for name in several]
    assert len(names) == len(set(names))
    assert all(name == name.lower() for name in names)
