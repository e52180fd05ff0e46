"""Levers of training, one at a time: what each gives over the recipe and what it costs.

    python benchmarks/levers.py [--only r-drop,cosine] [--seeds 1,2,3] [--table]

Trains on a third of NewsMTSC's training stories and measures on other stories of the same file and on both validation
parts: no test part is read, and 4,000 rows tell a point of macro-F1 from noise where 785 do not. The loop is plain, so
that a lever is a few lines here before it is any line of the product. Finished trainings are kept in
benchmarks/cells/levers.parquet and not repeated.
"""

import hashlib
import json
import math
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pyarrow as pa
import torch
import typer
from rich.console import Console
from rich.progress import track
from torch.nn.functional import kl_div, normalize
from torch.optim.swa_utils import AveragedModel
from torch.utils.data import DataLoader
from transformers import DataCollatorWithPadding, get_scheduler, set_seed

from serving.cli import run
from serving.inputs import InputEncoder
from serving.labels import HEADS, LOGITS, Head
from training.config import DataSet, TrainConfig, load_config
from training.data.checksums import read_parquet, update_parquet
from training.data.corpus import Corpus, draw, join
from training.data.leaks import find_leaks
from training.data.sources import read_set
from training.evaluation.metrics import Ints, difference_macro_f1, mean_macro_f1
from training.experiments.track import fingerprint
from training.fitting.batches import LengthBatches
from training.fitting.encoders import load_encoder
from training.fitting.fit import encode_corpus, native_bf16, parameter_groups
from training.fitting.loss import MaskedLoss

TRAINED, MEASURED = 2950, 3250  # rows, in whole stories
RECIPE = Path("configs/newsmtsc.yaml")
CELLS = Path("benchmarks/cells/levers.parquet")
HEAD: Head = "sentiment"
DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
VALIDATION = ("rw_validation", "mt_validation")
app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@dataclass(frozen=True)
class Lever:
    """The recipe with one thing changed: keys of its config, or what only the loop here can do."""

    change: tuple[str, ...] = ()  # "key=value", as after --set
    named_first: bool = False  # the target's name once more before the text
    own: float = 0.0  # weight of the project's own statements, both heads
    r_drop: float = 0.0  # Liang et al. 2021, "R-Drop"
    adversarial: float = 0.0  # size of the step in embedding space; Miyato et al. 2017, "Adversarial Training Methods"
    averaged: float = 0.0  # the mean of the weights after this share of the steps; Izmailov et al. 2018, "Averaging
    # Weights Leads to Wider Optima and Better Generalization"
    contrastive: float = 0.0  # share of the loss; Gunel et al. 2021, "Supervised Contrastive Learning"


LEVERS = {
    "recipe": Lever(),
    "no layer decay": Lever(("optimiser.learning_rate=1.0e-4", "optimiser.layer_decay=1.0")),
    "pair": Lever(("template=pair",)),
    "target named first": Lever(named_first=True),
    "five epochs": Lever(("epochs=5",)),
    "cosine": Lever(("optimiser.schedule=cosine",)),
    "class weights": Lever(("loss.class_weights=balanced",)),
    "own statements": Lever(own=0.5),
    "r-drop": Lever(r_drop=1.0),
    "adversarial": Lever(adversarial=1.0),
    "five epochs averaged": Lever(("epochs=5", "optimiser.schedule=constant_with_warmup"), averaged=0.3),
    "contrastive": Lever(contrastive=0.1),
}
SCHEMA = pa.schema(
    {
        **{"lever": pa.string(), "seed": pa.int32(), "key": pa.string(), "minutes": pa.float64()},
        **{"device": pa.string(), "predicted": pa.string()},  # the label index of every row, a digit each
    }
)
Cells = dict[tuple[str, int], dict[str, Any]]  # by lever and seed


def read_cells(table: Any) -> Cells:
    """The finished trainings of a table of SCHEMA."""
    return {(one["lever"], one["seed"]): one for one in table.to_pylist()} if table else {}


def keep_cell(cell: dict[str, Any]) -> None:
    """Add a finished training to CELLS, or replace it there."""

    def changed(table: Any) -> Any:
        cells = read_cells(table) | {(cell["lever"], cell["seed"]): cell}
        return pa.Table.from_pylist([one for _, one in sorted(cells.items())], SCHEMA)

    update_parquet(CELLS, changed, numbers=())


