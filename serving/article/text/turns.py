"""Turns of a transcript: lines that begin with who speaks, such as `MS. HALE:`, `Ana Hale (Oslo) (Lab):` or `Q`.

A label must look like a name: `So:` and `Here is my point:` are words of a speaker, `Date:` is none at all.
"""

import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from serving.article.text.furniture import is_furniture
from serving.article.text.people import is_person
from serving.inputs import Offsets

LEAST_TURNS = 3  # lines that begin with a name make a transcript only together

_GAP = r"[^\S\n]*+"
_STAMP = rf"(?:[\[(]?\d{{1,2}}:\d{{2}}(?::\d{{2}})?(?:[.,]\d{{1,3}})?[\])]?{_GAP}[-–—|]?)"
_LEAD = rf"^{_GAP}(?P<lead>(?:>{{1,3}}{_GAP})?{_STAMP}?{_GAP}[*_]{{0,3}})"
_NAME = r"(?P<label>[^\W_][^\n:：*_]{0,90}?(?:[\[(]\d{1,2}(?::\d{2}){1,2}[\])])?)"
_IS_SAID = rf"[^\S\n]{{0,4}}(?:[*_]{{0,3}}:[*_]{{0,3}}(?=\s|\Z|[^\W\d_]|[\"“])|：){_GAP}"
_COLON = re.compile(rf"{_LEAD}{_NAME}[*_]{{0,3}}{_IS_SAID}", re.M)
_BRACKETED = re.compile(rf"{_LEAD}\[(?P<label>[^\W\d_][^\[\]\n:]{{0,60}})\]{_IS_SAID}", re.M)
_QUESTION = re.compile(rf"{_LEAD}(?P<label>Q)[*_]{{0,3}}[.]?[^\S\n]++(?=[\"“‘'(\[]?[^\W\d_])", re.M)
_ANSWER = re.compile(rf"{_LEAD}(?P<label>A)[*_]{{0,3}}(?:\.[^\S\n]+|[^\S\n]{{2,}})(?=[\"“‘'(\[]?[^\W\d_])", re.M)
# As the Congressional Record has it: `Mr. OKORO of Ohio. Mr. Speaker, ...`.
_RECORD = re.compile(
    rf"{_LEAD}(?P<label>(?:Mr|Mrs|Ms|Miss|Dr|The)\.? [A-ZÀ-ÖØ-Þ]{{2,}}[A-ZÀ-ÖØ-Þ'’-]*(?: [A-ZÀ-ÖØ-Þ'’-]{{2,}})*"
    r"(?: of [A-Z]\w+)?)\.[^\S\n]+(?=\S)",
    re.M,
)
_BRACKETS = re.compile(r",?[^\S\n]*[(\[]([^)\]\n]{1,60})[)\]]")
_MOST_WORDS = 6  # of a name
_INSIDE = frozenset({
    "'t", "af", "al", "and", "av", "bin", "da", "de", "del", "della", "den", "der", "di", "do", "dos", "du", "e", "el",
    "for", "ibn", "la", "le", "of", "the", "van", "von", "y", "zu", "zum", "zur",
})  # fmt: skip
# What opens a sentence, or names the text's own parts: no speaker begins so.
_NO_SPEAKERS = frozenset({
    "a", "actually", "address", "after", "again", "all", "also", "although", "an", "analysis", "and", "any", "are",
    "as", "at", "attachment", "author", "authors", "background", "basically", "because", "before", "besides", "both",
    "breaking", "but", "by", "can", "caption", "categories", "category", "caveat", "clearly", "conclusion",
    "consequently", "contact", "context", "correction", "could", "credit", "date", "dateline", "description", "did",
    "disclaimer", "do", "does", "each", "editor's", "eg", "either", "else", "email", "enough", "even", "every",
    "example", "examples", "exactly", "exclusive", "fact", "facts", "figure", "finally", "first", "firstly", "for",
    "format", "fourth", "from", "frankly", "furthermore", "further", "had", "has", "have", "he", "headline", "hence",
    "her", "here", "here's", "his", "honestly", "how", "however", "id", "if", "image", "important", "in", "indeed",
    "instead", "is", "issue", "it", "it's", "its", "just", "keywords", "language", "last", "lastly", "layout",
    "lesson", "let", "let's", "lets", "like", "link", "listen", "location", "look", "many", "maybe", "meanwhile",
    "moreover", "most", "my", "namely", "nb", "neither", "never", "next", "no", "nor", "not", "note", "notes",
    "nothing", "now", "obviously", "of", "oh", "ok", "okay", "on", "once", "one", "only", "or", "order", "other",
    "otherwise", "our", "participants", "perhaps", "phone", "photo", "please", "plus", "point", "price", "problem",
    "ps", "published", "q&a", "quote", "read", "reason", "recall", "remember", "reminder", "result", "results", "right",
    "same", "second", "secondly", "see", "she", "similarly", "simply", "since", "slug", "so", "solution", "some",
    "source", "sources", "still", "subject", "subtitle", "such", "summary", "sure", "tags", "take", "thanks", "that",
    "that's", "their", "then", "there", "there's", "therefore", "these", "they", "third", "thirdly", "this", "those",
    "though", "thus", "time", "tip", "title", "to", "topic", "topics", "true", "two", "twitter", "unless", "until",
    "update", "updated", "url", "venue", "warning", "was", "we", "website", "well", "were", "what", "what's", "when",
    "where", "which", "while", "who", "whose", "why", "with", "would", "yes", "yet", "you", "your",
})  # fmt: skip
_END = re.compile(
    r"\W*(?:end(?:s|ed)?\b.{0,30}|\(c\).*|copyright\b.*)?\W*", re.I
)  # of a transcript: END 3:15 P.M., ###
_ASIDE = re.compile(r"\W{0,3}(?:\([^()]*\)|\[[^\[\]]*\])\W{0,3}")  # (Applause.)
_SHORT = 200  # characters of such lines
_FACT = 6  # words of a line in a box of facts: `Capital: Oslo`
_SPEECH = re.compile(r"\b(?:I|[Ww]e|[Mm]y|[Oo]ur|[Mm]e|us|[Yy]ou|[Yy]our)\b(?!\.)")


