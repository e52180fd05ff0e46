"""A text in paragraphs: headings, list items and turns of a transcript told apart, very long ones cut."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from serving.article.text.front import without_front_matter
from serving.article.text.furniture import without_furniture
from serving.article.text.quotations import with_usual_marks
from serving.article.text.turns import Turn, find_turns, spoken
from serving.inputs import Offsets

Shape = Literal["paragraph", "heading", "item", "turn"]

MOST_CHARACTERS = 4_000  # of a block; what is longer is cut, so that one endless line costs no more than many
_GAP = re.compile(r"\n[ \t\f\v\r\u00a0]*(?:\n[ \t\f\v\r\u00a0]*)+|\u2029")
_ITEM = re.compile(r"[ \t]*(?:[-–—*•◦‣·]|\(?\d{1,3}[.)])[ \t]+(?=\S)")
# A place in capitals, and a dash between spaces (or --) before a sentence: a hyphen inside a word is none.
_DATELINE = re.compile(
    r"(?P<place>[^\W\d_][^\W\d_ .'’/-]*(?:[ .'’/-]{1,2}[^\W\d_]+){0,5}\.?)(?:,[^\n—–]{2,40}?)? ?(?:\([^)\n]{1,30}\) ?)?"
    r"(?:(?<=\s)(?:[—–-]|--)(?=\s|\Z)|--|(?<=\))—)\s*(?=[\"“‘'«»„(\[$£€]?[^\W_a-z]|\Z)"
)
_LABELLED = re.compile(r"[ \t]*[A-ZÀ-ÖØ-Þ][\w'’. -]{0,38}?(?:,? \([^)\n]{1,40}\))?[ \t]*:[ \t]+(?=\S)")
_MARKS = frozenset("\"“”'‘’`")
_SIGNATURE = re.compile(  # a name, and what he or she is
    r"(?:--|[-–—―])\s*(?:(?:the|of|de|van|von|al|bin)\s|[^\W\d_a-z][\w'’.-]*\s?){1,8}(?:[,(][^\n]{1,80})?"
)
_INSIDE = re.compile(r"(?<=[a-z0-9,;] )[A-Z][\w]*")  # a capital behind a word: no sentence begins there
_CAPITALISED = re.compile(r"\b[A-Z][a-z]\w*")
_LONG_WORD = re.compile(r"\b[^\W\d_]{4,}")
_TITLE_WORDS, _TITLE_SHARE = 3, 0.8  # words of a heading at least, and how many of them with a capital
_SENTENCE_END = re.compile(r"[.!?…][\"”’')\]]*\s+")
_TAIL = 500  # characters that tell how a paragraph has gone on so far
_PROSE_WORDS = 16  # a line with so many is a paragraph, not a heading


@dataclass(frozen=True)
class Block:
    """A stretch of text that is read by itself, white space at its ends left out."""

    start: int
    end: int
    shape: Shape
    speaker: Offsets | None = None  # of a turn: who speaks, as its first line says


def find_blocks(text: str) -> list[Block]:
    """The blocks of a text, in order and apart; what the page has beside its prose is left out."""
    text = with_usual_marks(re.sub(r"\r(?!\n)", "\n", text))  # an old line end; the length stays
    text = without_front_matter(text)
    turns = find_turns(text)
    text = without_furniture(text, turns)
    lines = list(_lines(text, turns))
    found: list[Block] = []
    for line, turn in zip(lines, spoken(text, lines, turns), strict=True):
        found += _block(text, line, turn)
    return found


def names_in(text: str, blocks: list[Block]) -> frozenset[str]:
    """Words with a capital inside a sentence of the paragraphs: those that keep it in a heading."""
    prose = (text[one.start : one.end] for one in blocks if one.shape != "heading")
    return frozenset(word[0] for piece in prose for word in _INSIDE.finditer(piece))


# A politician's party and place, which a parser takes for the name: `Ada Lund (D-Calif.) said`, `Lund, D-Calif., said`.
_PLACE = r"[-–](?!Day\b)(?:(?:New|North|Rhode|South|West) [A-Z][a-z]+|[A-Z][a-z]*\.?(?:[A-Z][a-z]*\.?)?)"
_AFFILIATION = re.compile(
    rf"(?P<name>\b[A-Z][\w'’-]*[a-z])(?: \([DRI](?:{_PLACE})?\),?|, [DRI]{_PLACE}(?:,|(?=\.?$)|(?= [a-z])))"
)


def parsable(text: str, names: frozenset[str] | None = None) -> str:
    """The text as a parser reads it best, of the same length: line breaks are spaces, quotation marks the usual ones.

    Capitals alone are taken back, and party and place behind a name are left out.

    Args:
        text: a block.
        names: of a heading: words that keep their capital where Every Word of It Has One.
    """
    flat = with_usual_marks(re.sub(r"\s", " ", text))
    flat = _AFFILIATION.sub(lambda one: one["name"] + ",".ljust(len(one[0]) - len(one["name"])), flat)
    letters = [one for one in flat if one.isalpha()]
    if len(letters) < 20 or sum(one.isupper() for one in letters) < 0.8 * len(letters):
        return flat if names is None else _without_title_case(flat, names)
    quiet = "".join(lower if len(lower := one.lower()) == 1 else one for one in flat)
    return re.sub(r"\b\w", lambda match: upper if len(upper := match.group().upper()) == 1 else match.group(), quiet)


def _without_title_case(heading: str, names: frozenset[str]) -> str:
    """A parser takes `Trump Signals He Has` for names: only names and the first word keep their capital."""
    words = list(_LONG_WORD.finditer(heading))
    if len(words) < _TITLE_WORDS or sum(word[0][0].isupper() for word in words) < _TITLE_SHARE * len(words):
        return heading
    for word in _CAPITALISED.finditer(heading):
        lower = heading[word.start()].lower()
        if word.start() and word[0] not in names and len(lower) == 1:
            heading = heading[: word.start()] + lower + heading[word.start() + 1 :]
    return heading


def _lines(text: str, turns: Mapping[int, Turn]) -> list[Offsets]:
    """Paragraphs: what stands between empty lines; single breaks part them where lines are not just wrapped."""
    spans: list[Offsets] = []
    at = 0
    for gap in [*_GAP.finditer(text), None]:
        end = gap.start() if gap else len(text)
        spans += _parted(text, (at, end), turns)
        at = gap.end() if gap else end
    return _with_signatures(text, [span for span in (_trimmed(text, one) for one in spans) if span[0] < span[1]])


def _with_signatures(text: str, lines: list[Offsets]) -> list[Offsets]:
    """A quotation and the line below it that says whose it is (`— Ida Berg, union chair`) made one."""
    joined: list[Offsets] = []
    for place, (start, end) in enumerate(lines):
        above = text[slice(*joined[-1])] if joined and text[start] in "-–—―" else ""
        signed = above[:1] in _MARKS and above[-1:] in _MARKS and _SIGNATURE.fullmatch(text, start, end)
        if signed and not (place + 1 < len(lines) and _ITEM.match(text, *lines[place + 1])):  # a list of names
            joined[-1] = joined[-1][0], end
        else:
            joined.append((start, end))
    return joined


def _parted(text: str, span: Offsets, turns: Mapping[int, Turn]) -> list[Offsets]:
    """A paragraph's lines joined where it is hard-wrapped, by themselves where each is a unit."""
    breaks = [match.start() for match in re.finditer("\n", text[slice(*span)])]
    places = [span[0], *(span[0] + one + 1 for one in breaks), span[1] + 1]
    lines = [(a, b - 1) for a, b in pairwise(places)]
    wrapped = _wrapped(text, lines)
    merged: list[Offsets] = []
    for line in lines:
        piece = text[slice(*line)]
        before = text[max(merged[-1][0], line[0] - _TAIL) : merged[-1][1]].rstrip() if merged else ""
        open_end = bool(before) and before[-1] not in '.!?:…"”' and len(before.rsplit("\n", 1)[-1]) > 40
        goes_on = open_end and bool(piece.strip())
        starts = _trimmed(text, line)[0] in turns or _ITEM.match(piece)
        if merged and not starts and (goes_on or (wrapped and not _LABELLED.match(piece))):
            merged[-1] = (merged[-1][0], line[1])
        else:
            merged.append(line)
    return merged


