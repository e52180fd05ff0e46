"""From a text to the positions in it: blocks, quotations, attributions, names and targets put together."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

from serving.article.reading import light, linear, plain, unparsed
from serving.article.reading.attribution import Attribution, innermost, kind_of
from serving.article.reading.judging import JUDGED_AT_ONCE, Draft, Drafted, Holder, Judged, expressed
from serving.article.reading.names import Names, is_first_person
from serving.article.reading.pairs import Candidates, Paragraph, candidates, holds, token_at
from serving.article.reading.parse import load_pipeline, pipeline_name
from serving.article.reading.targets import Given, mention, targets
from serving.article.statements import Kind, Position, Span
from serving.article.text.blocks import Block, find_blocks, names_in, parsable
from serving.article.text.files import check_text
from serving.article.text.quotations import Quotation, clean
from serving.inputs import Offsets
from serving.language.detect import ANYWAY, UNKNOWN, foreign, language_of
from serving.names.mentions import find_mention, pattern_of
from serving.names.spelling import Spelled, alike, spelled
from serving.runtime.reader import Limits

if TYPE_CHECKING:
    from spacy.tokens import Doc, Token

# Words that stand for somebody or something that the text must have named: alone they tell a reader nothing.
_NO_NAMES = frozenset({
    "a", "all", "anybody", "anyone", "both", "each", "everybody", "everyone", "few", "he", "her", "him", "his", "it",
    "its", "many", "most", "neither", "nobody", "none", "one", "others", "she", "some", "somebody", "someone", "that",
    "their", "them", "these", "they", "this", "those", "what", "which", "who", "whom", "whose", "you",
})  # fmt: skip
_NONE = frozenset({"neither", "no", "nobody", "none"})
_UNREAD = "the text is in {}, and the model reads {}: nothing was labelled ({})"
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Reading:
    """The positions of a text, in its order."""

    text: str
    positions: list[Position]
    notes: list[str] = field(default_factory=list)
    judged: Judged | None = None  # what chose, or is to choose, the positions; None: rules, as no parser is installed
    everything: bool = False  # also what shows no position is asked for
    language: str = UNKNOWN  # ISO 639 code of the text's
    foreign: bool = False  # the model does not read it, so there are no positions


WITHOUT_PARSER = Judged(None, Limits(shown_above=light.SHOWN_ABOVE, sure_above=light.SURE_ABOVE))
WITHOUT_READER = Judged(None, Limits(shown_above=0.51, sure_above=0.88))  # best F1 of the validation reports; 90 %


def find_positions(
    text: str,
    given: Mapping[str, Sequence[str]] | None = None,
    on_progress: Progress | None = None,
    judged: Judged | None = None,
    everything: bool = False,
    languages: tuple[str, ...] | None = None,
) -> Reading:
    """The positions of a text; of one in another language than the model's none, and a note.

    Args:
        text: an article, a readout, a transcript; any line ends.
        given: targets to look for, name -> aliases; None: every entity and issue on which a position may be taken.
        on_progress: told how many characters are read, of how many.
        judged: what helps to choose among all pairs of a sentence; None: the linear model does it alone.
        everything: also pairs that hardly express a position.
        languages: ISO 639 codes of those that the model reads; None: whatever the text is in.

    Raises:
        StancewiseError: the text is empty, too long, or no text.
    """
    check_text(text)
    language = language_of(text, languages)
    if foreign(language, languages):
        note = _UNREAD.format(language, ", ".join(languages or ()), ANYWAY)
        return Reading(text, [], [note], language=language, foreign=True)
    original = spelled(text)
    if light.reads(language):
        reading = _read_lightly(original.text, given, on_progress, judged, everything, language)
    else:
        reading = _read(original.text, given, on_progress, judged, everything)
    reading = replace(reading, language=language)
    if original.text is text:
        return reading
    return replace(reading, text=text, positions=[_in_original(one, text, original) for one in reading.positions])


def _in_original(position: Position, text: str, original: Spelled) -> Position:
    """The position with its places in the text as it was given."""

    def moved(span: Span) -> Span:
        start, end = original.original((span.start, span.end))
        return Span(start=start, end=end, text=text[start:end])

    return position.model_copy(
        update={
            "speaker_mention": position.speaker_mention and moved(position.speaker_mention),
            "cue": position.cue and moved(position.cue),
            "content": tuple(map(moved, position.content)),
            "target_mention": moved(position.target_mention),
            "sentence": moved(position.sentence),
        }
    )


def _read(
    text: str,
    given: Mapping[str, Sequence[str]] | None,
    on_progress: Progress | None,
    judged: Judged | None,
    everything: bool,
) -> Reading:
    wanted = {name: pattern_of([name, *aliases]) for name, aliases in given.items()} if given else None
    plain_text = alike(text)
    absent = [*_absent([pattern.search(plain_text) is not None for pattern in (wanted or {}).values()])]
    blocks = _without_repeated(text, find_blocks(text))
    if pipeline_name() is None:
        found = list(plain.positions(text, blocks, wanted))
        return Reading(text, found, [plain.LIMITS, *absent], everything=everything)
    judged = judged or WITHOUT_READER
    reader = _Reader(text, wanted)
    positions: list[Position] = []
    names = names_in(text, blocks)
    pieces = ((parsable(text[one.start : one.end], names if one.shape == "heading" else None), one) for one in blocks)
    waiting: list[Drafted] = []
    for doc, block in load_pipeline().pipe(pieces, as_tuples=True, batch_size=16):
        waiting += reader.drafts(doc, block)
        if len(waiting) >= JUDGED_AT_ONCE:
            positions += expressed(waiting, judged)
            waiting = []
        if on_progress:
            on_progress(block.end, len(text))
    positions += expressed(waiting, judged)
    return Reading(text, positions, absent, judged, everything)


def _read_lightly(
    text: str,
    given: Mapping[str, Sequence[str]] | None,
    on_progress: Progress | None,
    judged: Judged | None,
    everything: bool,
    language: str,
) -> Reading:
    """A text in a language without a parser; without a reader that knows it the classifier alone chooses."""
    blocks = _without_repeated(text, find_blocks(text))
    known = judged.unparsed if judged and language in judged.languages else None
    if known:
        found = list(_judged_lightly(text, blocks, language, given, on_progress, known))
    else:
        found = list(light.positions(text, blocks, language, given, on_progress))
    named = [any(find_mention(text, one) for one in (name, *aliases)) for name, aliases in (given or {}).items()]
    notes = [(unparsed if known else light).limits(language), *_absent(named)]
    return Reading(text, found, notes, known or WITHOUT_PARSER, everything)


def _judged_lightly(
    text: str,
    blocks: Sequence[Block],
    language: str,
    given: Mapping[str, Sequence[str]] | None,
    on_progress: Progress | None,
    judged: Judged,
) -> Iterator[Position]:
    waiting: list[Drafted] = []
    for _, drafted in unparsed.drafted(text, blocks, language, given, on_progress):
        waiting.append(drafted)
        if len(waiting) >= JUDGED_AT_ONCE:
            yield from expressed(waiting, judged)
            waiting = []
    yield from expressed(waiting, judged)


def _absent(named: Sequence[bool]) -> Iterator[str]:
    """A note for each of the user's targets that the text never names."""
    for place, one in enumerate(named, 1):
        if not one:
            yield (
                f"target {place} of {len(named)}: neither its name nor another name given for it stands in the text; "
                "check how the text writes it"
            )


