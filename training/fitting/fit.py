"""Fine-tuning: one checkpoint with six logits, trained with transformers.Trainer on a masked two-head loss."""

import json
import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate.data_loader import prepare_data_loader
from datasets import Dataset
from torch.utils.data import DataLoader
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

from serving.errors import StancewiseError
from serving.inputs import InputEncoder
from serving.labels import LOGITS, Head
from serving.runtime.first_token import first_token_only
from training.config import Loss, Optimiser, TrainConfig
from training.data.corpus import Corpus
from training.data.unlabelled_pairs import with_unrelated
from training.evaluation.metrics import macro_f1_score
from training.fitting import processes
from training.fitting.batches import MULTIPLE, LengthBatches, Pieces, pieces_of
from training.fitting.dropout import with_byte_dropout
from training.fitting.encoders import add_lora, check_length, load_encoder
from training.fitting.frozen_words import freeze_words, thaw_words
from training.fitting.loss import MaskedLoss, target_masses
from training.fitting.memory import keep_freed_memory

SELECTION_METRIC = "macro_f1"  # mean of the heads' macro-F1 on validation: chooses the checkpoint


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


def _by_length(rows: Dataset) -> Dataset:
    """The rows from the shortest to the longest, so that little of a batch is padding."""
    return rows.select(np.argsort([len(ids) for ids in rows["input_ids"]], kind="stable"))


def _scores(heads: tuple[Head, ...], evaluation: EvalPrediction) -> dict[str, float]:
    scores = {}
    for head in heads:
        masses = np.asarray(evaluation.label_ids)[:, LOGITS[head]]
        known = masses.sum(axis=1) > 0
        if known.any():
            predicted = np.asarray(evaluation.predictions)[known, LOGITS[head]].argmax(axis=1)
            labels = masses[known].argmax(axis=1)
            scores[f"{head}_macro_f1"] = macro_f1_score(labels, predicted)
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
    tokenizer, model = prepared(config)
    inputs = InputEncoder(tokenizer.backend_tokenizer, config.template, config.max_length, train.schemes())
    if config.unrelated and "stance" in config.heads:
        train = with_unrelated(train, config.unrelated, seed)
    rows = encode_corpus(train, inputs, config.heads, config.loss)
    batches = LengthBatches([len(ids) for ids in rows["input_ids"]], config.batch, seed)
    if pieces > 1:
        rows = rows.add_item({**rows[0], "labels": [0.0] * 6})
    arguments = _arguments(config, seed, len(batches), workspace.folder)
    stop_early = [EarlyStoppingCallback(early_stopping_patience=config.patience)] if config.patience else []
    trainer = StanceTrainer(
        pieces=Pieces(batches, config.batch.accumulation, processes.index(), processes.count(), len(rows) - 1),
        loss=MaskedLoss(config.heads, train, config.loss, arguments.device),
        model=model,
        args=arguments,
        data_collator=padding(tokenizer, config.max_length),
        train_dataset=rows,
        eval_dataset=_by_length(encode_corpus(validation, inputs, config.heads, Loss())),
        compute_metrics=lambda evaluation: _scores(config.heads, evaluation),
        callbacks=[*workspace.callbacks, *stop_early],
        optimizers=(torch.optim.AdamW(parameter_groups(model, config.optimiser), fused=True), None),
    )
    run_to_the_end(trainer, seed, last_checkpoint(workspace.folder) if workspace.resume else None)
    folder = workspace.folder / "model"
    if processes.index() == 0:
        best = trainer.model.merge_and_unload() if config.lora is not None else trainer.model
        thaw_words(best)
        best.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
    return folder


def prepared(config: TrainConfig) -> tuple[Any, Any]:
    """The config's tokenizer and model, ready to be trained; with adapters if it has lora.

    The model works out what the loss needs and no more, and on a CPU its dropout is the fast one.

    Raises:
        StancewiseError: the encoder cannot be loaded, or cannot do what the config asks.
    """
    tokenizer, model = load_encoder(config.encoder, config.template)
    check_length(config.max_length, tokenizer, model)
    if config.gradient_checkpointing and not model.supports_gradient_checkpointing:
        raise StancewiseError("gradient_checkpointing: this encoder cannot do it; leave the key out")
    first_token_only(model)
    if on_cpu(config):
        with_byte_dropout(model)
        keep_freed_memory()
    if config.freeze:
        freeze_words(model, tokenizer)
    return tokenizer, add_lora(model, tokenizer, config.lora) if config.lora is not None else model


def padding(tokenizer: Any, max_length: int) -> DataCollatorWithPadding:
    """Batches padded to lengths that come back: for each new shape the libraries keep a program and its memory."""
    return DataCollatorWithPadding(tokenizer, pad_to_multiple_of=None if max_length % MULTIPLE else MULTIPLE)


def on_cpu(config: TrainConfig) -> bool:
    """Whether the config's training runs on the CPU here.

    Raises:
        StancewiseError: it asks for a GPU, and there is none.
    """
    if config.device == "cuda" and not torch.cuda.is_available():
        raise StancewiseError("device: cuda was asked for, but torch finds no GPU; use auto or cpu")
    return config.device == "cpu" or (config.device == "auto" and not torch.cuda.is_available())


def _arguments(config: TrainConfig, seed: int, batches: int, folder: Path) -> TrainingArguments:
    """What the Trainer is told, for so many batches an epoch; checkpoints go to the folder."""
    use_cpu = on_cpu(config)
    steps = math.ceil(batches * config.epochs)
    return arguments_for(
        folder,
        seed,
        batches,
        use_cpu,
        num_train_epochs=config.epochs,
        warmup_steps=round(steps * config.optimiser.warmup),
        lr_scheduler_type=config.optimiser.schedule,
        max_grad_norm=config.optimiser.max_grad_norm,
        per_device_eval_batch_size=64,
        gradient_accumulation_steps=config.batch.accumulation,
        average_tokens_across_devices=False,  # StanceTrainer does, per head
        activation_checkpointing=config.gradient_checkpointing,
        eval_strategy="epoch",
        save_total_limit=2,
        load_best_model_at_end=True,
        metric_for_best_model=SELECTION_METRIC,
        greater_is_better=True,
        bf16=config.precision == "bf16" or (config.precision == "auto" and native_bf16(use_cpu)),
    )


def arguments_for(folder: Path, seed: int, batches: int, use_cpu: bool, **more: Any) -> TrainingArguments:
    """What every training tells the Trainer: a checkpoint an epoch, a log entry four times an epoch, nothing printed.

    Args:
        folder: for checkpoints.
        seed: of weights, dropout and order.
        batches: in an epoch.
        use_cpu: also where there is a GPU.
        more: of this training.
    """
    return TrainingArguments(
        **{
            "output_dir": str(folder),
            "save_strategy": "epoch",
            "logging_steps": max(1, min(50, batches // 4)),
            "seed": seed,
            "use_cpu": use_cpu,
            "dataloader_pin_memory": not use_cpu,
            "disable_tqdm": True,
            "report_to": [],
            **more,
        }
    )


def run_to_the_end(trainer: StanceTrainer, seed: int, checkpoint: Path | None) -> None:
    """Train to the end, from the checkpoint if there is one; the trainer then holds the best checkpoint."""
    trainer.remove_callback(PrinterCallback)
    if processes.index() > 0:
        torch.manual_seed(seed + processes.index())  # the same dropout in every process would be less of it
    trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    trainer.accelerator.wait_for_everyone()  # until all have read the best checkpoint, which the main one deletes later


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
