"""Training of the reader's model: which pairs of a sentence express a position, and which position."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from datasets import Dataset
from torch import Tensor
from transformers import TrainerCallback, set_seed

from serving.article.reading import unparsed
from serving.article.reading.pairs import Candidates, Paragraph, features, located
from serving.article.reading.parse import load_pipeline
from serving.article.text.blocks import Block, find_blocks, parsable
from serving.errors import StancewiseError
from serving.inputs import Offsets, mention_span, uncut
from serving.names.spelling import Spelled, spelled
from serving.runtime.pair_net import PairNet, save_net
from serving.runtime.pairs import ANSWERS, Located, Mention, Pair, PairedSentence, locate, rectangle
from training.config import Batch, ReaderConfig
from training.data.corpus import LabelledStatement
from training.data.sources.reports import Listed, Report
from training.data.sources.taught import Answer, Heads, heads_at, pairs_of
from training.fitting.batches import LengthBatches, Pieces
from training.fitting.dropout import with_byte_dropout
from training.fitting.encoders import load_bare
from training.fitting.fit import StanceTrainer, arguments_for, last_checkpoint, native_bf16, run_to_the_end
from training.fitting.frozen_words import freeze_words

if TYPE_CHECKING:
    from spacy.tokens import Doc

PAIRS_A_SENTENCE = 3  # that weigh as much as one statement does in training
WARM_UP = 0.06  # share of the steps
ELSEWHERE = 3  # of a pair's features: its words belong to somebody who is named in another sentence
SCORER_RATE = 1e-3  # learning rate of what is new; the encoder's is the config's


def one_of(*names: str) -> Answer:
    """The answer that is one of these, without telling which."""
    first, second, third, fourth = (float(name in names) for name in ANSWERS)
    return first, second, third, fourth


NOTHING = one_of("nothing")
EITHER = one_of("nothing", "neutrality")  # a labelled statement does not tell a mention from declared neutrality
UNKNOWN = one_of(*ANSWERS)  # not learned from: a careful reader may or may not list it


@dataclass(frozen=True)
class Example:
    """A sentence with its pairs, and what each expresses."""

    sentence: PairedSentence
    answers: tuple[Answer, ...]


def of_report(report: Report) -> Iterator[Example]:
    """Every pair of every sentence of a report; what nobody listed expresses nothing."""
    if report.language != "en":
        yield from _of_unparsed(report)
        return
    for _, found, answers in answered(report):
        if answers:
            yield Example(found.asked, answers)


def answered(report: Report) -> Iterator[tuple[Paragraph, Candidates, tuple[Answer, ...]]]:
    """The pairs of every sentence of a report in their paragraph, and what each expresses."""
    for block, paragraph, found in pairs_of(report.text):
        span = block.start + found.sentence.start_char, block.start + found.sentence.end_char
        listed = _by_heads(paragraph, block, span, report.positions)
        heads = ((None if holder is None else holder.i, target.i) for holder, target in found.heads)
        yield paragraph, found, tuple(listed.get(pair, NOTHING) for pair in heads)


def _of_unparsed(report: Report) -> Iterator[Example]:
    """The same for a report in a language without a parser: a listed mention is the candidate that fits it best."""
    text = spelled(report.text)
    for sentence, drafted in unparsed.drafted(text.text, find_blocks(text.text), report.language):
        pairs = drafted.asked.pairs
        if not pairs:
            continue
        inside = partial(_in_text, text, sentence[0])
        holders = {inside(one.holder) for one in pairs if one.holder}
        targets = {inside(one.target) for one in pairs}
        owned = {inside(one.target): bool(one.features[ELSEWHERE]) for one in pairs}
        listed: dict[tuple[Offsets | None, Offsets], Answer] = {}
        first, last = text.original(sentence)
        for one in report.positions:
            target = one.target_at and _fitting(one.target_at, targets)
            at = one.holder_at if one.holder_at and first <= one.holder_at[0] < last else None  # else before a turn
            holder = at and _fitting(at, holders)
            if target is None or (at and holder is None):
                continue
            known = one.holder is None or at is not None or owned[target]
            listed[holder, target] = one_of(one.stance) if known and not one.optional else UNKNOWN
        asked = ((inside(one.holder) if one.holder else None, inside(one.target)) for one in pairs)
        yield Example(drafted.asked, tuple(listed.get(pair, NOTHING) for pair in asked))


def _in_text(text: Spelled, start: int, mention: Mention) -> Offsets:
    """The characters of a mention of a sentence in the text as it was given."""
    first, last = text.original((start + mention.phrase[0], start + mention.phrase[1]))
    return first, last


def _fitting(span: Offsets, candidates: Iterable[Offsets]) -> Offsets | None:
    """The candidate that has most in common with a mention; None: none touches it."""

    def shared(one: Offsets) -> float:
        both = min(span[1], one[1]) - max(span[0], one[0])
        return max(0, both) / (max(span[1], one[1]) - min(span[0], one[0]))

    best = max(sorted(candidates), key=shared, default=None)
    return best if best and shared(best) else None


def of_taught(text: str, taught: Mapping[Heads, Answer]) -> Iterator[Example]:
    """Every pair of every sentence of a text that another reader has read; what it does not name expresses nothing."""
    for block, _, found in pairs_of(text):
        answers = tuple(taught.get(heads_at(block.start, pair), NOTHING) for pair in found.heads)
        if answers:
            yield Example(found.asked, answers)


def _by_heads(
    paragraph: Paragraph, block: Block, span: Offsets, positions: Sequence[Listed]
) -> dict[tuple[int | None, int], Answer]:
    """What the listed positions of a sentence express, by the head words of holder and target.

    The holder is None for the author, and for a speaker whose words these are and who is named in another sentence.
    """
    doc, start = paragraph.doc, block.start
    owned = block.speaker is not None or paragraph.is_quotation  # by somebody who is named before
    found: dict[tuple[int | None, int], Answer] = {}
    for one in positions:
        if one.target_at is None or not span[0] <= one.target_at[0] < span[1]:
            continue
        target = head_word(doc, one.target_at, start)
        holder = head_word(doc, one.holder_at, start) if one.holder_at else None
        if target is None or (one.holder_at and holder is None):
            continue
        unnamed = one.holder is not None and one.holder_at is None
        known = owned or not unnamed or paragraph.from_elsewhere(doc[target]) is not None
        found[holder, target] = one_of(one.stance) if known and not one.optional else UNKNOWN
    return found


def head_word(doc: "Doc", at: Offsets, start: int) -> int | None:
    """The place of the head word of a mention; None: it does not stand in the paragraph.

    Args:
        doc: the parsed paragraph.
        at: characters of the text.
        start: of the paragraph in the text.
    """
    span = doc.char_span(at[0] - start, at[1] - start, alignment_mode="expand") if at[0] >= start else None
    if span is None:
        return None
    # The parser may tear a phrase apart: in `called the ruling one-sided` it takes `the` to be with `one-sided`.
    nouns = [token for token in span if token.pos_ in ("NOUN", "PROPN")]
    return nouns[-1].i if nouns and span.root.pos_ in ("DET", "ADP", "PUNCT") else span.root.i


def of_statements(rows: Iterable[LabelledStatement]) -> Iterator[Example]:
    """The labelled pairs of every text, where their names stand in it."""
    texts: dict[str, list[LabelledStatement]] = defaultdict(list)
    for row in rows:
        if row.stance and row.target:
            texts[row.text].append(row)
    for (text, several), doc in zip(
        texts.items(), load_pipeline().pipe(map(parsable, texts), batch_size=64), strict=True
    ):
        paragraph = Paragraph.of(doc)
        pairs, answers = [], []
        for row in several:
            spans = [
                mention_span(text, name, start, end)
                for name, start, end in (
                    (row.speaker, row.speaker_start, row.speaker_end),
                    (row.target, row.target_start, row.target_end),
                )
            ]
            heads = [head_word(doc, span, 0) if span else None for span in spans]
            if heads[1] is None or (row.speaker and heads[0] is None):
                continue
            holder, target = (None if head is None else doc[head] for head in heads)
            assert target is not None
            pairs.append(
                Pair(located(holder, 0) if holder else None, located(target, 0), features(holder, target, paragraph))
            )
            answers.append(EITHER if row.stance == "neutrality" else one_of(row.stance or ""))
        if pairs:
            yield Example(PairedSentence("", text, tuple(pairs)), tuple(answers))


class PairLoss:
    """Cross-entropy of every pair with what a teacher says of it, or with the sum of the answers that may be right."""

    def __init__(self, sentences: int) -> None:
        self.share = 1 / (PAIRS_A_SENTENCE * sentences)

    def __call__(self, outputs: Tensor, labels: Tensor, num_items_in_batch: Tensor | None = None) -> Tensor:
        """Loss of a batch: logits and answers, both of shape (pairs, 4)."""
        chances = outputs.float().log_softmax(dim=1)
        any_right = (chances + labels.log()).logsumexp(dim=1)
        taught = (chances * labels).sum(dim=1)
        several = labels.sum(dim=1) > 1.5  # answers that may be right; a teacher's probabilities sum to 1
        return -torch.where(several, any_right, taught).sum() * self.share

    def labelled(self, labels: Tensor) -> Tensor:
        """One number, as the Trainer wants it."""
        return (labels.sum(dim=1) < len(ANSWERS)).sum()[None]


def fit_reader(
    config: ReaderConfig, seed: int, examples: Sequence[Example], folder: Path, callbacks: list[TrainerCallback]
) -> None:
    """Train the reader's model and write it into a folder (weights in safetensors, tokenizer).

    Args:
        config: of the reader.
        seed: of the scorer's weights, dropout and the order of batches.
        examples: to learn from.
        folder: checkpoints go to `checkpoints` beside it; training goes on from the last whole one.
        callbacks: progress and tracking.

    Raises:
        StancewiseError: the encoder cannot be loaded, or there is nothing to learn from.
    """
    set_seed(seed)
    tokenizer, encoder = load_bare(config.encoder)
    if config.freeze:
        freeze_words(encoder, tokenizer)
    net = PairNet(encoder)
    use_cpu = not torch.cuda.is_available()
    if use_cpu:
        with_byte_dropout(encoder)
    rows = _rows(examples, uncut(tokenizer.backend_tokenizer), config.max_length)
    if not len(rows):
        raise StancewiseError("data: no sentence with a pair to learn from; give reports with positions")
    batches = LengthBatches([len(ids) for ids in rows["ids"]], Batch(rows=config.rows), seed)
    checkpoints = folder.parent / "checkpoints"
    trainer = StanceTrainer(
        pieces=Pieces(batches, 1, 0, 1, 0),
        loss=PairLoss(config.rows),  # type: ignore[arg-type]
        model=net,
        args=arguments_for(
            checkpoints,
            seed,
            len(batches),
            use_cpu,
            num_train_epochs=config.epochs,
            warmup_steps=round(WARM_UP * len(batches) * config.epochs),
            save_total_limit=1,
            bf16=native_bf16(use_cpu),
            remove_unused_columns=False,
        ),
        data_collator=lambda several: _batch(several, tokenizer.pad_token_id or 0),
        train_dataset=rows,
        callbacks=callbacks,
        optimizers=(torch.optim.AdamW(_groups(net, config.learning_rate), weight_decay=0.01, fused=True), None),
    )
    run_to_the_end(trainer, seed, last_checkpoint(checkpoints))
    save_net(net, folder)
    tokenizer.save_pretrained(folder)


def _rows(examples: Sequence[Example], tokenizer: Any, max_length: int) -> Dataset:
    columns: dict[str, list[Any]] = {"ids": [], "places": [], "features": [], "labels": []}
    for one in examples:
        found = locate(one.sentence, tokenizer, max_length)
        if found.places:
            labels = [one.answers[place] for place in found.kept]
            for name, value in zip(columns, (found.ids, found.places, found.features, labels), strict=True):
                columns[name].append(value)
    return Dataset.from_dict(columns)


def _batch(rows: Sequence[dict[str, Any]], padding: int) -> dict[str, Tensor]:
    arrays = rectangle([Located(row["ids"], row["places"], row["features"], []) for row in rows], padding)
    labels = np.array([label for row in rows for label in row["labels"]], dtype=np.float32)
    return {name: torch.from_numpy(array) for name, array in {**arrays, "labels": labels}.items()}


def _groups(net: PairNet, rate: float) -> list[dict[str, Any]]:
    encoder = [value for value in net.encoder.parameters() if value.requires_grad]
    scorer = [value for name, value in net.named_parameters() if not name.startswith("encoder.")]
    return [{"params": encoder, "lr": rate}, {"params": scorer, "lr": SCORER_RATE}]
