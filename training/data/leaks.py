"""Rows that a model must not have seen: stories and (nearly) same texts that two parts share, whatever their source."""

from serving.article.text.copies import NEAR_DUPLICATE
from training.data.corpus import Corpus
from training.data.similar import similar_pairs


def find_leaks(corpus: Corpus, held_out: list[Corpus]) -> dict[int, str]:
    """Rows of `corpus` that share a story or (nearly) a text with a row held out: place in the corpus -> why."""
    stories: dict[str, str] = {}
    texts: dict[str, str] = {}
    for other in held_out:
        for i, row in enumerate(other.rows):
            if row.group:
                stories.setdefault(row.group, other.place(i))
            texts.setdefault(row.text, other.place(i))
    leaks: dict[int, str] = {}
    # A text is compared once, however many rows stand on it.
    rest: dict[str, list[int]] = {}
    for i, row in enumerate(corpus.rows):
        if place := texts.get(row.text):
            leaks[i] = f"text: the same as at {place}"
        elif row.group and (place := stories.get(row.group)):
            leaks[i] = f"group: {row.group!r} is also at {place}"
        else:
            rest.setdefault(row.text, []).append(i)
    ours, theirs = list(rest), list(texts)
    for left, right, share in similar_pairs(ours, theirs, NEAR_DUPLICATE):
        for i in rest[ours[left]]:
            leaks.setdefault(i, f"text: {share:.0%} alike with {texts[theirs[right]]}")
    return dict(sorted(leaks.items()))
