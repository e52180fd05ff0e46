"""Names and nouns that may hold a position or be its target, told without a parser.

By capitals, articles, endings and short lists of nouns (`light.json`); in Chinese by rjieba's parts of speech.
"""

import json
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from serving.article.text.quotations import Quotation
from serving.inputs import Offsets
from serving.names.words import forms

WORD = re.compile(r"[^\W\d_]+(?:[-'’][^\W\d_]+)*")
_ELIDED = re.compile(r"(?:[cdjlmnst]|qu)['’](?=[^\W\d_])", re.IGNORECASE)  # of French: l'Union, d'Oslo
_BLANK = re.compile(r"[ \u00a0]?\Z")
_STARTS = '"«„“「『‹‚‘»›:¿¡—–―([-'  # a word behind one of these may be the first of a sentence
_TITLE_WORDS = 6
_PURPOSES = frozenset({"contra", "contre", "para", "pour", "sobre", "sur"})
_NAMED = frozenset({"nr", "nrt", "nrfg", "ns", "nt", "nz", "j"})  # parts of speech
_NOUNS = _NAMED | {"n", "ng", "vn", "k", "eng", "s"}
_DEFINITE = re.compile("[وفبك]?ال|[وف]?لل")


@dataclass(frozen=True)
class Candidate:
    """A name or a noun with what belongs to it."""

    start: int
    end: int
    holds: bool  # it may hold a position
    stands_for: bool = False  # a pronoun
    person: bool = False  # likely

    @property
    def span(self) -> Offsets:
        """Its characters."""
        return self.start, self.end


@dataclass(frozen=True)
class Cues:
    """What is known of a language."""

    language: str
    saying: "re.Pattern[str]"
    holders: frozenset[str]  # stems (`forms`) of nouns for people and bodies; of Chinese their last letters
    things: frozenset[str]  # stems of nouns for what positions are taken on; Chinese words as they are
    endings: "re.Pattern[str]"  # of such nouns
    noun: "re.Pattern[str]"  # what is no verb, adjective or small word by its ending
    before: "re.Pattern[str]"  # words before a noun that belong to it
    after: "re.Pattern[str]"
    determiners: frozenset[str]
    links: frozenset[str]  # within a name
    of: frozenset[str]  # between a noun and what belongs to it
    openers: frozenset[str]  # words that begin a sentence and are no names
    never: frozenset[str]
    prepositions: frozenset[str]  # what stands behind one is hardly the subject
    pronouns: frozenset[str]  # he, she and they as a subject
    objects: frozenset[str]  # ... in other cases, and their possessives
    first: frozenset[str]  # I and we
    abbreviations: frozenset[str]
    infinitive: "re.Pattern[str]"
    nominatives: frozenset[str]  # the nouns of `holders` where only this case is a subject
    common: "re.Pattern[str]"  # endings of German nouns that hold no position
    heads: tuple[str, ...]  # what German compounds end in that hold one


LANGUAGES = frozenset({"ar", "de", "es", "fr", "ru", "zh"})


@cache
def cues(language: str) -> Cues:
    """The cues of one of `LANGUAGES`."""
    found = json.loads((Path(__file__).parent / "light.json").read_text(encoding="utf-8"))[language]

    def words(key: str) -> frozenset[str]:
        return frozenset(found.get(key, "").split())

    def pattern(key: str) -> "re.Pattern[str]":
        return re.compile(found.get(key) or "(?!)")

    verbs = "|".join(sorted(words("saying"), key=len, reverse=True))
    saying = verbs if language == "zh" else rf"(?<!\w)[وف]?(?:{verbs})\w*"
    return Cues(
        language=language,
        saying=re.compile(saying),
        holders=words("holders") if language == "zh" else _stems(words("holders")),
        things=words("things") if language == "zh" else _stems(words("things")),
        endings=pattern("endings"),
        noun=pattern("noun"),
        before=pattern("before"),
        after=pattern("after"),
        determiners=words("determiners"),
        links=words("links"),
        of=words("of"),
        openers=words("openers") | words("prepositions") | words("determiners") | words("pronouns"),
        never=words("never"),
        prepositions=words("prepositions"),
        pronouns=words("pronouns"),
        objects=words("objects"),
        first=words("first"),
        abbreviations=words("abbreviations"),
        infinitive=pattern("infinitive"),
        nominatives=words("holders") if language == "ru" else frozenset(),
        common=pattern("nouns"),
        heads=tuple(word.lower() for word in words("holders") if len(word) > 3),
    )


