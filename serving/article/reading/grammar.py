"""Who says what: holder, cue and content of every attribution, from a dependency parse and a table of cues.

A cue is a verb, an adjective or a noun with a holder and a complement (said that, is wary of, her criticism of), or
"according to". Which words attribute, and by which complement, was counted on the train part of PolNeAR (Newell,
Margolin and Ruths 2018, "An Attribution Relations Corpus for Political News"): `cues.json`, made by
`benchmarks/attribution.py learn`.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from serving.article.reading.attribution import Attribution
from serving.article.reading.plain import beside
from serving.article.text.quotations import Quotation, is_statement
from serving.inputs import Offsets

if TYPE_CHECKING:
    from spacy.tokens import Doc, Token

_QUOTING = "that"  # the frame of verbs that can stand beside a quotation
_LIGHT = frozenset({"express", "give", "have", "make", "show", "take", "voice"})  # the noun behind says what is felt
LEAST_SHARE = 0.35  # of a verb's uses in a frame that were attributions
LEAST_HOLDER = 0.2  # of a noun's uses as a subject
LEAST_SAYING = 0.6  # of its uses with a clause, for a verb that may have a quotation instead


@dataclass(frozen=True)
class Candidate:
    """A verb or noun that may attribute."""

    word: str  # its lemma
    frame: str  # that (a clause or a quotation), to, object, prepositions such as for
    holder: str  # lemma of the holder's head if it is a noun without a name
    attribution: Attribution


@cache
def learned(name: str) -> dict[str, dict[str, float]]:
    """A table of numbers that was learned and lies beside this file."""
    text = files("serving.article.reading").joinpath(f"{name}.json").read_text("utf-8")
    table: dict[str, dict[str, float]] = json.loads(text)
    return table


def cues() -> dict[str, dict[str, float]]:
    """Share of a word's uses in a frame that were attributions, by frame and word; `*` stands for unseen words."""
    return learned("cues")


def attributions(doc: "Doc", quotations: Sequence[Quotation]) -> tuple[list[Attribution], list[Attribution]]:
    """What is said, thought or felt in a parsed paragraph, and what is done: `voted for`, `stopped buying`.

    Both are in the order of their cues; each has a holder in the paragraph.
    """
    said: list[Candidate] = []
    done: list[Candidate] = []
    for one in candidates(doc, quotations):
        (said if _attributes(one) else done).append(one)
    deeds = [one.attribution for one in done if one.attribution.content]
    return _by_each(doc, _with_quotations(doc, quotations, said)), _by_each(doc, deeds)


def _by_each(doc: "Doc", found: Sequence[Attribution]) -> list[Attribution]:
    """Once more for everybody who says or does it too: `Oslo and Bergen welcomed it`."""
    result = []
    for one in found:
        result.append(one)
        head = doc.char_span(one.head, one.head + 1, alignment_mode="expand")
        for other in head[0].conjuncts if head is not None else ():
            start, end = other.idx, other.idx + len(other)
            if one.source[0] <= start < end <= one.source[1] and other.pos_ in ("NOUN", "PROPN", "PRON"):
                own = [token for token in _phrase(other) if not _listed(token, other)]
                result.append(replace(one, source=_around(own), head=other.idx))
    return sorted(result, key=lambda one: one.cue)


def _listed(token: "Token", head: "Token") -> bool:
    """Whether a word below a noun belongs to the next one of a list."""
    while token != head:
        if token.dep_ in ("conj", "cc") and token.head == head:
            return True
        token = token.head
    return False


def speaks(noun: str) -> bool:
    """Whether a noun without a name (its lemma) stands for somebody who may take a position: minister, not bridge."""
    return cues()["holder"].get(noun, 0.0) >= LEAST_HOLDER


def says(verb: "Token") -> bool:
    """Whether the subject of a verb is somebody who says or thinks something: contend, not contain."""
    return _saying(verb) >= LEAST_SHARE


def _attributes(one: Candidate) -> bool:
    frame = cues().get(one.frame, {})
    return frame.get(one.word, frame.get("*", 0.0)) >= LEAST_SHARE


def candidates(doc: "Doc", quotations: Sequence[Quotation]) -> Iterator[Candidate]:
    """Every verb, adjective and noun with a holder and a complement, whether or not it attributes."""
    for token in doc:
        if token.lower_ == "according":
            found = _according(token)
        elif token.pos_ in ("VERB", "AUX"):
            found = _of_verb(token, quotations)
        elif token.pos_ == "NOUN":
            found = _of_noun(token)
        else:
            continue
        if found and (found := _within(found, _enclosing(quotations, token.idx))):
            yield found