def _without_repeated(text: str, blocks: Sequence[Block]) -> list[Block]:
    """A heading that stands a second time counts once."""
    seen: set[str] = set()
    kept = []
    for block in blocks:
        words = " ".join(text[block.start : block.end].casefold().split())
        if block.shape != "heading" or words not in seen:
            kept.append(block)
        seen.add(words)
    return kept


class _Reader:
    """Goes through the blocks in order and remembers who was named and who spoke last."""

    def __init__(self, text: str, given: Given | None) -> None:
        self.text = text
        self.given = given
        self.names = Names()
        self.last: Holder | None = None  # whose quotation the next paragraph may go on with
        self.open = False  # the last paragraph ended inside a quotation
        self.before = ""  # the last sentence

    def drafts(self, doc: "Doc", block: Block) -> Iterator[Drafted]:
        """Every pair of holder and target in the sentences of the next block, for a model to judge."""
        paragraph, owner, holders = self._read(doc, block)
        for one in candidates(paragraph, self.before):
            self.before = one.sentence.text
            evidence = one.sentence.start_char, one.sentence.end_char
            show = partial(self._shown, block=block, evidence=evidence)
            drafts = list(self._drafts(one, paragraph, owner, holders))
            yield Drafted(one.asked, linear.scores(paragraph, one.sentence, one.heads), drafts, show)

    def _shown(self, draft: Draft, block: Block, evidence: Offsets) -> Position:
        one = draft.attribution
        return Position(
            speaker=draft.holder.name,
            target=draft.target,
            kind=draft.holder.kind,
            speaker_mention=self._span(draft.source, block) if draft.source else None,
            cue=self._span(one.cue, block) if one else None,
            content=tuple(self._span(span, block) for span in (one.content if one else (evidence,))),
            target_mention=self._span(draft.target_mention, block),
            sentence=self._span(evidence, block),
        )

    def _read(self, doc: "Doc", block: Block) -> tuple[Paragraph, Holder, dict[Attribution, Holder]]:
        """What is quoted, said and done in a block, whose it is, and who the holders are."""
        paragraph = Paragraph.of(doc)
        quotations, said = paragraph.quotations, paragraph.said
        owner = self._owner(block, paragraph)
        self.names.add(doc, paragraph.quoted(whole=block.speaker is not None), owner.entity)
        holders = {one: self._holder(doc, one, said, owner, quotations) for one in (*said, *paragraph.done)}
        direct = [holders[one] for one in said if holders[one].kind in ("direct", "mixed")]
        self.last = direct[-1] if direct else (owner if owner.kind == "direct" else None)
        self.open = bool(quotations) and not quotations[-1].closed
        return paragraph, owner, holders

    def _drafts(
        self, found: Candidates, paragraph: Paragraph, owner: Holder, holders: Mapping[Attribution, Holder]
    ) -> Iterator[Draft]:
        sentence = found.sentence
        given = targets(list(sentence), self.given, self.names) if self.given is not None else ()
        wanted = {token.i: name for name, token in given}
        heads = {target.i: target for _, target in found.heads}
        mentions = {i: mention(target) for i, target in heads.items()}
        names = {i: wanted.get(i) or self._target(target, paragraph, owner, holders) for i, target in heads.items()}
        for place, (head, target) in enumerate(found.heads):
            if self.given is not None and target.i not in wanted:
                continue
            holder, source, one = owner, None, None
            if head is not None and _is_none(head):
                continue
            if head is not None:
                source = mentions.get(head.i) or mention(head)
                at = paragraph.place(target)
                own = [at.inner, *at.deeds] if at.inner else at.deeds
                one = next((each for each in own if holds(each, head)), None)
                holder = self._named(head, one, paragraph, owner, holders)
            elif one := paragraph.from_elsewhere(target):
                if _is_none(token_at(paragraph.doc, one.head)):
                    continue
                holder, source = holders[one], one.source
            shown = names[target.i]
            if holder.name is None and head is not None and holder.kind != "author":
                continue
            if shown is None or shown == holder.name or _is_nobody(holder):
                continue
            yield Draft(place, holder, shown, source, mentions[target.i], one)

    def _named(
        self,
        head: "Token",
        one: Attribution | None,
        paragraph: Paragraph,
        owner: Holder,
        holders: Mapping[Attribution, Holder],
    ) -> Holder:
        """Who a mention stands for; I and we are whoever speaks."""
        kind: Kind = holders[one].kind if one and holders[one].kind != "author" else "indirect"
        if is_first_person(head):
            speaker = _speaker(head, paragraph, owner, holders)
            return Holder(speaker.name, kind if speaker.name else "author", speaker.entity)
        entity = self.names.of(head)
        return Holder(entity.name if entity else _words(head.doc, mention(head)), kind, entity)

    def _target(
        self, token: "Token", paragraph: Paragraph, owner: Holder, holders: Mapping[Attribution, Holder]
    ) -> str | None:
        """The name that is shown for a target; None: it would tell a reader nothing."""
        if is_first_person(token):
            return _speaker(token, paragraph, owner, holders).name
        entity = self.names.of(token)
        name = entity.name if entity else _words(token.doc, mention(token))
        return None if _tells_nothing(name) else name

    def _owner(self, block: Block, paragraph: Paragraph) -> Holder:
        """Who says what no attribution in the block covers."""
        if block.speaker:
            name = " ".join(self.text[slice(*block.speaker)].split())
            entity = self.names.called(name)
            return Holder(entity.name, "turn", entity)
        if self.last and paragraph.opens_quoted and (self.open or paragraph.is_quotation):
            return Holder(self.last.name, "direct", self.last.entity)
        return Holder(None, "author")

    def _holder(
        self,
        doc: "Doc",
        one: Attribution,
        said: Sequence[Attribution],
        owner: Holder,
        quotations: Sequence[Quotation],
    ) -> Holder:
        kind = kind_of(one, quotations)
        head = token_at(doc, one.head)
        entity = self.names.of(head)
        if is_first_person(head):
            around = innermost([other for other in said if other is not one], one.head)
            speaker = self._holder(doc, around, [], owner, quotations) if around else owner
            return Holder(speaker.name, kind if speaker.name else "author", speaker.entity)
        return Holder((entity.name if entity else _words(doc, one.source)) or None, kind, entity)

    def _span(self, span: tuple[int, int], block: Block) -> Span:
        start, end = block.start + span[0], block.start + span[1]
        return Span(start=start, end=end, text=self.text[start:end])


def _words(doc: "Doc", span: Offsets) -> str:
    """The words of a mention as they stand in the text."""
    return clean(doc.text[slice(*span)])


def _speaker(token: "Token", paragraph: Paragraph, owner: Holder, holders: Mapping[Attribution, Holder]) -> Holder:
    """Whose words a word is one of."""
    around = paragraph.innermost(token.idx)
    return holders[around] if around else owner


def _is_nobody(holder: Holder) -> bool:
    """Whether the name tells nothing; a transcript may call its speakers Q and A."""
    return holder.name is not None and holder.kind != "turn" and _tells_nothing(holder.name)


def _is_none(head: "Token") -> bool:
    """`Nobody at the ministry`, `none of the unions`, `no minister`: there is nobody whose position it could be."""
    whole = head.head.head if head.dep_ == "pobj" and head.head.lower_ == "of" else head
    return whole.lower_ in _NONE or any(one.dep_ == "det" and one.lower_ in _NONE for one in head.children)


def _tells_nothing(name: str) -> bool:
    return name.casefold() in _NO_NAMES and not (len(name) > 1 and name.isupper())  # WHO is somebody
