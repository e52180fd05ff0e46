"""One lesson: new rows, old ones to replay, what the model before says of both; learned from as often as measured."""

import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from transformers import TrainerCallback

from serving.errors import StancewiseError
from serving.labels import Head, Logits
from serving.runtime.base import Runtime, all_logits
from serving.runtime.load import load_runtime
from serving.store.folder import INT8_FOLDER, ModelSettings
from training.config import AdaptConfig, TrainConfig
from training.data.corpus import Corpus
from training.data.leaks import find_leaks
from training.experiments.derive import Tracked
from training.experiments.first import First, without_groups
from training.fitting.adapt import drawn, go_on, going_on, taught_by


@dataclass(frozen=True)
class Lesson:
    """What a model is taught, and how."""

    folder: Path  # of the model before
    settings: ModelSettings
    recipe: TrainConfig
    seed: int
    before: Logits  # of that model for the new rows, shape (rows, 6)
    rows: Corpus  # new; with its answers for heads without a label
    replayed: Corpus

    def learn(self, places: Iterable[int], folder: Path, callbacks: Sequence[TrainerCallback] = ()) -> Runtime:
        """Learn from the new rows at these places; the folder becomes the new model, but for its settings.

        Raises:
            StancewiseError: the model cannot be loaded.
        """
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(self.folder, folder, ignore=shutil.ignore_patterns(INT8_FOLDER))
        rows = self.rows.keep(places)
        go_on(self.recipe, self.settings.schemes, rows, self.replayed, self.seed, folder, list(callbacks))
        return load_runtime(folder, self.settings, runtime="torch")


def prepare(
    config: AdaptConfig, source: Tracked, first: First, own: Corpus, heads: Sequence[Head], before: Runtime
) -> Lesson:
    """Ask the model before about new rows and those to replay.

    Args:
        config: how it is learned.
        source: the model before.
        first: its training.
        own: the new rows.
        heads: that they label.
        before: the model before.

    Raises:
        StancewiseError: a new row that the model cannot read, as file:line.
    """
    for i, row in enumerate(own.rows):
        try:
            before.encode([row])
        except StancewiseError as error:
            raise StancewiseError(f"{own.place(i)}: {error}") from None
    logits = all_logits(before, own.statements())
    taught = taught_by(own, logits, source.settings.heads, "alone")
    recipe = going_on(first.recipe, source.settings, source.folder, config)
    replayed = _replayed(config, source.settings, first, own, heads, before)
    return Lesson(source.folder, source.settings, recipe, config.seed, logits, taught, replayed)


def _replayed(
    config: AdaptConfig, settings: ModelSettings, first: First, own: Corpus, heads: Sequence[Head], before: Runtime
) -> Corpus:
    """Rows of the first training with the model's own answers; none that is nearly a row of the user's."""
    pool, later = (_far_from(corpus, own) for corpus in (first.rows, first.later))
    rows = drawn(pool, later, config.replay * len(own.rows), config.epochs, config.seed)
    if not rows.rows:
        return rows
    logits = all_logits(before, rows.statements())
    others = [head for head in settings.heads if head not in heads]
    return taught_by(taught_by(rows, logits, heads, "beside"), logits, others, "without")


def _far_from(corpus: Corpus, own: Corpus) -> Corpus:
    if not corpus.rows:
        return corpus
    near = find_leaks(without_groups([corpus]), [without_groups([own])])
    return Corpus(corpus.path, [row for i, row in enumerate(corpus.rows) if i not in near])
