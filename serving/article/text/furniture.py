"""What a page has beside its prose: captions, credits, bylines, time stamps, menus, share buttons, numbers.

A text that is cut from the web brings such lines along. No position is in them, and glued to a sentence they spoil it.
"""

import re

_LONGEST = 30  # words of a caption; other lines are shorter
_SHORT = 12
_PART = 5  # words between bars at most: a headline may have its paper's name behind one
# With a colon or bar these words name what the line is; its end does not matter.
_LABELLED = re.compile(
    r"""\W*(?: (?:file\ )?photo(?:graph)?s? | images? | pictures? | captions? | image\ caption | credits? | videos? | gallery
    | watch | listen | read(?:\ more|\ also|\ next)? | also\ (?:read|in|on)(?:\ [\w ]+)? | more\ (?:on|from)\ [\w ]+ | related
    | tags? | topics? | keywords? | filed\ under | share | follow(?:\ us)? | contact | language | attachments? | corrections?
    | (?:last\ )?(?:updated|published|posted|modified)(?:\ (?:at|on))? | words | sections? | source\ url )\s*(?::|\||>).*""",
    re.IGNORECASE | re.VERBOSE,
)
# Short lines that begin so and end without a full stop.
_OPENINGS = re.compile(
    r"""\W*(?: read\ more | read\ also | also\ read | more\ on\ this | more\ from | most\ read | related\ (?:topics|stories|articles)
    | recommended | sign\ (?:up|in) | subscribe | newsletter | follow\ (?:us|our) | share(?:\ this|\ on|\ |$) | tweet | print(?:\ |\W|$)
    | e-?mail(?:\ |$) | copy\ link | comments? | leave\ a\ comment | advertisement | sponsored | promoted | story\ continues
    | continue\ reading | scroll\ | skip\ to | jump\ to | loading | load\ more | back\ to\ top | updated | published | posted
    | last\ (?:updated|modified) | image\ caption | photo\ gallery | getty\ images | copyright | © | all\ rights\ reserved | home\ [>/|]
    | attachment | have\ a\ tip | don[’']t\ miss | turn\ on | view\ (?:all|comments|gallery) | click\ here | download\ | log\ in
    | menu | search | breaking\ news\ alerts | live\ updates )(?=\W|$).*""",
    re.IGNORECASE | re.VERBOSE,
)
_STAMP = re.compile(
    r"\b\d{1,2}[:.]\d{2}(?:\s?[ap]\.?m\.?)?\b|\b\d{4}-\d{2}-\d{2}\b|\b\d{1,2}\.\d{1,2}\.\d{4}\b"
    r"|\b\d+ min(?:ute)?s?(?: read)?\b|\b\d+ (?:hour|minute|day)s? ago\b|\b\d[\d,]* (?:comment|share|view)s?\b",
    re.IGNORECASE,
)
_BYLINE = re.compile(r"\W*by:? [A-Z\u00c0-\u00de].*", re.IGNORECASE)
_CREDIT = re.compile(
    r"(?:\((?:(?:file )?(?:photo|picture|image)|archive|handout|courtesy)\b[^)]*\)|\b(?:photo|picture|image|credit)s?\b:? ?"
    r"(?:by )?[A-Z/][\w/ .&-]{1,40}|[©|/] ?[A-Z][\w/ .&-]{1,40}|\[caption\].*)\W*",
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
    if not any(letter.isalpha() for letter in line):
        return True
    if _LABELLED.fullmatch(line) or line.lower().startswith("[caption]"):
        return True
    credit = list(_CREDIT.finditer(line))
    if credit and credit[-1].end() == len(line) and not _END.search(line.rstrip(")")):
        return True
    if len(words) > _SHORT or _END.search(line):
        return False
    if _OPENINGS.fullmatch(line):
        return True
    if _BARS.search(line) and max(len(part.split()) for part in _BARS.split(line)) <= _PART:
        return True
    if _BYLINE.fullmatch(line) and sum(word[0].isupper() for word in words) >= len(words) / 2:
        return True
    return bool(_STAMP.search(line))
