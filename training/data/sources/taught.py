"""Texts that nobody labelled, with what a larger reader says of the pairs in them.

`python -m training teach-reader` writes the answers, `taught:` in a reader's config reads them. An answer is found by
the digest of its text, and by where the head words of holder and target begin.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import track

from serving.article.reading.pairs import Candidates, Paragraph, candidates
from serving.article.reading.parse import load_pipeline
from serving.article.text.blocks import Block, find_blocks, parsable
from serving.errors import StancewiseError
from serving.rows.check import cell
from serving.rows.read import read_rows
from serving.runtime.pairs import ANSWERS
from serving.runtime.reader import PairReader

if TYPE_CHECKING:
    from spacy.tokens import Token

LEAST = 0.03  # a pair that expresses a position less probably is not kept: most pairs of a text are such
_TEXTS = 64  # read between two movements of the progress bar

Answer = tuple[float, float, float, float]  # of `ANSWERS`: probabilities, or 1 for each that may be right
# Where in a text the head words of holder (None: the author) and target begin.
Heads = tuple[int | None, int]


def pairs_of(text: str) -> Iterator[tuple[Block, Paragraph, Candidates]]:
    """The pairs of every sentence of a text, with the block that they stand in, and its paragraph."""
    before = ""
    blocks = find_blocks(text)
    docs = load_pipeline().pipe((parsable(text[one.start : one.end]) for one in blocks), batch_size=16)
    for doc, block in zip(docs, blocks, strict=True):
        paragraph = Paragraph.of(doc)
        for found in candidates(paragraph, before):
            before = found.sentence.text
            yield block, paragraph, found


def heads_at(start: int, pair: tuple["Token | None", "Token"]) -> Heads:
    """Where the head words of a pair begin, in a paragraph that starts at this character."""
    holder, target = pair
    return None if holder is None else start + holder.idx, start + target.idx


def texts_of(path: Path) -> list[str]:
    """The texts of a file, each once, in its order.

    Raises:
        StancewiseError: the file cannot be read, or a row has no text.
    """
    texts: dict[str, None] = {}
    for row in read_rows(path):
        text = cell(row, "text")
        if row.problem or not isinstance(text, str):
            raise StancewiseError(f"{path}:{row.line}: {row.problem or 'no text; every row needs one'}")
        texts[text] = None
    return list(texts)


def answers(reader: PairReader, texts: Sequence[str], console: Console) -> Iterator[dict[str, Any]]:
    """For every text its digest as `id`, and the pairs that may express a position.

    A pair is (holder, target, support, neutrality, criticism): where the two head words begin, and probabilities.
    """
    for first in track(range(0, len(texts), _TEXTS), "reading", console=console):
        some = texts[first : first + _TEXTS]
        found = [list(pairs_of(text)) for text in some]
        scores = iter(reader.scores([one.asked for several in found for _, _, one in several]))
        for text, several in zip(some, found, strict=True):
            pairs = [
                [*heads_at(block.start, pair), *(round(float(share), 2) for share in shares[1:])]
                for block, _, one in several
                for pair, shares in zip(one.heads, next(scores), strict=True)
                if shares[0] < 1 - LEAST
            ]
            yield {"id": text_id(text), "pairs": pairs}


def read_answers(path: Path) -> Mapping[str, Mapping[Heads, Answer]]:
    """The answers of a file, by the digest of the text and by the heads of the pair.

    Raises:
        StancewiseError: the file cannot be read, or is no file of such answers.
    """
    known = {}
    for row in read_rows(path):
        try:
            if row.problem:
                raise ValueError(row.problem)
            known[str(row.values["id"])] = dict(_answer(*pair) for pair in row.values["pairs"])
        except (KeyError, TypeError, ValueError):
            what = f"an id, and pairs of two places and {len(ANSWERS) - 1} probabilities are needed"
            raise StancewiseError(f"{path}:{row.line}: {what}; make the file with teach-reader") from None
    return known


def text_id(text: str) -> str:
    """16 hexadecimal digits of the SHA-256 of a text."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _answer(
    holder: int | None, target: int, support: float, neutrality: float, criticism: float
) -> tuple[Heads, Answer]:
    nothing = 1 - support - neutrality - criticism
    if min(support, neutrality, criticism, nothing) < -0.02:  # two decimals each: the sum may be over 1
        raise ValueError
    return (holder, target), (max(nothing, 0.0), support, neutrality, criticism)