@dataclass(frozen=True)
class Turn:
    """The beginning of a turn: who speaks, and where the words begin."""

    start: int  # where its line begins, white space left out
    name: Offsets
    words: int  # where what is said begins; at the line's end if that stands on the next


def find_turns(text: str) -> dict[int, Turn]:
    """The turns of a transcript by where their lines begin; none where too few lines begin with a name.

    Args:
        text: with line feeds (or Windows line ends).
    """
    labels = [one for pattern in (_COLON, _BRACKETED) for one in pattern.finditer(text) if not _is_label(text, one)]
    counted = Counter(one["label"].casefold() for one in labels)
    turns: dict[int, Turn] = {}
    for one in labels:
        name = _name(text, one, counted[one["label"].casefold()])
        if name:
            turns[one.start("lead")] = Turn(one.start("lead"), name, one.end())
    asked = [*_QUESTION.finditer(text)]
    answers = [*_ANSWER.finditer(text)] if len(asked) > 1 else []
    for one in (*asked, *answers, *_RECORD.finditer(text)):
        turns.setdefault(one.start("lead"), Turn(one.start("lead"), one.span("label"), one.end()))
    return turns if len(turns) >= LEAST_TURNS and not _are_facts(text, turns.values()) else {}


def _are_facts(text: str, turns: Collection[Turn]) -> bool:
    """Whether the lines are a box of facts (`Capital: Oslo`): each name once, and hardly a sentence behind it."""
    names = [text[slice(*one.name)].casefold() for one in turns]
    said = [_rest(text, one.words) for one in turns]
    facts = sum(0 < len(one.split()) <= _FACT and one[-1] not in '.!?…"”' for one in said)
    return len(set(names)) == len(names) and 2 * facts > len(names)


