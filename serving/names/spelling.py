"""One spelling for what is written in several ways, with the way back to the characters of the original.

HTML entities become characters, invisible characters and Arabic vowel signs go, letters with separate accents are
composed (NFC), letters of other widths and ligatures become ordinary ones, and so do hyphens and apostrophes inside
words.
"""

import html
import re
import unicodedata
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from operator import itemgetter

Span = tuple[int, int]

_ENTITY = re.compile(r"&(?:amp;)*(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")
_MOST_TIMES = 3  # that a page may have been escaped
INVISIBLE = "\u00ad\u034f\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufe00-\ufe0f\ufeff"
_VOWEL_SIGNS = "\u064b-\u0652\u0670\u0640"  # of Arabic, with the stretched line
_COMPATIBLE = "\ufb00-\ufb06\uff01-\uff5e\U0001d400-\U0001d7ff"  # ligatures, full width, bold letters of posts
_HYPHENS = "\u2010\u2011\ufe63"
_APOSTROPHES = "`´ʹʻʼʽˈ‛′＇ꞌ"
_ODD = re.compile(
    rf"(?P<gone>[{INVISIBLE}{_VOWEL_SIGNS}]+)|[{_COMPATIBLE}]|(?P<hyphen>[{_HYPHENS}])"
    rf"|(?P<apostrophe>(?<=[^\W\d_])[{_APOSTROPHES}](?=[^\W\d_]))"
)
_MAY_BE_ODD = re.compile(rf"[{INVISIBLE}{_VOWEL_SIGNS}{_COMPATIBLE}{_HYPHENS}{_APOSTROPHES}]")
_BEYOND_ASCII = re.compile(r".?[^\x00-\x7f]+", re.S)
_ALIKE = str.maketrans(
    {
        **dict.fromkeys("’‘ʼ‛′`´", "'"),
        **dict.fromkeys("–‒−", "-"),
        **dict.fromkeys("“”„«»″", '"'),
        **{"ё": "е", "Ё": "Е"},
        **{**dict.fromkeys("أإآٱ", "ا"), "ى": "ي", "ة": "ه"},
    }
)


Edit = tuple[int, int, int, int]  # start and end in the new text, start and end in the old


@dataclass(frozen=True)
class Spelled:
    """A text in the one spelling."""

    text: str
    _steps: tuple[list[Edit], ...] = ()

    def original(self, span: Span) -> Span:
        """The characters of the original that a stretch stands for; whole ones, where several became one."""
        for edits in reversed(self._steps):
            span = _before(edits, span)
        return span


def spelled(text: str) -> Spelled:
    """The text in the one spelling; most texts are in it already."""
    steps = []
    if "&" in text:
        text, edits = _replaced(text, ((one.span(), _unescaped(one[0])) for one in _ENTITY.finditer(text)))
        steps.append(edits)
    if not text.isascii():
        if _MAY_BE_ODD.search(text):
            text, edits = _replaced(text, ((one.span(), _usual(one)) for one in _ODD.finditer(text)))
            steps.append(edits)
        if not unicodedata.is_normalized("NFC", text):
            text, edits = _replaced(text, _composed(text))
            steps.append(edits)
    return Spelled(text, tuple(edits for edits in steps if edits))


def alike(text: str) -> str:
    """A text in the one spelling as it is compared, of the same length: all apostrophes, dashes and marks are one,
    and so are letters that many do not tell apart, such as е and ё."""
    return text if text.isascii() else text.translate(_ALIKE)


def same(name: str, other: str) -> bool:
    """Whether two names are written alike: case, white space and spelling aside."""
    return key(name) == key(other)


def key(name: str) -> str:
    """What is equal for all names that are written alike."""
    return " ".join(alike(spelled(name).text).split()).casefold()


def _unescaped(entity: str) -> str:
    for _ in range(_MOST_TIMES):
        plain = html.unescape(entity)
        if plain == entity:
            break
        entity = plain
    return entity


def _usual(match: "re.Match[str]") -> str:
    if match["gone"]:
        return ""
    if match["hyphen"]:
        return "-"
    return "'" if match["apostrophe"] else unicodedata.normalize("NFKC", match[0])


def _composed(text: str) -> Iterator[tuple[Span, str]]:
    """Every letter with the accents behind it as one; a letter of Hangul with its parts."""
    for run in _BEYOND_ASCII.finditer(text):
        start = run.start()
        for place in range(start + 1, run.end() + 1):
            if place < run.end() and _goes_on(text[place]):
                continue
            if (composed := unicodedata.normalize("NFC", text[start:place])) != text[start:place]:
                yield (start, place), composed
            start = place


def _goes_on(character: str) -> bool:
    return unicodedata.category(character).startswith("M") or "\u1160" <= character <= "\u11ff"


def _replaced(text: str, changes: Iterable[tuple[Span, str]]) -> tuple[str, list[Edit]]:
    pieces, edits, at, length = [], [], 0, 0
    for (start, end), new in changes:
        length += start - at
        pieces += [text[at:start], new]
        if (end - start, len(new)) != (1, 1):
            edits.append((length, length + len(new), start, end))
        length += len(new)
        at = end
    return "".join([*pieces, text[at:]]), edits


def _before(edits: list[Edit], span: Span) -> Span:
    """A stretch of the new text in the old one."""
    start, end = span
    place = bisect_right(edits, start, key=itemgetter(0)) - 1
    if place >= 0:
        new, new_end, old, old_end = edits[place]
        start = old if new <= start < new_end else old_end + start - new_end
    place = bisect_left(edits, end, key=itemgetter(0)) - 1
    if place >= 0:
        _, new_end, _, old_end = edits[place]
        end = old_end + max(0, end - new_end)
    return start, max(start, end)
