"""Whether two names may be those of one thing: `the accord` and `the five-year rice accord`, but not `rice`."""

import re
from collections.abc import Callable, Sequence
from functools import lru_cache, partial

from serving.names.words import akin, is_article

SameName = Callable[[str, Sequence[str]], bool]

_WORD = re.compile(r"[^\W_]+(?:[.'’&-][^\W_]+)*")
_PART = re.compile(r"[^\W_]+(?:-[^\W_]+)*")  # of other languages: l'accord has two
_OF = frozenset({"de", "von", "zu"})
_CLAUSE = re.compile(r",|;|\(|\b(?:who|whom|whose|which|that|where)\b")
_AFTER = frozenset(
    {"of", "for", "on", "to", "in", "at", "from", "against", "with", "by", "between", "over", "about", "under", "into"}
)
_EMPTY = (
    frozenset(
        {"a", "an", "the", "this", "that", "these", "those", "his", "her", "its", "their", "our", "my", "your", "and"}
    )
    | _AFTER
)


def is_name_of(name: str, names: Sequence[str]) -> bool:
    """Whether a name is one of the names of an entity: heads agree, modifiers do not conflict."""
    return any(_agree(_parts(name), _parts(other)) for other in names)


def same_name(language: str) -> SameName:
    """The rule of a language (ISO 639): whether a name is one of the names of an entity."""
    if language == "en":
        return is_name_of
    return partial(_is_name_of, chinese=language == "zh", ends_in_head=language == "de")


def _is_name_of(name: str, names: Sequence[str], chinese: bool, ends_in_head: bool) -> bool:
    """The same in other languages: one name is the other with more words about it, and both have its head.

    The head is the last word of a Chinese, a German or a proper name, else the first; articles are no words.
    """
    if chinese:
        letters = ["".join(_PART.findall(one)) for one in (name, *names)]
        return any(one.endswith(letters[0]) or letters[0].endswith(one) for one in letters[1:] if letters[0] and one)
    own, *several = map(_PART.findall, (name, *names))
    return any(_holds(own, other, ends_in_head) for other in several)


def _holds(one: Sequence[str], other: Sequence[str], ends_in_head: bool) -> bool:
    shorter, longer = sorted((one, other), key=len)
    few, many = ([word for word in words if not is_article(word.casefold())] for words in (shorter, longer))
    if not few or not many:
        return False
    head = many[-1] if ends_in_head or _is_called(longer) else many[0]
    alike = [any(akin(word.casefold(), each.casefold()) for each in many) for word in few]
    return all(alike) and any(akin(head.casefold(), word.casefold()) for word in few)


def _is_called(words: Sequence[str]) -> bool:
    """Whether words end in a proper name: `Ana Gil`, `la ministra Ana Gil`, but not `la ministra de Pesca`."""
    first = len(words)
    while first and words[first - 1][:1].isupper():
        first -= 1
    joined = first and (words[first - 1] in _OF or is_article(words[first - 1].casefold()))
    return first < len(words) and not (joined and any(word[:1].isupper() or len(word) > 3 for word in words[:first]))


def _agree(one: tuple[str, frozenset[str]], other: tuple[str, frozenset[str]]) -> bool:
    return one[0] == other[0] and (one[1] <= other[1] or other[1] <= one[1])


@lru_cache(65536)
def _parts(name: str) -> tuple[str, frozenset[str]]:
    """The head of a name and its other words: `plan`, {rice, five-year} of `the five-year plan for rice`."""
    words = [_plain(word) for word in _WORD.findall(_CLAUSE.split(name.casefold())[0] or name.casefold())]
    own: list[str] = []
    for word in words:
        if word in _AFTER and any(one not in _EMPTY for one in own):
            break
        own.append(word)
    kept = [word for word in own if word not in _EMPTY] or own or [""]
    return kept[-1], frozenset(word for word in words if word not in _EMPTY) - {kept[-1]}


def _plain(word: str) -> str:
    """A word without the owner's `'s`, a title's stop, and the `s` of the plural."""
    word = re.sub(r"['’]s?$", "", word).replace(".", "")
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word
