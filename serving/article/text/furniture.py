"""What a page has beside its prose: captions, credits, bylines, time stamps, menus, share buttons, numbers.

A text that is cut from the web brings such lines along. No position is in them, and glued to a sentence they spoil it.
"""

import re

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
    *("read more", "read also", "also read", "more on this", "more from", "most read", "most popular", "recommended"),
    *(
        "related topics",
        "related stories",
        "related articles",
        "sign up",
        "sign in",
        "log in",
        "subscribe",
        "newsletter",
    ),
    *(
        "follow us",
        "follow our",
        "share",
        "share this",
        "tweet",
        "print",
        "e-?mail",
        "copy link",
        "comments?",
        "sponsored",
    ),
    *("leave a comment", "advertisement", "promoted", "story continues", "continue reading", "scroll", "skip to"),
    *("skip past", "jump to", "loading", "load more", "back to top", "updated", "published", "posted", "last updated"),
    *("image caption", "photo gallery", "getty images", "copyright", "©", "all rights reserved", "home", "attachment"),
    *(
        "have a tip",
        "don[’']t miss",
        "turn on",
        "view all",
        "view comments",
        "click here",
        "download",
        "menu",
        "search",
    ),
    *("breaking news alerts", "live updates", "explore more", "reuse this", "join our"),
)
_LABELLED = re.compile(rf"\W*(?:{'|'.join(_LABELS)})\s*[:|>].*|\[caption\].*", re.IGNORECASE)
_OPENED = re.compile(rf"\W*(?:{'|'.join(_OPENINGS)})(?!\w).*", re.IGNORECASE)
_STAMP = re.compile(
    r"\b(?:\d{1,2}[:.]\d{2}|\d{4}-\d{2}-\d{2}|\d{1,2}\.\d{1,2}\.\d{4}"
    r"|\d+ min(?:ute)?s?(?: read)?|\d+ (?:hour|minute|day)s? ago|\d[\d,]* (?:comment|share|view)s?)\b",
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


def without_furniture(text: str) -> str:
    """The text with such lines blank, of the same length: offsets stay true."""
    return re.sub(r"[^\n]+", lambda line: " " * len(line[0]) if is_furniture(line[0]) else line[0], text)


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
