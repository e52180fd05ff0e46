"""Where a text is quoted: pairs of quotation marks, straight, curly and doubled, with offsets."""

import re
from dataclasses import dataclass

from serving.inputs import Offsets

# An apostrophe is no mark: a single one opens only after a space or bracket and closes only before one.
_PAIRS = {"“": "”", '"': '"', "«": "»", "„": "“”", "''": "''", "``": "''", "‘": "’", "'": "'"}
_MARK = re.compile(r"``|''|[“”\"«»„]|(?<![\w])['‘](?=\w)|(?<=[\w.,!?;:…])['’](?!\w)")
_ENDS = (".", ",", "!", "?", "…", ";", "-", "–", "—")
_SAID = re.compile(r",\s|\s*(?:--|[-–—―])\s*[^\W\d_]")
_INDENT = 20  # characters before a paragraph at most
_AROUND = " \"“”'‘’,;:"
_MARKS = (("“", "”"), ('"', '"'))  # a single one may be an apostrophe
LEAST_WORDS = 3  # of a quotation that may be a statement by itself
_BEFORE = r"(?<![^\s(\[{—–/-])"  # an opening mark stands at the start, behind a space or a bracket
_BEHIND = r"(?<=\S)"
_AFTER = r"(?!\w)"


def _pair(opening: str, closing: str, inside: str, plain: tuple[str, str]) -> tuple[str, "re.Pattern[str]", str]:
    """Marks of one house: the opening one, what they look like around at most 2,000 characters, and the usual pair."""
    pattern = rf"{_BEFORE}(?:{opening})(?=\S)(?P<said>(?:{inside}){{1,2000}}?){_BEHIND}(?:{closing}){_AFTER}"
    return opening, re.compile(pattern), rf"{plain[0]}\g<said>{plain[1]}"


# Marks of other houses become ordinary ones of the same length, so that offsets stay true.
_HOUSES = (
    _pair("»", "[«»]", r"[^«»\n]", ("“", "”")),  # German and Danish books; Swedish and Finnish »...»
    ("«", re.compile(r"«(?P<said>[^«»\n]{1,2000})»(?!\w)"), r"“\g<said>”"),  # also with spaces inside, as in French
    _pair("›", "[‹›]", r"[^‹›\n]", ("‘", "’")),
    _pair("‹", "›", r"[^‹›\n]", ("‘", "’")),
    _pair("‚", "[‘’]", r"[^‚‘\n]", ("‘", "’")),
    _pair("”", "”", r"[^“”„\n]", ("“", "”")),  # Swedish and Finnish
    _pair("“", "“", r"[^“”„\n]", ("“", "”")),
    _pair("“", '"', r"[^“”„\"\n]", ("“", "”")),
    _pair('"', "”", r"[^“”„\"\n]", ('"', '"')),
    _pair("[″‶]", "[″‶]", r"[^″‶\n]", ('"', '"')),
    _pair("[＂〝❝〟]", "[＂〞❞〟]", r"[^＂〝〞〟❝❞\n]", ('"', '"')),
    _pair("[「『]", "[」』]", r"[^「」『』\n]", ('"', '"')),
    _pair("′", "′", r"[^′\n]", ("‘", "’")),
    _pair("❛", "❜", r"[^❛❜\n]", ("‘", "’")),
    _pair("[`´]", "[`´']", r"[^`´\n]", ("‘", "’")),
    _pair("‘‘|‛‛|‚‚|,,|<<|''", "’’|‘‘|''|>>", r"(?!‘‘|‛‛|‚‚|,,|<<|''|’’|>>)[^\n]", ("``", "''")),
    _pair("′′", "′′", r"(?!′′)[^\n]", ("``", "''")),
)


def with_usual_marks(text: str) -> str:
    """The text with the quotation marks of other houses (»...«, ‘‘...’’, primes) as usual ones, of the same length."""
    for opening, pattern, plain in _HOUSES:
        if re.search(opening, text):
            text = pattern.sub(plain, text)
    return text


def clean(words: str) -> str:
    """Words cut out of a text as a name is shown: in one line, without marks around them, or half a pair of marks."""
    words = " ".join(words.split()).strip(_AROUND)
    for opening, closing in _MARKS:
        if words.count(opening) != words.count(closing) or (opening == closing and words.count(opening) % 2):
            words = words.replace(opening, "").replace(closing, "")
    return words.strip(_AROUND)


@dataclass(frozen=True)
class Quotation:
    """A stretch in quotation marks, the marks included."""

    start: int
    end: int
    inner: Offsets  # without the marks
    closed: bool  # by a mark; else it runs to the end of its paragraph


def find_quotations(text: str, paragraph: Offsets | None = None) -> list[Quotation]:
    """The outermost quotations of a paragraph, in order and apart; a nested one belongs to its outer one.

    An opening mark without a closing one quotes the rest of the paragraph (that is how a quotation over several
    paragraphs is set), unless it is a lone single mark, which is an apostrophe.

    Args:
        text: of the article.
        paragraph: the part of it to look at; all of it without.
    """
    first, last = paragraph or (0, len(text))
    found: list[Quotation] = []
    at = first
    while match := _MARK.search(text, at, last):
        mark, start = match.group(), match.start()
        at = match.end()
        closing = _PAIRS.get(mark)
        if closing is None or _closes_only(mark, text, start):
            continue
        end = _closing(text, closing, at, last)
        if end:
            found.append(Quotation(start, end[1], (at, end[0]), True))
            at = end[1]
        elif mark not in ("'", "‘"):
            found.append(Quotation(start, last, (at, last), False))
            at = last
    return found


def is_statement(text: str, quotation: Quotation) -> bool:
    """Whether a quotation is long enough to be a statement and not a word or a title in marks."""
    inner = text[slice(*quotation.inner)].strip()
    words = len(inner.split())
    if words >= LEAST_WORDS + 3 or (words >= LEAST_WORDS and inner.endswith(_ENDS)):
        return True
    # Some houses set the comma behind the mark; at the start of a paragraph that is no title in marks.
    before = text[max(0, quotation.start - _INDENT) : quotation.start].rstrip(" \t")
    first = before[-1:] in ("", "\n") and (quotation.start < _INDENT or before != "")
    return first and words >= LEAST_WORDS and _SAID.match(text, quotation.end) is not None


def _closes_only(mark: str, text: str, start: int) -> bool:
    """A mark that may open or close closes where a word or its punctuation stands before it: inches, stray marks."""
    before = text[start - 1 : start]
    return mark in ('"', "''") and bool(before) and (before.isalnum() or before in ".,!?;")


def _closing(text: str, closing: str, at: int, last: int) -> Offsets | None:
    """Where the quotation that begins at `at` ends; marks of other kinds in it are nested."""
    options = [closing] if closing == "''" else list(closing)
    place = at
    while match := _MARK.search(text, place, last):
        if match.group() in options and not (
            match.group() in ("'", "’") and text[match.end() : match.end() + 1].isalnum()
        ):
            return match.start(), match.end()
        place = match.end()
    return None
