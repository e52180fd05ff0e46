"""Which names of many reports are one entity: spelling and titles aside, and what else a user may be asked about.

Within a report the reading has joined names already. Here reports are compared, by their names alone and by what stands
right beside a name in a report's text, so that no text needs to be kept.
"""

import datetime
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import PurePath

from serving.article.statements import Article
from serving.article.text.people import without_title
from serving.article.text.reports import Report
from serving.names.mentions import pattern_of
from serving.names.spelling import alike, key, spelled

_MOST_WORDS = 3  # of a name before its last one
_NEAR = 120  # characters before a last name or an acronym that are looked at
_MOST_NAMED = 3  # that a name may be, as a reason lists them
_ACRONYM = re.compile(r"\(([^\W\d_]{2,10})\)")
_POSSESSIVE = re.compile(r"(?:'s|(?<=s)')(?= )")
_NO_LETTERS = re.compile(r"[\W_]+")


@dataclass(frozen=True)
class Named:
    """What one report says of whose names are one."""

    date: datetime.date
    names: frozenset[str]  # of holders and targets
    longer: frozenset[str] = frozenset()  # `plain` names in its text that end in a name of one word
    acronyms: Mapping[str, str] = field(default_factory=dict)  # that its text explains: key -> `plain` full name


@dataclass(frozen=True)
class Proposal:
    """A name with the entity that it stands for."""

    name: str
    entity: str
    reports: int
    reason: str = ""  # why it stands for another name, or whom it may stand for


class Entities:
    """The entity of each name."""

    def __init__(
        self,
        proposed: Sequence[Proposal],
        known: Mapping[str, str] | None = None,
        only_in: Mapping[tuple[str, str], str] | None = None,
        absent: Sequence[str] = (),
    ) -> None:
        """Take what was proposed.

        Args:
            proposed: names with their entities.
            known: the entities known before by `key` of their names.
            only_in: entities of names in one report, by its name or its file's name, and `key`.
            absent: reports of `only_in` that were not among those given.
        """
        self.proposed = proposed
        self.absent = absent
        self._known = {key(one.name): one.entity for one in proposed} | dict(known or {})
        self._only_in = only_in or {}

    def of(self, name: str, report: str = "") -> str:
        """The entity of a name in a report; a name that is not known stands for itself."""
        for one in called(report) if self._only_in else ():
            name = self._only_in.get((one, key(name)), name)
        return self._known.get(key(name), name)


def called(report: str) -> tuple[str, str]:
    """What a row about a report may call it: by its name as it was read, or by that of its file."""
    return report, PurePath(report).name


def merged(labelled: Iterable[tuple[Report, Article]]) -> Entities:
    """The entities of all names where only spelling and titles are allowed for, as within one text.

    Args:
        labelled: reports with their articles; those without a date are left out.
    """
    return Entities(propose(names_of(labelled, texts=False), {}, safe=True))


def names_of(labelled: Iterable[tuple[Report, Article]], texts: bool = True) -> Iterator[Named]:
    """The names in each dated report that has any: those of statements that a trend counts.

    Args:
        labelled: reports with their articles.
        texts: also look at what stands beside the names in the texts.
    """
    for report, article in labelled:
        counted = [one for one in article.statements if one.stance and not one.foreign]
        both = [name for one in counted for name in (one.speaker, one.target) if name and name.strip()]
        names = frozenset(" ".join(name.split()) for name in both)
        if not report.date or not names:
            continue
        # An article that was kept without its text has the sentences of its statements.
        text = article.text or "\n".join(dict.fromkeys(one.sentence.text for one in counted))
        text = alike(spelled(text).text) if texts else ""
        words = [one for one in names if " " not in one and not one[0].islower()]
        longer = frozenset(longer for one in words for longer in _longer(text, one))
        yield Named(report.date, names, longer, dict(_acronyms(text)))


def propose(reports: Iterable[Named], known: Mapping[str, str], safe: bool = False) -> list[Proposal]:
    """The entity of each name that is not known yet; entities of most reports first, the names of one together.

    An entity has the name that most reports give it. A name stands for another one, if it can only be this one, where

    - they differ by spelling: case, marks, `the`, the possessive s; or by the titles before a full name;
    - they differ by accents and hyphens;
    - it is the last word of the other, and each report that has it has the other too;
    - a text explains it: `European Union (EU)`, a simple case of Schwartz and Hearst 2003, "A Simple Algorithm for
      Identifying Abbreviation Definitions in Biomedical Text".

    Args:
        reports: their names.
        known: entities by `key` of their names.
        safe: only spelling and titles.
    """
    reports = list(reports)
    ways = _WAYS[:2] if safe else _WAYS
    alike_by: dict[str, dict[str, set[str]]] = {reason: {} for reason, _ in ways}

    def learn(name: str, entity: str) -> None:
        for reason, form in ways:
            alike_by[reason].setdefault(form(name), set()).add(entity)

    for name, entity in known.items():
        learn(name, entity)
        learn(entity, entity)
    found: dict[str, Proposal] = {}
    for name, number in _by_reports(reports):
        if key(name) in known:
            continue
        same = next(((some, why) for why, form in ways if (some := alike_by[why].get(form(name)))), None)
        entity, reason = _chosen(name, *same) if same else (name, "")
        found[key(name)] = Proposal(name, entity, number, "" if same and same[0] == {name} else reason)
        learn(name, entity)
    if not safe:
        short = dict(_short_names(found, reports, known))
        full = {one.name: one.entity for one in short.values()}
        found = {place: replace(one, entity=full.get(one.entity, one.entity)) for place, one in (found | short).items()}
    first: dict[str, int] = {}
    for place, one in enumerate(found.values()):
        first.setdefault(one.entity, place)
    return sorted(found.values(), key=lambda one: first[one.entity])


