"""Fine-tuning: one checkpoint with six logits, trained with transformers.Trainer on a masked two-head loss."""

import json
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate.data_loader import prepare_data_loader
from datasets import Dataset
from torch.utils.data import DataLoader, Sampler
from transformers import (
    DataCollatorWithPadding,
    EarlyStoppingCallback,
    EvalPrediction,
    PrinterCallback,
    Trainer,
    TrainerCallback,
    TrainingArguments,
    set_seed,
)

from serving.artifact import Head
from serving.errors import StancewiseError
from serving.inputs import InputEncoder
from serving.labels import HEADS, LOGITS, UNLABELLED
from serving.metrics import Floats, Ints, macro_f1
from training import processes
from training.config import Batch, Loss, Optimiser, TrainConfig
from training.corpus import Corpus
from training.encoders import add_lora, load_encoder
from training.unrelated import with_unrelated

SELECTION_METRIC = "macro_f1"  # mean of the heads' macro-F1 on validation: chooses the checkpoint


class LengthBatches(Sampler[list[int]]):
    """Batches of rows of like length, in an order that depends on seed and epoch alone.

    The sorted lengths are the same in every epoch, and so are the places where they are cut: the number of
    batches is fixed, whatever the seed. What changes is which of the equally long rows meet, and the order.
    """

    def __init__(self, lengths: Sequence[int], size: Batch, seed: int) -> None:
        self.lengths = np.asarray(lengths)
        self.seed = seed
        self.epoch = 0
        self.cuts = list(_cuts(sorted(lengths), size))

    def set_epoch(self, epoch: int) -> None:
        """Called by the Trainer at the start of every epoch."""
        self.epoch = epoch

    def __len__(self) -> int:
        return len(self.cuts)

    def __iter__(self) -> Iterator[list[int]]:
        rng = np.random.default_rng((self.seed, self.epoch))
        order = np.lexsort((rng.random(len(self.lengths)), self.lengths)).tolist()
        for place in rng.permutation(len(self.cuts)).tolist():
            yield order[slice(*self.cuts[place])]


def _cuts(lengths: list[int], size: Batch) -> Iterator[tuple[int, int]]:
    start = 0
    for end in range(1, len(lengths) + 1):
        if size.rows is not None:
            full = end - start == size.rows
        else:
            assert size.tokens is not None
            full = end < len(lengths) and (end + 1 - start) * lengths[end] > size.tokens
        if full or end == len(lengths):
            yield start, end
            start = end


class Pieces(Sampler[list[int]]):
    """What one process takes of every batch, in `accumulation` pieces one after another.

    All processes together see the batches that one process would see, and count the same steps. A batch of fewer rows
    than pieces leaves some empty; they are the row `blank`, which has no label, because no process may miss a step.
    """

    def __init__(self, batches: LengthBatches, accumulation: int, process: int, count: int, blank: int) -> None:
        self.batches = batches
        self.accumulation = accumulation
        self.process = process
        self.count = count
        self.blank = blank

    def set_epoch(self, epoch: int) -> None:
        """Called by the Trainer at the start of every epoch."""
        self.batches.set_epoch(epoch)

    def __len__(self) -> int:
        return len(self.batches) * self.accumulation

    def __iter__(self) -> Iterator[list[int]]:
        for batch in self.batches:
            for turn in range(self.accumulation):
                yield batch[turn * self.count + self.process :: self.count * self.accumulation] or [self.blank]


def pieces_of(batch: Batch) -> int:
    """Into how many pieces a batch is cut: processes times accumulation.

    Raises:
        StancewiseError: its rows cannot be shared out evenly.
    """
    pieces = processes.count() * batch.accumulation
    if batch.rows is not None and batch.rows % pieces:
        raise StancewiseError(
            f"batch.rows: {batch.rows} rows cannot be shared out evenly over {processes.count()} processes with "
            f"batch.accumulation {batch.accumulation}; take a multiple of {pieces}"
        )
    return pieces


