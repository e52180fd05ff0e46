"""Where the time of a training goes, which share of the machine's limit a step reaches, and what others need.

    python benchmarks/training_speed.py parts [--config configs/quickstart.yaml] [--rows 1000]
    python benchmarks/training_speed.py step [--config configs/quickstart.yaml]
    python benchmarks/training_speed.py race --old FOLDER [--rows 1000] [--rounds 3] [--set KEY=VALUE]

`parts` runs the training command itself, with a store of its own, under Python's profiler. `step` profiles steps and
multiplies matrices of the model's own shapes, which is the limit. `race` trains in turn with this version, with an
earlier one (a checkout of it, with its own form of the config) and with transformers' text classification example at
its defaults: the same rows, evaluations and checkpoints included, each in a process of its own.
"""

import cProfile
import os
import pstats
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import mean, median
from typing import Annotated

import typer
from rich.console import Console
from serving_peers.table import markdown, ratio

from serving.cli import run

ConfigOption = Annotated[Path, typer.Option(help="The experiment.")]
RowsOption = Annotated[int | None, typer.Option(help="Of the first training set; all if left out.", show_default=False)]
OVERRIDES = ("register=null", "data.test=null")
# A part of a training -> the functions whose time it is: end of the file, name, and the caller where that matters.
PARTS: dict[str, tuple[tuple[str, str, str], ...]] = {
    "imports": (("importlib._bootstrap", "_find_and_load", ""),),
    "reading and checking the data": (("data/parts.py", "read_data", ""),),
    "the encoder": (("fitting/encoders.py", "load_encoder", ""),),
    "rendering and tokens": (("fitting/fit.py", "encode_corpus", ""),),
    "collation": (("data_collator.py", "__call__", ""),),
    "forward and loss": (("transformers/trainer.py", "compute_loss", "training_step"),),
    "backward": (("accelerate/accelerator.py", "backward", ""),),
    "gradient norm": (("accelerate/accelerator.py", "clip_grad_norm_", ""),),
    "optimiser": (("accelerate/optimizer.py", "step", ""), ("accelerate/optimizer.py", "zero_grad", "")),
    "evaluation after epochs": (("transformers/trainer.py", "evaluate", ""),),
    "checkpoints": (
        ("transformers/trainer.py", "_save_checkpoint", ""),
        ("transformers/trainer.py", "_load_best_model", ""),
    ),
    "calibration": (("evaluation/calibrate.py", "calibrate", ""), ("experiments/reference.py", "ask", "_finish")),
    "reference": (("experiments/reference.py", "make_reference", ""),),
    "evaluation as served": (("evaluation/evaluate.py", "evaluate", ""),),
    "the model into the store": (("store/package.py", "log_model", ""),),
    "figures and plots into the store": (
        ("experiments/run.py", "_log_evaluations", ""),
        ("experiments/track.py", "log_setup", ""),
        ("experiments/track.py", "send_all", ""),
    ),
}
KINDS = {
    "matrix products": ("aten::mm", "aten::addmm", "aten::bmm", "aten::matmul"),
    "random numbers": ("aten::bernoulli_", "aten::random_"),
    "copies between types": ("aten::copy_", "aten::_to_copy"),
    "optimiser": ("aten::_fused_adamw_", "Optimizer.step#AdamW.step", "Optimizer.zero_grad#AdamW.zero_grad"),
    "gradient norm": ("aten::linalg_vector_norm", "aten::_foreach_norm", "aten::_foreach_mul_"),
    "activations and norms": (
        *("aten::gelu", "aten::gelu_backward", "aten::_softmax", "aten::_softmax_backward_data"),
        *("aten::native_layer_norm", "aten::native_layer_norm_backward"),
    ),
}
app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def parts(config: ConfigOption = Path("configs/quickstart.yaml"), rows: RowsOption = None) -> None:
    """Print the seconds of every part of a training."""
    profile = cProfile.Profile()
    start = time.perf_counter()
    with place() as folder:
        os.environ["MLFLOW_TRACKING_URI"] = f"sqlite:///{folder}/mlflow.db"
        profile.enable()
        from training.config import TrainConfig, load_config
        from training.experiments.run import train

        train(load_config(config, TrainConfig, overrides(rows)), Console(stderr=True))
        profile.disable()
    whole = time.perf_counter() - start
    seconds = {part: spent(pstats.Stats(profile), functions) for part, functions in PARTS.items()}
    seconds["the rest"] = whole - sum(seconds.values())
    lines = [[part, f"{value:.2f}", f"{value / whole:.1%}"] for part, value in seconds.items()]
    print(markdown(["part", "seconds", "share"], [*lines, ["all", f"{whole:.2f}", ""]]))


