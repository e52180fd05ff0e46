"""Which name a mention stands for: `Ms Crotty`, `the mayor` and `she` for Aoife Crotty, where the text allows it.

The article is read once, in its order. A name in full is kept with the descriptions beside it (a title before it, a
phrase between commas behind it); a shorter name or a description goes to the latest name that it fits, a pronoun to the
likeliest one.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

from serving.article.reading.entities import Entity
from serving.article.reading.grammar import speaks
from serving.article.reading.nouns import CARRIERS
from serving.article.reading.pronouns import GENDERS, is_third_person, standing_for
from serving.article.text.people import TITLES, gender_of, is_person
from serving.article.text.quotations import clean

if TYPE_CHECKING:
    from spacy.tokens import Doc, Span, Token

NAMED = frozenset({"PERSON", "ORG", "GPE", "NORP", "FAC", "LOC", "EVENT", "LAW", "PRODUCT", "WORK_OF_ART"})
FIRST_PERSON = frozenset({"i", "me", "my", "mine", "myself", "we", "us", "our", "ours", "ourselves"})
_RELATIVE = frozenset({"who", "which", "that", "whom"})
_BODIES = frozenset({"agency", "alliance", "body", "club", "company", "firm", "group", "institute", "organisation",
                     "organization", "party", "team"})  # fmt: skip
_NO_PERSONS = frozenset({"ORG", "PRODUCT", "FAC", "GPE"})  # what the parser may take a company for
_LANDS = frozenset({"city", "country", "nation", "town"})
_PEOPLE = ("chief", "er", "ian", "ist", "man", "or", "president", "woman")  # how nouns for people end
_DEFINITE = frozenset({"the", "this", "that", "these", "those"})
_VAGUE = frozenset({"bill", "law", "legislation", "measure", "one", "order", "people", "question", "rule", "those"})
# Verbs with an object and a preposition of their own, which parsers give to the object.
_TAKING = {
    "of": frozenset({"absolve", "accuse", "acquit", "assure", "clear", "convict", "convince", "deprive", "inform",
                     "notify", "persuade", "remind", "rid", "rob", "strip", "suspect", "warn"}),
    "for": frozenset({"applaud", "attack", "blame", "blast", "chide", "condemn", "credit", "criticise", "criticize",
                      "denounce", "fault", "fine", "forgive", "jail", "mock", "pardon", "praise", "punish",
                      "rebuke", "reward", "sanction", "sue", "thank"}),
    "on": frozenset({"challenge", "compliment", "congratulate", "lecture", "press"}),
}  # fmt: skip
_LONGEST_DEED = 8  # words
_SAME_WORD = 20  # entities with the same word that are kept, the latest
_REACH = 3  # sentences back in which a pronoun looks for its name


class Names:
    """The entities of one article. Paragraphs are to be added in order; `of` then answers for their words."""

    def __init__(self) -> None:
        self._by_word: dict[str, list[Entity]] = {}  # of its name or its roles; so a long text costs no more a word
        self._near: list[Entity] = []  # mentioned in the last sentences
        self._sentence = 0
        self._place = 0
        self._at: dict[int, Entity] = {}
        self._quoted: Mapping[int, Token | None] = {}
        self._speaker: Entity | None = None

    def add(
        self, doc: "Doc", quoted: "Mapping[int, Token | None] | None" = None, speaker: Entity | None = None
    ) -> None:
        """Read the next paragraph.

        Args:
            doc: parsed.
            quoted: as `Paragraph.quoted` gives it.
            speaker: who says what nobody in the paragraph says.
        """
        self._at = {}
        self._quoted = quoted or {}
        self._speaker = speaker
        spans = {token.i: span for span in doc.ents if span.label_ in NAMED for token in span}
        for sentence in doc.sents:
            self._sentence += 1
            self._near = [one for one in self._near if self._sentence - one.sentence <= _REACH]
            for token in sentence:
                span = spans.get(token.i)
                entity = self._mention(token, span)
                if entity:
                    self._at[token.i] = entity
                    self._seen(entity, token)
                    if span is None or token.i == span.root.i:
                        entity.mentions += 1
                        entity.role = token.dep_

    def of(self, token: "Token") -> Entity | None:
        """Who or what a word of the last added paragraph stands for; None: it names nothing, or I and we."""
        if token.lower_ in _RELATIVE:
            above = next((one for one in token.ancestors if one.dep_ == "relcl"), None)
            return self._at.get(above.head.i) if above is not None else None
        return self._at.get(token.i)

    def called(self, name: str) -> Entity:
        """The speaker of a transcript's `NAME:`, who may have been named in full before."""
        words = {word.lower().rstrip(".") for word in name.split()}
        words = words - TITLES.keys() or words
        for entity in self._known(words):
            if entity.label != "NOUN" and words <= entity.words:
                return entity
        entity = Entity(name.title() if name.isupper() else name, "PERSON", words=words)
        self._learn(entity, words)
        return entity

    def _known(self, words: Iterable[str]) -> list[Entity]:
        """Entities with one of the words in name or roles, the latest mentioned first."""
        found = {id(one): one for word in words for one in self._by_word.get(word, ())}
        return sorted(found.values(), key=lambda one: -one.place)

    def _learn(self, entity: Entity, words: Iterable[str]) -> None:
        for word in words:
            several = self._by_word.setdefault(word, [])
            if entity not in several[-_SAME_WORD:]:
                several.append(entity)
                del several[:-_SAME_WORD]

    def _mention(self, token: "Token", span: "Span | None") -> Entity | None:
        if span is not None:
            return self._at.get(token.i) or self._named(span)
        if token.pos_ == "PRON" or token.lower_ in GENDERS:
            return self._pronoun(token)
        if token.pos_ in ("NOUN", "PROPN") and token.dep_ != "compound":
            return self._at.get(token.i) or self._described(token)
        return None

    def _seen(self, entity: Entity, token: "Token") -> None:
        self._place += 1
        if entity.sentence != self._sentence and entity not in self._near:
            self._near.append(entity)
        entity.place, entity.sentence = self._place, self._sentence
        entity.first = entity.first or self._sentence
        if token.dep_ in ("nsubj", "nsubjpass"):
            entity.subject = self._sentence

    def _named(self, span: "Span") -> Entity:
        words = [token.text for token in span if token.dep_ != "case" and token.lower_ not in ("the", "'s", "’s")]
        while len(words) > 1 and words[0].lower().rstrip(".") in TITLES:
            words.pop(0)
        name = " ".join(words) if len(words) < len(span) else span.text
        name = clean(name.removesuffix("'s").removesuffix("’s")) or span.text
        lower = {word.lower() for word in words}
        entity = self._by_name(lower, span.label_)
        if entity is None:
            entity = Entity(name, span.label_, words=lower, plural=span.label_ == "NORP" and name.endswith("s"))
        elif entity.label == "PERSON" and len(lower) > len(entity.words):
            entity.name, entity.words = name, lower
        self._learn(entity, entity.words)
        if entity.gender is None and entity.label == "PERSON" and len(words) > 1:
            entity.gender = gender_of(words[0])
        self._describe(entity, span)
        for token in span:
            self._at[token.i] = entity
        return entity

    def _by_name(self, words: set[str], label: str) -> Entity | None:
        for entity in self._known(words):
            if entity.label == "NOUN":
                continue
            if entity.words == words or (entity.label == "PERSON" and words < entity.words):
                return entity
            if label == "PERSON" and entity.label == "PERSON" and entity.words < words:
                return entity
            # An organisation by its last or first words: the league for the North Sea Fisheries League.
            if label == entity.label == "ORG" and words < entity.words:
                return entity
        return None

    def _describe(self, entity: Entity, span: "Span") -> None:
        """Learn from what stands beside a name: a title before it, a phrase between commas, `is the ...`."""
        head = span.root
        for word in (span.doc[span.start - 1] if span.start else None, span[0]):
            if word is not None and (gender := TITLES.get(word.lower_.rstrip("."))):
                entity.gender = gender
        near = [child for child in head.children if child.dep_ == "appos"]
        before = [child for child in head.children if child.dep_ in ("compound", "nmod") and child.i < span.start]
        near += before[-1:]
        if head.dep_ == "appos":
            near.append(head.head)
        if head.dep_ == "nsubj" and head.head.lemma_ == "be":
            near += [child for child in head.head.children if child.dep_ == "attr"]
        for noun in near:
            if noun.pos_ not in ("NOUN", "PROPN") or noun.ent_type_ in NAMED or not _describes(noun, entity):
                continue
            role = noun.lemma_.lower()
            entity.roles.setdefault(role, set()).update(_modifiers(noun), (one.lower_ for one in before[:-1]))
            entity.of.setdefault(role, set()).update(_of(noun))
            entity.gender = entity.gender or TITLES.get(role)
            self._learn(entity, [role])
            own = head.dep_ == "appos" and noun == head.head  # `its lawyer, Inés Rocha`, whoever was a lawyer before
            if own or noun.i not in self._at or self._at[noun.i].label == "NOUN":
                self._at[noun.i] = entity
                self._seen(entity, noun)  # the noun may be the subject: `its chief executive, Lucía Endara, sat`

    def _pronoun(self, token: "Token") -> Entity | None:
        if not is_third_person(token):
            return None
        found = standing_for(token, self._near, self._sentence, self._at, self._speaking(token))
        if found and (gender := GENDERS.get(token.lower_)):
            found.gender, found.label = gender, "PERSON" if found.label == "ORG" else found.label
        return found

    def _speaking(self, token: "Token") -> Entity | None:
        """Who says the quoted words that a word is one of: as a rule he speaks of himself as I; None: not known."""
        if token.i not in self._quoted:
            return None
        head = self._quoted[token.i]
        if head is None:
            return self._speaker
        if head.i in self._at or head.i < token.i:
            return self._at.get(head.i)
        if head.pos_ == "PRON":  # named behind the quotation
            return standing_for(head, self._near, self._sentence, self._at) if is_third_person(head) else None
        return self._by_name({head.lower_}, "PERSON")

    def _described(self, token: "Token") -> Entity | None:
        noun = token.lemma_.lower()
        modifiers = _modifiers(token)
        # A name that the parser takes for one elsewhere in the article.
        if token.pos_ == "PROPN" and (found := self._by_name({noun, *modifiers}, "")):
            return found
        found = self._known_by(token, noun, modifiers) if _is_definite(token) else None
        return found or self._thing(token, noun, modifiers)

    def _known_by(self, token: "Token", noun: str, modifiers: set[str]) -> Entity | None:
        """The name that a definite description stands for."""
        known = self._known([noun])
        if token.tag_ in ("NNS", "NNPS"):  # `the ministers` are none of them
            return next((one for one in known if one.label == "NORP" and one.is_a(noun, modifiers)), None)
        for entity in known:
            body = entity.label == "ORG" and noun in entity.words and modifiers <= entity.words
            if body or (entity.label != "NOUN" and entity.is_a(noun, modifiers) and entity.may_be_of(noun, _of(token))):
                return entity
        if modifiers or _of(token) or any(one.dep_ == "poss" for one in token.children):
            return None  # `the Left party`, `Genoa's mayor`, `his party`: somebody of their own
        if noun in _BODIES:
            return self._latest(lambda one: one.label == "ORG") or self._latest(lambda one: one.label in _NO_PERSONS)
        if noun in _LANDS:
            return self._latest(lambda one: one.label == "GPE")
        return self._newest_person(noun) if noun.endswith(_PEOPLE) and token.tag_ == "NN" else None

    def _newest_person(self, noun: str) -> Entity | None:
        """`The mayor` may be whoever the last sentences were about, if nobody else is known as one."""
        if not speaks(noun) or self._known([noun]):
            return None
        found = self._latest(lambda one: one.label == "PERSON" and self._sentence - one.subject <= 1)
        if found:
            found.roles.setdefault(noun, set())
            self._learn(found, [noun])
        return found

    def _thing(self, token: "Token", noun: str, modifiers: set[str]) -> Entity:
        """A thing without a name: the same noun with no other modifiers is the same thing, if it is of the same."""
        words = {noun, *modifiers}
        owner = self._owner(token)
        known = [one for one in self._known([noun]) if one.label == "NOUN" and noun in one.roles]
        if _is_definite(token):
            for entity in known:
                owned = owner is None or entity.owner in (None, owner)
                if words <= entity.words and owned and entity.may_be_of(noun, _of(token)):
                    entity.owner = entity.owner or owner
                    return entity
        name = phrase(token)
        if owner and any(one.name == name for one in known):  # Rome's plan, beside that of Oslo
            name = f"{owner.name}'s {name}"
        plural = token.tag_ in ("NNS", "NNPS")
        entity = Entity(name, "NOUN", TITLES.get(noun), plural, words, {noun: modifiers}, {noun: _of(token)}, owner)
        self._learn(entity, [noun])
        return entity

    def _owner(self, token: "Token") -> Entity | None:
        """Whose a thing is, where a noun says so."""
        owners = (one for one in token.children if one.dep_ == "poss" and one.pos_ in ("NOUN", "PROPN"))
        return next((self._at[one.i] for one in owners if one.i in self._at), None)

    def _latest(self, fits: Callable[[Entity], bool]) -> Entity | None:
        near = [one for one in self._near if fits(one)]
        return max(near, key=lambda one: (one.subject >= self._sentence - 1, one.subject, one.place), default=None)