def _within(one: Candidate, quotation: Quotation | None) -> Candidate | None:
    """What is said inside a quotation says nothing of what stands outside it."""
    if quotation is None or not one.attribution.content:
        return one
    content = tuple(
        (max(start, quotation.start), min(end, quotation.end))
        for start, end in one.attribution.content
        if start < quotation.end and quotation.start < end
    )
    return replace(one, attribution=replace(one.attribution, content=content)) if content else None


def _of_verb(verb: "Token", quotations: Sequence[Quotation]) -> Candidate | None:
    subject = _subject(verb)
    if subject is None:
        return None
    word, (frame, parts) = _predicate(verb)
    if frame is None and verb.dep_ == "acl" and verb.tag_ == "VBN":  # a law signed by the governor
        frame, parts = "object", [[one for one in _phrase(verb.head) if one not in {*verb.subtree}]]
    cue = _cue(verb, word, parts)
    source = _phrase(subject)
    if _follows(verb) and (frame is None or (frame not in (_QUOTING, "to", "object") and _quotes(verb))):
        frame, parts = _QUOTING, [_without_edges(_outside(verb.head, verb))]
    if frame is None or (frame not in (_QUOTING, "to") and _quotes(verb)):
        if _enclosing(quotations, verb.idx) or not _beside_quotation(verb, quotations):
            if frame is None:
                return None
        else:
            frame, parts = _QUOTING, []
    out = {*source, *cue}
    content = _without_edges([token for part in parts for token in part if token not in out])
    return _candidate(word, frame, source, subject, cue, content)


def _follows(verb: "Token") -> bool:
    """Whether the verb stands behind a clause that it has no word to join to: `the plan is dead, he said on Monday`."""
    joined = any(one.dep_ == "cc" and one.i < verb.i for one in verb.head.children)
    return verb.dep_ == "parataxis" or (verb.dep_ == "conj" and verb.head.i < verb.i and not joined)


def _quotes(verb: "Token") -> bool:
    """Whether the verb is one of saying: what it says may stand in quotation marks, whoever it is said to."""
    return _saying(verb) >= LEAST_SAYING


def _saying(verb: "Token") -> float:
    return cues()[_QUOTING].get(verb.lemma_.lower(), 0.0)


def _predicate(verb: "Token") -> tuple["Token", tuple[str | None, list[list["Token"]]]]:
    """The word that says what is felt or said, its frame and its complements: `is wary` stands as `wary`."""
    adjective = next((one for one in verb.children if one.dep_ == "acomp"), None)
    if adjective is None:
        return verb, _complement(verb)
    frame, parts = _complement(adjective)
    return adjective, (f"is {frame}" if frame else None, parts)


def _of_noun(noun: "Token") -> Candidate | None:
    """`Her criticism of the plan`: the owner is the holder."""
    owner = next((one for one in noun.children if one.dep_ == "poss"), None)
    if owner is None:
        return None
    for child in noun.children:
        if child.i < noun.i:
            continue
        if child.dep_ == "prep" and (inside := [one for one in child.children if one.dep_ in ("pobj", "pcomp")]):
            content, cue = _subtree(inside[0]), [noun, child]
        elif child.dep_ == "acl" and child.tag_ == "VB":
            content, cue = _subtree(child), [noun]
        else:
            continue
        source = [one for one in _phrase(owner) if one.tag_ != "POS"]
        return _candidate(noun, "noun", source, owner, cue, _without_edges(content)) if source else None
    return None


def _candidate(
    word: "Token",
    frame: str,
    source: Sequence["Token"],
    head: "Token",
    cue: Sequence["Token"],
    content: Sequence["Token"],
) -> Candidate:
    found = Attribution(_around(source), head.idx, _around(cue), _spans(content))
    noun = head.lemma_.lower() if head.pos_ == "NOUN" else ""
    return Candidate(word.lemma_.lower(), frame, noun, found)


def _subject(verb: "Token") -> "Token | None":
    """Who does it: its own subject, the agent of a passive, or the subject of the verb that it hangs on."""
    if own := next((one for one in verb.children if one.dep_ == "nsubj"), None):
        return own
    for child in verb.children:
        if child.dep_ == "agent":
            return next((one for one in child.children if one.dep_ == "pobj"), None)
    if any(child.dep_ in ("nsubjpass", "auxpass") for child in verb.children):
        return None
    return _subject_above(verb)


def _subject_above(verb: "Token") -> "Token | None":
    head = verb.head
    if verb.dep_ == "acl" and verb.tag_ == "VBG":
        return head
    if verb.dep_ == "xcomp" and (objects := [one for one in head.children if one.dep_ in ("dobj", "dative")]):
        return objects[0]
    if verb.dep_ not in ("conj", "xcomp", "advcl", "pcomp"):
        return None
    # "drew criticism for promoting it": whoever drew it promoted it.
    while head.pos_ not in ("VERB", "AUX") and head.head != head:
        head = head.head
    return _subject(head) if head.pos_ in ("VERB", "AUX") and head != verb else None


