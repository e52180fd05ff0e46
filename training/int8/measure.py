"""One model on PyTorch and in int8, on the same rows and the same machine: figures, differences, size, speed."""

import platform
import statistics
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from serving.classifier import StanceClassifier
from serving.labels import HEADS, UNLABELLED, label_indices
from serving.runtime.base import Runtime, all_logits
from serving.runtime.cores import usable_cores
from serving.statement import Prediction, Statement
from serving.store.folder import INT8_FOLDER, ModelSettings
from serving.store.run_files import evenly
from training.evaluation.metrics import Floats, Metric, difference_macro_f1, head_metrics, mlflow_metrics
from training.int8.quantise import Quantised, Rows

BULK, ALONE, ROUNDS = 1000, 30, 3  # statements timed together, by themselves, and how often


@dataclass(frozen=True)
class Part:
    """Both models on one part: figures by head, and int8's answers as a table like that of the training run."""

    name: str
    statements: list[Statement]
    table: pd.DataFrame
    torch: dict[str, dict[str, Metric]]
    int8: dict[str, dict[str, Metric]]
    differences: dict[str, Metric]  # macro-F1, int8 minus torch, paired


@dataclass(frozen=True)
class Cost:
    """What a model costs on this machine."""

    megabytes: float  # of weights
    per_second: float  # statements in bulk, best of ROUNDS
    alone: float  # milliseconds of a statement by itself, median


@dataclass(frozen=True)
class Report:
    """What is known of the int8 model; the first part is the one shown."""

    quantised: Quantised
    parts: list[Part]
    torch: Cost
    int8: Cost
    minutes: float

    @property
    def speed(self) -> float:
        """How many times as many statements a second as PyTorch, in bulk."""
        return self.int8.per_second / self.torch.per_second

    @property
    def alone(self) -> float:
        """How many times as fast as PyTorch on a statement by itself."""
        return self.torch.alone / self.int8.alone

    def rows(self) -> list[tuple[str, str, str, str]]:
        """Title, PyTorch, int8, difference: one row per figure."""
        shown, one, two = self.parts[0], self.torch, self.int8
        rows = []
        for head, apart in shown.differences.items():
            before, after = (str(side[head]["macro_f1"]) for side in (shown.torch, shown.int8))
            rows.append((f"{shown.name} {head} macro-F1", before, after, apart.points))
        share = f"{100 * two.megabytes / one.megabytes:.0f} %"
        rows.append(("size in MB", f"{one.megabytes:.1f}", f"{two.megabytes:.1f}", share))
        rows.append(("statements/s, bulk", f"{one.per_second:.0f}", f"{two.per_second:.0f}", f"{self.speed:.2f} x"))
        rows.append(("ms, one by itself", f"{one.alone:.1f}", f"{two.alone:.1f}", f"{self.alone:.2f} x as fast"))
        return rows

    def figures(self) -> dict[str, Metric]:
        """Those of a training run, of int8, and the difference in macro-F1, named as in MLflow."""
        figures = {f"int8/{head}/macro_f1_difference": one for head, one in self.parts[0].differences.items()}
        for part in self.parts:
            for head, measured in part.int8.items():
                figures |= {f"{part.name}/{head}/{name}": one for name, one in measured.items()}
        return figures

    def metrics(self) -> dict[str, float]:
        """For MLflow: the figures, and what int8 gains and costs."""
        return mlflow_metrics(self.figures()) | {
            "cost/minutes": self.minutes,
            "cost/ms_per_statement": 1000 / self.int8.per_second,
            "cost/model_mb": self.int8.megabytes,
            "int8/speed_ratio": self.speed,
            "int8/single_ratio": self.alone,
            "int8/validation_loss": self.quantised.loss,
            "int8/layers_kept": len(self.quantised.kept),
        }