def _describes(noun: "Token", entity: Entity) -> bool:
    """Whether a noun beside a name may be what somebody or something of this kind is."""
    role = noun.lemma_.lower()
    if role in CARRIERS or (noun.tag_ in ("NNS", "NNPS") and not entity.plural and entity.label != "ORG"):
        return entity.label not in ("PERSON", "GPE", "NORP")
    return entity.label != "PERSON" or is_person(role) or speaks(role) or role.endswith(_PEOPLE)


def _modifiers(noun: "Token") -> set[str]:
    return {one.lower_ for one in noun.children if one.dep_ in ("amod", "compound", "nmod")}


def _of(noun: "Token") -> set[str]:
    """Words of what is of it, on it or for it, and of its owner: the mayor of Oslo is not that of Rome, or Rome's."""
    owners = [one for child in noun.children if child.dep_ == "poss" for one in child.subtree]
    words = (one for one in [*complement(noun), *owners] if one.pos_ in ("ADJ", "NOUN", "NUM", "PROPN"))
    return {one.lower_ for one in words}


def complement(noun: "Token") -> list["Token"]:
    """`of ...`, `on ...` or `for ...` right behind a noun; not what the verb takes, as in `accused him of theft`."""
    for child in noun.children:
        if child.dep_ == "prep" and child.lower_ in ("of", "on", "for") and child.i == noun.i + 1:
            taken = noun.dep_ == "dobj" and noun.head.lemma_ in _TAKING.get(child.lower_, ())
            return [] if taken else [one for one in child.subtree if not in_clause(one, child)]
    return []