def _complement(word: "Token") -> tuple[str | None, list[list["Token"]]]:
    """The frame and the complements that hold the content."""
    by: dict[str, list[Token]] = {}
    for child in word.children:
        by.setdefault(child.dep_, []).append(child)
    # Of a passive with an agent the subject is what is judged.
    objects = by.get("dobj", []) or (by.get("nsubjpass", []) if "agent" in by else [])
    # What stands before a colon is another sentence: "not everybody rejoiced: he called the ruling a blow".
    clauses = [one for one in by.get("ccomp", []) if not _is_aside(one) and not (objects and one.i < word.i)]
    if clauses:
        return _QUOTING, [_subtree(one) for one in clauses]
    if purposes := by.get("xcomp", []):
        return ("to", [_subtree(one) for one in (*objects, *purposes)])
    if objects:
        rest = [one for one in by.get("prep", []) if one.i > objects[0].i and one.lower_ in ("of", "as", "for", "on")]
        if word.lemma_ in _LIGHT:
            rest = [one for one in by.get("prep", []) if one.i > objects[0].i]
        more = by.get("oprd", [])
        return "object", [_subtree(one) for one in (*objects, *more, *rest)]
    if more := by.get("oprd", []):
        return "object", [_subtree(one) for one in more]
    for one in by.get("prep", []):
        parts = [_subtree(child) for child in one.children if child.dep_ in ("pobj", "pcomp")]
        if parts and one.i > word.i:
            return one.lower_, parts
    asked = [one for one in by.get("advcl", []) if one.i > word.i and _opening(one) in ("if", "when", "whether", "how")]
    return (_QUOTING, [_subtree(one) for one in asked]) if asked else (None, [])


def _opening(clause: "Token") -> str:
    return str(_subtree(clause)[0].lower_)


def _is_aside(clause: "Token") -> bool:
    """A clause of comparison ("as he said") is no content."""
    return any(child.dep_ == "mark" and child.lower_ in ("as", "because") for child in clause.children)


def _outside(above: "Token", token: "Token") -> list["Token"]:
    inside = {*token.subtree}
    return [one for one in _subtree(above) if one not in inside]


def _without_edges(tokens: Sequence["Token"]) -> list["Token"]:
    """Commas and stops at the ends do not belong to the content, quotation marks do."""
    kept = list(tokens)
    while kept and kept[-1].is_punct and not kept[-1].is_quote:
        kept.pop()
    while kept and kept[0].is_punct and not kept[0].is_quote:
        kept.pop(0)
    return kept


def _according(token: "Token") -> Candidate | None:
    to = next((child for child in token.children if child.lower_ == "to"), None)
    source = to and next((child for child in to.children if child.dep_ == "pobj"), None)
    if not source or not to:
        return None
    clause = token.head
    while clause.dep_ not in ("ROOT", "ccomp", "advcl", "conj", "parataxis", "relcl") and clause.head != clause:
        clause = clause.head
    content = _without_edges(_outside(clause, token))
    return _candidate(token, "according", _phrase(source), source, [token, to], content) if content else None


def _beside_quotation(verb: "Token", quotations: Sequence[Quotation]) -> Quotation | None:
    """The quotation that a verb without a complement can introduce or follow, in its own sentence."""
    sentence = verb.sent
    near = [
        one
        for one in quotations
        if one.start < sentence.end_char and one.end > sentence.start_char and not one.start <= verb.idx < one.end
    ]
    return min(near, key=lambda one: min(abs(one.start - verb.idx), abs(verb.idx - one.end)), default=None)


def _enclosing(quotations: Sequence[Quotation], place: int) -> Quotation | None:
    return next((one for one in quotations if one.start <= place < one.end), None)


def _cue(verb: "Token", word: "Token", parts: Sequence[Sequence["Token"]]) -> list["Token"]:
    """The verb with its auxiliaries, negation, particle and preposition."""
    words = [verb, *([word] if word != verb else [])]
    words += [one for one in verb.children if one.dep_ in ("aux", "auxpass", "neg", "prt") and abs(one.i - verb.i) < 5]
    words += [one for one in verb.children if one.dep_ == "advmod" and one.i == verb.i - 1]
    before = min(part[0].i for part in parts) - 1 if parts else -1
    if before > word.i and verb.doc[before].dep_ == "prep" and verb.doc[before].head == word:
        words.append(verb.doc[before])
    return sorted(words, key=lambda token: token.i)


def _phrase(head: "Token") -> list["Token"]:
    """A mention with what belongs to it, without punctuation at its end."""
    if head.tag_ in ("WP", "WDT", "PRP"):
        return [head]
    words = _subtree(head)
    while len(words) > 1 and words[-1].is_punct:
        words.pop()
    return words


