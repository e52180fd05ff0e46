"""Where a name stands in a text: as it is written, else in another grammatical form.

Never inside another word. Where words have blanks between them, a letter must not stand beside the mention; in Chinese,
a mention must not cut words in two at both ends, as 日本 would in 今日本报.
"""

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise

from serving.names.spelling import Span, Spelled, alike, spelled
from serving.names.words import HAN, LETTER, UNSPACED, akin, breaks, is_article, is_japanese

_KATAKANA = "\u30a0-\u30ff"
_HANGUL = "\uac00-\ud7a3"
_WORD = re.compile(r"[^\W_]+")
_BETWEEN = re.compile(r"[\s'\"&-]*")  # what may stand between two words of a name
_HAN_EDGE = re.compile(rf"[{HAN}]")
_HAS_UNSPACED = re.compile(rf"[{UNSPACED}]")


def find_mention(text: str, name: str) -> Span | None:
    """Character span of the first mention of `name` in `text`, in another grammatical form if there is no exact one.

    Case, white space, kinds of apostrophes and hyphens, invisible characters, vowel signs and Unicode forms do not
    matter.
    """
    there, plain = _spelled(text)
    span = _exact(plain, name) or _inflected(plain, name)
    if span is None:
        return None
    start, end = there.original(span)
    while end < len(text) and unicodedata.combining(text[end]):  # vowel signs of the last letter
        end += 1
    return start, end


@lru_cache(1)  # holder and target of a row share a text; a text may be long, so no more are kept
def _spelled(text: str) -> tuple[Spelled, str]:
    there = spelled(text)
    return there, alike(there.text)


def pattern_of(names: Sequence[str], letter: str = LETTER) -> "re.Pattern[str]":
    """What finds any of the names, the longest first, as whole words in a text that is spelled and made `alike`.

    Args:
        names: case and white space do not matter; none is blank.
        letter: pattern of a letter that must not stand beside a name.
    """
    words = (alike(spelled(name).text).split() or name.split() for name in sorted(names, key=len, reverse=True))
    return re.compile("|".join(_whole(one, letter) for one in words if one) or "(?!)", re.IGNORECASE)


def _whole(words: Sequence[str], letter: str) -> str:
    first, last = words[0][0], words[-1][-1]
    return _before(first, letter) + r"\s+".join(map(re.escape, words)) + _behind(last, letter)


def _before(first: str, letter: str) -> str:
    if re.match(f"[{_KATAKANA}]", first):
        return f"(?<![{_KATAKANA}])"
    return "" if _HAS_UNSPACED.match(first) else f"(?<!{letter})"


def _behind(last: str, letter: str) -> str:
    if re.match(f"[{_KATAKANA}]", last):
        return f"(?![{_KATAKANA}])"
    # Korean particles are written as one word with the noun before them.
    return "" if re.match(f"[{UNSPACED}{_HANGUL}]", last) else f"(?!{letter})"


@lru_cache(4096)
def _pattern(name: str, unspaced: bool) -> "re.Pattern[str]":
    # The class of all scripts takes fifty times as long to compile, which a training would do for every name.
    return pattern_of([name], LETTER if unspaced else r"\w")


def _exact(plain: str, name: str) -> Span | None:
    unspaced = bool(_HAS_UNSPACED.search(plain))
    found = [match.span() for match in _pattern(name, unspaced).finditer(plain)]
    if not found or not _HAN_EDGE.search(plain[found[0][0]] + plain[found[0][1] - 1]) or is_japanese(plain):
        return found[0] if found else None
    between = breaks(plain)
    ends = [(len({start, end} & between), (start, end)) for start, end in found]
    best = max(count for count, _ in ends)
    return next(span for count, span in ends if count == best) if best else None


def _inflected(plain: str, name: str) -> Span | None:
    wanted = [word.casefold() for word in _WORD.findall(alike(spelled(name).text))]
    words = [(match[0].casefold(), match.span()) for match in _WORD.finditer(plain)]
    if all(map(is_article, wanted)):
        return None
    for i in range(len(words) - len(wanted) + 1):
        piece = words[i : i + len(wanted)]
        together = all(_BETWEEN.fullmatch(plain[one[1] : other[0]]) for (_, one), (_, other) in pairwise(piece))
        if together and all(akin(word, other) for (word, _), other in zip(piece, wanted, strict=True)):
            return piece[0][1][0], piece[-1][1][1]
    return None
