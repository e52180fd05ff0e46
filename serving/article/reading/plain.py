"""Positions without a parser: quotations with a name and a verb of saying beside them, "X said that", "according to X".

What it misses is said in `LIMITS`. With a spaCy pipeline installed `positions.py` goes by grammar instead.
"""

import re
from collections.abc import Iterator, Mapping, Sequence

from serving.article.reading.attribution import Attribution, kind_of
from serving.article.statements import Position, Span
from serving.article.text.blocks import Block
from serving.article.text.quotations import Quotation, find_quotations, is_statement, with_usual_marks
from serving.inputs import Offsets
from serving.names.spelling import alike

LIMITS = (
    "no English pipeline for spaCy is installed: attributions are found by rules on quotations, 'X said' and "
    "'according to X' alone, and targets by capital letters; install it with: pip install '.[article]'"
)
_SAYING = (
    r"accused|acknowledged|added|admitted|agreed|alleged|announced|answered|argued|asked|asserted|believes?|"
    r"claim(?:s|ed)|complained|concluded|confirmed|continued|countered|declared|denied|explained|expects?|hopes?|"
    r"insist(?:s|ed)|maintain(?:s|ed)|not(?:es|ed)|objected|observed|point(?:s|ed) out|posted|predicted|promised|"
    r"quipped|recalled|remarked|repeated|replied|report(?:s|ed)|respond(?:s|ed)|sa(?:id|ys?)|stat(?:es|ed)|stressed|"
    r"suggest(?:s|ed)|tells|testified|thinks?|told|tweeted|urged|vowed|warn(?:s|ed)|writes?|wrote"
)
_CAPITAL = r"[A-ZÀ-ÖØ-Þ][\w'’.-]*"
_ARTICLE = r"(?:[Tt]he|[Aa]n?|[Hh]is|[Hh]er|[Tt]heir|[Ii]ts)"
_MORE_NAMES = rf"(?:\s(?:(?:of|the|de|van|von|al|bin|and)\s)?{_CAPITAL}){{0,5}}"
_NAME = rf"(?:{_ARTICLE}\s)?(?:[a-z]+\s){{0,3}}?{_CAPITAL}{_MORE_NAMES}"
_DESCRIPTION = rf"{_ARTICLE}(?:\s[a-z][\w-]+){{1,4}}?"
_PRONOUN = r"\b(?:[Hh]e|[Ss]he|[Tt]hey|[Ww]e|I|[Ii]t)"
_HOLDER = rf"(?P<holder>{_PRONOUN}|{_NAME}|{_DESCRIPTION})"
_ADVERB = r"(?:\s(?:also|later|once|then|again|\w+ly|has|have|had))?"
_TITLE = r"(?:,\s[^,.“\"]{1,80},)?"
_CUE = rf"(?P<cue>(?:{_SAYING})\b)"

_AFTER = (
    re.compile(rf"[\s,–—-]*{_HOLDER}{_TITLE}{_ADVERB}\s{_CUE}"),  # "...," she said
    re.compile(rf"[\s,–—-]*{_CUE}\s{_HOLDER}"),  # "...," said the minister
    re.compile(
        rf"\s*(?P<cue>--|[-–—―])\s*(?P<holder>{_NAME})(?:,\s[^.\n“”\"]{{1,80}})?\.?\s*$"
    ),  # "..." - Ida Berg, minister
)
_BEFORE = (
    re.compile(rf"{_HOLDER}{_TITLE}{_ADVERB}\s{_CUE}[^.!?“”\"]{{0,60}}[,:]?\s*$"),  # She said: "..."
    re.compile(rf"(?:^|[.!?]\s){_HOLDER}(?P<cue>:)\s*$"),  # SMITH: "..."
)
_INDIRECT = re.compile(rf"(?:^|(?<=[.!?]\s)|(?<=\n)){_HOLDER}{_TITLE}{_ADVERB}\s{_CUE}\s(?:that\s)?(?P<content>[^\n]+)")
_ACCORDING = re.compile(rf"(?P<cue>[Aa]ccording to)\s{_HOLDER}")
_SENTENCE_END = re.compile(r"[.!?][\"”’)]*(?=\s|$)")
_PROPER = re.compile(rf"(?:[Tt]he\s)?{_CAPITAL}(?:\s(?:(?:of|the|de|van|von|al|bin|for)\s){{0,2}}{_CAPITAL}){{0,5}}")
_ABBREVIATED = 3  # letters of what keeps its stop
_NO_NAMES = frozenset({
    "a", "after", "all", "an", "and", "as", "at", "before", "but", "by", "for", "from", "he", "her", "his",
    "how", "i", "if", "in", "it", "its", "many", "mr", "mrs", "ms", "my", "no", "none", "not", "on", "or",
    "our", "she", "so", "some", "that", "the", "their", "then", "there", "these", "they", "this", "those", "to",
    "under", "we", "what", "when", "where", "while", "who", "why", "with", "yes", "you", "your",
})  # fmt: skip


def positions(text: str, blocks: Sequence[Block], given: "Mapping[str, re.Pattern[str]] | None") -> Iterator[Position]:
    """The positions of a text, in its order: of each attribution toward the names, or given targets, in its content.

    Args:
        text: of the article.
        blocks: its paragraphs.
        given: the user's targets, name -> pattern of its aliases; None: names by their capital letters.
    """
    read = with_usual_marks(text)
    for block in blocks:
        paragraph = (block.start, block.end)
        quotations = find_quotations(read, paragraph)
        attributions = quoted(read, paragraph)
        covered = [span for one in attributions for span in (*one.content, one.source, one.cue)]
        for sentence in _sentences(text, paragraph):
            for one in attributions:
                for span in one.content:
                    inside = max(span[0], sentence[0]), min(span[1], sentence[1])
                    for name, place in _targets(text, inside, given):
                        yield _position(text, sentence, (name, place), one, quotations)
            speaker = _stretch(text, block.speaker) if block.speaker else None
            for name, place in _targets(text, sentence, given):
                if not any(place[0] < end and start < place[1] for start, end in covered):
                    yield _position(text, sentence, (name, place), None, quotations, speaker)


