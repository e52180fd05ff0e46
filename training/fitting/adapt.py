"""A few new rows on top of a finished model, with rows of its first training beside them so that it forgets little."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from transformers import TrainerCallback, set_seed

from serving.classifier import softmax
from serving.inputs import InputEncoder
from serving.labels import LOGITS, Head, Logits
from serving.store.folder import ModelSettings
from training.config import AdaptConfig, Batch, EncoderSource, TrainConfig
from training.data.corpus import Corpus, LabelledStatement, join
from training.fitting.batches import Pieces, ReplayBatches
from training.fitting.fit import (
    StanceTrainer,
    arguments_for,
    encode_corpus,
    native_bf16,
    on_cpu,
    padding,
    parameter_groups,
    prepared,
    run_to_the_end,
)
from training.fitting.frozen_words import thaw_words
from training.fitting.loss import MaskedLoss

BATCH = Batch(rows=8)  # few rows have to make enough steps
WARM_UP = 0.1  # share of the steps


def going_on(first: TrainConfig, settings: ModelSettings, folder: Path, config: AdaptConfig) -> TrainConfig:
    """The recipe of the first training, from the finished model on: its own optimiser, slower, and small batches."""
    rate = config.learning_rate or first.optimiser.learning_rate / 3
    return first.model_copy(
        update={
            "encoder": EncoderSource(folder=folder),
            "heads": settings.heads,
            "template": settings.template,
            "max_length": settings.max_length,
            "batch": BATCH,
            "epochs": config.epochs,
            "optimiser": first.optimiser.model_copy(update={"learning_rate": rate}),
            "device": "auto",
        }
    )


def taught_by(corpus: Corpus, logits: Logits, heads: Iterable[Head], labels: str) -> Corpus:
    """The rows with a model's own answers, so that it keeps them while it learns something else.

    The answers are softmax(logits) without a temperature: then the logits themselves are what is kept.

    Args:
        corpus: the rows.
        logits: the model's, shape (rows, 6).
        heads: that are taught; a head that is left out keeps its labels alone.
        labels: what becomes of the labels of these heads. `alone`: where there is one it teaches instead of the answer;
            `beside`: both teach, in the shares of the loss; `without`: the answer teaches alone.

    Source: Li and Hoiem 2016, "Learning without Forgetting"; of rows that are replayed with their labels, Buzzega et
    al. 2020, "Dark Experience for General Continual Learning".
    """
    rows: list[LabelledStatement] = []
    for row, given in zip(corpus.rows, logits, strict=True):
        answered = [head for head in heads if labels != "alone" or getattr(row, head) is None]
        taught: dict[str, tuple[float, ...]] = dict(row.taught or {})
        taught |= {head: tuple(softmax(given[LOGITS[head]]).tolist()) for head in answered}
        update: dict[str, object] = {"taught": taught or None}
        if labels == "without":
            hidden: dict[str, None] = dict.fromkeys(answered)
            update |= hidden
        rows.append(row.model_copy(update=update))
    return replace(corpus, rows=rows)


def drawn(pool: Corpus, later: Corpus, each_epoch: int, epochs: int, seed: int) -> Corpus:
    """Rows to replay, for every epoch `each_epoch` of the pool and all the later ones.

    None of the pool comes back before all of it was drawn.

    Args:
        pool: rows of the first training.
        later: rows of adaptations since then; they are few.
        each_epoch: rows of the pool.
        epochs: of the training.
        seed: of the draw.
    """
    rng = np.random.default_rng(seed)
    each_epoch = min(each_epoch, len(pool.rows))
    places: list[int] = []
    while len(places) < each_epoch * epochs:
        places += rng.permutation(len(pool.rows)).tolist()
    rows: list[LabelledStatement] = []
    for epoch in range(epochs):
        rows += [pool.rows[place] for place in places[epoch * each_epoch : (epoch + 1) * each_epoch]]
        rows += later.rows if each_epoch else []
    return Corpus(pool.path, rows)


def go_on(
    recipe: TrainConfig,
    schemes: Sequence[str],
    rows: Corpus,
    replayed: Corpus,
    seed: int,
    folder: Path,
    callbacks: list[TrainerCallback],
) -> None:
    """Train the recipe's model on and write its weights into a folder; nothing is kept before the end.

    Args:
        recipe: as `going_on` gives it.
        schemes: the annotation schemes that the model tells apart.
        rows: new, seen in every epoch.
        replayed: as `drawn` gives them, an equal number for every epoch; may be none.
        seed: of dropout and the order of batches.
        folder: gets model.safetensors and config.json; the tokenizer stays the old one.
        callbacks: progress.

    Raises:
        StancewiseError: the model cannot be loaded, or a row cannot be read.
    """
    set_seed(seed)
    tokenizer, model = prepared(recipe)
    inputs = InputEncoder(tokenizer.backend_tokenizer, recipe.template, recipe.max_length, tuple(schemes))
    epochs = int(recipe.epochs)
    every = join([rows, replayed]) if replayed.rows else rows
    encoded = encode_corpus(every, inputs, recipe.heads, recipe.loss)
    lengths = [len(ids) for ids in encoded["input_ids"]]
    batches = ReplayBatches(lengths, len(rows.rows), len(replayed.rows) // epochs, BATCH, seed)
    use_cpu = on_cpu(recipe)
    with TemporaryDirectory() as nothing:
        arguments = arguments_for(
            Path(nothing),
            seed,
            len(batches),
            use_cpu,
            save_strategy="no",
            num_train_epochs=epochs,
            warmup_steps=round(WARM_UP * len(batches) * epochs),
            lr_scheduler_type=recipe.optimiser.schedule,
            max_grad_norm=recipe.optimiser.max_grad_norm,
            average_tokens_across_devices=False,  # StanceTrainer does, per head
            activation_checkpointing=recipe.gradient_checkpointing,
            bf16=recipe.precision == "bf16" or (recipe.precision == "auto" and native_bf16(use_cpu)),
        )
        trainer = StanceTrainer(
            pieces=Pieces(batches, 1, 0, 1, 0),
            loss=MaskedLoss(recipe.heads, rows, recipe.loss, arguments.device),
            model=model,
            args=arguments,
            data_collator=padding(tokenizer, recipe.max_length),
            train_dataset=encoded,
            callbacks=callbacks,
            optimizers=(torch.optim.AdamW(parameter_groups(model, recipe.optimiser), fused=True), None),
        )
        run_to_the_end(trainer, seed, None)
    made = trainer.model.merge_and_unload() if recipe.lora is not None else trainer.model
    thaw_words(made)
    made.save_pretrained(folder)