def overrides(rows: int | None) -> tuple[str, ...]:
    """Changes of a config: nothing is registered, no test part is read, perhaps fewer rows."""
    return (*OVERRIDES, f"data.train=[{{path: data/statements/train.jsonl, rows: {rows}}}]") if rows else OVERRIDES


@contextmanager
def place() -> Iterator[Path]:
    """A folder for a store and for checkpoints, gone afterwards."""
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


def spent(stats: pstats.Stats, functions: Sequence[tuple[str, str, str]]) -> float:
    """Seconds in the functions and in what they call."""
    total = 0.0
    for (file, _, name), (_, _, _, cumulative, callers) in stats.stats.items():  # type: ignore[attr-defined]
        for ending, wanted, caller in functions:
            if name == wanted and file.rstrip(">").endswith(ending):
                by = [one[3] for (_, _, called), one in callers.items() if called == caller]
                total += sum(by) if caller else cumulative
    return total


@app.command()
def step(
    config: ConfigOption = Path("configs/quickstart.yaml"),
    steps: Annotated[int, typer.Option(help="Steps to profile.")] = 20,
) -> None:
    """Print the shares of a step and the rate of its matrix products beside the machine's."""
    import torch
    from torch.profiler import ProfilerActivity, profile
    from torch.utils.flop_counter import FlopCounterMode

    from training.fitting.fit import native_bf16

    training = Steps(config)
    for _ in range(5):
        training.next()
    start, rows = time.perf_counter(), 0
    for _ in range(steps):
        rows += training.next()
    seconds = (time.perf_counter() - start) / steps
    with profile(activities=[ProfilerActivity.CPU]) as profiled:
        for _ in range(steps):
            training.next()
    with FlopCounterMode(display=False) as counter:
        training.next()
    kernels = {one.key: one.self_cpu_time_total for one in profiled.key_averages()}
    whole = sum(kernels.values())
    shares = {kind: sum(kernels.get(name, 0) for name in names) / whole for kind, names in KINDS.items()}
    lines = [[kind, f"{share:.0%}"] for kind, share in shares.items()]
    print(markdown(["of a step", "share"], [*lines, ["everything else", f"{1 - sum(shares.values()):.0%}"]]))
    rates = {str(kind): rate(training, kind) for kind in (torch.bfloat16, torch.float32)}
    limit = rates["torch.bfloat16" if native_bf16(use_cpu=True) else "torch.float32"]
    reached = counter.get_total_flops() / training.tokens * training.all_tokens / training.count / seconds
    print(f"\n{rows / seconds / steps:.1f} rows/s, {reached / 1e9:,.0f} GFLOP/s")
    print(", ".join(f"{name}: {value / 1e9:,.0f} GFLOP/s" for name, value in rates.items()), end=" ")
    print(f"on the model's own shapes; a step reaches {reached / limit:.0%} of the limit")


class Steps:
    """The steps of a training, as `fit` makes them, without what Trainer adds."""

    def __init__(self, config: Path) -> None:
        import torch
        from torch.utils.data import DataLoader
        from transformers import set_seed

        from serving.inputs import InputEncoder
        from training.config import TrainConfig, load_config
        from training.data.corpus import read_corpus
        from training.fitting.batches import LengthBatches
        from training.fitting.fit import encode_corpus, native_bf16, padding, parameter_groups, prepared
        from training.fitting.loss import MaskedLoss

        set_seed(1)
        values = load_config(config, TrainConfig, ())
        corpus = read_corpus(Path("data/statements/train.jsonl"))
        tokenizer, self.model = prepared(values)
        inputs = InputEncoder(tokenizer.backend_tokenizer, values.template, values.max_length)
        rows = encode_corpus(corpus, inputs, values.heads, values.loss)
        batches = LengthBatches([len(ids) for ids in rows["input_ids"]], values.batch, 1)
        self.loader = DataLoader(rows, batch_sampler=batches, collate_fn=padding(tokenizer, values.max_length))
        self.batches = iter(self.loader)
        self.loss = MaskedLoss(values.heads, corpus, values.loss, torch.device("cpu"))
        self.optimiser = torch.optim.AdamW(parameter_groups(self.model, values.optimiser), fused=True)
        self.bf16 = native_bf16(use_cpu=True)
        self.model.train()
        self.tokens = self.all_tokens = self.count = 0

    def next(self) -> int:
        """One step; its rows."""
        import torch

        batch = dict(next(self.batches))
        labels = batch.pop("labels")
        with torch.autocast("cpu", torch.bfloat16, enabled=self.bf16):
            outputs = self.model(**batch)
        self.loss(outputs, labels).backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimiser.step()
        self.optimiser.zero_grad()
        self.tokens = batch["input_ids"].numel()
        self.all_tokens += self.tokens
        self.count += 1
        return len(labels)