def _position(
    text: str,
    sentence: Offsets,
    target: tuple[str, Offsets],
    one: Attribution | None,
    quotations: Sequence[Quotation],
    turn: Span | None = None,
) -> Position:
    evidence = _stretch(text, sentence)
    holder = _stretch(text, one.source) if one else None
    named = holder or turn
    return Position(
        speaker=" ".join(named.text.split()) if named else None,
        target=target[0],
        kind=kind_of(one, quotations) if one else "turn" if turn else "author",
        speaker_mention=holder,
        cue=_stretch(text, one.cue) if one else None,
        content=tuple(_stretch(text, span) for span in one.content) if one else (evidence,),
        target_mention=_stretch(text, target[1]),
        sentence=evidence,
    )


def _stretch(text: str, span: Offsets) -> Span:
    return Span(start=span[0], end=span[1], text=text[slice(*span)])


def _targets(text: str, span: Offsets, given: "Mapping[str, re.Pattern[str]] | None") -> Iterator[tuple[str, Offsets]]:
    """The first mention of each target in a stretch."""
    if span[0] >= span[1]:
        return
    if given is not None:
        for name, pattern in given.items():
            if match := pattern.search(alike(text[slice(*span)])):
                yield name, (span[0] + match.start(), span[0] + match.end())
        return
    seen = set()
    for match in _PROPER.finditer(text, *span):
        name = " ".join(match.group().split()).rstrip(".'’-")
        if name.lower() not in _NO_NAMES and name not in seen:
            seen.add(name)
            yield name, (match.start(), match.start() + len(match.group().rstrip(".'’-")))


def _sentences(text: str, paragraph: Offsets) -> Iterator[Offsets]:
    start = paragraph[0]
    for match in _SENTENCE_END.finditer(text, *paragraph):
        yield _trimmed(text, (start, match.end()))
        start = match.end()
    if text[start : paragraph[1]].strip():
        yield _trimmed(text, (start, paragraph[1]))


def quoted(text: str, paragraph: Offsets) -> list[Attribution]:
    """The attributions of a paragraph, in the order of their cues.

    Args:
        text: of the article.
        paragraph: the part of it to read.
    """
    quotations = find_quotations(text, paragraph)
    found: list[Attribution] = []
    for quotation in quotations:
        if not is_statement(text, quotation):
            continue
        span = (quotation.start, quotation.end)
        held = beside(text, quotation, paragraph)
        if held:
            found.append(Attribution(held[0], held[0][0], held[1], (span,)))
        elif found:  # a quotation goes on behind its attribution
            found[-1] = _more(found[-1], span)
    taken = {one.cue for one in found}
    found += [one for one in _indirect(text, paragraph, quotations) if one.cue not in taken]
    return sorted(found, key=lambda one: one.cue)


def beside(text: str, quotation: Quotation, paragraph: Offsets) -> tuple[Offsets, Offsets] | None:
    """Holder and cue that follow the quotation or stand before it."""
    for pattern in _AFTER:
        if match := pattern.match(text, quotation.end, paragraph[1]):
            return _without_stop(text, match.span("holder")), match.span("cue")
    before = text[paragraph[0] : quotation.start]
    start = max((match.end() for match in _SENTENCE_END.finditer(before)), default=0)
    for pattern in _BEFORE:
        if match := pattern.search(before, start):
            place = paragraph[0]
            return (
                (place + match.start("holder"), place + match.end("holder")),
                (place + match.start("cue"), place + match.end("cue")),
            )
    return None


def _indirect(text: str, paragraph: Offsets, quotations: list[Quotation]) -> Iterator[Attribution]:
    for match in _INDIRECT.finditer(text, *paragraph):
        if any(one.start <= match.start("cue") < one.end for one in quotations):
            continue
        end = _SENTENCE_END.search(text, match.start("content"), paragraph[1])
        content = (match.start("content"), end.start() if end else match.end("content"))
        if content[0] < content[1]:
            yield Attribution(match.span("holder"), match.start("holder"), match.span("cue"), (content,))
    for match in _ACCORDING.finditer(text, *paragraph):
        ends = [one.end() for one in _SENTENCE_END.finditer(text, paragraph[0], match.start())]
        start = max(ends, default=paragraph[0])
        end = _SENTENCE_END.search(text, match.end(), paragraph[1])
        before = (start, match.start())
        content = before if text[slice(*before)].strip() else (match.end(), end.start() if end else paragraph[1])
        yield Attribution(match.span("holder"), match.start("holder"), match.span("cue"), (_trimmed(text, content),))


def _without_stop(text: str, span: Offsets) -> Offsets:
    """A name at the end of its sentence, but for `Jr.` and the like."""
    name = text[slice(*span)]
    word = name.removesuffix(".").rsplit(None, 1)[-1]
    return (span[0], span[1] - 1) if name.endswith(".") and len(word) > _ABBREVIATED else span


def _trimmed(text: str, span: Offsets) -> Offsets:
    piece = text[slice(*span)]
    left = len(piece) - len(piece.lstrip(" ,\n\t"))
    return span[0] + left, span[0] + max(left, len(piece.rstrip(" ,\n\t")))


def _more(one: Attribution, span: Offsets) -> Attribution:
    return Attribution(one.source, one.head, one.cue, (*one.content, span))