def _stems(words: Iterable[str]) -> frozenset[str]:
    return frozenset(form for word in words for form in forms(word))


def candidates(text: str, sentence: Offsets, known: Cues, quotations: Sequence[Quotation] = ()) -> list[Candidate]:
    """The candidates of a sentence, in order and apart.

    Args:
        text: of the article.
        sentence: a stretch of it.
        known: of its language.
        quotations: of the paragraph; short ones are titles.
    """
    if known.language == "zh":
        return [*_pronoun(text, sentence, known), *_chinese(text, sentence, known)]
    words = [*_words(text, sentence)]
    titles = [one for one in quotations if sentence[0] <= one.start and one.end <= sentence[1] and _is_title(text, one)]
    found = [*_pronoun(text, sentence, known), *_spaced(text, words, known, titles)]
    return [
        one
        for place, one in enumerate(found)
        if not _is_apposition(text, one, found[place + 1 : place + 2], known.language == "de")
    ]


def _pronoun(text: str, sentence: Offsets, known: Cues) -> Iterator[Candidate]:
    """He or she, where a sentence begins with it."""
    several = sorted(known.pronouns, key=len, reverse=True)
    first = re.compile(
        rf"\W*(?P<one>{'|'.join(several)})(?!\w)" if known.language != "zh" else rf"(?P<one>{'|'.join(several)})", re.I
    )
    if several and (match := first.match(text, *sentence)):
        yield Candidate(*match.span("one"), True, True)


def standing(text: str, sentence: Offsets, known: Cues, words: Collection[str]) -> Iterator[Offsets]:
    """Where one of these small words stands in a sentence."""
    several = "|".join(map(re.escape, sorted(words, key=len, reverse=True)))
    if several:
        whole = several if known.language == "zh" else rf"(?<![\w-])(?:{several})(?:(?<=['’])|(?![\w-]))"
        yield from (match.span() for match in re.compile(whole, re.IGNORECASE).finditer(text, *sentence))


def others(text: str, sentence: Offsets, known: Cues, taken: Sequence[Offsets]) -> Iterator[Offsets]:
    """Words that `candidates` takes for nothing, small ones and verbs of saying left out: a reader can tell more."""
    if known.language == "zh":
        words = [(start, end) for start, end, tag in _tagged(text, sentence) if tag[0] in "nvaisl" and end > start + 1]
    else:
        words = [*_words(text, sentence)]
    small = known.openers | known.never | known.of | known.pronouns | known.objects | known.first
    least = 2 if known.language == "zh" else 3
    for start, end in words:
        word = text[start:end]
        if end - start < least or word.lower() in small or known.saying.fullmatch(word):
            continue
        if not any(first < end and start < last for first, last in taken):
            yield start, end


def _is_apposition(text: str, one: Candidate, following: Sequence[Candidate], german: bool) -> bool:
    """Whether a noun only says what somebody is: `la ministra, Nelly Choque`."""
    noun = (german or text[one.start].islower()) and one.holds and not one.stands_for
    between = text[one.end : following[0].start] if following else ""
    return (
        noun
        and between.strip() == ","
        and text[following[0].start].isupper()
        and " " in text[slice(*following[0].span)]
    )


def _words(text: str, sentence: Offsets) -> Iterator[Offsets]:
    for match in WORD.finditer(text, *sentence):
        start, end = match.span()
        while elided := _ELIDED.match(text, start, end):
            yield elided.span()
            start = elided.end()
        yield start, end


def _is_title(text: str, quotation: Quotation) -> bool:
    """Whether a quotation is a name: capital, a few words, a word right before it and no attribution behind it."""
    inner = text[slice(*quotation.inner)].strip()
    before = text[max(0, quotation.start - 2) : quotation.start].rstrip()[-1:]
    if not before.isalpha() or text[quotation.end : quotation.end + 2].strip()[:1] in (",", "—", "–", "-"):
        return False
    return quotation.closed and inner[:1].isupper() and inner[-1:].isalnum() and len(inner.split()) <= _TITLE_WORDS


