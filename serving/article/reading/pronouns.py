"""Whom or what a pronoun stands for: every name of the last sentences is scored, by weights that were learned.

A log-linear ranking of the candidates with weights of its own for each kind of pronoun: Denis and Baldridge 2008,
"Specialized Models and Ranking for Coreference Resolution". `pronouns.json` holds the weights, which
`benchmarks/pronouns.py learn` learns from the reports of this project.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from serving.article.reading.grammar import learned, says, speaks
from serving.article.reading.nouns import CARRIERS, EMPTY
from serving.article.text.people import is_person

if TYPE_CHECKING:
    from spacy.tokens import Token

    from serving.article.reading.entities import Entity

GENDERS = {"he": "m", "him": "m", "his": "m", "himself": "m", "she": "f", "her": "f", "hers": "f", "herself": "f"}
_IT = frozenset({"it", "its", "itself"})
_THEY = frozenset({"they", "them", "their", "theirs", "themselves"})
_SUBJECT = frozenset({"nsubj", "nsubjpass"})
_ROLES = frozenset({"appos", "attr", "compound", "conj", "dobj", "pobj", "poss"})
_KINDS = {"LOC": "place", "FAC": "place"}
_WORKS = frozenset({"EVENT", "LAW", "PRODUCT", "WORK_OF_ART"})
_FAR = 5  # names that were mentioned since: more tell nothing
_OFTEN = 3

Weights = Mapping[str, Mapping[str, float]]


def is_third_person(token: "Token") -> bool:
    """He, she, it, they and their forms."""
    return token.lower_ in GENDERS or token.lower_ in _IT or token.lower_ in _THEY


def standing_for(
    token: "Token",
    near: Sequence["Entity"],
    sentence: int,
    named: Mapping[int, "Entity"],
    speaker: "Entity | None" = None,
) -> "Entity | None":
    """Who or what a pronoun of the third person stands for; None: nobody it could be is near.

    Args:
        token: the pronoun.
        near: what the last sentences mention.
        sentence: the number of the pronoun's sentence.
        named: by the place of a word of the paragraph, what it stands for.
        speaker: of the quotation that the pronoun stands in.
    """
    kind, table = kind_of(token), weights()
    found = candidates(token, near, sentence, named, speaker)
    return max(found, key=lambda one: score(table, kind, one[1]), default=(None,))[0]


def candidates(
    token: "Token",
    near: Sequence["Entity"],
    sentence: int,
    named: Mapping[int, "Entity"],
    speaker: "Entity | None" = None,
) -> Iterator[tuple["Entity", tuple[str, ...]]]:
    """Whom or what a pronoun may stand for, the latest mentioned first, with what speaks for and against each.

    Args:
        token: as in `standing_for`; the others likewise.
        near: likewise.
        sentence: likewise.
        named: likewise.
        speaker: likewise.
    """
    for rank, entity in enumerate(sorted(near, key=lambda one: -one.place)):
        if _may_be(token, entity):
            spoken = ("says it",) if entity is speaker else ()
            yield entity, (*_features(token, entity, rank, sentence, named), *spoken)


def score(table: Weights, kind: str, given: Iterable[str]) -> float:
    """The sum of the weights of a candidate's features, for a kind of pronoun and for all."""
    own, common = table.get(kind, {}), table["any"]
    return sum(own.get(one, 0.0) + common.get(one, 0.0) for one in given)


def weights() -> Weights:
    """By kind of pronoun and feature; `any` is added to all."""
    return learned("pronouns")


def kind_of(token: "Token") -> str:
    """The pronoun and its place in the clause, such as `it object`."""
    word = token.lower_
    pronoun = "he" if word in GENDERS else "it" if word in _IT else "they"
    return f"{pronoun} {'owner' if token.dep_ == 'poss' else 'subject' if token.dep_ in _SUBJECT else 'object'}"


def _may_be(token: "Token", entity: "Entity") -> bool:
    """Whether gender and number leave it open."""
    if gender := GENDERS.get(token.lower_):  # the parser may take a person for a body
        return (entity.person and entity.gender in (None, gender)) or entity.label == "ORG"
    if token.lower_ in _IT:
        return not entity.person and not entity.plural
    return True


def _features(
    token: "Token", entity: "Entity", rank: int, sentence: int, named: Mapping[int, "Entity"]
) -> Iterator[str]:
    """What speaks for and against one candidate.

    Args:
        token: the pronoun.
        entity: the candidate.
        rank: how many others were mentioned since.
        sentence: as in `standing_for`.
        named: likewise.
    """
    kind = _kind(entity)
    yield kind
    yield f"sentences back {sentence - entity.sentence}"
    yield f"others since {min(rank, _FAR)}"
    yield f"mentions {min(entity.mentions, _OFTEN)}"
    yield f"was {_role(entity)}"
    if entity.subject > 0:
        yield f"subject {min(sentence - entity.subject, 2)} sentences back"
    if entity.first == 1:
        yield "of the first sentence"
    if entity.plural:
        yield "plural"
    if entity.gender:
        yield "gender known"
    if (clause := _clause(token, entity, named)) is not None:
        yield clause
    if token.dep_ in _SUBJECT and says(token.head):
        yield f"{kind} says"
    elif token.dep_ in _SUBJECT and token.head.pos_ == "AUX":
        yield f"{kind} is"


def _kind(entity: "Entity") -> str:
    if entity.label != "NOUN":
        return "work" if entity.label in _WORKS else _KINDS.get(entity.label, entity.label.lower())
    if any(role in EMPTY for role in entity.roles):
        return "empty"
    if any(map(is_person, entity.roles)):
        return "human"
    if any(map(speaks, entity.roles)):
        return "body"
    return "act" if any(role in CARRIERS for role in entity.roles) else "thing"


def _role(entity: "Entity") -> str:
    return "subject" if entity.role in _SUBJECT else entity.role if entity.role in _ROLES else "other"


def _clause(token: "Token", entity: "Entity", named: Mapping[int, "Entity"]) -> str | None:
    """How the candidate's clause lies, if it is the subject of the one around the pronoun, or of the next above."""
    above, own, last = token.head, token.dep_ not in _SUBJECT, ""
    while True:
        subject = next((one for one in above.children if one.dep_ in _SUBJECT), None)
        if subject is not None and subject != token and named.get(subject.i) is entity:
            return "subject of its clause" if own else f"subject above, by {'conj' if last == 'conj' else 'clause'}"
        if above.head == above:
            return None
        own = own and above.pos_ not in ("VERB", "AUX")
        last, above = above.dep_, above.head
