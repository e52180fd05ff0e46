"""A linear model of words and grammar: which pairs of a sentence express a position, and which position.

Multinomial logistic regression on hashed features (Weinberger et al. 2009, "Feature Hashing for Large Scale Multitask
Learning"). `linear.npz` holds its weights, which `benchmarks/linear.py learn` learns from the reports of this project.
It comes with the code, so a text can be read before any reader was trained; beside a reader it is a second opinion.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import as_file, files
from typing import TYPE_CHECKING
from zlib import crc32

import numpy as np
import numpy.typing as npt

from serving.article.reading.attribution import Attribution
from serving.article.reading.pairs import Paragraph, Place, holds
from serving.runtime.pairs import ANSWERS, Scores

if TYPE_CHECKING:
    from spacy.tokens import Span as Sentence
    from spacy.tokens import Token

BUCKETS = 1 << 18
Buckets = npt.NDArray[np.int64]

_CONTENT = frozenset({"ADJ", "ADP", "ADV", "NOUN", "VERB"})
_ABOVE = frozenset({"ADJ", "AUX", "NOUN", "VERB"})  # these say how what stands below them is meant
_SMALL = frozenset({"AUX", "CCONJ", "PART"})
_COMPLEMENTS = frozenset({"acomp", "advmod", "attr", "oprd", "prep", "prt", "xcomp"})
_BEHIND = frozenset({"acl", "appos", "prep", "relcl"})
_BY_ROLE = ("kind", "relation", "path", "under", "nested", "order")
_NEAR, _BETWEEN, _HIGH, _MANY = 4, 15, 7, 12  # words beside, words between, steps in the parse, phrases of a sentence


def scores(paragraph: Paragraph, sentence: "Sentence", pairs: Sequence[tuple["Token | None", "Token"]]) -> Scores:
    """Probabilities of `ANSWERS` for the pairs of a sentence, shape (pairs, 4); a pair is the head words of the two."""
    weights, bias = _weights()
    features = PairFeatures(paragraph, sentence, {target for _, target in pairs})
    sums: dict[int, npt.NDArray[np.float32]] = {}  # most groups belong to many pairs

    def total(group: Buckets) -> npt.NDArray[np.float32]:
        if id(group) not in sums:
            sums[id(group)] = weights[group].sum(axis=0)
        return sums[id(group)]

    found = np.empty((len(pairs), len(ANSWERS)))
    for place, (holder, target) in enumerate(pairs):
        *shared, own = features.groups(holder, target)
        found[place] = bias + weights[own].sum(axis=0)
        for group in shared:
            found[place] += total(group)
    powers = np.exp(found - found.max(axis=1, keepdims=True, initial=-np.inf))
    result: Scores = powers / powers.sum(axis=1, keepdims=True)
    return result


@cache
def _weights() -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float64]]:
    """Of every bucket, shape (BUCKETS, 4), and of a pair with no feature at all, shape (4,)."""
    with as_file(files("serving.article.reading").joinpath("linear.npz")) as path, np.load(path) as kept:
        return kept["weights"].astype(np.float32) * kept["scale"], kept["bias"]


@dataclass(frozen=True)
class _Above:
    """What a target stands under."""

    path: list[str]  # relations on the way up to the verb
    meant: str  # the verb
    subject: "Token | None"


class PairFeatures:
    """The features of the pairs of one sentence."""

    def __init__(self, paragraph: Paragraph, sentence: "Sentence", heads: set["Token"]) -> None:
        self.paragraph = paragraph
        self.sentence = sentence
        self._order = {token: place for place, token in enumerate(sorted(heads, key=lambda one: one.i))}
        self._words = sorted({f"sentence {_lemma(one)}" for one in sentence if one.pos_ in _CONTENT})
        # By place in the sentence: what a word says between two others, and whether it is a mention itself.
        self._small = [
            f"between {_lemma(one)}" if one.pos_ in _CONTENT or one.pos_ in _SMALL else None for one in sentence
        ]
        self._mentions = [one in self._order for one in sentence]
        self._groups: dict[tuple[object, ...], Buckets] = {}
        self._above: dict[int, _Above] = {}

    def groups(self, holder: "Token | None", target: "Token") -> Iterator[Buckets]:
        """The buckets of a pair's features: those of sentence, target and holder, which it shares, then its own."""
        place = self.paragraph.place(target)
        whose, roles = self._ownership(holder, place)
        yield self._group((whose,), lambda: [whose, *_crossed(whose, self._words)])
        yield self._group((target, whose, roles), lambda: self._of_target(target, whose, roles))
        yield self._group((holder, whose), lambda: self._of_holder(holder, whose))
        yield _buckets(self._of_pair(holder, target, whose))

    def _group(self, key: tuple[object, ...], make: Callable[[], Iterable[str]]) -> Buckets:
        if key not in self._groups:
            self._groups[key] = _buckets(make())
        return self._groups[key]

    def _under(self, target: "Token") -> _Above:
        if target.i not in self._above:
            predicate, path = _predicate(target)
            self._above[target.i] = _Above(path, _meant(predicate), _subject(predicate))
        return self._above[target.i]

    def _ownership(self, holder: "Token | None", place: Place) -> tuple[str, str]:
        """Whose words and deeds the target belongs to, in short and in full."""

        def owns(several: Iterable[Attribution]) -> bool:
            return holder is not None and any(holds(one, holder) for one in several)

        said = owns([place.inner] if place.inner else [])
        does = owns(place.deeds)
        words = "own" if said else "another's" if place.inner else "nobody's"
        deed = " own deed" if does else " another's deed" if place.deeds else ""
        short = f"{'author' if holder is None else 'holder'} {words}{deed}{' elsewhere' * place.elsewhere}"
        speaks = holder is not None and self.paragraph.place(holder).speaks
        quoted = holder is not None and self.paragraph.place(holder).quoted
        return short, f"{short} {owns(place.around):d}{speaks:d}{quoted:d}{place.quoted:d}"

    def _of_target(self, target: "Token", whose: str, roles: str) -> Iterator[str]:
        given = [f"target {one}" for one in sorted(set(self._about(target)))]
        yield roles
        yield from given
        yield from _crossed(whose, given)
        yield from _crossed(roles, [one for one in given if one.split()[1] in _BY_ROLE])

    def _about(self, target: "Token") -> Iterator[str]:
        """What the sentence says of the target."""
        predicate, path = _predicate(target)
        under, way = _meant(predicate), " ".join(path)
        yield f"kind {_kind(target)}"
        yield f"is {_lemma(target)}"
        yield f"relation {target.dep_}"
        yield f"path {way}"
        yield f"under {under}"
        yield f"below {under} by {way}"
        yield f"of {_lemma(target.head)} by {target.dep_}"
        yield f"order {min(self._order[target], _HIGH)}"
        yield f"among {min(len(self._order), _MANY)}"
        yield f"nested {self._is_nested(target)} {target.dep_}"
        if target.dep_ == "pobj":
            yield f"of {_lemma(target.head.head)} {target.head.lower_}"
        for one in target.children:
            if one.dep_ == "amod":
                yield f"such {_lemma(one)}"
            elif one.dep_ in ("det", "poss"):
                yield f"with {'name' if one.pos_ == 'PROPN' else one.lower_}"
            elif one.dep_ in _BEHIND:
                yield f"has {one.dep_}"
        for one in predicate.children:
            if one.dep_ in _COMPLEMENTS:
                yield f"beside {one.dep_} {_lemma(one)} {under.startswith('not ')}"
            elif one.tag_ == "MD":
                yield f"may {_lemma(one)}"
        for one in self.sentence[max(0, target.i - self.sentence.start - _NEAR) :][: 2 * _NEAR + 1]:
            if one != target and (one.pos_ in _CONTENT or one.pos_ == "PART"):
                yield f"near {_lemma(one)}"
        for _, one in zip(range(_HIGH), target.ancestors, strict=False):
            if one.pos_ in _ABOVE:
                yield f"above {_lemma(one)}"

    def _is_nested(self, target: "Token") -> bool:
        """Whether it stands inside the phrase of another mention."""
        for one in target.ancestors:
            if one in self._order:
                return True
            if one.pos_ in ("VERB", "AUX"):
                break
        return False

    def _of_holder(self, holder: "Token | None", whose: str) -> Iterator[str]:
        if holder is None:
            return
        predicate, path = _predicate(holder)
        way = " ".join(path)
        given = [
            f"holder kind {_kind(holder)}",
            f"holder relation {holder.dep_}",
            f"holder path {way}",
            f"holder below {_lemma(predicate)} by {way}",
            f"holder order {min(self._order.get(holder, _HIGH), _HIGH)}",
        ]
        if holder.pos_ in ("NOUN", "PRON"):
            given.append(f"holder is {_lemma(holder)}")
        yield from given
        yield from _crossed(whose, given)

    def _of_pair(self, holder: "Token | None", target: "Token", whose: str) -> Iterator[str]:
        if holder is None:
            return
        place = self.paragraph.place(target)
        above = self._under(target)
        if whose.startswith("holder own") and place.inner:
            cue = _cue(self.sentence, place.inner)
            yield f"cue {cue}"
            yield f"cue {cue} {above.path[0]}"
            yield f"cue {cue} {above.meant}"
        acts = "nobody" if above.subject is None else "holder" if above.subject == holder else "another"
        yield f"acting {acts} {whose}"
        yield f"acting {acts} {above.meant}"
        yield f"acting {acts} {above.meant} by {' '.join(above.path)}"
        yield f"distance {min(abs(target.i - holder.i), 2 * _BETWEEN) // 3} {target.i > holder.i} {whose}"
        yield f"the same {_lemma(holder) == _lemma(target)}"
        top, ups, downs = _between(holder, target)
        way = f"{'/'.join(map(_relation, ups))}>{'/'.join(map(_relation, downs))}"
        first, last = (_relation(several[-1]) if several else "itself" for several in (ups, downs))
        meant = _meant(top) if top else "?"
        yield f"way {way}"
        yield f"way {way} {meant}"
        yield f"way {way} {whose}"
        yield f"top {meant}"
        yield f"top {meant} {first} {last}"
        inside = [_meant(one) for one in (step.head for step in downs) if one != top and one.pos_ in _ABOVE]
        for word in inside:
            yield f"through {word}"
            yield f"through {word} {first}"
        if inside:
            yield f"through {' '.join(inside)} {meant}"
            yield f"through {inside[0]} to {_relation(downs[0])}"
        begin, end = (one - self.sentence.start for one in sorted((holder.i, target.i)))
        if end - begin - 1 > _BETWEEN:
            yield "far"
            return
        yield f"next {not any(self._mentions[begin + 1 : end])}"
        yield from (one for one in self._small[begin + 1 : end] if one)


