"""Every pair of a sentence that could be a holder and a target, for the reader's model to judge."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from serving.article.reading.attribution import Attribution, covers, innermost
from serving.article.reading.grammar import attributions, speaks
from serving.article.reading.names import NAMED
from serving.article.reading.targets import NOT_THINGS, mention
from serving.article.text.quotations import Quotation, find_quotations
from serving.runtime.pairs import Mention, Pair, PairedSentence

if TYPE_CHECKING:
    from spacy.tokens import Doc, Token
    from spacy.tokens import Span as Sentence

_ACTORS = frozenset({"PERSON", "ORG", "GPE", "NORP", "FAC"})
_SOMETIMES = frozenset({"EVENT", "WORK_OF_ART", "PRODUCT", "LAW"})  # what the parser may take an actor for
_PRONOUNS = frozenset({
    "both", "he", "her", "hers", "herself", "him", "himself", "his", "i", "it", "its", "itself", "me", "my", "our",
    "she", "that", "their", "them", "themselves", "these", "they", "this", "those", "us", "we", "which", "who", "whom",
    "whose", "you",
})  # fmt: skip
_THINGS = frozenset({"it", "itself", "these", "this", "those"})  # seldom somebody, unless they do something
_INSIDE = frozenset({"amod", "compound", "intj", "nmod", "npadvmod"})  # nouns that belong to another one
_DOING = frozenset({"ROOT", "appos", "conj", "nsubj", "nsubjpass", "poss"})
_BY = frozenset({"by", "for", "from", "of", "to", "with"})
# Where `the eleven` stands for somebody.
_ALONE = frozenset({"conj", "dobj", "nsubj", "nsubjpass", "pobj"})
_CALLING = frozenset({"brand", "call", "consider", "declare", "deem", "dub", "find", "label", "term"})
_NUMBERS = frozenset({"CARDINAL", "PERCENT"})
_FAR, _DEEP = 30, 8  # tokens apart, steps in the parse: more tell nothing


@dataclass(frozen=True)
class Place:
    """Where a word stands in what is said and done."""

    inner: Attribution | None  # whose words it belongs to
    around: list[Attribution]
    deeds: list[Attribution]
    elsewhere: bool  # those words are of somebody who is named in another sentence
    quoted: bool
    speaks: bool  # it is of a mention of somebody who says something


@dataclass(frozen=True)
class Paragraph:
    """A parsed paragraph with what is quoted, said and done in it."""

    doc: "Doc"
    quotations: Sequence[Quotation]
    said: Sequence[Attribution]
    done: Sequence[Attribution]
    _places: dict[int, Place] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def of(cls, doc: "Doc") -> "Paragraph":
        """What is quoted, said and done in a parsed paragraph."""
        quotations = find_quotations(doc.text)
        return cls(doc, quotations, *attributions(doc, quotations))

    @property
    def opens_quoted(self) -> bool:
        """Whether it begins with a quotation."""
        return bool(self.quotations) and self.quotations[0].start <= 1

    @property
    def is_quotation(self) -> bool:
        """Whether all of it is quoted, and nobody in it says so."""
        if not self.opens_quoted or self.said:
            return False
        ends = [0, *(one.end for one in self.quotations)]
        starts = [*(one.start for one in self.quotations), len(self.doc.text)]
        between = "".join(self.doc.text[end:start] for end, start in zip(ends, starts, strict=True))
        return len(between.strip()) <= 1  # a mark before or behind

    def innermost(self, place: int) -> Attribution | None:
        """The attribution whose words a character belongs to."""
        return innermost(self.said, place)

    def place(self, token: "Token") -> Place:
        """Where a word stands; worked out once, because a word belongs to many pairs."""
        if token.i not in self._places:
            at = token.idx
            self._places[token.i] = Place(
                self.innermost(at),
                [one for one in self.said if covers(one.content, at)],
                [one for one in self.done if covers(one.content, at)],
                self.from_elsewhere(token) is not None,
                self.quotes(token),
                any(holds(one, token) for one in self.said),
            )
        return self._places[token.i]

    def quotes(self, token: "Token") -> bool:
        """Whether a word stands in a quotation."""
        return any(one.start <= token.idx < one.end for one in self.quotations)

    def quoted(self, whole: bool = False) -> dict[int, "Token | None"]:
        """The words in quotations, by their place: the head word of who says them; None: nobody in the paragraph.

        Args:
            whole: all of the paragraph is somebody's words, as in a transcript.
        """
        found: dict[int, Token | None] = {}
        for token in self.doc:
            if whole or self.quotes(token):
                around = self.innermost(token.idx)
                found[token.i] = token_at(self.doc, around.head) if around else None
        return found

    def from_elsewhere(self, target: "Token") -> Attribution | None:
        """The attribution around a word if its holder is named in another sentence, as in a long quotation."""
        sentence = target.sent
        others = [one for one in self.said if not sentence.start_char <= one.source[0] < sentence.end_char]
        return innermost(others, target.idx)


def holds(one: Attribution, token: "Token") -> bool:
    """Whether a word is of the mention of who says or does it."""
    return one.source[0] <= token.idx < one.source[1]


def token_at(doc: "Doc", place: int) -> "Token":
    """The word around a character of a paragraph."""
    found = doc.char_span(place, place + 1, alignment_mode="expand")
    assert found is not None
    return found[0]


@dataclass(frozen=True)
class Candidates:
    """The pairs of a sentence, and for each the head words of holder and target.

    A holder of None is whoever the words belong to: the author, or a speaker who is not named in the sentence.
    """

    sentence: "Sentence"
    heads: list[tuple["Token | None", "Token"]]
    asked: PairedSentence


def candidates(paragraph: Paragraph, before: str) -> Iterator[Candidates]:
    """The pairs of every sentence of a paragraph.

    Args:
        paragraph: parsed.
        before: the last sentence before the paragraph.
    """
    doc = paragraph.doc
    names = {token.i: span for span in doc.ents if span.label_ in NAMED for token in span}
    for sentence in doc.sents:
        heads = list(_heads(sentence, names))
        holders: list[Token | None] = [token for token in heads if _may_hold(token, names)]
        pairs = [
            (holder, target)
            for holder in [*holders, None]
            for target in heads
            if holder is None or (holder != target and not _same(holder, target, names))
        ]
        mentions = {token.i: located(token, sentence.start_char) for token in heads}
        asked = tuple(
            Pair(
                None if holder is None else mentions[holder.i],
                mentions[target.i],
                features(holder, target, paragraph),
            )
            for holder, target in pairs
        )
        yield Candidates(sentence, pairs, PairedSentence(before, sentence.text, asked))
        before = sentence.text


def _heads(sentence: "Sentence", names: dict[int, "Sentence"]) -> Iterator["Token"]:
    """Head words of names, nouns and pronouns."""
    for token in sentence:
        if token.i in names:
            if token.i == names[token.i].root.i:
                yield token
        elif token.ent_type_ not in NOT_THINGS:
            noun = token.pos_ in ("NOUN", "PROPN") and (
                token.dep_ not in _INSIDE or _is_beside(token) or _is_called(token)
            )
            pronoun = (
                token.lower_ in _PRONOUNS
                and token.pos_ in ("PRON", "DET", "SCONJ")
                and token.dep_ not in ("det", "mark")
            )
            if noun or pronoun or _stands_alone(token):
                yield token
        elif token.ent_type_ in _NUMBERS and _stands_alone(token):
            yield token


def _is_beside(token: "Token") -> bool:
    """Whether a noun stands beside a clause that speaks of it: `..., a sale that Baku condemned`."""
    return token.dep_ == "npadvmod" and any(one.dep_ in ("det", "relcl", "acl") for one in token.children)


def _is_called(token: "Token") -> bool:
    """Whether a noun is what is called something: a parser takes `move` of `calls the move visionary` for a part."""
    judged, before = token.head, token.nbor(-1) if token.i else None
    called = judged.i == token.i + 1 and judged.dep_ in ("dobj", "oprd") and judged.head.lemma_.lower() in _CALLING
    return called and before is not None and (before.dep_ == "det" or before.lower_ == "'s")


def _stands_alone(token: "Token") -> bool:
    """Whether an adjective or a number stands for somebody or something: `the eleven`, `most of the parties`."""
    return (
        (token.pos_ in ("ADJ", "NUM") or token.ent_type_ in _NUMBERS)
        and token.dep_ in _ALONE
        and any(
            (one.dep_ == "det" and one.lower_ in ("the", "these", "those"))
            or (one.dep_ == "prep" and one.lower_ == "of")
            for one in token.children
        )
    )


def _may_hold(token: "Token", names: dict[int, "Sentence"]) -> bool:
    if token.i in names:
        label = names[token.i].label_
        return label in _ACTORS or (label in _SOMETIMES and token.dep_ == "nsubj")
    if token.pos_ == "PRON" or token.lower_ in _PRONOUNS:
        return token.lower_ not in _THINGS or token.dep_ in ("nsubj", "poss")
    if token.dep_ == "pobj" and token.head.lower_ in _BY:
        return True
    return token.dep_ in _DOING or (speaks(token.lemma_.lower()) and not _is_beside(token))


def _same(one: "Token", other: "Token", names: dict[int, "Sentence"]) -> bool:
    return one.i in names and other.i in names and names[one.i].text == names[other.i].text


def located(token: "Token", start: int) -> Mention:
    """Where the mention with this head stands, counted from a character of the paragraph."""
    phrase = mention(token)
    return Mention((phrase[0] - start, phrase[1] - start), (token.idx - start, token.idx + len(token) - start))


def features(holder: "Token | None", target: "Token", paragraph: Paragraph) -> tuple[float, ...]:
    """What the grammar says of a pair: who owns the words of the target, quotations, distance, place in the parse."""
    place = paragraph.place(target)

    def owns(one: Attribution) -> bool:
        return holder is not None and holds(one, holder)

    apart = 0 if holder is None else target.i - holder.i
    top, up, down = (None, 0, 0) if holder is None else _path(holder, target)
    return (
        float(holder is None),
        float(place.inner is None),
        float(place.inner is not None and owns(place.inner)),
        float(place.elsewhere),
        float(any(map(owns, place.around))),
        float(any(map(owns, place.deeds))),
        float(holder is not None and paragraph.place(holder).speaks),
        float(holder is not None and paragraph.place(holder).quoted),
        float(place.quoted),
        min(abs(apart), _FAR) / 10,
        float(apart > 0),
        min(up, _DEEP) / 4,
        min(down, _DEEP) / 4,
        float(top is not None and top == holder),
        float(top is not None and top == target),
    )


def _path(one: "Token", other: "Token") -> tuple["Token | None", int, int]:
    """The lowest word above both, and the steps up to it from each; None where there is none."""
    above = {one: 0}
    for step, token in enumerate(one.ancestors, 1):
        above[token] = step
    for step, token in enumerate([other, *other.ancestors]):
        if token in above:
            return token, above[token], step
    return None, 0, 0