def labelled_rows(table: pd.DataFrame, heads: Sequence[str], column: str) -> Rows:
    """The rows of a table with the heads that are labelled in it; rows without a group are their text's.

    Args:
        table: with the fields of a statement and `group`.
        heads: of the model.
        column: where a head's labels are, such as `{}_true`.
    """
    fields = [name for name in Statement.model_fields if name in table]
    rows = table[fields].astype(object).where(table[fields].notna(), None)
    statements = [Statement.model_validate(row) for row in rows.to_dict("records")]
    labels = {}
    for head in heads:
        given = table.get(column.format(head), pd.Series(dtype=object))
        if given.notna().any():
            labels[head] = label_indices(head, given)
    # Numbered in order of appearance, as in training: then the intervals are those of the training run.
    groups = pd.factorize(table["group"].fillna(table["text"]))[0]
    return Rows(statements, labels, groups.astype(np.int64))


def measure(name: str, table: pd.DataFrame, settings: ModelSettings, torch: Runtime, int8: Runtime) -> Part:
    """Both models on one part.

    Args:
        name: of the part.
        table: the training run's predictions on it.
        settings: of the model.
        torch: the model on PyTorch.
        int8: the model in int8.
    """
    rows = labelled_rows(table, settings.heads, "{}_true")
    before, after = (
        StanceClassifier(settings, runtime).answers(rows.statements, all_logits(runtime, rows.statements))
        for runtime in (torch, int8)
    )
    table = table.copy()
    measured: list[dict[str, dict[str, Metric]]] = [{}, {}]
    differences = {}
    for head, labels in rows.labels.items():
        probabilities = [_probabilities(answers, head) for answers in (before, after)]
        for figures, one in zip(measured, probabilities, strict=True):
            figures[head] = head_metrics(head, labels, one, rows.groups)
        known = labels != UNLABELLED
        ours, theirs = ([one[known].argmax(axis=1).astype(np.int64)] for one in reversed(probabilities))
        differences[head] = difference_macro_f1(labels[known], ours, theirs, rows.groups[known])
        table[f"{head}_predicted"] = [getattr(answer, head).label for answer in after]
        for number, label in enumerate(HEADS[head]):
            table[f"{head}_p_{label}"] = probabilities[1][:, number].round(4)
        table[f"{head}_abstained"] = [getattr(answer, head).abstained for answer in after]
    return Part(name, rows.statements, table, measured[0], measured[1], differences)


def _probabilities(answers: Sequence[Prediction], head: str) -> Floats:
    """Calibrated, shape (rows, 3)."""
    return np.array([[getattr(one, head).probabilities[label] for label in HEADS[head]] for one in answers])


def costs(folder: Path, torch: Runtime, int8: Runtime, statements: Sequence[Statement]) -> tuple[Cost, Cost]:
    """Both in turns, so that whatever else the machine does meets both.

    Args:
        folder: of the model, with `int8/` in it.
        torch: the model on PyTorch.
        int8: the model in int8.
        statements: to be timed.
    """
    chosen, few = evenly(statements, BULK), evenly(statements, ALONE)
    bulk: list[list[float]] = [[], []]
    alone: list[list[float]] = [[], []]
    for _ in range(ROUNDS):
        for number, runtime in enumerate((torch, int8)):
            bulk[number].append(_seconds(runtime, chosen))
            # Not in turns: the other's threads would still be spinning.
            alone[number] += [_seconds(runtime, [statement]) for statement in few]
    sizes = _megabytes(folder.glob("*.safetensors")), _megabytes((folder / INT8_FOLDER).iterdir())
    first, second = (
        Cost(size, len(chosen) / min(seconds), 1000 * statistics.median(single))
        for size, seconds, single in zip(sizes, bulk, alone, strict=True)
    )
    return first, second


def _seconds(runtime: Runtime, statements: Sequence[Statement]) -> float:
    start = time.perf_counter()
    all_logits(runtime, statements)
    return time.perf_counter() - start


def _megabytes(files: Iterable[Path]) -> float:
    return sum(file.stat().st_size for file in files) / 1e6


def machine() -> str:
    """What the figures of speed hold for."""
    return f"{usable_cores()} cores ({platform.machine()})"
