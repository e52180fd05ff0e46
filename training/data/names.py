"""Whether two names may be those of one thing: `the accord` and `the five-year rice accord`, but not `rice`."""

import re
from collections.abc import Sequence

_WORD = re.compile(r"[^\W_]+(?:[.'’&-][^\W_]+)*")
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


def _agree(one: tuple[str, frozenset[str]], other: tuple[str, frozenset[str]]) -> bool:
    return one[0] == other[0] and (one[1] <= other[1] or other[1] <= one[1])


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
