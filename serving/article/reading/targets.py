"""Mentions: how far one reaches, and which are of the targets that a user gave."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from serving.article.reading.names import NAMED, Names, complement
from serving.inputs import Offsets
from serving.names.spelling import alike

if TYPE_CHECKING:
    from spacy.tokens import Span as Name
    from spacy.tokens import Token

Given = Mapping[str, "re.Pattern[str]"]  # the user's targets: name -> pattern of its aliases

_BEFORE = frozenset({"det", "poss", "amod", "compound", "nmod", "nummod", "quantmod", "predet"})
NOT_THINGS = frozenset({"DATE", "TIME", "PERCENT", "MONEY", "QUANTITY", "ORDINAL", "CARDINAL", "LANGUAGE"})


def targets(tokens: Sequence["Token"], given: Given, names: Names) -> Iterator[tuple[str, "Token"]]:
    """Heads of the mentions of the user's targets among the words, each with the user's name, in their order.

    Args:
        tokens: of a sentence.
        given: name -> pattern of its aliases.
        names: of the article; a given target is also found by a pronoun or description that stands for it.
    """
    text = alike(tokens[0].doc.text) if tokens else ""
    for token in tokens:
        start, end = mention(token)
        entity = names.of(token)
        for name, pattern in given.items():
            found = pattern.search(text, start, end)
            hit = found and found.start() < token.idx + len(token) <= found.end()
            if hit or (entity is not None and _is_called(entity.name, pattern)):
                yield name, token


def _is_called(name: str, pattern: "re.Pattern[str]") -> bool:
    """Whether a name is one of the user's, with or without an article."""
    bare = re.sub(r"^the\s+", "", alike(name), flags=re.IGNORECASE)
    return any(pattern.fullmatch(one) for one in (bare, f"the {bare}"))


def mention(token: "Token") -> Offsets:
    """Characters of a mention by its head: a name in full, or a noun with what stands before it and `of ...`."""
    if name := _name(token):
        return name.start_char, name.end_char
    words = [token]
    for child in token.children:
        if child.i < token.i and child.dep_ in _BEFORE:
            words += child.subtree
    words += complement(token)
    first, last = min(words, key=lambda one: one.i), max(words, key=lambda one: one.i)
    return first.idx, last.idx + len(last)


def _name(token: "Token") -> "Name | None":
    """The name that a word belongs to."""
    if token.ent_type_ not in NAMED:  # `doc.ents` is made anew each time
        return None
    return next(one for one in token.doc.ents if one.start <= token.i < one.end)
