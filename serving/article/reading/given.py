"""Given names that are also small words of English: `Per Holm`, `Will Stroud`, `An Li`, `In-su Park`.

A parser takes their first word for a preposition or an auxiliary, and the name is lost. Where grammar says that it
cannot be one, the text is read a second time with a common given name as the word's norm. The text stays as it is.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from serving.article.text.people import TITLES, is_person

if TYPE_CHECKING:
    from spacy.language import Language
    from spacy.tokens import Doc, Token

_NORM = "john"
# At the start of a sentence grammar tells what these are.
_TOLD_BY_GRAMMAR = frozenset({"an", "can", "do", "ever", "may", "per", "than", "till", "to", "will"})
# There these may be either (`Even Dahl came`), so the same name has to stand within a sentence of the paragraph, too.
_ONLY_WITHIN = frozenset({"even", "just", "or", "so"})
_AUXILIARIES = frozenset({"can", "do", "may", "will"})
_HYPHENATED = frozenset({"an", "do", "in", "on", "so", "to"})  # In-su, So-young
_NO_SYLLABLES = frozenset({"called", "so"})
_SUBJECTS = frozenset({"nsubj", "nsubjpass", "csubj", "expl"})
_PROPER = frozenset({"NNP", "NNPS"})


def with_given_names(doc: "Doc", nlp: "Language") -> "Doc":
    """The text read again where a word of it is a given name that was taken for a small word; else as it was read.

    Args:
        doc: a paragraph, read.
        nlp: the pipeline that has read it; its last component is this one.
    """
    names = sorted(_given(doc))
    hyphenated = sorted(_hyphenated(doc))
    if not names and not hyphenated:
        return doc
    again = nlp.make_doc(doc.text)
    for place in names:
        again[place].norm_ = _NORM
    with again.retokenize() as changes:
        for place in hyphenated:
            changes.merge(again[place : place + 3], attrs={"NORM": _NORM})
    for _, component in nlp.pipeline[:-1]:
        again = component(again)
    again._context = doc._context
    return again


def _given(doc: "Doc") -> set[int]:
    """Places of words that are given names."""
    able = [
        one
        for one in doc[:-1]
        if one.lower_ in _TOLD_BY_GRAMMAR | _ONLY_WITHIN
        and one.text.istitle()
        and one.whitespace_
        and _is_name(one.nbor())
    ]
    within = {(one.text, one.nbor().text) for one in able if _is_within(one)}
    return {
        one.i
        for one in able
        if (one.text, one.nbor().text) in within or (one.lower_ in _TOLD_BY_GRAMMAR and _cannot_be_small(one))
    }


def _is_name(word: "Token") -> bool:
    """`Holm` or `J.`, but not `EU`."""
    return word.text[0].isupper() and (not word.text.isupper() or len(word.text.strip(".")) == 1)


def _is_within(word: "Token") -> bool:
    """Whether a sentence has begun before a word; its capital is then that of a name."""
    if word.is_sent_start or word.lower_ == "may":  # in May Norway joined
        return False
    before = word.nbor(-1)
    title = before.lower_.rstrip(".")
    return before.is_lower or before.text in (",", "'s") or title in TITLES or is_person(title)


def _cannot_be_small(word: "Token") -> bool:
    """Whether the small word would have no place in the sentence."""
    following, head = word.nbor(), word.head
    if _asks(word):
        return False
    if word.ent_type_ == following.ent_type_ == "PERSON" and following.ent_iob_ == "I":
        return True
    if word.tag_ in _PROPER and word.dep_ == "compound":  # May Lindqvist
        return not word.ent_type_ and head.tag_ in _PROPER
    if word.lower_ == "an":
        return following.text[0].lower() not in "aeiouh"
    if word.dep_ == "mark":
        return head.dep_ != "advcl"
    always = word.lower_ == "ever" or word.lower_ in _AUXILIARIES
    return always or (word.dep_ == "prep" and _has_no_object(word))


def _asks(word: "Token") -> bool:
    """`Will Rome reject it?`: a bare infinitive needs the auxiliary, unless it has another one."""
    verb = word.head
    while verb.pos_ not in ("VERB", "AUX") and verb.head != verb:
        verb = verb.head
    helpers = [one for one in verb.children if one.dep_ in ("aux", "auxpass") and one != word]
    bare = verb.tag_ in ("VB", "VBP") or any(one.tag_ == "VB" for one in helpers)
    return word.lower_ in _AUXILIARIES and bare and not any(one.tag_ == "MD" for one in helpers)


def _has_no_object(word: "Token") -> bool:
    """`Per Holm came`: what the preposition seems to have as its object is the missing subject, or it has none."""
    found = next((one for one in word.children if one.dep_ in ("pobj", "pcomp")), None)
    if found is None:
        return True
    if found.tag_ not in _PROPER or not all(one.text[0].isupper() for one in word.doc[word.i : found.i + 1]):
        return False
    verb = word.head
    clause = verb.tag_ in ("VBD", "VBZ", "VBP") and not any(one.dep_ in _SUBJECTS for one in verb.children)
    return clause or (found.i + 1 < len(word.doc) and found.nbor().text == ":")


def _hyphenated(doc: "Doc") -> Iterator[int]:
    """Places of the first of three tokens of `In-su Park`, and of `Kim So-young` where `young` was taken for itself."""
    for word in doc[:-2]:
        hyphen, syllable = word.nbor(), word.nbor(2)
        joined = hyphen.text == "-" and not word.whitespace_ and not hyphen.whitespace_
        if not joined or word.lower_ not in _HYPHENATED or not word.text.istitle():
            continue
        if not (syllable.is_alpha and syllable.is_lower) or syllable.lower_ in _NO_SYLLABLES:
            continue
        behind = not word.is_sent_start and word.nbor(-1).tag_ in _PROPER and syllable.tag_ not in _PROPER
        before = syllable.dep_ in ("amod", "compound", "nmod") and syllable.head.tag_ in _PROPER
        if behind or (before and syllable.head.i > syllable.i):
            yield word.i