def _spaced(text: str, words: Sequence[Offsets], known: Cues, titles: Sequence[Quotation]) -> Iterator[Candidate]:
    place = 0
    while place < len(words):
        title = next((one for one in titles if one.start <= words[place][0] < one.end), None)
        if title:
            yield Candidate(*title.inner, not place or text[slice(*words[place - 1])].lower() not in known.prepositions)
            last = place
            while last < len(words) and words[last][0] < title.end:
                last += 1
            place = last
            continue
        found = _Phrase(text, words, known, place).read()
        if found is None:
            place += 1
            continue
        first, last, holds = found
        start, end = words[_person(text, words, first, last, known)][0], words[last][1]
        beside = next((one for one in titles if end <= one.start <= end + 1), None)
        if beside:  # a noun and its title: партия «Труд»
            end = beside.end
            while last + 1 < len(words) and words[last + 1][0] < end:
                last += 1
        yield Candidate(start, end, holds, person=_is_person(text[start:end], known))
        place = last + 1


def _is_person(name: str, known: Cues) -> bool:
    """Two or three words with capitals, none of which is a noun for a body or an office."""
    words = name.split()
    capitals = all(word[:1].isupper() for word in words)
    return 1 < len(words) < 4 and capitals and known.holders.isdisjoint(forms(words[0]))


def _person(text: str, words: Sequence[Offsets], first: int, last: int, known: Cues) -> int:
    """The word where the name begins behind what somebody is: `министр иностранных дел Сербии Драган Векошевич`."""
    start = last
    while start > first and text[words[start - 1][0]].isupper() and _together(text, words[start - 1], words[start]):
        start -= 1
    if not text[words[last][0]].isupper() or start == last:
        return first
    office = start == first and not known.holders.isdisjoint(forms(text[slice(*words[first])]))
    if start == first and not (office and last - first > 1 and known.language in ("de", "ru")):
        return first
    start += office
    return max(start, last - 1) if known.language == "ru" else start


def _together(text: str, word: Offsets, following: Offsets) -> bool:
    return _BLANK.match(text[word[1] : following[0]]) is not None


