"""Every pair of a sentence in a language without a parser, for a reader that learned the language to judge."""

from collections.abc import Callable, Collection, Iterator, Sequence

from serving.article.reading.candidates import Candidate, cues, others, pronouns
from serving.article.reading.judging import Draft, Drafted, Holder
from serving.article.reading.walk import WORD, Asked, Given, Said, Walk, innermost, kind_of, overlap
from serving.article.statements import Position
from serving.article.text.blocks import Block
from serving.inputs import Offsets
from serving.runtime.pairs import Mention, Pair, PairedSentence

_FAR = 30  # words apart: more tell nothing
_CHARACTERS = 2  # of Chinese that count as a word


def drafted(
    text: str,
    blocks: Sequence[Block],
    language: str,
    given: Given | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> Iterator[tuple[Offsets, Drafted]]:
    """Every sentence with all its pairs of holder and target; the arguments are those of `light.positions`."""
    walk = Walk(text, cues(language), given)
    before = ""
    for block in blocks:
        for sentence, found, said in walk.sentences(block):
            yield sentence, _drafted(walk, sentence, found, said, block.speaker, before)
            before = text[slice(*sentence)]
        if on_progress:
            on_progress(block.end, len(text))


def _drafted(
    walk: Walk,
    sentence: Offsets,
    found: Sequence[Candidate],
    said: Sequence[Said],
    turn: Offsets | None,
    before: str,
) -> Drafted:
    text, known = walk.text, walk.known
    short = {one.span for one in found if one.stands_for} | {*pronouns(text, sentence, known)}
    taken = {one.span for one in found} | short
    words = set(others(text, sentence, known, [*taken]))
    # A single word that nothing is known of may be a name where it has a capital, or where there are none.
    names = {one for one in words if known.language == "ar" or text[one[0]].isupper()}
    mentions = sorted(taken | words)
    holders = [one for one in mentions if one in taken or one in names]
    targets = walk.given_in(sentence) if walk.given is not None else [(one, None) for one in mentions]
    asked: list[Asked] = []
    pairs: list[Pair] = []
    drafts: list[Draft] = []
    for target, name in targets:
        around = innermost(target[0], said)
        for holder in [*holders, None]:
            if holder and (overlap(holder, target) or walk.same(holder, target)):
                continue
            who = walk.last if holder in short else holder or _unnamed(sentence, around, turn)
            one = Asked(holder, who, target, name, around if around and who == around.speaker else None)
            if draft := _draft(walk, len(asked), one, turn, short):
                drafts.append(draft)
            asked.append(one)
            numbers = _features(walk, sentence, holder, target, said)
            at = _mention(holder, sentence) if holder else None
            pairs.append(Pair(at, _mention(target, sentence), numbers))

    def show(draft: Draft) -> Position:
        return walk.position(sentence, asked[draft.pair], turn, draft.holder.name, draft.target)

    return Drafted(PairedSentence(before, text[slice(*sentence)], tuple(pairs)), None, drafts, show)


def _mention(span: Offsets, sentence: Offsets) -> Mention:
    inside = span[0] - sentence[0], span[1] - sentence[0]
    return Mention(inside, inside)


def _unnamed(sentence: Offsets, around: Said | None, turn: Offsets | None) -> Offsets | None:
    """Whose words a word is one of if nobody in the sentence is named for it; None: the author's."""
    if around:
        return None if sentence[0] <= around.speaker[0] < sentence[1] else around.speaker
    return turn


def _draft(walk: Walk, place: int, one: Asked, turn: Offsets | None, short: Collection[Offsets]) -> Draft | None:
    """The pair by the names it would be shown with; None: a name is not known."""
    target = walk.last if one.target in short else one.target
    if target is None or (one.who is None and one.holder is not None):
        return None
    if one.who and (overlap(one.who, target) or walk.same(one.who, target)):
        return None
    holder = Holder(walk.name(one.who) if one.who else None, kind_of(one, turn))
    return Draft(place, holder, one.name or walk.name(target), one.holder or one.who, one.target, None)


def _features(
    walk: Walk, sentence: Offsets, holder: Offsets | None, target: Offsets, said: Sequence[Said]
) -> tuple[float, ...]:
    """The numbers of `pairs.features`, as far as they can be told: of places in a parse the usual ones."""
    inner = innermost(target[0], said)
    around = [one for one in said if one.quotation.start <= target[0] < one.quotation.end]

    def owns(one: Said) -> bool:
        return holder is not None and overlap(one.speaker, holder)

    apart = 0
    if holder:
        first, last = sorted((holder, target))
        apart = len(WORD.findall(walk.text, first[1], last[0])) + 1
        apart = apart // _CHARACTERS if walk.known.language == "zh" else apart
    quotes = [one.quotation for one in said]
    return (
        float(holder is None),
        float(inner is None),
        float(inner is not None and owns(inner)),
        float(inner is not None and not sentence[0] <= inner.speaker[0] < sentence[1]),
        float(any(map(owns, around))),
        0.0,
        float(any(map(owns, said))),
        float(holder is not None and any(one.start <= holder[0] < one.end for one in quotes)),
        float(any(one.start <= target[0] < one.end for one in quotes)),
        min(apart, _FAR) / 10,
        float(holder is not None and target > holder),
        0.25 * (holder is not None),
        0.5 * (holder is not None),
        0.0,
        0.0,
    )
