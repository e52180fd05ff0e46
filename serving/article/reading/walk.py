"""What is known on the way through a text without a parser: its sentences, who speaks, and whose names are meant."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from serving.article.reading.candidates import Candidate, Cues, candidates
from serving.article.statements import Kind, Position, Span
from serving.article.text.blocks import Block
from serving.article.text.quotations import Quotation
from serving.article.text.sentences import quoted, sentences
from serving.inputs import Offsets
from serving.names.mentions import find_mention
from serving.names.words import HAN, akin, forms

Given = Mapping[str, Sequence[str]]  # the user's targets: name -> aliases

WORD = re.compile(rf"[{HAN}]|[^\W\d_{HAN}]+")
_WINDOW = 120  # characters beside a quotation in which its speaker stands
_BESIDE = 40  # in which a verb of saying alone gives a quotation to whoever spoke last
_STOP = re.compile(r"[.!?…。;\n]")
_DASHES = "—–―"
_LEAST = 3  # words of a quotation that has a speaker without being attributed by itself


@dataclass(frozen=True)
class Said:
    """A quotation with its speaker."""

    quotation: Quotation
    speaker: Offsets
    cue: Offsets | None


@dataclass(frozen=True)
class Asked:
    """A holder and a target of a sentence."""

    holder: Offsets | None  # None: the author, or somebody who is not named in the sentence
    who: Offsets | None  # the mention that names the holder, where he or she does not
    target: Offsets
    name: str | None  # of a target that the user gave
    said: Said | None  # whose words the target stands in
    far: int = 0  # characters between the two


class Walk:
    """Goes through the paragraphs in order and remembers who was named and who spoke last."""

    def __init__(self, text: str, known: Cues, given: Given | None) -> None:
        self.text, self.known, self.given = text, known, given
        self.last: Offsets | None = None  # the person whom he or she stands for, and who may go on speaking
        self._open = False  # the last paragraph ended inside a quotation
        self._names: dict[str, str] = {}  # form of a last word -> the first name of several words that ends in it

    def sentences(self, block: Block) -> Iterator[tuple[Offsets, list[Candidate], list[Said]]]:
        """The sentences of a block with their candidates, and what is said in all of it."""
        span = (block.start, block.end)
        parts = list(sentences(self.text, span, self.known.abbreviations, self.known.saying.pattern))
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
    ) -> list[Said]:
        """The quotations of a paragraph that have a speaker."""
        found: list[Said] = []
        holders = [one for several in sentences_of for one in several if one.holds and not one.stands_for]
        subjects = [one for several in sentences_of if (one := _subject(several, ()))]
        outside = [one for one in holders if not any(q.start <= one.start < q.end for q in quotations)]
        for quotation in quotations:
            cue, speaker = self._speaker(span, quotation, quotations, outside)
            goes_on = bool(found) or (self._open and quotation.start - span[0] < 3)
            self.last = next((one for one in reversed(subjects) if one[1] <= quotation.start), self.last)
            if speaker is None and self.last and (cue or (goes_on and self._is_long(quotation))):
                speaker = self.last
            if speaker:
                found.append(Said(quotation, speaker, cue))
                self.last = speaker
        self._open = bool(quotations) and not quotations[-1].closed
        return found

    def _is_long(self, quotation: Quotation) -> bool:
        return len(WORD.findall(self.text, *quotation.inner)) >= _LEAST

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
                    ((distance(verb, one.span), verb, one) for verb in verbs for one in inside),
                    key=lambda three: three[0],
                )
                return verb, one.span
            beside = [one for one in verbs if distance(one, (quotation.start, quotation.end)) <= _BESIDE]
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

    def given_in(self, sentence: Offsets) -> list[tuple[Offsets, str | None]]:
        """The user's targets in a sentence."""
        piece = self.text[slice(*sentence)]
        found: list[tuple[Offsets, str | None]] = []
        for name, aliases in (self.given or {}).items():
            spans = (find_mention(piece, one) for one in (name, *aliases))
            if span := next(filter(None, spans), None):
                found.append(((sentence[0] + span[0], sentence[0] + span[1]), name))
        return found

    def same(self, one: Offsets, other: Offsets) -> bool:
        """Whether two mentions name the same: the last word of one stands in the other; of Chinese names the end."""
        names = [WORD.findall(self.text[slice(*span)].casefold()) for span in (one, other)]
        if self.known.language == "zh":
            shorter, longer = sorted(("".join(name) for name in names), key=len)
            return longer.endswith(shorter)
        return any(akin(names[0][-1], word) for word in names[1]) and any(akin(names[1][-1], word) for word in names[0])

    def name(self, span: Offsets) -> str:
        """The name as the article gives it in full: of a surname the name before it."""
        words = self._words(span)
        if " " in words or not words[:1].isupper():
            return words
        return next((self._names[form] for form in forms(words) if form in self._names), words)

    def _remember(self, found: Sequence[Candidate]) -> None:
        for one in found:
            if one.person and " " in (words := self._words(one.span)):
                for form in forms(words.rsplit(" ", 1)[-1]):
                    self._names.setdefault(form, words)

    def _words(self, span: Offsets) -> str:
        return " ".join(self.text[slice(*span)].split())

    def position(
        self, sentence: Offsets, asked: Asked, turn: Offsets | None, holder: str | None, target: str
    ) -> Position:
        """The position of a pair.

        Args:
            sentence: that it stands in.
            asked: the pair.
            turn: the name before the paragraph, as in a transcript.
            holder: name that is shown; None: the author.
            target: name that is shown.
        """
        said, source = asked.said, asked.holder or asked.who
        content = (said.quotation.start, said.quotation.end) if said else sentence
        return Position(
            speaker=holder,
            target=target,
            kind=kind_of(asked, turn),
            speaker_mention=self._span(source) if source else None,
            cue=self._span(said.cue) if said and said.cue else None,
            content=(self._span(content),),
            target_mention=self._span(asked.target),
            sentence=self._span(sentence),
        )

    def _span(self, span: Offsets) -> Span:
        return Span(start=span[0], end=span[1], text=self.text[slice(*span)])


def kind_of(asked: Asked, turn: Offsets | None) -> Kind:
    """How the holder of a pair is known."""
    if asked.who is None:
        return "author"
    return "direct" if asked.said else "turn" if asked.who == turn else "indirect"


def innermost(place: int, said: Sequence[Said]) -> Said | None:
    """What is said around a character."""
    return next((one for one in said if one.quotation.start <= place < one.quotation.end), None)


def _subject(found: Sequence[Candidate], said: Sequence[Said]) -> Offsets | None:
    """Whom he or she in the next sentence is: the first person of this one, outside quotations."""
    named = (one.span for one in found if one.holds and one.person and not innermost(one.start, said))
    return next(named, None)


def overlap(one: Offsets, other: Offsets) -> bool:
    """Whether two mentions have a character in common."""
    return one[0] < other[1] and other[0] < one[1]


def distance(one: Offsets, other: Offsets) -> int:
    """Characters between two mentions."""
    return max(other[0] - one[1], one[0] - other[1], 0)