class _Phrase:
    """A name or a noun phrase that begins at a word."""

    def __init__(self, text: str, words: Sequence[Offsets], known: Cues, place: int) -> None:
        self.text, self.words, self.known, self.place = text, words, known, place

    def read(self) -> tuple[int, int, bool] | None:
        """Its first and last word, and whether it may hold a position; None: none begins here."""
        if self.known.language == "ar":
            return self._arabic()
        if self._is_name(self.place):
            return self._name()
        if self._lower(self.place) in self.known.determiners and self.known.language != "de":
            return self._behind_determiner()
        noun = self.place
        while self._describes(noun) and self._joined(noun + 1) and noun < self.place + 2:
            noun += 1
        holds = self._is_holder(noun)
        if holds or self._is_thing(noun):
            subject = not self.known.nominatives or self._lower(noun) in self.known.nominatives
            last = self._extended(noun)
            named = self._is_full_name(last)  # `координатор движения Ольга Ширман`
            return self.place, last, (named or (holds and subject)) and self._is_subject(self.place)
        return None

    def _describes(self, place: int) -> bool:
        """Whether a word looks like an adjective before a noun, and like no noun."""
        return self.known.before.fullmatch(self._lower(place)) is not None and not self._is_known_thing(
            self._lower(place)
        )

    def _name(self) -> tuple[int, int, bool]:
        """A run of capitals; of a noun such as `Министр` what belongs to it too."""
        place = self.place
        last = self._run(place)
        extended = self._extended(place) if last == place else place
        if last == place and (self._is_holder(place) or self._is_full_name(extended)):
            return place, extended, self._is_subject(place)
        holds = self._is_holder(last) or not self.known.common.search(self._word(last))
        if self.known.language == "de" and last == place and not self._is_holder(place):
            article = place > 0 and self._lower(place - 1) in self.known.determiners
            holds = holds and (not article or self._opens(place - 1))
        return place, self._with_complement(last), holds and self._is_subject(place)

    def _is_full_name(self, last: int) -> bool:
        """Whether two words with capitals end at a word."""
        return self._joined(last) and last > self.place + 1 and all(self._word(last - i)[:1].isupper() for i in (0, 1))

    def _behind_determiner(self) -> tuple[int, int, bool] | None:
        noun = self.place + 1
        if self.known.before.fullmatch(self._lower(noun)) and self._joined(noun + 1) and self._is_noun(noun + 1):
            noun += 1
        if not (self._joined(noun) and self._is_noun(noun)):
            return None
        last = self._extended(noun)
        named = any(self._word(one)[:1].isupper() for one in range(noun, last + 1))
        holds = named or self._is_holder(noun) or self._opens(self.place)
        return noun, last, holds and self._is_subject(self.place)

    def _is_subject(self, place: int) -> bool:
        """Whether no preposition stands before a phrase and its article."""
        before = self._lower(place - 1) if place else ""
        if before in self.known.determiners - self.known.prepositions and place > 1:
            before = self._lower(place - 2)
        return before not in self.known.prepositions

    def _arabic(self) -> tuple[int, int, bool] | None:
        place = self.place
        word = self._word(place)
        if word in self.known.openers or word in self.known.never:
            return None
        head = self._is_holder(place) or self._is_thing(place)
        if not (head or _DEFINITE.match(word)):
            return None
        last = place
        most = place + 3
        while last < most and self._joined(last + 1) and self._belongs(last + 1, head and last == place):
            last += 1
        return place, last, self._is_subject(place) and (self._is_holder(place) or not self._is_thing(place))

    def _belongs(self, place: int, behind_head: bool) -> bool:
        """Whether an Arabic word goes on with a phrase: definite, or right behind an indefinite head."""
        word = self._word(place)
        if word in self.known.openers or word in self.known.never or self.known.saying.fullmatch(word):
            return False
        return bool(re.match("ال", word)) or behind_head

    def _word(self, place: int) -> str:
        return self.text[slice(*self.words[place])] if place < len(self.words) else ""

    def _lower(self, place: int) -> str:
        return self._word(place).lower().rstrip("'’")

    def _joined(self, place: int) -> bool:
        """Whether only a blank stands before a word."""
        if not 0 < place < len(self.words):
            return False
        return _together(self.text, self.words[place - 1], self.words[place])

    def _is_name(self, place: int) -> bool:
        word = self._word(place)
        if not word[:1].isupper() or word in self.known.never or self.text[slice(*self.words[place])][-1:] in "'’":
            return False
        participle = self.known.language == "de" and word.startswith("Ge") and word.endswith("t")
        if self._is_first(place) and (participle or self._lower(place) in self.known.openers):
            return False
        return len(word) > 1 or self._lower(place) not in self.known.openers

    def _before(self, place: int) -> str:
        """The character before a word, white space aside."""
        start = self.words[place][0]
        return self.text[max(0, start - 3) : start].rstrip()[-1:]

    def _is_first(self, place: int) -> bool:
        before = self._before(place)
        return place == 0 or before in _STARTS

    def _opens(self, place: int) -> bool:
        """Whether a word begins a sentence or a part of one: a noun there is likely its subject."""
        return place == 0 or self._before(place) in (",", ";", ":")

    def _is_holder(self, place: int) -> bool:
        word = self._word(place)
        if word.lower() in self.known.openers:
            return False
        if self.known.language == "de" and word.lower().endswith(self.known.heads):
            return True
        return not self.known.holders.isdisjoint(forms(word))

    def _is_thing(self, place: int) -> bool:
        word = self._lower(place)
        fits = self.known.noun.fullmatch(word) is not None and self.known.before.fullmatch(word) is None
        return word not in self.known.openers | self.known.never and (fits or self._is_known_thing(word))

    def _is_known_thing(self, word: str) -> bool:
        """By the list, or by an ending that no adjective has."""
        if len(word) > 5 and self.known.endings.search(word[-6:]):
            return True
        return len(word) > 2 and not self.known.things.isdisjoint(forms(word))

    def _is_noun(self, place: int) -> bool:
        word = self._word(place)
        return len(word) > 2 and word.islower() and word not in self.known.openers | self.known.of | self.known.never

    def _run(self, place: int) -> int:
        """The last word of a run of capitals, small words of names between them."""
        last = place
        while True:
            following = last + 1
            while self._joined(following) and self._lower(following) in self.known.links and following < last + 3:
                following += 1
            if not (self._joined(following) and self._word(following)[:1].isupper()):
                return last
            if self._word(following) in self.known.never:
                return last
            last = following

    def _extended(self, noun: int) -> int:
        """The last word of what belongs to a noun: adjectives, a genitive, a name."""
        last = noun
        while self._joined(last + 1) and last < noun + 2 and self._goes_on(last + 1):
            last += 1
        if (
            self._joined(last + 1)
            and self._word(last + 1)[:1].isupper()
            and self._word(last + 1) not in self.known.never
        ):
            return self._run(last + 1)
        return self._with_complement(last)

    def _goes_on(self, place: int) -> bool:
        word = self._word(place)
        return word.islower() and word not in self.known.openers and self.known.after.fullmatch(word) is not None

    def _is_purpose(self, last: int) -> bool:
        """Whether what stands behind a name tells what for, and is no part of it: `Accra pour sa patience`."""
        return self._word(last)[:1].isupper() and self._lower(last + 1) in _PURPOSES and not self._is_holder(last)

    def _with_complement(self, last: int) -> int:
        """`... de la pêche`, `... der Fischer`: the last word with it, or without if there is none."""
        if not (self._joined(last + 1) and self._lower(last + 1) in self.known.of) or self._is_purpose(last):
            return last
        following = last + 2
        while self._joined(following) and self._lower(following) in self.known.determiners:
            following += 1
        if not self._joined(following):
            return last
        if self._word(following)[:1].isupper() and self._word(following) not in self.known.never:
            return self._run(following)
        word = self._lower(following)
        if self.known.language == "de" or not self._is_noun(following) or self.known.infinitive.search(word):
            return last
        while self._joined(following + 1) and self._goes_on(following + 1):
            following += 1
        if self._joined(following + 1) and self._word(following + 1)[:1].isupper():
            return self._run(following + 1)
        return following


