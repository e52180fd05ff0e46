"""Which nouns stand for one person: he or she, never it; which words stand before names; whom first names belong to."""

import json
from collections.abc import Sequence
from functools import cache
from importlib.resources import files

_PEOPLE = frozenset({
    "activist", "actor", "actress", "admiral", "adviser", "advisor", "advocate", "aide", "ally", "ambassador",
    "analyst", "anchor", "appointee", "archbishop", "architect", "artist", "astronaut", "athlete", "attorney", "aunt",
    "author", "backer", "baker", "banker", "baron", "baroness", "billionaire", "bishop", "boss", "boy", "brother",
    "builder", "businessman", "butcher", "buyer", "caller", "candidate", "captain", "cardinal", "carer", "chair",
    "chairman", "chairperson", "chairwoman", "champion", "chancellor", "chef", "chief", "chieftain", "citizen",
    "cleric", "clerk", "coach", "colonel", "columnist", "comedian", "commander", "commentator", "commissioner",
    "comrade", "congressman", "congresswoman", "consultant", "contender", "contractor", "coroner", "correspondent",
    "councillor", "councilman", "councilwoman", "cousin", "creditor", "critic", "curator", "customer", "dancer",
    "daughter", "dealer", "dean", "defendant", "defender", "delegate", "deputy", "developer", "dictator", "diplomat",
    "director", "dissident", "doctor", "donor", "driver", "duke", "economist", "editor", "emir", "emperor",
    "employee", "employer", "engineer", "entrepreneur", "envoy", "executive", "expert", "farmer", "father",
    "financier", "fisher", "fisherman", "founder", "friend", "girl", "goalkeeper", "governor", "grandfather",
    "grandmother", "guard", "guest", "headmaster", "headteacher", "heckler", "hero", "historian", "hopeful", "host",
    "husband", "imam", "immigrant", "incumbent", "insider", "inspector", "interpreter", "interviewer", "investigator",
    "investor", "journalist", "judge", "king", "lad", "lady", "landlord", "lawmaker", "lawyer", "leader",
    "legislator", "librarian", "lieutenant", "lobbyist", "lord", "magistrate", "maker", "man", "manager",
    "manufacturer", "marshal", "mayor", "mechanic", "member", "merchant", "midwife", "migrant", "millionaire",
    "miner", "minister", "moderator", "monk", "mother", "mp", "musician", "narrator", "negotiator", "neighbor",
    "neighbour", "nephew", "niece", "nominee", "novelist", "nun", "nurse", "observer", "officer", "official",
    "operator", "opponent", "organiser", "organizer", "owner", "painter", "panelist", "panellist", "parent",
    "participant", "pastor", "patient", "performer", "philosopher", "physician", "pilot", "plaintiff", "player",
    "poet", "policeman", "policewoman", "politician", "pollster", "pope", "predecessor", "premier", "presenter",
    "president", "priest", "prince", "princess", "principal", "prisoner", "producer", "professor", "promoter",
    "prosecutor", "pundit", "queen", "rabbi", "reader", "rebel", "recruit", "rector", "referee", "refugee",
    "reporter", "representative", "researcher", "resident", "respondent", "retailer", "rival", "runner", "sailor",
    "scholar", "scientist", "seamstress", "secretary", "seller", "senator", "sergeant", "shareholder", "sheriff",
    "shopkeeper", "singer", "sister", "skipper", "soldier", "solicitor", "son", "speaker", "spokesman",
    "spokesperson", "spokeswoman", "sponsor", "statesman", "strategist", "student", "successor", "sultan",
    "superintendent", "supervisor", "supporter", "surgeon", "survivor", "suspect", "teacher", "tenant", "tourist",
    "trader", "trainer", "translator", "treasurer", "tycoon", "uncle", "undersecretary", "user", "vet", "veteran",
    "vicar", "victim", "villager", "visitor", "volunteer", "voter", "warden", "widow", "wife", "winner", "witness",
    "woman", "worker", "writer",
})  # fmt: skip
TITLES = {"mr": "m", "sir": "m", "lord": "m", "king": "m", "mrs": "f", "ms": "f", "miss": "f", "dame": "f",
          "lady": "f", "queen": "f", "chairwoman": "f", "spokeswoman": "f", "chairman": "m",
          "spokesman": "m"}  # fmt: skip
_SHORT_TITLES = frozenset({"capt", "col", "dr", "gen", "gov", "hon", "lt", "prof", "rep", "rev", "sen", "sgt"})
_BEFORE_TITLES = frozenset({"acting", "deputy", "ex", "first", "foreign", "former", "late", "prime", "vice"})
_ENDINGS = ("person", "woman", "ologist")


def is_person(noun: str) -> bool:
    """Whether a noun (its lemma, in lower case) stands for one person."""
    return noun in _PEOPLE or noun.endswith(_ENDINGS)


def gender_of(first_name: str) -> str | None:
    """`f` or `m` for a first name that nearly always is a woman's or a man's; None: it may be either."""
    return _genders().get(first_name.lower())


@cache
def _genders() -> dict[str, str]:
    table = json.loads(files("serving.article.text").joinpath("first_names.json").read_text("utf-8"))
    return {name: gender for gender, names in table.items() for name in names}


def without_title(words: Sequence[str]) -> list[str]:
    """The words of a name (in lower case) behind its titles; all where a single word would be left.

    One name with two titles may be two people: Mr Reed and Mrs Reed, King George and Prince George.
    """
    start = 0
    for place, word in enumerate(words[:-2], 1):
        title = word.rstrip(".")
        if title in TITLES or title in _SHORT_TITLES or is_person(title):
            start = place
        elif title not in _BEFORE_TITLES:
            break
    return list(words[start:])
