"""What an article names or describes."""

from dataclasses import dataclass, field

from serving.article.text.people import is_person


@dataclass(eq=False)
class Entity:
    """Somebody or something that the article names, or describes."""

    name: str
    label: str  # spaCy's, such as PERSON; NOUN: a description without a name
    gender: str | None = None
    plural: bool = False
    words: set[str] = field(default_factory=set)  # of its name, in lower case
    roles: dict[str, set[str]] = field(default_factory=dict)  # nouns it is described by: minister -> {foreign}
    of: dict[str, set[str]] = field(default_factory=dict)  # what the noun is said to be of: mayor -> {oslo}
    owner: "Entity | None" = None  # of a thing without a name
    sentence: int = 0  # of its last mention
    subject: int = -1  # sentence in which it last was a subject
    place: int = 0  # rank of its last mention
    mentions: int = 0
    first: int = 0  # sentence of its first mention
    role: str = ""  # in the clause of its last mention

    @property
    def person(self) -> bool:
        """Whether he and she may stand for it, and it may not."""
        described = self.gender is not None or any(map(is_person, self.roles))
        return self.label == "PERSON" or (self.label == "NOUN" and described and not self.plural)

    def is_a(self, noun: str, modifiers: set[str]) -> bool:
        """Whether a description fits: the prime minister is no foreign minister, but the minister may be either."""
        known = self.roles.get(noun)
        return known is not None and (not modifiers or not known or modifiers <= known)

    def may_be_of(self, noun: str, words: set[str]) -> bool:
        """Whether nothing else is known of what the noun is of; what is new is learned."""
        known = self.of.get(noun, set())
        if known and words:
            return words <= known or known <= words
        if words:
            self.of[noun] = words
        return True
