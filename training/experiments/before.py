"""What can be known before the first step is said before it: an experiment's store, rows, labels, encoder and disk."""

import math
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.markup import escape

from serving.errors import StancewiseError
from serving.labels import HEADS, LOGITS, UNLABELLED, Head
from serving.language.detect import foreign, language_of
from serving.store.run_files import evenly
from training.config import ExperimentConfig, TrainConfig
from training.data.corpus import Corpus
from training.data.parts import read_data
from training.evaluation.calibrate import LEAST_ROWS
from training.evaluation.metrics import Floats
from training.experiments import track
from training.fitting.fit import prepared
from training.fitting.loss import target_masses

LOOKED_AT = 400  # rows whose language is told
MANY = 0.1  # share of them in one other language
CERTAIN = 0.99  # share of a label in what a row teaches: it teaches nothing else


def read_experiment(config: ExperimentConfig, console: Console) -> dict[str, Corpus]:
    """Select the config's experiment and read its data, which teaches and calibrates every head.

    Raises:
        StancewiseError: as `open_experiment`, `read_data` and `check_labels`.
    """
    track.open_experiment(config.experiment)
    corpora = read_data(config.data, console)
    check_labels(config, corpora, console)
    check_languages(config, corpora["train"], console)
    return corpora


def check_recipe(config: TrainConfig, work: Path) -> None:
    """Whether the encoder can be trained as the config asks, and whether there is room for it.

    Args:
        config: of the training.
        work: the folder of checkpoints.

    Raises:
        StancewiseError: as `prepared`; the disk has less room than the training needs.
    """
    _, model = prepared(config)
    place = work if work.is_dir() else Path.cwd()
    needed, free = most_bytes(model, config), shutil.disk_usage(place).free
    if free < needed:
        raise StancewiseError(
            f"{work.absolute()}: {free / 1e6:,.0f} MB are free, the training needs about {needed / 1e6:,.0f} MB for "
            "checkpoints and the model; make room, or start it in a folder on another disk"
        )


def most_bytes(model: torch.nn.Module, config: TrainConfig) -> int:
    """What a training has on the disk at most: three checkpoints while the oldest is about to go, or two and the model.

    A checkpoint holds what is trained (without adapters, that is all weights) and AdamW's two moments of it. The model
    is there twice when it is logged.
    """
    whole = 4 * sum(parameter.numel() for parameter in model.parameters())
    trained = 4 * sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
    epochs = math.ceil(config.epochs)
    return max(min(3, epochs) * 3 * trained, min(2, epochs) * 3 * trained + 2 * whole)


def check_labels(config: ExperimentConfig, corpora: dict[str, Corpus], console: Console) -> None:
    """A model answers for a head only if rows taught it to choose, and others said how sure it may be.

    Raises:
        StancewiseError: a head of the config without labels in train or validation, or with one label alone in train.
    """
    train, validation = corpora["train"], corpora["validation"]
    for head in config.heads:
        taught, known = _taught(config, train, head), validation.labels(head) != UNLABELLED
        if not len(taught):
            raise StancewiseError(f"{train.path}: {_none('train', head, config, train)}")
        alone = taught.min(axis=0).argmax()
        if taught[:, alone].min() > CERTAIN:  # a teacher that prefers one label everywhere still says how much
            label = HEADS[head][alone]
            raise StancewiseError(
                f"{train.path}: {head}: {label} is the only label of data.train ({len(taught):,} rows), and a model "
                f"cannot learn from one; add rows with another label, or leave {head} out of heads"
            )
        if not known.any():
            raise StancewiseError(f"{validation.path}: {_none('validation', head, config, validation)}")
        if known.sum() < LEAST_ROWS:
            console.print(
                f"[yellow]data.validation[/]: {known.sum()} rows with a {head}: fewer than {LEAST_ROWS} are no ground "
                "for a threshold, so the model will always abstain; add rows",
                soft_wrap=True,
            )


def check_languages(config: ExperimentConfig, train: Corpus, console: Console) -> None:
    """Say so if the model would abstain on texts such as it learned from."""
    rows = evenly(train.rows, LOOKED_AT)
    found = Counter(language_of(row.text, config.languages) for row in rows)
    other, count = max(found.items(), key=lambda one: (foreign(one[0], config.languages), one[1]))
    if foreign(other, config.languages) and count > MANY * len(rows):
        console.print(
            f"[yellow]data.train[/]: {count / len(rows):.0%} of the texts are in {other}, and the model will abstain "
            + escape(f"on such texts; if it is to read them, set languages: [{', '.join((*config.languages, other))}]"),
            soft_wrap=True,
        )


def _taught(config: ExperimentConfig, train: Corpus, head: Head) -> Floats:
    """What each row teaches for a head, shares of its labels, shape (rows that teach it, labels)."""
    if isinstance(config, TrainConfig):
        masses = target_masses(train, (head,), config.loss)[:, LOGITS[head]]
    else:
        labels = train.labels(head)
        masses = np.eye(len(HEADS[head]))[labels[labels != UNLABELLED]]
    masses = masses[masses.any(axis=1)]
    return masses / masses.sum(axis=1, keepdims=True)


def _none(part: str, head: Head, config: ExperimentConfig, corpus: Corpus) -> str:
    does = "teaches the model this head" if part == "train" else "says how sure the model may be of it"
    others = [one for one in config.heads if (corpus.labels(one) != UNLABELLED).any()]
    fix = f"set heads: [{', '.join(others)}] in the config, or " if others else ""
    return f"{head}: no row of data.{part} is labelled, so nothing {does}; {fix}add rows with a {head}"