def spelling(name: str) -> str:
    """What is equal for names that differ by spelling."""
    return _POSSESSIVE.sub("", key(name).removeprefix("the "))


@lru_cache(4096)
def plain(name: str) -> str:
    """What is equal for names that differ by spelling or titles."""
    return " ".join(without_title(spelling(name).split()))


def _letters(name: str) -> str:
    parts = unicodedata.normalize("NFD", plain(name))
    bare = "".join(one for one in parts if not unicodedata.category(one).startswith("M"))
    return _NO_LETTERS.sub(" ", bare).strip() or plain(name)


_WAYS = (("spelling", spelling), ("title", plain), ("accents", _letters))  # each holds the ones before it


def _chosen(name: str, entities: Iterable[str], reason: str) -> tuple[str, str]:
    """The only entity with the reason for it; of several none, and who they are."""
    several = sorted(entities)
    if len(several) == 1:
        return several[0], reason
    more = f" or {len(several) - _MOST_NAMED:,} more" if len(several) > _MOST_NAMED else ""
    return name, f"may be {' or '.join(several[:_MOST_NAMED])}{more}"


def _by_reports(reports: Iterable[Named]) -> list[tuple[str, int]]:
    """Each name, in the spelling that most reports have, with its number of reports; those of most reports first.

    Of as many the one that came first, so that the order in which reports of other days are read does not matter.
    """
    numbers: Counter[str] = Counter()
    written: dict[str, Counter[str]] = {}
    first: dict[str, datetime.date] = {}
    for report in reports:
        for place, names in _by_key(report.names).items():
            numbers[place] += 1
            written.setdefault(place, Counter()).update(names)
            for name in names:
                first[name] = min(report.date, first.get(name, report.date))
    usual = {
        place: min(names, key=lambda name: (-names[name], first[name], name.swapcase()))
        for place, names in written.items()
    }
    order = sorted(usual, key=lambda place: (-numbers[place], min(first[name] for name in written[place]), place))
    return [(usual[place], numbers[place]) for place in order]


def _by_key(names: Iterable[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name in names:
        found.setdefault(key(name), []).append(name)
    return found


def _short_names(
    found: Mapping[str, Proposal], reports: Sequence[Named], known: Mapping[str, str]
) -> Iterator[tuple[str, Proposal]]:
    """The last names and acronyms among the names that stand for themselves so far, with whom they stand for."""
    of_plain: dict[str, set[str]] = {}
    of_last: dict[str, set[str]] = {}
    pairs = [
        *known.items(),
        *((one, one) for one in known.values()),
        *((one.name, one.entity) for one in found.values()),
    ]
    for name, entity in pairs:
        of_plain.setdefault(plain(name), set()).add(entity)
        if _is_full(name):
            of_last.setdefault(_last(name), set()).add(entity)
    chosen = {key(entity) for entity in known.values()}  # by the user, as the name to count under
    explained: dict[str, set[str]] = {}
    having: dict[str, list[Named]] = {}
    for report in reports:
        for short, full in report.acronyms.items():
            explained.setdefault(short, set()).add(full)
        for name in report.names:
            having.setdefault(key(name), []).append(report)
    for place, one in found.items():
        if one.entity != one.name or one.reason or place in chosen or " " in one.name or one.name[0].islower():
            continue
        if meant := set().union(*(of_plain.get(full, ()) for full in explained.get(place, ()))) - {one.name}:
            entity, reason = _chosen(one.name, meant, "acronym")
            yield place, replace(one, entity=entity, reason=reason)
        elif meant := of_last.get(plain(one.name), set()) - {one.name}:
            entity, reason = _chosen(one.name, meant, "last name")
            beside = (any(meant & of_plain.get(other, set()) for other in _others(report)) for report in having[place])
            if entity != one.name and not all(beside):
                entity, reason = one.name, f"may be {entity}"
            yield place, replace(one, entity=entity, reason=reason)


def _is_full(name: str) -> bool:
    """Whether a name has a few words that all begin as names do."""
    return 2 <= len(plain(name).split()) <= _MOST_WORDS + 1 and all(
        word[0].isalpha() and not word[0].islower() for word in name.split()
    )


def _last(name: str) -> str:
    return plain(name).split()[-1]


def _others(report: Named) -> set[str]:
    return {plain(name) for name in report.names} | report.longer


def _longer(text: str, word: str) -> Iterator[str]:
    """The `plain` names of several words in a text that end in a word."""
    if not text:
        return
    for place in pattern_of([word]).finditer(text):
        before: list[str] = []
        for one in reversed(text[max(0, place.start() - _NEAR) : place.start()].split()[-_MOST_WORDS:]):
            if one[0].islower() or not one[-1].isalpha():
                break
            before.insert(0, one)
            yield plain(" ".join([*before, word]))


def _acronyms(text: str) -> Iterator[tuple[str, str]]:
    """The acronyms in brackets behind what they stand for: their `key`, and the `plain` full name."""
    for short in _ACRONYM.finditer(text):
        words = text[max(0, short.start() - _NEAR) : short.start()].split()
        letters = list(short[1]) if short[1].isupper() else []
        full: list[str] = []
        while words and letters and (words[-1][0].islower() or words[-1][0] == letters[-1]):
            full.insert(0, words.pop())
            if not full[0][0].islower():
                letters.pop()
        if full and not letters and short[1].isupper():
            yield key(short[1]), plain(" ".join(full))