def _buckets(names: Iterable[str]) -> Buckets:
    return np.array(sorted({crc32(one.encode()) % BUCKETS for one in names}), dtype=np.int64)


def _crossed(prefix: str, names: Iterable[str]) -> Iterator[str]:
    return (f"{prefix} {one}" for one in names)


def _lemma(token: "Token") -> str:
    """The word in its base form; names are all alike, so that none is learned by heart."""
    return "name" if token.pos_ == "PROPN" else token.lemma_.lower()


def _meant(token: "Token") -> str:
    """The word with its negation."""
    return "not " * any(one.dep_ == "neg" for one in token.children) + _lemma(token)


def _kind(token: "Token") -> str:
    return token.ent_type_ or (token.lower_ if token.pos_ == "PRON" else token.pos_)


def _relation(token: "Token") -> str:
    return token.lower_ if token.dep_ == "prep" else token.dep_


def _predicate(token: "Token") -> tuple["Token", list[str]]:
    """The verb that a word stands under, and the relations on the way up to it."""
    path = [token.dep_]
    while token.head != token:
        token = token.head
        if token.pos_ in ("VERB", "AUX") or len(path) == _HIGH:
            break
        path.append(_relation(token))
    return token, path


def _subject(verb: "Token") -> "Token | None":
    """Who does what a verb says; of a verb without a subject, who does what stands above it."""
    for one in (verb, *verb.ancestors):
        for child in one.children:
            if child.dep_ in ("nsubj", "nsubjpass"):
                return child
        if one.dep_ not in ("conj", "xcomp", "aux", "advcl", "pcomp", "prep"):
            return None
    return None


def _between(holder: "Token", target: "Token") -> tuple["Token | None", list["Token"], list["Token"]]:
    """The lowest word above both, and the words below it on the way down to each, the lowest first."""
    above = [holder, *holder.ancestors]
    below: list[Token] = []
    for token in (target, *target.ancestors):
        if token in above:
            return token, above[: min(above.index(token), _HIGH)], below[:_HIGH]
        below.append(token)
    return None, [], []


def _cue(sentence: "Sentence", one: Attribution) -> str:
    cue = sentence.doc.char_span(*one.cue, alignment_mode="expand")
    return _lemma(cue.root) if cue else ""
