"""What a user would pick instead, on the same rows and encoder."""

import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from datasets import Dataset
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    DataCollatorWithPadding,
    PrinterCallback,
    Trainer,
    TrainingArguments,
    set_seed,
)

from serving.classifier import softmax
from serving.labels import HEADS, UNLABELLED
from training.benchmark.cells import Grid
from training.benchmark.config import Contender
from training.config import EncoderSource
from training.data.corpus import Corpus
from training.evaluation.metrics import Floats
from training.fitting.encoders import locate
from training.fitting.fit import native_bf16


@dataclass(frozen=True)
class Given:
    """Uncalibrated probabilities, shape (rows, 3) a part; `hard` ones are labels only."""

    probabilities: dict[str, Floats]
    minutes: float
    hard: bool = False


Peer = Callable[[Grid, Contender, int], Given]  # the last is the seed


def joined_text(corpus: Corpus) -> list[str]:
    """Text, holder and target joined by a blank: how the recipe's default delimiter joins columns."""
    return [" ".join(part for part in (row.text, row.speaker, row.target) if part) for row in corpus.rows]


def run_classification(grid: Grid, contender: Contender, seed: int) -> Given:
    """The text classification example of transformers at its defaults.

    Columns joined by a blank, at most 128 tokens, learning rate 5e-5, batches of 8, three epochs, linear schedule
    without warm-up, no weight decay, the last weights. Two things differ and change no figure but the minutes: rows are
    padded to the longest of the batch instead of 128, and bf16 is used where the processor has it.
    """
    head = grid.benchmark.heads[0]
    place, revision = locate(grid.benchmark.recipe.encoder)
    set_seed(seed)
    tokenizer = AutoTokenizer.from_pretrained(place, revision=revision)
    model = AutoModelForSequenceClassification.from_pretrained(place, revision=revision, num_labels=len(HEADS[head]))
    use_cpu = not torch.cuda.is_available()

    def rows(corpus: Corpus) -> Dataset:
        labels = corpus.labels(head)
        known = np.flatnonzero(labels != UNLABELLED).tolist() if corpus is train else range(len(labels))
        texts = joined_text(corpus)
        encoded = tokenizer([texts[i] for i in known], truncation=True, max_length=128)
        return Dataset.from_dict({**encoded, "labels": [int(labels[i]) for i in known]})

    train = grid.corpora["train"]
    with tempfile.TemporaryDirectory() as folder:
        arguments = TrainingArguments(
            output_dir=folder,
            save_strategy="no",
            disable_tqdm=True,
            report_to=[],
            seed=seed,
            use_cpu=use_cpu,
            bf16=native_bf16(use_cpu),
            dataloader_pin_memory=not use_cpu,
        )
        trainer = Trainer(
            model=model, args=arguments, train_dataset=rows(train), data_collator=DataCollatorWithPadding(tokenizer)
        )
        trainer.remove_callback(PrinterCallback)
        start = time.perf_counter()
        trainer.train()
        minutes = (time.perf_counter() - start) / 60
        answers = {
            part: softmax(trainer.predict(rows(grid.corpora[part])).predictions.astype(np.float64))
            for part in grid.answered()
        }
    return Given(answers, minutes)


def lexicon(grid: Grid, contender: Contender, seed: int) -> Given:
    """VADER's compound score of the text, cut at its authors' +-0.05; it knows no target.

    Source: Hutto & Gilbert 2014, "VADER: A Parsimonious Rule-based Model for Sentiment Analysis".
    """
    from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

    analyzer: Any = SentimentIntensityAnalyzer()

    def label(text: str) -> int:
        compound = analyzer.polarity_scores(text)["compound"]
        return 0 if compound >= 0.05 else 2 if compound <= -0.05 else 1

    answers = {part: np.eye(3)[[label(row.text) for row in grid.corpora[part].rows]] for part in grid.answered()}
    return Given(answers, 0.0, hard=True)


def setfit(grid: Grid, contender: Contender, seed: int) -> Given:
    """SetFit at its defaults, on a few rows a class, or on all of them with `steps` of pairs."""
    head, train = grid.benchmark.heads[0], grid.corpora["train"]
    chosen = few(train, head, contender.rows_a_class, seed)
    return fit_setfit(
        grid.benchmark.recipe.encoder, train, chosen, head, grid.corpora, grid.answered(), seed, contender.steps
    )


def fit_setfit(
    encoder: EncoderSource,
    train: Corpus,
    chosen: Sequence[int],
    head: str,
    corpora: Mapping[str, Corpus],
    parts: Iterable[str],
    seed: int,
    steps: int | None = None,
) -> Given:
    """SetFit at its defaults.

    All rows of a set make tens of millions of pairs; `steps` is the cap its maintainers advise, and has to be said
    beside the figure. Source: Tunstall et al. 2022, "Efficient Few-Shot Learning Without Prompts".

    Args:
        encoder: a sentence encoder.
        train: rows to learn from.
        chosen: places of those that are learned from.
        head: that is learned.
        corpora: the parts by name.
        parts: names of those that are answered.
        seed: of the training.
        steps: most steps of 16 pairs.
    """
    from setfit import SetFitModel
    from setfit import Trainer as SetFitTrainer
    from setfit import TrainingArguments as SetFitArguments

    labels, texts = train.labels(head), joined_text(train)
    set_seed(seed)
    place, revision = locate(encoder)
    model = SetFitModel.from_pretrained(place, revision=revision)
    with tempfile.TemporaryDirectory() as folder:
        arguments = SetFitArguments(
            output_dir=folder,
            seed=seed,
            max_steps=steps or -1,
            report_to="none",
            save_strategy="no",
            show_progress_bar=False,
        )
        rows = Dataset.from_dict({"text": [texts[i] for i in chosen], "label": [int(labels[i]) for i in chosen]})
        start = time.perf_counter()
        SetFitTrainer(model=model, args=arguments, train_dataset=rows).train()
        minutes = (time.perf_counter() - start) / 60
    answers = {}
    for part in parts:
        found = model.predict_proba(joined_text(corpora[part]), as_numpy=True, show_progress_bar=False)
        answers[part] = np.zeros((len(found), len(HEADS[head])))
        answers[part][:, model.model_head.classes_.astype(int)] = found
    return Given(answers, minutes)


def few(corpus: Corpus, head: str, rows_a_class: int | None, seed: int) -> list[int]:
    """Places of `rows_a_class` labelled rows of every label (None: all), in an order drawn with the seed.

    The order matters under a cap: SetFit draws its pairs with a seed of its own, always the same.
    """
    rng = np.random.default_rng(seed)
    labels = corpus.labels(head)
    drawn = [rng.permutation(np.flatnonzero(labels == label))[:rows_a_class] for label in range(len(HEADS[head]))]
    return rng.permutation(np.concatenate(drawn)).tolist()
