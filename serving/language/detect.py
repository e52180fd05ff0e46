"""The language of a text, told from its words without the names, and unknown where that is unsure."""

from collections.abc import Collection, Mapping
from functools import cache, lru_cache
from typing import Any

UNKNOWN = "unknown"
LEAST_PROBABILITY = 0.5  # of the language that is named
MARGIN = 200  # times as probable as any of the model's must another language be
ANYWAY = "to answer all the same: --any-language, in Python any_language=True"
_READ = 1000  # characters of a text: enough to be sure
# Written nearly as a larger language is, which beside them would often be in doubt: Spanish, Arabic, English, Chinese.
_VARIETIES = frozenset({"an", "ext", "ary", "arz", "pcm", "wuu", "yue"})


def language_of(text: str, languages: tuple[str, ...] | None) -> str:
    """The ISO 639 code of a text's language, or `unknown`: for a text that is tiny, mixed, or nothing but names.

    Names are left out, because a sentence may hold more letters of them than of its own words. A language is named
    that py3langid gives a probability of at least `LEAST_PROBABILITY`. Another than the model's must also be `MARGIN`
    times as probable as each of those: no text is refused that the model may well read (benchmarks/language.py chose
    both).

    Args:
        text: of which the first 1,000 characters are read.
        languages: ISO 639 codes of those that the model reads; None: it is asked to read whatever comes.
    """
    return _language_of(text[:_READ], languages)


def foreign(language: str, languages: Collection[str] | None) -> bool:
    """Whether a text in `language` is one that a model of these languages does not read.

    Args:
        language: as `language_of` says it.
        languages: as for `language_of`.
    """
    return languages is not None and language != UNKNOWN and language not in languages


def foreign_note(found: Mapping[str, int]) -> str | None:
    """What is said of texts that the model does not read, by language; None without any."""
    if not found:
        return None
    counted = ", ".join(f"{language} {count:,}" for language, count in sorted(found.items()))
    return f"in a language that the model does not read, so it abstains: {counted} ({ANYWAY})"


@cache
def known_languages() -> frozenset[str]:
    """Every code that `language_of` may answer."""
    return frozenset(detector().labels)


def without_names(text: str) -> str:
    """The words of a text that do not begin with a capital letter; of a text in capitals, all."""
    words = text.split()
    return " ".join(words if text.isupper() else [word for word in words if not _capital(word)])


def _capital(word: str) -> bool:
    return next((character.isupper() for character in word if character.isalpha()), False)


@lru_cache(maxsize=4096)  # several pairs are asked about in one text, one after the other
def _language_of(text: str, languages: tuple[str, ...] | None) -> str:
    words = without_names(text)
    language, probability = detector().classify(words)
    if probability < LEAST_PROBABILITY:
        return UNKNOWN
    if foreign(language, languages):
        probabilities = dict(detector().rank(words))
        if probability < MARGIN * max(probabilities.get(own, 0.0) for own in languages or ()):
            return UNKNOWN
    return str(language)


@cache
def detector() -> Any:
    """The detector; it is read in half a second and holds 100 MB, so whoever asks for no language does without."""
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    made = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    made.set_languages([code for code in made.labels if code not in _VARIETIES])
    return made
