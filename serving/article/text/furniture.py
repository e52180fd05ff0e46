"""What a page has beside its prose: captions, credits, bylines, time stamps, menus, share buttons, numbers.

A text that is cut from the web brings such lines along. No position is in them, and glued to a sentence they spoil it.
"""

import re
from collections.abc import Container

_LONGEST = 30  # words of a caption; other lines are shorter
_SHORT = 12
_PART = 5  # words between bars at most: a headline may have its paper's name behind one
# With a colon or a bar these words name what the line is; its end does not matter.
_LABELS = (
    *(
        "photos?",
        "photographs?",
        "file photo",
        "images?",
        "pictures?",
        "captions?",
        "image caption",
        "credits?",
        "videos?",
    ),
    *("gallery", "illustration", "watch", "listen", "read", "read more", "read also", "read next", "also read"),
    *(r"also (?:in|on) [\w ]+", r"more (?:on|from) [\w ]+", "related", "tags?", "topics?", "keywords?", "filed under"),
    *("share", "follow", "follow us", "contact", "language", "attachments?", "corrections?", "words", "sections?"),
    r"(?:last )?(?:updated|published|posted|modified)(?: (?:at|on))?",
)
# Short lines that begin so and end without a stop are the page's.
_OPENINGS = (
    r"read more|read also|also read|more on this|more from|most read|most popular|related (?:topics|stories|articles)"
    r"|sign up|sign in|log in|subscribe|follow us|follow our|share this|print this|copy link|leave a comment"
    r"|story continues|continue reading|skip to|skip past|jump to|load more|back to top|last updated|image caption"
    r"|photo gallery|getty images|©|all rights reserved|have a tip|don[’']t miss|turn on notifications"
    r"|view all|view comments|click here|breaking news alerts|live updates|explore more|reuse this|join our"
)
# Alone, or before one other word: `Home Office caps visas` is a headline.
_BUTTONS = (
    "recommended|newsletter|share|tweet|print|e-?mail|comments?|sponsored|advertisement|promoted|scroll|loading|updated"
    "|published|posted|copyright|home|attachment|download|menu|search"
)
_LABELLED = re.compile(rf"\W*(?:{'|'.join(_LABELS)})\s*[:|>].*|\[caption\].*", re.IGNORECASE)
_OPENED = re.compile(rf"\W*(?:(?:{_OPENINGS})(?!\w).*|(?:{_BUTTONS})(?:\W+\w+)?\W*)", re.IGNORECASE)
_STAMP = re.compile(
    r"\b(?:\d{1,2}[:.]\d{2}|\d{4}-\d{2}-\d{2}|\d{1,2}\.\d{1,2}\.\d{4}"
    r"|\d+ min(?:ute)?s? read|\d+ (?:hour|minute|day)s? ago)\b|^\W*\d[\d,]* (?:comment|share|view)s?\b",
    re.IGNORECASE,
)
_BYLINE = re.compile(r"\W*by:? [a-zà-þ].*", re.IGNORECASE)
_CREDIT = re.compile(  # at the end of a caption
    r"(?:\((?:(?:file )?(?:photo|picture|image)|archive|handout|courtesy)\b[^)]*\)\W*"
    r"|\b(?:photo|picture|image|credit)s?\b:? ?(?:by )?[a-z/][\w/ .&-]{1,40}|[©/] ?[a-z][\w/ .&-]{1,40})$",
    re.IGNORECASE,
)
_BARS = re.compile(r"\s[|•·>»/]\s|\s{3,}(?=\S)")
_END = re.compile(r"[.!?…:;,][\"”’')\]]*$")


def without_furniture(text: str, kept: Container[int] = ()) -> str:
    """The text with such lines blank, of the same length: offsets stay true.

    Args:
        text: with line feeds.
        kept: where lines begin (white space left out) that are prose, whatever they look like.
    """

    def shown(line: "re.Match[str]") -> str:
        start = line.end() - len(line[0].lstrip())
        return line[0] if start in kept or not is_furniture(line[0]) else " " * len(line[0])

    return re.sub(r"[^\n]+", shown, text)


def is_furniture(line: str) -> bool:
    """Whether a line is of the page and not of its prose."""
    line = line.strip()
    words = line.split()
    if not words or len(words) > _LONGEST:
        return False
    if not any(letter.isalpha() for letter in line) or _LABELLED.fullmatch(line):
        return True
    ends = _END.search(line) is not None
    if _CREDIT.search(line) and not _END.search(line.rstrip(")")):
        return True
    return len(words) <= _SHORT and not ends and _is_label(line, words)


def _is_label(line: str, words: list[str]) -> bool:
    """Of a short line without a stop: a menu, a byline, a stamp."""
    bars = _BARS.search(line) and max(len(part.split()) for part in _BARS.split(line)) <= _PART
    byline = _BYLINE.fullmatch(line) and 2 * sum(word[0].isupper() for word in words) >= len(words)
    return bool(_OPENED.fullmatch(line) or bars or byline or _STAMP.search(line))
