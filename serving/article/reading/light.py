"""Positions in an article of a language without a parser: names and nouns are paired, and a model decides.

A reader that knows the language judges every pair of a sentence (`drafted`); without one the classifier is asked about
the likeliest (`positions`). What is missed is said in `limits`.
"""

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from serving.article.reading.candidates import LANGUAGES, Candidate, Cues, candidates, cues, others, pronouns
from serving.article.reading.judging import Draft, Drafted, Holder
from serving.article.statements import Kind, Position, Span
from serving.article.text.blocks import Block
from serving.article.text.quotations import Quotation
from serving.article.text.sentences import quoted, sentences
from serving.inputs import Offsets
from serving.names.mentions import find_mention
from serving.names.words import HAN, akin, forms
from serving.runtime.pairs import Mention, Pair, PairedSentence

Given = Mapping[str, Sequence[str]]  # the user's targets: name -> aliases

SHOWN_ABOVE = 0.85  # probability of a stance from which a pair is shown: read off ten articles of our own
SURE_ABOVE = 1.0  # of none is it known that nine in ten are right
_MOST_PAIRS = 12  # of a sentence that the classifier is asked about, the nearest
_WINDOW = 120  # characters beside a quotation in which its speaker stands
_BESIDE = 40  # in which a verb of saying alone gives a quotation to whoever spoke last
_STOP = re.compile(r"[.!?…。;\n]")
_DASHES = "—–―"
_WORD = re.compile(rf"[{HAN}]|[^\W\d_{HAN}]+")
_FEW = 5  # quoted words at most that are no statement
_LEAST = 3  # words of a quotation that has a speaker without being attributed by itself
_FAR = 30  # words apart: more tell nothing
_CHARACTERS = 2  # of Chinese that count as a word


def reads(language: str) -> bool:
    """Whether articles in a language (ISO 639) are read here."""
    return language in LANGUAGES


def limits(language: str) -> str:
    """The note on what is missed."""
    return (
        f"read by names and the model alone, without a parser for {language}: "
        "positions of most pronouns and of unnamed holders are not found"
    )


