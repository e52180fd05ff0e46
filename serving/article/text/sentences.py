"""Sentences and quotations without a parser, for scripts with blanks between words and for Chinese."""

import re
from collections.abc import Collection, Iterator

from serving.article.text.quotations import Quotation
from serving.inputs import Offsets
from serving.names.words import HAN

_END = re.compile(rf"[.!?…؟۔。！？]+|[;؛](?=[\s{HAN}])|(?<=[{HAN}]);|；")
_HAN_LETTER = re.compile(f"[{HAN}]")
_NEXT = re.compile(r"\s+(?P<dash>[—–―-]\s*)?[¿¡(\[«„“\"「『‹‚‘»›]*\s?(?P<letter>[^\W_])")
_LAST_WORD = re.compile(r"[^\W_]+\Z")
_LONGEST_WORD = 20
_REST = re.compile(r"[^。!?！？]*")
_HAN_STOPS = frozenset("。！？；")
_ATTRIBUTION = 30  # characters between a quotation's end and a Chinese sentence's: `。”他说。`

# Quotation marks; German books turn « » round, and French ones may stand within their like.
_QUOTED = re.compile(
    r"«(?P<a>[^«»\n]*(?:«[^«»\n]*»[^«»\n]*)*)»|»(?P<b>[^«»\n]+)«|„(?P<c>[^„“”\n]*)[“”]|“(?P<d>[^“”\n]*)”"
    r"|\"(?P<e>[^\"\n]*)\"|「(?P<f>[^「」\n]*)」|『(?P<g>[^『』\n]*)』|‹(?P<h>[^‹›\n]*)›|›(?P<i>[^‹›\n]+)‹"
    r"|‚(?P<j>[^‚‘\n]*)‘|(?<!\w)‘(?P<k>[^‘’\n]*)’(?!\w)|[«„“「『](?P<open>[^\n]+)"
)


def quoted(text: str, block: Offsets) -> list[Quotation]:
    """The outermost quotations of a paragraph; one that is never closed runs to the end of its line.

    Args:
        text: of the article.
        block: the paragraph.
    """
    found = []
    for match in _QUOTED.finditer(text, *block):
        name = match.lastgroup
        assert name is not None
        found.append(Quotation(match.start(), match.end(), match.span(name), name != "open"))
    return found


def sentences(text: str, block: Offsets, abbreviations: Collection[str] = (), saying: str = "") -> Iterator[Offsets]:
    """The sentences of a paragraph, in order and apart, white space at their ends left out.

    Args:
        text: of the article.
        block: the paragraph.
        abbreviations: words in lower case behind which a stop ends nothing.
        saying: pattern of the verbs by which Chinese attributes a quotation behind it.
    """
    closing = {one.end - 1 for one in quoted(text, block) if one.closed}
    start = block[0]
    for match in _END.finditer(text, *block):
        end = _with_marks(text, match.end(), block[1], closing)
        if _ends(text, match, end, block[1], abbreviations, saying):
            yield from _trimmed(text, (start, end))
            start = end
    yield from _trimmed(text, (start, block[1]))


def _with_marks(text: str, end: int, last: int, closing: Collection[int]) -> int:
    """Where the marks that close behind a stop end; French has a blank before its own."""
    while end < last:
        blank = text[end].isspace() and end + 1 in closing
        if not (blank or end in closing or text[end] in ")]"):
            break
        end += 1 + blank
    return end


def _ends(text: str, stop: "re.Match[str]", end: int, last: int, abbreviations: Collection[str], saying: str) -> bool:
    if end >= last:
        return True
    closed = end > stop.end()
    following = _NEXT.match(text, end, last)
    if (
        not _HAN_STOPS.isdisjoint(stop[0])
        or _HAN_LETTER.match(text, max(0, stop.start() - 1))
        or _HAN_LETTER.match(text, end)
    ):
        unsaid = not (closed and saying and _is_attributed(text, end, last, saying))
        return set(stop[0]) != {"…"} and stop[0] != "." and unsaid
    if following is None or following["letter"].islower() or (closed and following["dash"]):
        return False
    word = _LAST_WORD.search(text[max(0, stop.start() - _LONGEST_WORD) : stop.start()])
    return stop[0] != "." or word is None or not _keeps_stop(word[0], abbreviations)


def _is_attributed(text: str, end: int, last: int, saying: str) -> bool:
    rest = _REST.match(text, end, last)
    return rest is not None and len(rest[0]) <= _ATTRIBUTION and re.search(saying, rest[0]) is not None


def _keeps_stop(word: str, abbreviations: Collection[str]) -> bool:
    """Whether a word is an initial, an abbreviation, or an ordinal as German writes it."""
    return (len(word) == 1 and word.isupper()) or word.lower() in abbreviations or (word.isdigit() and len(word) < 3)


def _trimmed(text: str, span: Offsets) -> Iterator[Offsets]:
    piece = text[slice(*span)]
    start, end = span[0] + len(piece) - len(piece.lstrip()), span[0] + len(piece.rstrip())
    if start < end:
        yield start, end