def spoken(text: str, lines: list[Offsets], turns: Mapping[int, Turn]) -> Iterator[Turn | None]:
    """For each paragraph the turn that it belongs to; None: the author's.

    A paragraph between two turns goes on with the first. What follows the last turn does so if it speaks of I, we or
    you, or if other turns have several paragraphs too; else it is how the report ends.

    Args:
        text: of the article.
        lines: its paragraphs, without white space at their ends.
        turns: by where their lines begin.
    """
    last = max((place for place, (start, _) in enumerate(lines) if start in turns), default=-1)
    now: Turn | None = None
    several = False
    for place, (start, end) in enumerate(lines):
        if start in turns:
            yield turns[start]
            headline = place == 0 and text[end - 1].isalnum()  # `Former minister: the quay is a wreck`
            now = None if headline else turns[start]
            continue
        piece = text[start : min(end, start + _SHORT)]
        if now is not None and _END.fullmatch(piece):
            now = None
        elif _ASIDE.fullmatch(piece) or _is_heading(text, (start, end)):
            yield None  # and the turn goes on behind it
            continue
        elif now is not None and place > last and place > 0:
            named_alone = now.words >= lines[last][1]  # the words stand on the lines behind the name
            if not (several or named_alone or _SPEECH.search(text, start, end)):
                now = None
        several = several or (now is not None and place < last)
        yield now


def _is_heading(text: str, line: Offsets) -> bool:
    """A short line without a stop that is not spoken."""
    piece = text[line[0] : min(line[1], line[0] + _SHORT)]
    return line[1] - line[0] < _SHORT and piece[-1:].isalnum() and not _SPEECH.search(piece)


def _rest(text: str, place: int) -> str:
    end = text.find("\n", place)
    return text[place : end if end >= 0 else len(text)].strip()


def _is_label(text: str, match: "re.Match[str]") -> bool:
    """Whether the line is one of the page, such as `Photo: ...`, whatever stands in brackets."""
    return is_furniture(" ".join(f"{_BRACKETS.sub('', match['label'])}: {_rest(text, match.end())}.".split()))


def _name(text: str, match: "re.Match[str]", times: int) -> Offsets | None:
    """Where in a label the name stands; None: it is no name."""
    full, start = match["label"], match.start("label")
    bare = _BRACKETS.sub("", full).strip()
    before = bare.partition(",")[0]
    if before != bare and not (before.isupper() or len(before.split()) > 1):
        return None
    tight = text[match.end() - 1 : match.end()] == ":" and text[match.end() : match.end() + 1].strip()
    if not _is_name(before, times) or (tight and times == 1 and not before.isupper()):
        return None
    inside = _BRACKETS.search(full)
    if before.lower().startswith("the ") and inside and _is_person(inside[1]):  # `The Minister (Ana Hale):`
        return start + inside.start(1), start + inside.end(1)
    return start, start + len(before)


def _is_name(bare: str, times: int) -> bool:
    words = bare.split()
    if not 0 < len(words) <= _MOST_WORDS:
        return False
    first = words[0].lower().replace("’", "'").strip(".'")
    if first in _NO_SPEAKERS and not (len(bare) == 1 and bare.isupper()):
        return False
    if times > 1 and len(words) <= (4 if bare[0].isupper() else 2) and bare[-1].isalnum():
        return True  # `Night shift:`, more than once
    if len(words) <= 4 and is_person(words[-1].lower()):
        return True
    own = [word.lstrip("#'’\"“([0123456789") for word in words if word.lower() not in _INSIDE]
    return bool(own) and all(word[:1].isupper() or not word.strip(".") for word in own)


def _is_person(name: str) -> bool:
    words = name.split()
    return len(words) > 1 and all(word[0].isupper() for word in words)