def _subtree(token: "Token") -> list["Token"]:
    return sorted(token.subtree, key=lambda one: one.i)


def _around(tokens: Sequence["Token"]) -> Offsets:
    return tokens[0].idx, tokens[-1].idx + len(tokens[-1])


def _spans(tokens: Sequence["Token"]) -> tuple[Offsets, ...]:
    """Stretches of tokens that stand together."""
    runs: list[list[Token]] = []
    for token in sorted(set(tokens), key=lambda one: one.i):
        if runs and token.i == runs[-1][-1].i + 1:
            runs[-1].append(token)
        else:
            runs.append([token])
    return tuple(_around(run) for run in runs)


def _with_quotations(doc: "Doc", quotations: Sequence[Quotation], found: Sequence[Candidate]) -> list[Attribution]:
    """Give every quotation that is a statement to the attribution beside it, whole; later ones go on from it."""
    result = [one.attribution for one in found]
    last: int | None = None
    for quotation in quotations:
        if not is_statement(doc.text, quotation):
            continue
        span = (quotation.start, quotation.end)
        owner = _owner(doc, quotation, found)
        if owner is None and (new := _by_rule(doc, quotation) or _by_colon(doc, quotation)):
            result.append(new)
            last = len(result) - 1
            continue
        if owner is None and _begins_sentence(doc, quotation):
            owner = last
        if owner is None:
            continue
        inside = [i for i, one in enumerate(result) if span[0] <= one.cue[0] < span[1]]
        if owner not in inside:
            result[owner] = replace(result[owner], content=_joined(result[owner].content, span))
        last = owner
    return sorted((one for one in result if one.content), key=lambda one: one.cue)


def _by_rule(doc: "Doc", quotation: Quotation) -> Attribution | None:
    """A holder and a verb right beside the quotation that the parser has not seen as such."""
    held = beside(doc.text, quotation, (0, len(doc.text)))
    source = held and doc.char_span(*held[0], alignment_mode="expand")
    if not held or source is None:
        return None
    return Attribution(held[0], source.root.idx, held[1], ((quotation.start, quotation.end),))


def _by_colon(doc: "Doc", quotation: Quotation) -> Attribution | None:
    """`He saw it the other way round: "..."`: whoever the sentence before the colon is about says it."""
    before = doc.text[: quotation.start].rstrip()
    colon = doc.char_span(len(before) - 1, len(before)) if before.endswith(":") else None
    if colon is None:
        return None
    for token in doc[colon[0].sent.start : colon.start]:
        if token.dep_ == "nsubj" and token.head.i < colon.start:
            cue = [one for one in _cue(token.head, token.head, []) if one.i < colon.start]
            return Attribution(_around(_phrase(token)), token.idx, _around(cue), ((quotation.start, quotation.end),))
    return None


def _begins_sentence(doc: "Doc", quotation: Quotation) -> bool:
    first = doc.char_span(quotation.start, quotation.start + 1, alignment_mode="expand")
    return first is not None and first[0].sent.start_char >= quotation.start - 1


def _owner(doc: "Doc", quotation: Quotation, found: Sequence[Candidate]) -> int | None:
    """The attribution that a quotation stands in or beside."""
    able = [
        (i, one)
        for i, one in enumerate(found)
        if one.frame == _QUOTING and not quotation.start <= one.attribution.cue[0] < quotation.end
    ]
    over = [(i, one) for i, one in able if any(_overlap(span, quotation) for span in one.attribution.content)]
    if over:
        return max(over, key=lambda pair: sum(_overlap(span, quotation) for span in pair[1].attribution.content))[0]
    first = doc.char_span(quotation.start, quotation.end, alignment_mode="expand")
    if first is None:
        return None
    start, end = first[0].sent.start_char, first[-1].sent.end_char
    near = [(i, one) for i, one in able if start <= one.attribution.cue[0] < end]
    if near:
        return min(near, key=lambda pair: _apart(pair[1].attribution.cue, quotation))[0]
    return None


def _overlap(span: Offsets, quotation: Quotation) -> int:
    return max(0, min(span[1], quotation.end) - max(span[0], quotation.start))


def _apart(cue: Offsets, quotation: Quotation) -> int:
    return max(quotation.start - cue[1], cue[0] - quotation.end)


def _joined(spans: Sequence[Offsets], new: Offsets) -> tuple[Offsets, ...]:
    """Spans with a new one, those that touch it made one with it."""
    start, end = new
    apart = []
    for one in spans:
        if one[0] < end and start < one[1]:
            start, end = min(start, one[0]), max(end, one[1])
        else:
            apart.append(one)
    return tuple(sorted([*apart, (start, end)]))