class MaskedLoss:
    """Sum of the heads' cross-entropies; a row without a label for a head does not count for that head."""

    def __init__(self, heads: tuple[Head, ...], train: Corpus, loss: Loss, device: torch.device) -> None:
        self.heads = heads
        self.smoothing = loss.label_smoothing
        self.class_weights = {
            head: torch.tensor(balanced_weights(train.labels(head)), dtype=torch.float32, device=device)
            for head in heads
            if loss.class_weights == "balanced"
        }

    def __call__(
        self, outputs: Any, labels: torch.Tensor, num_items_in_batch: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Loss of a batch: logits of shape (rows, 6), labels the target masses of `target_masses`, of the same shape.

        Divided by the rows labelled, not by their weights: a light row stays light in a batch of light rows. Of a piece
        of a batch, `num_items_in_batch` are the rows labelled in the whole batch, shape (heads,).
        """
        counts = self.labelled(labels) if num_items_in_batch is None else num_items_in_batch
        total = outputs.logits.new_zeros(())
        for head, known in zip(self.heads, counts, strict=True):
            mass = labels[:, LOGITS[head]]
            mass = (1 - self.smoothing) * mass + self.smoothing * mass.mean(dim=1, keepdim=True)
            if head in self.class_weights:
                mass = mass * self.class_weights[head]
            crossed = (mass * outputs.logits[:, LOGITS[head]].float().log_softmax(dim=1)).sum()
            total = total - crossed / (known + (known == 0))
        return total

    def labelled(self, labels: torch.Tensor) -> torch.Tensor:
        """Rows with a label for each head, shape (heads,)."""
        return torch.stack([(labels[:, LOGITS[head]].sum(dim=1) > 0).sum() for head in self.heads])


def target_masses(corpus: Corpus, heads: tuple[Head, ...], loss: Loss) -> Floats:
    """What the loss aims at, shape (rows, 6): the row's weight on its label, zeros for a head without one.

    With `votes`, a row with annotators' votes spreads its weight over their shares (Peterson et al. 2019, "Human
    uncertainty makes classification more robust"). Where a teacher gave probabilities, they take `teacher_share` of the
    weight, and all of it where there is no label (Hinton et al. 2015, "Distilling the Knowledge in a Neural Network").
    """
    masses = np.zeros((len(corpus.rows), 6))
    for head in heads:
        labels = corpus.labels(head)
        known = np.flatnonzero(labels != UNLABELLED)
        masses[known, LOGITS[head].start + labels[known]] = 1
    for i, row in enumerate(corpus.rows):
        if loss.votes and row.stance_votes and "stance" in heads:
            counts = [row.stance_votes.count(label) for label in HEADS["stance"]]
            masses[i, LOGITS["stance"]] = np.array(counts) / len(row.stance_votes)
        for head in heads:
            if row.taught and head in row.taught:
                own = masses[i, LOGITS[head]]
                share = loss.teacher_share if own.any() else 1.0
                masses[i, LOGITS[head]] = (1 - share) * own + share * np.array(row.taught[head])
    return masses * corpus.weights()[:, None]


def balanced_weights(labels: Ints) -> Floats:
    """Weight of each class, inverse to its frequency; the mean over the labelled rows is 1, absent classes get 0."""
    counts = np.bincount(labels[labels != UNLABELLED], minlength=3).astype(np.float64)
    present = (counts > 0).sum()
    return np.divide(counts.sum(), counts * max(present, 1), out=np.zeros(3), where=counts > 0)


def parameter_groups(model: torch.nn.Module, settings: Optimiser) -> list[dict[str, Any]]:
    """AdamW groups: the learning rate falls by `layer_decay` per layer from the head down to the embeddings.

    Biases and norms get no weight decay. Source: Howard & Ruder 2018, "Universal Language Model Fine-tuning".
    """
    layer = re.compile(r"\.layers?\.(\d+)\.")
    names = [name for name, _ in model.named_parameters()]
    top = max((int(found[1]) + 2 for name in names if (found := layer.search(name))), default=1)
    groups: dict[tuple[int, bool], dict[str, Any]] = {}
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        found = layer.search(name)
        depth = int(found[1]) + 1 if found else 0 if "embeddings" in name else top
        decays = parameter.ndim > 1
        rate = settings.learning_rate * settings.layer_decay ** (top - depth)
        weight_decay = settings.weight_decay if decays else 0.0
        group = groups.setdefault((depth, decays), {"params": [], "lr": rate, "weight_decay": weight_decay})
        group["params"].append(parameter)
    return list(groups.values())


class StanceTrainer(Trainer):
    """Trainer whose batches come from Pieces, and whose loss is that of the whole batch."""

    def __init__(self, pieces: Pieces, loss: MaskedLoss, **kwargs: Any) -> None:
        super().__init__(compute_loss_func=loss, **kwargs)
        self.pieces = pieces
        self.loss = loss

    def get_train_dataloader(self) -> DataLoader[Any]:
        """Pieces of batches of like length, collated with padding to the longest."""
        assert isinstance(self.train_dataset, Dataset)
        dataset = self._remove_unused_columns(self.train_dataset, description="training")
        loader = DataLoader(dataset, batch_sampler=self.pieces, collate_fn=self.data_collator)
        # As for one process: these are the pieces of this one already.
        prepared: DataLoader[Any] = prepare_data_loader(
            loader, self.args.device, num_processes=1, process_index=0, put_on_device=True
        )
        return prepared

    def _get_num_items_in_batch(self, batch_samples: list[Any], device: torch.device) -> torch.Tensor:
        """Rows labelled for each head in all pieces of a batch, as a mean over processes, shape (heads,).

        The mean, because gradients are averaged over processes.
        """
        labelled = torch.stack([self.loss.labelled(piece["labels"]) for piece in batch_samples]).sum(dim=0)
        return self.accelerator.reduce(labelled.to(device, torch.float32), "mean")


def encode_corpus(corpus: Corpus, inputs: InputEncoder, heads: tuple[Head, ...], loss: Loss) -> Dataset:
    """Token ids and labels: columns of the tokenizer plus `labels`, the target masses of shape (rows, 6)."""
    encoded = inputs.encode(corpus.statements())
    columns: dict[str, Any] = {
        "input_ids": [row.ids for row in encoded],
        "token_type_ids": [row.types for row in encoded],
        "attention_mask": [[1] * len(row) for row in encoded],
    }
    columns["labels"] = target_masses(corpus, heads, loss).tolist()
    return Dataset.from_dict(columns)


def _scores(heads: tuple[Head, ...], evaluation: EvalPrediction) -> dict[str, float]:
    scores = {}
    for head in heads:
        masses = np.asarray(evaluation.label_ids)[:, LOGITS[head]]
        known = masses.sum(axis=1) > 0
        if known.any():
            predicted = np.asarray(evaluation.predictions)[known, LOGITS[head]].argmax(axis=1)
            labels = masses[known].argmax(axis=1)
            scores[f"{head}_macro_f1"] = float(macro_f1(labels, predicted, np.ones((1, known.sum())))[0])
    return {**scores, SELECTION_METRIC: float(np.mean(list(scores.values()))) if scores else 0.0}


@dataclass(frozen=True)
class Workspace:
    """Where and how visibly a fit happens."""

    folder: Path  # for checkpoints
    callbacks: list[TrainerCallback]  # progress and tracking
    resume: bool = False  # go on from the last whole checkpoint in `folder`, if there is one


def follow() -> None:
    """What every process but the main one does: train along, order by order, until the main one is done.

    Raises:
        StancewiseError: another process ended, or one of the mistakes that `fit` raises.
    """
    order = processes.hear()
    while order is not None:
        with processes.connected(order[-1].folder.name):
            fit(*order)
            order = processes.hear()


def fit(config: TrainConfig, seed: int, train: Corpus, validation: Corpus, workspace: Workspace) -> Path:
    """Fine-tune and return the folder of the best checkpoint (weights in safetensors, tokenizer).

    All processes call it with the same arguments, but for callbacks; the main one writes the folder.

    Raises:
        StancewiseError: the encoder cannot be loaded, cannot read `max_length` tokens or lacks what the config asks of
            it, a batch cannot be shared out, or there is no GPU to use.

    Args:
        config: the experiment.
        seed: of the head's weights, dropout and the order of batches.
        train: rows to learn from.
        validation: rows that choose the checkpoint.
        workspace: checkpoints, callbacks, whether to resume.
    """
    set_seed(seed)
    pieces = pieces_of(config.batch)
    work, callbacks = workspace.folder, list(workspace.callbacks)
    tokenizer, model = load_encoder(config.encoder, config.template)
    longest = min(tokenizer.model_max_length, model.config.max_position_embeddings)
    if config.max_length > longest:
        raise StancewiseError(
            f"max_length: {config.max_length} is more than the {longest} tokens this encoder can read"
        )
    if config.gradient_checkpointing and not model.supports_gradient_checkpointing:
        raise StancewiseError("gradient_checkpointing: this encoder cannot do it; leave the key out")
    if config.lora is not None:
        model = add_lora(model, tokenizer, config.lora)
    inputs = InputEncoder(tokenizer.backend_tokenizer, config.template, config.max_length, train.schemes())
    if config.unrelated and "stance" in config.heads:
        train = with_unrelated(train, config.unrelated, seed)
    rows = encode_corpus(train, inputs, config.heads, config.loss)
    batches = LengthBatches([len(ids) for ids in rows["input_ids"]], config.batch, seed)
    if pieces > 1:
        rows = rows.add_item({**rows[0], "labels": [0.0] * 6})
    if config.device == "cuda" and not torch.cuda.is_available():
        raise StancewiseError("device: cuda asked for, but torch sees no GPU; use auto or cpu")
    use_cpu = config.device == "cpu" or (config.device == "auto" and not torch.cuda.is_available())
    steps = math.ceil(len(batches) * config.epochs)
    arguments = TrainingArguments(
        output_dir=str(work),
        num_train_epochs=config.epochs,
        warmup_steps=round(steps * config.optimiser.warmup),
        lr_scheduler_type=config.optimiser.schedule,
        max_grad_norm=config.optimiser.max_grad_norm,
        per_device_eval_batch_size=64,
        gradient_accumulation_steps=config.batch.accumulation,
        average_tokens_across_devices=False,  # StanceTrainer does, per head
        activation_checkpointing=config.gradient_checkpointing,
        eval_strategy="epoch",
        save_strategy="epoch",
        save_total_limit=2,
        load_best_model_at_end=True,
        metric_for_best_model=SELECTION_METRIC,
        greater_is_better=True,
        logging_steps=max(1, min(50, len(batches) // 4)),
        seed=seed,
        bf16=config.precision == "bf16" or (config.precision == "auto" and native_bf16(use_cpu)),
        use_cpu=use_cpu,
        dataloader_pin_memory=not use_cpu,
        disable_tqdm=True,
        report_to=[],
    )
    if config.patience is not None:
        callbacks.append(EarlyStoppingCallback(early_stopping_patience=config.patience))
    trainer = StanceTrainer(
        pieces=Pieces(batches, config.batch.accumulation, processes.index(), processes.count(), len(rows) - 1),
        loss=MaskedLoss(config.heads, train, config.loss, arguments.device),
        model=model,
        args=arguments,
        data_collator=DataCollatorWithPadding(tokenizer),
        train_dataset=rows,
        eval_dataset=encode_corpus(validation, inputs, config.heads, Loss()),
        compute_metrics=lambda evaluation: _scores(config.heads, evaluation),
        callbacks=callbacks,
        optimizers=(torch.optim.AdamW(parameter_groups(model, config.optimiser), fused=True), None),
    )
    trainer.remove_callback(PrinterCallback)
    if processes.index() > 0:
        torch.manual_seed(seed + processes.index())  # the same dropout in every process would be less of it
    checkpoint = last_checkpoint(work) if workspace.resume else None
    trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    trainer.accelerator.wait_for_everyone()  # until all have read the best checkpoint, which the main one deletes later
    folder = work / "model"
    if processes.index() == 0:
        best = trainer.model.merge_and_unload() if config.lora is not None else trainer.model
        best.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
    return folder


def native_bf16(use_cpu: bool) -> bool:
    """Whether the processor multiplies bfloat16 matrices in hardware; elsewhere bf16 would be slower than fp32."""
    if use_cpu:
        capabilities = torch.cpu.get_capabilities()
        return bool(capabilities.get("amx_bf16") or capabilities.get("avx512_bf16"))
    return torch.cuda.is_bf16_supported(including_emulation=False)


def last_checkpoint(work: Path) -> Path | None:
    """The newest checkpoint that was written to its end: its state file is written last and is whole JSON."""
    for folder in sorted(work.glob("checkpoint-*"), key=lambda f: int(f.name.split("-")[1]), reverse=True):
        try:
            json.loads((folder / "trainer_state.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        return folder
    return None