def read_parts() -> tuple[Corpus, Corpus, Corpus]:
    """A third of the training stories, the project's own statements, and the rows measured."""
    every = read_set(DataSet(source="newsmtsc", part="train"))
    third = draw(every, TRAINED)
    taken = {row.id for row in third.rows}
    others = every.keep(i for i, row in enumerate(every.rows) if row.id not in taken)
    parts = [draw(others, MEASURED), *(read_set(DataSet(source="newsmtsc", part=p)) for p in VALIDATION)]
    own = read_set(DataSet(path=Path("data/statements/train.jsonl")))
    third = third.keep(set(range(len(third.rows))) - find_leaks(third, parts).keys())
    return third, own, join(parts)


def shown(corpus: Corpus, lever: Lever) -> Corpus:
    """The corpus as the lever shows it to the model."""
    if not lever.named_first:
        return corpus
    rows = []
    for row in corpus.rows:
        opening = f"{row.target}: "
        moved = {
            key: value + len(opening)
            for key in ("target_start", "target_end", "speaker_start", "speaker_end")
            if (value := getattr(row, key)) is not None
        }
        rows.append(row.model_copy(update={"text": opening + row.text, **moved}))
    return replace(corpus, rows=rows, members=())


class Training:
    """One model on its way."""

    def __init__(self, lever: Lever, config: TrainConfig, seed: int, train: Corpus, heads: tuple[Head, ...]) -> None:
        set_seed(seed)
        self.lever = lever
        self.tokenizer, self.model = load_encoder(config.encoder, config.template)
        self.inputs = InputEncoder(self.tokenizer.backend_tokenizer, config.template, config.max_length)
        self.model.to(DEVICE)
        self.loss = MaskedLoss(heads, train, config.loss, DEVICE)
        rows = encode_corpus(train, self.inputs, heads, config.loss)
        self.batches = LengthBatches([len(ids) for ids in rows["input_ids"]], config.batch, seed)
        self.collate = DataCollatorWithPadding(self.tokenizer)
        self.loader = DataLoader(rows, batch_sampler=self.batches, collate_fn=self.collate)
        self.epochs = math.ceil(config.epochs)
        self.steps = math.ceil(len(self.batches) * config.epochs)
        settings = config.optimiser
        self.optimiser = torch.optim.AdamW(parameter_groups(self.model, settings), fused=True)
        warmup = round(self.steps * settings.warmup)
        self.schedule = get_scheduler(settings.schedule, self.optimiser, warmup, self.steps)
        self.average = AveragedModel(self.model)

    def forward(self, batch: dict[str, torch.Tensor]) -> Any:
        """Logits, and hidden states where a lever needs them."""
        with torch.autocast(DEVICE.type, torch.bfloat16, enabled=native_bf16(DEVICE.type == "cpu")):
            return self.model(**batch, output_hidden_states=self.lever.contrastive > 0)

    def backward(self, batch: dict[str, torch.Tensor], labels: torch.Tensor) -> None:
        """The gradient of one batch, as the lever has it."""
        lever = self.lever
        outputs = self.forward(batch)
        loss = self.loss(outputs, labels)
        if lever.r_drop:
            again = self.forward(batch)
            one, two = (side.logits.float()[:, LOGITS[HEAD]].log_softmax(1) for side in (outputs, again))
            apart = kl_div(one, two, log_target=True, reduction="batchmean")
            apart = apart + kl_div(two, one, log_target=True, reduction="batchmean")
            loss = (loss + self.loss(again, labels)) / 2 + lever.r_drop * apart / 4
        if lever.contrastive:
            hidden = outputs.hidden_states[-1][:, 0].float()
            loss = (1 - lever.contrastive) * loss + lever.contrastive * contrast(hidden, labels[:, LOGITS[HEAD]])
        loss.backward()
        if lever.adversarial:
            table = self.model.get_input_embeddings().weight
            step = lever.adversarial * table.grad / table.grad.norm().clamp(min=1e-12)
            table.data.add_(step)
            self.loss(self.forward(batch), labels).backward()
            table.data.sub_(step)

    def run(self, title: str) -> float:
        """Train; minutes on one core, or minutes on a GPU."""
        start = time.perf_counter()
        self.model.train()
        batches = track(islice(self._batches(), self.steps), title, self.steps, console=Console(stderr=True))
        for step, given in enumerate(batches):
            batch = {name: column.to(DEVICE) for name, column in given.items()}
            self.backward(batch, batch.pop("labels"))
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
            self.optimiser.step()
            self.schedule.step()
            self.optimiser.zero_grad()
            if self.lever.averaged and step >= self.lever.averaged * self.steps:
                self.average.update_parameters(self.model)
        minutes = (time.perf_counter() - start) / 60
        return minutes * (torch.get_num_threads() if DEVICE.type == "cpu" else 1)

    def _batches(self) -> Iterator[dict[str, torch.Tensor]]:
        for epoch in range(self.epochs):
            self.batches.set_epoch(epoch)
            yield from self.loader

    @torch.no_grad()
    def predict(self, corpus: Corpus) -> Ints:
        """The label index of every row, shape (rows,)."""
        model = (self.average.module if self.lever.averaged else self.model).eval()
        encoded = self.inputs.encode(corpus.statements())
        order = sorted(range(len(encoded)), key=lambda i: len(encoded[i]))
        predicted = np.zeros(len(encoded), dtype=np.int64)
        for start in range(0, len(order), 64):
            chosen = order[start : start + 64]
            rows = [{"input_ids": encoded[i].ids, "token_type_ids": encoded[i].types} for i in chosen]
            batch = self.tokenizer.pad(rows, return_tensors="pt").to(DEVICE)
            predicted[chosen] = model(**batch).logits[:, LOGITS[HEAD]].argmax(1).cpu()
        return predicted


