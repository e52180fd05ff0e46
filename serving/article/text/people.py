"""Which nouns stand for one person: he or she, never it."""

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
_ENDINGS = ("person", "woman", "ologist")


def is_person(noun: str) -> bool:
    """Whether a noun (its lemma, in lower case) stands for one person."""
    return noun in _PEOPLE or noun.endswith(_ENDINGS)
