"""What a holder may take a position on: the named and the described things in what he says, does, or feels."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from serving.article.reading.names import NAMED, Names, in_clause, is_first_person
from serving.article.reading.nouns import EMPTY
from serving.inputs import Offsets
from serving.names.spelling import alike

if TYPE_CHECKING:
    from spacy.tokens import Span as Name
    from spacy.tokens import Token

Given = Mapping[str, "re.Pattern[str]"]  # the user's targets: name -> pattern of its aliases

_BEFORE = frozenset({"det", "poss", "amod", "compound", "nmod", "nummod", "quantmod", "predet"})
_ARGUMENTS = frozenset({"dobj", "nsubj", "nsubjpass", "dative", "conj", "appos"})
_TOWARD = frozenset(
    {"about", "against", "at", "behind", "for", "from", "of", "on", "over", "to", "toward", "towards", "with"}
)
_STAND_INS = frozenset({"he", "him", "she", "her", "it", "they", "them"})
_RELATIVE = frozenset({"which", "whom", "that"})
_VAGUE = frozenset({"a", "an", "any", "each", "every", "no", "some"})  # a thing not yet known is seldom judged
_ASIDE = frozenset({"poss", "npadvmod", "intj"})  # the owner, a measure: beside what is spoken of
_WHERE = frozenset(
    {"across", "at", "by", "during", "from", "in", "inside", "near", "off", "outside", "since", "through"}
)
NOT_THINGS = frozenset({"DATE", "TIME", "PERCENT", "MONEY", "QUANTITY", "ORDINAL", "CARDINAL", "LANGUAGE"})


def targets(tokens: Sequence["Token"], given: Given | None, names: Names) -> Iterator[tuple[str | None, "Token"]]:
    """Heads of the mentions among the words, in their order; with the user's name where targets are given.

    Args:
        tokens: of what the holder says.
        given: name -> pattern of its aliases; None: whatever can be a target.
        names: of the article; a given target is also found by a pronoun or description that stands for it.
    """
    text = alike(tokens[0].doc.text) if tokens and given is not None else ""
    for token in tokens:
        if given is None:
            if _is_thing(token):
                yield None, token
            continue
        start, end = mention(token)
        entity = names.of(token)
        for name, pattern in given.items():
            found = pattern.search(text, start, end)
            hit = found and found.start() < token.idx + len(token) <= found.end()
            if hit or (entity is not None and _is_called(entity.name, pattern) and _is_thing(token)):
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
        elif child.i == token.i + 1 and child.dep_ == "prep" and child.lower_ in ("of", "on", "for"):
            words += [one for one in child.subtree if not in_clause(one, child)]
    first, last = min(words, key=lambda one: one.i), max(words, key=lambda one: one.i)
    return first.idx, last.idx + len(last)


def _name(token: "Token") -> "Name | None":
    """The name that a word belongs to."""
    spans = (one for one in token.doc.ents if one.start <= token.i < one.end and one.label_ in NAMED)
    return next(spans, None)


def _is_thing(token: "Token") -> bool:
    name = _name(token)
    head = name.root if name else token
    where = head.dep_ == "pobj" and head.head.lower_ in _WHERE
    if where or head.dep_ in _ASIDE or token.ent_type_ in NOT_THINGS or is_first_person(token):
        return False
    if name:  # its last word, unless the name describes another noun
        return token.i == name.end - 1 and head.dep_ not in ("compound", "amod", "nmod")
    if token.pos_ == "PRON":
        if token.lower_ in _RELATIVE:
            return token.dep_ == "dobj"
        return token.lower_ in _STAND_INS and token.dep_ in (*_ARGUMENTS, "pobj")
    if token.pos_ not in ("NOUN", "PROPN") or token.lemma_.lower() in EMPTY:
        return False
    return _is_argument(token) and not any(one.lower_ in _VAGUE or one.pos_ == "NUM" for one in token.children)


def _is_argument(token: "Token") -> bool:
    if token.dep_ in _ARGUMENTS:
        return True
    return (
        token.dep_ == "pobj" and token.head.lower_ in _TOWARD and token.head.head.pos_ in ("VERB", "AUX", "ADJ", "NOUN")
    )