def contrast(hidden: torch.Tensor, masses: torch.Tensor) -> torch.Tensor:
    """Supervised contrastive loss of a batch: rows of one label are drawn together, temperature 0.3."""
    hidden, masses = hidden[masses.any(1)], masses[masses.any(1)]
    labels, itself = masses.argmax(1), torch.eye(len(hidden), dtype=torch.bool, device=hidden.device)
    vectors = normalize(hidden, dim=1)
    alike = ((labels[:, None] == labels) & ~itself).float()
    share = (vectors @ vectors.T / 0.3).masked_fill(itself, -1e9).log_softmax(1)
    return -((alike * share).sum(1) / alike.sum(1).clamp(min=1)).mean()


def digest(lever: Lever, config: TrainConfig, seed: int, train: Corpus, measured: Corpus) -> str:
    """What decides a training's result: a kept one with another digest is run anew."""
    own = {name: value for name, value in asdict(lever).items() if name != "change"}
    content = [fingerprint(config, seed, {"train": train, "measured": measured}), own]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


@app.command()
def main(
    only: Annotated[str | None, typer.Option(help="These levers only, comma-separated.")] = None,
    seeds: Annotated[str, typer.Option(help="Seeds, comma-separated.")] = "1,2,3",
    table: Annotated[bool, typer.Option("--table", help="Print what is finished; train nothing.")] = False,
) -> None:
    """Train and measure the levers; print the table. The public set is read from STANCE_BENCHMARKS."""
    third, own, measured = read_parts()
    labels, groups = measured.labels(HEAD), measured.groups()
    chosen = only.split(",") if only else list(LEVERS)
    kept = read_cells(read_parquet(CELLS) if CELLS.is_file() else None)
    results: dict[str, dict[int, Ints]] = {name: {} for name in LEVERS}
    costs: dict[str, list[float]] = {name: [] for name in LEVERS}  # of those that ran on a CPU
    for seed in map(int, seeds.split(",")):
        for name, lever in LEVERS.items():
            heads: tuple[Head, ...] = tuple(HEADS) if lever.own else (HEAD,)
            train = join([third, replace(own, weight=lever.own)]) if lever.own else third
            config = load_config(RECIPE, TrainConfig, [*lever.change, f"heads={list(heads)}"])
            cell = kept.get((name, seed), {})
            if cell.get("key") != (key := digest(lever, config, seed, train, measured)):
                if table or name not in chosen:
                    continue
                training = Training(lever, config, seed, shown(train, lever), heads)
                minutes = training.run(f"{name}, seed {seed}")
                predicted = "".join(map(str, training.predict(shown(measured, lever))))
                cell = {"lever": name, "seed": seed, "key": key, "minutes": round(minutes, 2)}
                cell |= {"device": DEVICE.type, "predicted": predicted}
                keep_cell(cell)
            results[name][seed] = np.array(list(map(int, cell["predicted"])))
            if cell["device"] == "cpu":
                costs[name].append(cell["minutes"])
    print(f"{len(third.rows):,} rows trained on, {len(measured.rows):,} measured\n")
    print("| lever | seeds | macro-F1 | minus the recipe, same seeds | core-minutes |\n|---|---|---|---|---|")
    for name, runs in results.items():
        both = sorted(runs.keys() & results["recipe"].keys())
        if not both:
            continue
        ours, first = ([results[side][seed] for seed in both] for side in (name, "recipe"))
        difference = str(difference_macro_f1(labels, ours, first, groups)) if name != "recipe" else ""
        cost = f"{np.median(costs[name]):.1f}" if costs[name] else ""
        print(f"| {name} | {len(both)} | {mean_macro_f1(labels, ours, groups)} | {difference} | {cost} |")


if __name__ == "__main__":
    run(app)