def _wrapped(text: str, lines: list[Offsets]) -> bool:
    """Whether lines are broken at a width: most end inside a sentence."""
    open_ends = sum(text[a:b].rstrip()[-1:] not in '.!?:…"”' for a, b in lines[:-1])
    return len(lines) > 1 and 2 * open_ends >= len(lines) - 1


def _trimmed(text: str, span: Offsets) -> Offsets:
    piece = text[slice(*span)]
    start = span[0] + len(piece) - len(piece.lstrip())
    return start, max(start, span[0] + len(piece.rstrip()))


def _block(text: str, line: Offsets, turn: Turn | None) -> list[Block]:
    start, end = line
    if turn:
        item = _ITEM.match(text, start, end)  # in a later paragraph of the turn
        start = max(item.end() if item else start, turn.words)
        return [Block(a, b, "turn", turn.name) for a, b in _cut(text, (start, max(start, end)))]
    if item := _ITEM.match(text, start, end):
        return [Block(a, b, "item") for a, b in _cut(text, (item.end(), end))]
    dateline = _DATELINE.match(text, start, end)
    if dateline and len(dateline["place"]) > 2 and not any(one.islower() for one in dateline["place"]):
        start = dateline.end()
    piece = text[start:end]
    is_heading = piece[-1:] not in ".!?…:;,\"”’'" and len(piece.split()) <= _PROSE_WORDS
    return [Block(a, b, "heading" if is_heading else "paragraph") for a, b in _cut(text, (start, end))]


def _cut(text: str, span: Offsets) -> list[Offsets]:
    """Pieces of at most `MOST_CHARACTERS`, cut after a sentence, else at a space, else anywhere."""
    pieces = []
    start, end = span
    while end - start > MOST_CHARACTERS:
        limit = start + MOST_CHARACTERS
        ends = [match.end() for match in _SENTENCE_END.finditer(text, start, limit)]
        space = text.rfind(" ", start + 1, limit)
        cut = ends[-1] if ends else (space + 1 if space > start else limit)
        pieces.append(_trimmed(text, (start, cut)))
        start = cut
    pieces.append(_trimmed(text, (start, end)))
    return [piece for piece in pieces if piece[0] < piece[1]]
