"""Every pair of a sentence in a language without a parser, for a reader that learned the language to judge."""

from collections.abc import Callable, Iterator, Sequence

from serving.article.reading.candidates import Candidate, Cues, cues, others, standing
from serving.article.reading.judging import Draft, Drafted, Holder
from serving.article.reading.walk import WORD, Asked, Given, Said, Walk, innermost, kind_of, overlap
from serving.article.statements import Position
from serving.article.text.blocks import Block
from serving.inputs import Offsets
from serving.runtime.pairs import Mention, Pair, PairedSentence

_FAR = 30  # words apart: more tell nothing
_CHARACTERS = 2  # of Chinese that count as a word


def limits(language: str) -> str:
    """The note on what is missed."""
    return (
        f"read without a parser for {language}: a name may be cut short, and subjects that are left out are not found"
    )


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
    short, own = _pronouns(text, sentence, found, known)
    taken = {one.span for one in found} | short | own
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
            speaker = around.speaker if around else turn
            if holder is None:
                who = _unnamed(sentence, around, turn)
            else:
                who = speaker if holder in own else walk.last if holder in short else holder
            one = Asked(holder, who, target, name, around if around and who == around.speaker else None)
            about = speaker if target in own else walk.last if target in short else target
            nobody = who is None and holder is not None and holder not in own
            if about and not nobody and (draft := _draft(walk, len(asked), one, turn, about)):
                drafts.append(draft)
            asked.append(one)
            numbers = _features(walk, holder, target, said, _unnamed(sentence, around, turn) is not None)
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


def _draft(walk: Walk, place: int, one: Asked, turn: Offsets | None, about: Offsets) -> Draft | None:
    """The pair by the names it would be shown with; None: both are the same.

    Args:
        walk: through the text.
        place: of the pair among those of the sentence.
        one: the pair.
        turn: the name before the paragraph.
        about: the mention that names the target.
    """
    if one.who and (overlap(one.who, about) or walk.same(one.who, about)):
        return None
    holder = Holder(walk.name(one.who) if one.who else None, kind_of(one, turn))
    return Draft(place, holder, one.name or walk.name(about), one.holder or one.who, one.target, None)


def _pronouns(
    text: str, sentence: Offsets, found: Sequence[Candidate], known: Cues
) -> tuple[set[Offsets], set[Offsets]]:
    """The words that stand for him, her or them, and those that stand for whoever speaks."""
    own = {*standing(text, sentence, known, known.first)}
    short = {one.span for one in found if one.stands_for}
    words = {*standing(text, sentence, known, known.pronouns | known.objects)}
    named = [*own, *short, *(one.span for one in found)]
    return short | {one for one in words if not any(overlap(one, other) for other in named)}, own


def _features(
    walk: Walk, holder: Offsets | None, target: Offsets, said: Sequence[Said], elsewhere: bool
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
        float(elsewhere),
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