def _chinese(text: str, sentence: Offsets, known: Cues) -> Iterator[Candidate]:
    """Runs of nouns and names; `·` joins the parts of a foreign name."""
    run: list[tuple[int, int, str]] = []
    for word in [*_tagged(text, sentence), (sentence[1], sentence[1], "x")]:
        start, end, tag = word
        dot = text[start:end] in ("·", "•", "・")
        joins = bool(run) and text[run[-1][0] : run[-1][1]] in ("·", "•", "・")
        if dot or joins or _is_chinese_noun(text[start:end], tag, known):
            goes_on = dot or joins or tag.startswith("nr") or (tag in _NAMED and end == start + 1)  # 哈拉 茨
            if run and run[-1][2].startswith("nr") and not goes_on:
                yield from _of_run(text, run, known)  # a name ends with the person
                run = []
            run.append(word)
            continue
        if run:
            yield from _of_run(text, run, known)
        run = [word] if _may_begin_name(text, word, sentence) else []
    return


def _is_chinese_noun(word: str, tag: str, known: Cues) -> bool:
    """By its part of speech, or one of those words that are as often verbs."""
    office = tag == "l" and word[-1] in "人员員长長"  # 发言人
    side = tag == "f" and word[-1] == "方" and word[0] not in "东南西北東"  # 中方
    return word in known.things or ((office or side or tag in _NOUNS) and word not in known.never)


def _may_begin_name(text: str, word: tuple[int, int, str], sentence: Offsets) -> bool:
    """Whether a dot follows: a part of a name that rjieba takes for another word."""
    return word[1] < sentence[1] and text[word[1]] in "·•・" and word[0] < word[1]


def _of_run(text: str, run: list[tuple[int, int, str]], known: Cues) -> Iterator[Candidate]:
    start, end = run[0][0], run[-1][1]
    if all(tag in ("ng", "k", "s", "eng", "vn") for *_, tag in run) or end - start < 2:
        return
    name = any(tag in _NAMED for *_, tag in run) or "·" in text[start:end]
    subject = text[start - 1 : start] not in known.prepositions and text[end : end + 1] != "的"
    person = any(tag.startswith("nr") for *_, tag in run)
    body = text[end - 1] in known.holders and text[slice(*run[-1][:2])] not in known.things
    yield Candidate(start, end, subject and (name or body), person=person)


def _tagged(text: str, sentence: Offsets) -> Iterator[tuple[int, int, str]]:
    """Words with rjieba's parts of speech."""
    at = sentence[0]
    for word, tag in _tagger().tag(text[slice(*sentence)], True):
        yield at, at + len(word), tag
        at += len(word)


@cache
def _tagger() -> Any:
    import rjieba

    return rjieba.Jieba()