def is_first_person(token: "Token") -> bool:
    """I, we and the like: whoever speaks."""
    return token.pos_ == "PRON" and token.lower_ in FIRST_PERSON


def phrase(token: "Token") -> str:
    """A noun with its adjectives and what is of it, without article or owner: `shortage of steel`, `bid to host it`."""
    words = [token]
    for child in token.children:
        if child.dep_ in ("amod", "compound", "nmod", "nummod", "quantmod") and child.i < token.i:
            words += child.subtree
    words += complement(token)
    words += _purpose(token, max(one.i for one in words))
    words.sort(key=lambda one: one.i)
    return clean(token.doc.text[words[0].idx : words[-1].idx + len(words[-1])])


def _deed(verb: "Token") -> list["Token"]:
    """A verb with its object, or with what stands right behind it: `lift the embargo`, `run for president`."""
    words = [verb]
    for child in verb.children:
        behind = child.dep_ == "prep" and child.i == max(one.i for one in words) + 1
        if child.i > verb.i and (child.dep_ in ("dobj", "prt") or (behind and len(words) == 1)):
            words += [one for one in child.subtree if not in_clause(one, child)]
    return words if len(words) <= _LONGEST_DEED else [verb]


def _purpose(noun: "Token", end: int) -> list["Token"]:
    """The infinitive behind a noun (`the decision to fire him`), or the participle behind a vague one."""
    for child in noun.children:
        first = child.left_edge
        to = first.tag_ == "TO" and first.head == child
        if child.dep_ == "acl" and first.i == end + 1 and (to or (child.tag_ == "VBG" and noun.lemma_ in _VAGUE)):
            words = _deed(child)
            return [*child.doc[first.i : child.i], *words] if len(words) > 1 else []
    return []


def in_clause(token: "Token", top: "Token") -> bool:
    """Whether a word below `top` belongs to a clause, an apposition or a list rather than to the phrase itself."""
    while token != top:
        if token.dep_ in ("relcl", "acl", "advcl", "appos", "cc", "conj", "punct"):
            return True
        token = token.head
    return False


def _is_definite(token: "Token") -> bool:
    return any((one.dep_ == "det" and one.lower_ in _DEFINITE) or one.dep_ == "poss" for one in token.children)
