"""Positions in an article of a language without a parser: names and nouns are paired, and the classifier decides.

What it misses is said in `limits`.
"""

from collections.abc import Callable, Iterator, Sequence

from serving.article.reading.candidates import LANGUAGES, Candidate, cues
from serving.article.reading.walk import WORD, Asked, Given, Said, Walk, distance, innermost, overlap
from serving.article.statements import Position
from serving.article.text.blocks import Block
from serving.inputs import Offsets

SHOWN_ABOVE = 0.85  # probability of a stance from which a pair is shown: read off ten articles of our own
SURE_ABOVE = 1.0  # of none is it known that nine in ten are right
_MOST_PAIRS = 12  # of a sentence that the classifier is asked about, the nearest
_FEW = 5  # quoted words at most that are no statement


def reads(language: str) -> bool:
    """Whether articles in a language (ISO 639) are read here."""
    return language in LANGUAGES


def limits(language: str) -> str:
    """The note on what is missed."""
    return (
        f"read by names and the model alone, without a parser for {language}: "
        "positions of most pronouns and of unnamed holders are not found"
    )


def positions(
    text: str,
    blocks: Sequence[Block],
    language: str,
    given: Given | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> Iterator[Position]:
    """Pairs that may express a position, in the order of the text.

    Args:
        text: of the article, in the one spelling (`spelled`).
        blocks: its paragraphs.
        language: one that `reads` knows.
        given: the user's targets; None: every name and noun.
        on_progress: told how many characters are read, of how many.
    """
    walk = Walk(text, cues(language), given)
    for block in blocks:
        turn = block.speaker
        for sentence, found, said in walk.sentences(block):
            for one in _likeliest(walk, sentence, found, said, turn):
                if one.who is not None:
                    shown = one.name or walk.name(one.target)
                    yield walk.position(sentence, one, turn, walk.name(one.who), shown)
        if on_progress:
            on_progress(block.end, len(text))


def _likeliest(
    walk: Walk, sentence: Offsets, found: Sequence[Candidate], said: Sequence[Said], turn: Offsets | None
) -> list[Asked]:
    """The pairs to ask about, in the order of their targets."""
    named = [(one.span, None) for one in found if not one.stands_for and not _is_predicate(walk, one, said)]
    targets = walk.given_in(sentence) if walk.given is not None else named
    pronouns = {one.span for one in found if one.stands_for}
    pairs: dict[tuple[str, str], Asked] = {}
    for target, name in targets:
        around = next((one for one in said if one.quotation.start <= target[0] < one.quotation.end), None)
        holders = [around.speaker] if around else [turn] if turn else []
        if around is None:
            outside = [one for one in found if one.holds and innermost(one.start, said) is None]
            holders += _likely(outside, target)
        for holder in holders:
            if overlap(holder, target) or walk.same(holder, target):
                continue
            by_speaker = around if around and holder == around.speaker else None
            far = 0 if by_speaker or holder == turn else distance(holder, target)
            who = walk.last if holder in pronouns else holder
            if who is None or walk.same(who, target):
                continue
            pair = Asked(holder, who, target, name, by_speaker, far)
            key = walk.name(who).casefold(), (name or walk.name(target)).casefold()
            if key not in pairs or far < pairs[key].far:
                pairs[key] = pair
    nearest = sorted(pairs.values(), key=lambda one: one.far)[:_MOST_PAIRS]
    return sorted(nearest, key=lambda one: one.target)


def _is_predicate(walk: Walk, one: Candidate, said: Sequence[Said]) -> bool:
    """Whether a noun stands in a few quoted words, which say something of somebody: `назвал его «подарком»`."""
    around = innermost(one.start, said)
    if around is None:
        return False
    words = WORD.findall(walk.text, *around.quotation.inner)
    return len(words) <= _FEW and words[0].islower()


def _likely(holders: Sequence[Candidate], target: Offsets) -> list[Offsets]:
    """Who of a sentence may take a position on a target: the first before it and the nearest, else the next behind."""
    before = [one.span for one in holders if one.end <= target[0]]
    behind = [one.span for one in holders if one.start >= target[1]]
    return list(dict.fromkeys([before[0], before[-1]] if before else behind[:1]))