def rate(training: Steps, kind: object) -> float:
    """Operations a second of the products of a layer, with as many tokens as a batch has."""
    import torch

    config = training.model.config
    wide, narrow = config.intermediate_size, config.hidden_size
    rows = training.all_tokens // training.count
    seconds = operations = 0.0
    for into, out in ((narrow, narrow), (narrow, wide), (wide, narrow)):
        left = torch.randn(rows, into, dtype=kind)  # type: ignore[call-overload]
        right = torch.randn(out, into, dtype=kind)  # type: ignore[call-overload]
        rounds = []
        for _ in range(30):
            start = time.perf_counter()
            torch.nn.functional.linear(left, right)
            rounds.append(time.perf_counter() - start)
        seconds += median(rounds)
        operations += 2.0 * rows * into * out
    return operations / seconds


@app.command()
def race(
    old: Annotated[Path, typer.Option(help="A checkout of an earlier version: git worktree add FOLDER REVISION.")],
    config: ConfigOption = Path("configs/quickstart.yaml"),
    rows: RowsOption = 1000,
    rounds: Annotated[int, typer.Option(help="The table holds the median ratio.")] = 3,
    changes: Annotated[
        list[str] | None, typer.Option("--set", help="KEY=VALUE for this version, such as the other's recipe.")
    ] = None,
) -> None:
    """Print rows a second, memory and macro-F1 of this version, an earlier one and run_classification, in turn.

    Every round has a seed of its own.
    """
    racers = {"this version": Path.cwd(), "the earlier version": old.absolute(), "run_classification": Path.cwd()}
    found: dict[str, list[tuple[float, float, float]]] = {name: [] for name in racers}
    with place() as folder:
        for seed in range(1, rounds + 1):
            for name, code in racers.items():
                way = "peer" if name == "run_classification" else "ours"
                own = (changes or []) if name == "this version" else []
                found[name].append(raced(way, code, config, [*overrides(rows), *own, f"seeds=[{seed}]"], folder))
                speed, peak, score = found[name][-1]
                Console(stderr=True).print(f"{name}: {speed:.1f} rows/s, {peak:,.0f} MB, macro-F1 {score:.1f}")
    lines = []
    ours = [speed for speed, _, _ in found["this version"]]
    for name, each in found.items():
        speeds, peaks, scores = zip(*each, strict=True)
        several = f"{mean(scores):.1f} ({min(scores):.1f} to {max(scores):.1f})"
        lines.append([name, f"{median(speeds):.1f}", ratio(ours, speeds), f"{median(peaks):,.0f}", several])
    head = ["", "rows/s", "this version is so many times as fast (of each round)", "peak MB", "validation macro-F1"]
    print(markdown(head, lines))


def raced(way: str, code: Path, config: Path, changes: list[str], folder: Path) -> tuple[float, float, float]:
    """Rows a second of a training, from the first step to the last weights; megabytes at most; macro-F1."""
    command = [sys.executable, str(Path(__file__).parent / "training_race.py"), way, str(config)]
    environment = {**os.environ, "PYTHONPATH": str(code), "MLFLOW_TRACKING_URI": f"sqlite:///{folder}/race.db"}
    done = subprocess.run(  # noqa: S603
        [*command, *changes], cwd=code, env=environment, check=True, capture_output=True, text=True
    )
    speed, peak, score = map(float, done.stdout.split()[-3:])
    return speed, peak, score


if __name__ == "__main__":
    run(app)
