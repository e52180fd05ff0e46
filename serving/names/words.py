"""The words of a text in any script, and which words are forms of one.

Chinese has no blanks between words: rjieba's dictionary divides it. In other scripts a word is what stands between
blanks and marks. Two words are forms of one if a Snowball stemmer of their script (Porter 2001, "Snowball: A language
for stemming algorithms") gives them the same stem.
"""

import re
from collections.abc import Iterator
from functools import cache, lru_cache
from typing import Any

Span = tuple[int, int]

HAN = "\u3005\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U000323af"
_KANA = "\u3041-\u309f\u30a0-\u30ff\u31f0-\u31ff"
_SOUTHEAST = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff"  # Thai, Lao, Burmese, Khmer
UNSPACED = f"{HAN}{_KANA}{_SOUTHEAST}"  # letters of scripts without blanks between words
LETTER = rf"[^\W{UNSPACED}]"  # of a word of the other scripts

_RUN = re.compile(rf"[{HAN}]+")
_KANA_LETTER = re.compile(f"[{_KANA}]")
_CYRILLIC = re.compile("[\u0400-\u052f]")
_ARABIC = re.compile("[\u0600-\u06ff]")
_FLEETING = re.compile("[её](?=[^аеёиоуыэюяьъй]$)|о(?=[^аеёиоуыэюяьъй]$)|ь")  # Павел, Павла; Лев, Льва
_ATTACHED = re.compile("^[وف]?(?:[بك]?ال|لل|[بلك])?(?=..)")  # and, with, for, the: written as one word with a noun
# Articles, some of one word with a preposition.
_ARTICLES = frozenset(
    re.findall(
        r"\w+",
        """
    the a an  el la lo los las del al un una  le l les du des au aux de d une
    der die das den dem des ein eine einem einen einer eines im am zum zur vom beim
""",
    )
)


def segments(text: str) -> list[Span]:
    """The words of the Chinese stretches of a text, in order."""
    runs = [] if text.isascii() else _RUN.finditer(text)
    return [(run.start() + start, run.start() + end) for run in runs for start, end in _divided(run[0])]


def divided(text: str) -> str:
    """The text with blanks between its Chinese words."""
    if text.isascii():
        return text
    return _RUN.sub(lambda run: f" {' '.join(run[0][a:b] for a, b in _divided(run[0]))} ", text)


def breaks(text: str) -> frozenset[int]:
    """Places between Chinese words, those inside a compound too: a name may begin and end there."""
    found = set()
    for run in _RUN.finditer(text):
        found |= {run.start() + place for place in _inner_breaks(run[0])}
    return frozenset(found)


def is_japanese(text: str) -> bool:
    """Whether there are kana in a text: its Chinese characters then are no Chinese words."""
    return bool(_KANA_LETTER.search(text))


def is_article(word: str) -> bool:
    """Whether a word is an article, or one with a preposition before it: du, al, zum."""
    return word in _ARTICLES


def akin(word: str, other: str) -> bool:
    """Whether two words, as they are compared, are forms of one; articles are, with their prepositions."""
    return word == other or {word, other} <= _ARTICLES or not forms(word).isdisjoint(forms(other))


@lru_cache(maxsize=65536)
def forms(word: str) -> frozenset[str]:
    """What a word may be a form of, each with the language whose rules say so."""
    return frozenset(f"{language} {stem}" for language, stem in _stems(word.casefold()) if stem)


def _stems(word: str) -> Iterator[tuple[str, str]]:
    if _CYRILLIC.search(word):
        stem = _stem("russian", word)
        yield "russian", stem
        yield "russian", _stem("russian", stem)  # surnames: Осинникову, Осинников, осинник
        yield "russian", _FLEETING.sub("", stem) if len(stem) > 2 else stem
    elif _ARABIC.search(word):
        yield "arabic", _stem("arabic", word)
        yield "arabic", _stem("arabic", _ATTACHED.sub("", word))
    else:
        for language in ("english", "french", "german", "spanish"):
            yield language, _stem(language, word)
        yield "genitive", word[:-1] if word.endswith("s") and len(word) > 3 else word


def _stem(language: str, word: str) -> str:
    return str(_stemmer(language).stemWord(word))


@cache
def _stemmer(language: str) -> Any:
    import snowballstemmer  # type: ignore[import-untyped]

    return snowballstemmer.stemmer(language)


@lru_cache(maxsize=4096)
def _divided(run: str) -> list[Span]:
    import rjieba

    return [(start, end) for _, start, end in rjieba.tokenize(run, "default", False)]


@lru_cache(maxsize=4096)
def _inner_breaks(run: str) -> frozenset[int]:
    import rjieba

    words = rjieba.tokenize(run, "search", False)
    return frozenset(place for _, start, end in words for place in (start, end))