def positions(
    text: str,
    blocks: Sequence[Block],
    language: str,
    given: Given | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> Iterator[Position]:
    """Pairs that may express a position, in the order of the text.

    Args:
        text: of the article, in the one spelling (`spelled`).
        blocks: its paragraphs.
        language: one that `reads` knows.
        given: the user's targets; None: every name and noun.
        on_progress: told how many characters are read, of how many.
    """
    reader = _Reader(text, cues(language), given)
    for block in blocks:
        yield from reader.positions(block)
        if on_progress:
            on_progress(block.end, len(text))


def drafted(
    text: str,
    blocks: Sequence[Block],
    language: str,
    given: Given | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> Iterator[tuple[Offsets, Drafted]]:
    """Every sentence with all its pairs of holder and target, for a reader's model to judge.

    The arguments are those of `positions`.
    """
    reader = _Reader(text, cues(language), given)
    before = ""
    for block in blocks:
        for sentence, found, said in reader.sentences(block):
            yield sentence, reader.drafted(sentence, found, said, block.speaker, before)
            before = text[slice(*sentence)]
        if on_progress:
            on_progress(block.end, len(text))


@dataclass(frozen=True)
class _Said:
    """A quotation with its speaker."""

    quotation: Quotation
    speaker: Offsets
    cue: Offsets | None


@dataclass(frozen=True)
class _Pair:
    holder: Offsets | None  # None: the author, or nobody in the sentence
    who: Offsets | None  # the mention that names the holder, where he or she does not
    target: Offsets
    name: str | None  # of a target that the user gave
    said: _Said | None
    far: int


class _Reader:
    """Goes through the paragraphs in order and remembers who was named and who spoke last."""

    def __init__(self, text: str, known: Cues, given: Given | None) -> None:
        self.text, self.known, self.given = text, known, given
        self.last: Offsets | None = None  # the person whom he or she stands for, and who may go on speaking
        self.open = False  # the last paragraph ended inside a quotation
        self.names: dict[str, str] = {}  # form of a last word -> the first name of several words that ends in it

    def positions(self, block: Block) -> Iterator[Position]:
        """The pairs of a block that the classifier is asked about."""
        for sentence, found, said in self.sentences(block):
            for pair in self._pairs(sentence, found, said, block.speaker):
                yield self._position(sentence, pair, block.speaker)

    def sentences(self, block: Block) -> Iterator[tuple[Offsets, list[Candidate], list[_Said]]]:
        """The sentences of a block with their candidates, and what is said in all of it."""
        span = (block.start, block.end)
        parts = list(sentences(self.text, span, self.known.abbreviations, self._saying()))
        quotations = [*self._dialogue(block), *quoted(self.text, span)]
        found = [candidates(self.text, part, self.known, quotations) for part in parts]
        before = self.last
        said = self._said(span, quotations, found)
        self.last = before
        for part, several in zip(parts, found, strict=True):
            self._remember(several)
            yield part, several, said
            self.last = _subject(several, said) or self.last
        self.last = said[-1].speaker if said else self.last

    def _saying(self) -> str:
        return self.known.saying.pattern

    def _dialogue(self, block: Block) -> list[Quotation]:
        """A line behind a dash: `— Нет, — сказал он. — Никогда`; what stands between the dashes is not quoted."""
        start = block.start
        before = self.text[max(0, start - 3) : start].strip()
        if self.text[start] in _DASHES:
            start += 1
        elif before[-1:] not in _DASHES or not before:
            return []
        verb = self.known.saying.search(self.text, start, block.end)
        dash = max(self.text.rfind(one, start, verb.start()) for one in _DASHES) if verb else -1
        if verb is None or dash < 0 or verb.start() - dash > _BESIDE:
            return []
        spoken = [Quotation(start, dash, (start, dash), True)]
        again = re.compile(rf"[{_DASHES}]").search(self.text, verb.end(), block.end)
        if again and again.end() < block.end:
            spoken.append(Quotation(again.end(), block.end, (again.end(), block.end), True))
        return spoken

    def _said(
        self, span: Offsets, quotations: Sequence[Quotation], sentences_of: Sequence[Sequence[Candidate]]
    ) -> list[_Said]:
        """The quotations of a paragraph that have a speaker."""
        found: list[_Said] = []
        holders = [one for several in sentences_of for one in several if one.holds and not one.stands_for]
        subjects = [one for several in sentences_of if (one := _subject(several, ()))]
        outside = [one for one in holders if not any(q.start <= one.start < q.end for q in quotations)]
        for quotation in quotations:
            cue, speaker = self._speaker(span, quotation, quotations, outside)
            goes_on = bool(found) or (self.open and quotation.start - span[0] < 3)
            self.last = next((one for one in reversed(subjects) if one[1] <= quotation.start), self.last)
            if speaker is None and self.last and (cue or (goes_on and self._is_long(quotation))):
                speaker = self.last
            if speaker:
                found.append(_Said(quotation, speaker, cue))
                self.last = speaker
        self.open = bool(quotations) and not quotations[-1].closed
        return found

    def _is_long(self, quotation: Quotation) -> bool:
        return len(_WORD.findall(self.text, *quotation.inner)) >= _LEAST

    def _speaker(
        self, span: Offsets, quotation: Quotation, quotations: Sequence[Quotation], holders: Sequence[Candidate]
    ) -> tuple[Offsets | None, Offsets | None]:
        """The verb of saying beside a quotation, and the name nearest to it."""
        first = max([span[0], quotation.start - _WINDOW, *(q.end for q in quotations if q.end <= quotation.start)])
        last = min([span[1], quotation.end + _WINDOW, *(q.start for q in quotations if q.start >= quotation.end)])
        stops = [stop.end() for stop in _STOP.finditer(self.text, first, quotation.start)]
        before = (max([first, *stops]), quotation.start)
        stop = _STOP.search(self.text, quotation.end + 1, last) if quotation.end + 1 < last else None
        behind = (quotation.end, stop.start() if stop else last)
        announced = self.text[slice(*before)].rstrip()[-1:] == ":"
        cue: Offsets | None = None
        for window in (before, behind) if announced else (behind, before):
            verbs = [verb.span() for verb in self.known.saying.finditer(self.text, *window)]
            inside = [one for one in holders if window[0] <= one.start and one.end <= window[1]]
            if any(self._pronoun_beside(verb) for verb in verbs):
                return verbs[0], None
            if verbs and inside:
                _, verb, one = min(
                    ((_distance(verb, one.span), verb, one) for verb in verbs for one in inside),
                    key=lambda three: three[0],
                )
                return verb, one.span
            beside = [one for one in verbs if _distance(one, (quotation.start, quotation.end)) <= _BESIDE]
            cue = cue or (beside[0] if beside else None)
            if announced and inside:  # a name and a colon
                return cue, inside[-1].span
        return cue, None

    def _pronoun_beside(self, verb: Offsets) -> bool:
        """Whether he or she says it: `— сказала она`, `她说`."""
        if self.known.language == "zh":
            return any(self.text.endswith(one, max(0, verb[0] - 3), verb[0]) for one in self.known.pronouns)
        behind = re.compile(r"\W*(\w+)").match(self.text, verb[1])
        before = re.compile(r"(\w+)\W*\Z").search(self.text[max(0, verb[0] - 20) : verb[0]])
        return any(one is not None and one[1].lower() in self.known.pronouns for one in (behind, before))

    def _pairs(
        self, sentence: Offsets, found: Sequence[Candidate], said: Sequence[_Said], turn: Offsets | None
    ) -> list[_Pair]:
        """The pairs to ask about, in the order of their targets."""
        named = [(one.span, None) for one in found if not one.stands_for and not self._is_predicate(one, said)]
        targets = self._given(sentence) if self.given is not None else named
        pronouns = {one.span for one in found if one.stands_for}
        pairs: dict[tuple[str, str], _Pair] = {}
        for target, name in targets:
            around = next((one for one in said if one.quotation.start <= target[0] < one.quotation.end), None)
            holders = [around.speaker] if around else [turn] if turn else []
            if around is None:
                outside = [one for one in found if one.holds and _innermost(one.start, said) is None]
                holders += _likely(outside, target)
            for holder in holders:
                if _overlap(holder, target) or self._same(holder, target):
                    continue
                by_speaker = around if around and holder == around.speaker else None
                far = 0 if by_speaker or holder == turn else _distance(holder, target)
                who = self.last if holder in pronouns else holder
                if who is None or self._same(who, target):
                    continue
                pair = _Pair(holder, who, target, name, by_speaker, far)
                key = self._name(who).casefold(), (name or self._name(target)).casefold()
                if key not in pairs or far < pairs[key].far:
                    pairs[key] = pair
        nearest = sorted(pairs.values(), key=lambda one: one.far)[:_MOST_PAIRS]
        return sorted(nearest, key=lambda one: one.target)

    def drafted(
        self, sentence: Offsets, found: Sequence[Candidate], said: Sequence[_Said], turn: Offsets | None, before: str
    ) -> Drafted:
        """A sentence with every pair of a mention that may hold a position and one that may be its target."""
        start = sentence[0]
        short = {one.span for one in found if one.stands_for} | {*pronouns(self.text, sentence, self.known)}
        taken = {one.span for one in found} | short
        words = set(others(self.text, sentence, self.known, [*taken]))
        mentions = sorted(taken | words)
        # A single word that nothing is known of may be a name where it has a capital, or where there are none.
        names = {one for one in words if self.known.language == "ar" or self.text[one[0]].isupper()}
        holders = [one for one in mentions if one in taken or one in names]
        targets = self._given(sentence) if self.given is not None else [(one, None) for one in mentions]
        pairs, asked, drafts = [], [], []
        for target, name in targets:
            around = _innermost(target[0], said)
            for holder in [*holders, None]:
                if holder and (_overlap(holder, target) or self._same(holder, target)):
                    continue
                pair = self._paired(sentence, holder, target, name, around, turn, short)
                pairs.append(pair)
                at = Mention(*[(holder[0] - start, holder[1] - start)] * 2) if holder else None
                about = Mention(*[(target[0] - start, target[1] - start)] * 2)
                asked.append(Pair(at, about, self._features(sentence, holder, target, said)))
                if draft := self._draft(len(pairs) - 1, pair, turn, short):
                    drafts.append(draft)
        text = self.text[slice(*sentence)]
        return Drafted(
            PairedSentence(before, text, tuple(asked)),
            None,
            drafts,
            lambda draft: self._position(sentence, pairs[draft.pair], turn),
        )

    def _paired(
        self,
        sentence: Offsets,
        holder: Offsets | None,
        target: Offsets,
        name: str | None,
        around: _Said | None,
        turn: Offsets | None,
        short: Collection[Offsets],
    ) -> _Pair:
        who = self.last if holder in short else holder
        if holder is None:
            elsewhere = around and not sentence[0] <= around.speaker[0] < sentence[1]
            who = around.speaker if around and elsewhere else None if around else turn
        by_speaker = around if around and who == around.speaker else None
        return _Pair(holder, who, target, name, by_speaker, 0)

    def _draft(self, place: int, pair: _Pair, turn: Offsets | None, short: Collection[Offsets]) -> Draft | None:
        """The pair by the names it would be shown with; None: a name is not known."""
        target: Offsets | None = pair.target
        if pair.target in short:
            target = self.last
        if target is None or (pair.who is None and pair.holder is not None):
            return None
        if pair.who and (self._same(pair.who, target) or _overlap(pair.who, target)):
            return None
        kind: Kind = "author" if pair.who is None else self._kind(pair, turn)
        holder = Holder(self._name(pair.who) if pair.who else None, kind)
        return Draft(place, holder, pair.name or self._name(target), pair.holder or pair.who, pair.target, None)

    def _kind(self, pair: _Pair, turn: Offsets | None) -> Kind:
        return "direct" if pair.said else "turn" if turn and pair.who == turn else "indirect"

    def _features(
        self, sentence: Offsets, holder: Offsets | None, target: Offsets, said: Sequence[_Said]
    ) -> tuple[float, ...]:
        """The numbers of `pairs.features`, as far as they can be told: of places in a parse the usual ones."""
        inner = _innermost(target[0], said)
        around = [one for one in said if one.quotation.start <= target[0] < one.quotation.end]

        def owns(one: _Said) -> bool:
            return holder is not None and _overlap(one.speaker, holder)

        apart = 0
        if holder:
            first, last = sorted((holder, target))
            apart = len(_WORD.findall(self.text, first[1], last[0])) + 1
            apart = apart // _CHARACTERS if self.known.language == "zh" else apart
        quotes = [one.quotation for one in said]
        return (
            float(holder is None),
            float(inner is None),
            float(inner is not None and owns(inner)),
            float(inner is not None and not sentence[0] <= inner.speaker[0] < sentence[1]),
            float(any(map(owns, around))),
            0.0,
            float(any(map(owns, said))),
            float(holder is not None and any(one.start <= holder[0] < one.end for one in quotes)),
            float(any(one.start <= target[0] < one.end for one in quotes)),
            min(apart, _FAR) / 10,
            float(holder is not None and target > holder),
            0.25 * (holder is not None),
            0.5 * (holder is not None),
            0.0,
            0.0,
        )

    def _is_predicate(self, one: Candidate, said: Sequence[_Said]) -> bool:
        """Whether a noun stands in a few quoted words, which say something of somebody: `назвал его «подарком»`."""
        around = _innermost(one.start, said)
        if around is None:
            return False
        words = _WORD.findall(self.text, *around.quotation.inner)
        return len(words) <= _FEW and words[0].islower()

    def _given(self, sentence: Offsets) -> list[tuple[Offsets, str | None]]:
        """The user's targets in a sentence."""
        piece = self.text[slice(*sentence)]
        found: list[tuple[Offsets, str | None]] = []
        for name, aliases in (self.given or {}).items():
            spans = (find_mention(piece, one) for one in (name, *aliases))
            if span := next(filter(None, spans), None):
                found.append(((sentence[0] + span[0], sentence[0] + span[1]), name))
        return found

    def _same(self, one: Offsets, other: Offsets) -> bool:
        """Whether two mentions name the same: the last word of one stands in the other."""
        names = [_WORD.findall(self.text[slice(*span)].casefold()) for span in (one, other)]
        if self.known.language == "zh":
            shorter, longer = sorted(("".join(name) for name in names), key=len)
            return shorter in longer
        return any(akin(names[0][-1], word) for word in names[1]) and any(akin(names[1][-1], word) for word in names[0])

    def _name(self, span: Offsets) -> str:
        """The name as the article gives it in full: of a surname the name before it."""
        words = self._words(span)
        if " " in words or not words[:1].isupper():
            return words
        return next((self.names[form] for form in forms(words) if form in self.names), words)

    def _remember(self, found: Sequence[Candidate]) -> None:
        for one in found:
            if one.person and " " in (words := self._words(one.span)):
                for form in forms(words.rsplit(" ", 1)[-1]):
                    self.names.setdefault(form, words)

    def _words(self, span: Offsets) -> str:
        return " ".join(self.text[slice(*span)].split())

    def _position(self, sentence: Offsets, pair: _Pair, turn: Offsets | None) -> Position:
        said = pair.said
        content = (said.quotation.start, said.quotation.end) if said else sentence
        holder = pair.holder or pair.who
        return Position(
            speaker=self._name(pair.who) if pair.who else None,
            target=pair.name or self._name(pair.target),
            kind=self._kind(pair, turn) if pair.who else "author",
            speaker_mention=self._span(holder) if holder else None,
            cue=self._span(said.cue) if said and said.cue else None,
            content=(self._span(content),),
            target_mention=self._span(pair.target),
            sentence=self._span(sentence),
        )

    def _span(self, span: Offsets) -> Span:
        return Span(start=span[0], end=span[1], text=self.text[slice(*span)])


def _innermost(place: int, said: Sequence[_Said]) -> _Said | None:
    return next((one for one in said if one.quotation.start <= place < one.quotation.end), None)


def _subject(found: Sequence[Candidate], said: Sequence[_Said]) -> Offsets | None:
    """Whom he or she in the next sentence is: the first person of this one, outside quotations."""
    named = (one.span for one in found if one.holds and one.person and not _innermost(one.start, said))
    return next(named, None)


def _likely(holders: Sequence[Candidate], target: Offsets) -> list[Offsets]:
    """Who of a sentence may take a position on a target: the first before it and the nearest, else the next behind."""
    before = [one.span for one in holders if one.end <= target[0]]
    behind = [one.span for one in holders if one.start >= target[1]]
    return list(dict.fromkeys([before[0], before[-1]] if before else behind[:1]))


def _overlap(one: Offsets, other: Offsets) -> bool:
    return one[0] < other[1] and other[0] < one[1]


def _distance(one: Offsets, other: Offsets) -> int:
    return max(other[0] - one[1], one[0] - other[1], 0)
