"""From a PyTorch encoder to int8 on OpenVINO: quantised after training, on training rows, checked on validation."""

import logging
import shutil
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

import nncf
import numpy as np
import openvino

from serving.artifact import INT8_FOLDER, ModelSettings
from serving.inputs import Tokens
from serving.int8 import OpenVinoRuntime
from serving.labels import LOGITS, UNLABELLED, Logits
from serving.metrics import Ints, macro_f1
from serving.runtimes import TorchRuntime, all_logits, token_batches
from serving.statement import Statement

MOST_LOSS = 0.005  # of validation macro-F1, mean of the heads; an int8 model that loses more is made again
CHECKED_TOKENS = 1024  # of one item of the accuracy control, which ranks layers by what they change in each item


@dataclass(frozen=True)
class Rows:
    """Labelled statements: label indices by head and group numbers, both of shape (rows,)."""

    statements: list[Statement]
    labels: dict[str, Ints]
    groups: Ints

    def score(self, logits: Logits) -> float:
        """Macro-F1 from logits of shape (rows, 6), mean of the heads."""
        scores = []
        for head, labels in self.labels.items():
            known = labels != UNLABELLED
            predicted = logits[known, LOGITS[head]].argmax(axis=1).astype(np.int64)
            scores.append(macro_f1(labels[known], predicted, np.ones((1, len(predicted))))[0])
        return float(np.mean(scores))


@dataclass(frozen=True)
class Quantised:
    """How the int8 model came about; the losses are of validation macro-F1, mean of the heads, against PyTorch."""

    loss: float
    plain_loss: float  # with every layer in int8
    kept: list[str]  # layers that stay in higher precision

    def __str__(self) -> str:
        text = f"Int8 costs {100 * self.loss:.1f} points of validation macro-F1 (mean of the heads)."
        if self.plain_loss > MOST_LOSS:
            text += (
                f" With every layer in int8 it would cost {100 * self.plain_loss:.1f}, more than the "
                f"{100 * MOST_LOSS:.1f} allowed; layers kept in higher precision: {len(self.kept)}"
            )
            text += f" ({', '.join(self.kept)})." if self.kept else "."
        return text


def quantise(
    torch: TorchRuntime,
    settings: ModelSettings,
    calibration: list[Statement],
    validation: Rows,
    folder: Path,
    progress: Callable[[str], None],
) -> Quantised:
    """Write the int8 version of the folder's model into its `int8/`.

    Where it loses more than `MOST_LOSS` with every layer in int8, the layers responsible stay in higher precision.

    Args:
        torch: the model on the CPU.
        settings: of the model.
        calibration: statements that the ranges of the activations are taken from.
        validation: rows that the loss is measured on.
        folder: of the model.
        progress: told what is being done.
    """
    progress("converting to OpenVINO")
    rows = torch.encode(calibration)
    model = _convert(torch, rows)
    dataset = nncf.Dataset(rows, lambda row: _arrays(torch, [row]))
    how = {"model_type": nncf.ModelType.TRANSFORMER, "subset_size": len(rows)}
    progress(f"quantising on {len(rows)} training rows")
    with _silent():
        plain = nncf.quantize(model, dataset, **how)
    _save(plain, folder)
    progress("checking on validation")
    wanted = validation.score(all_logits(torch, validation.statements))

    def loss() -> float:
        return wanted - validation.score(all_logits(OpenVinoRuntime(folder, settings), validation.statements))

    plain_loss = loss()
    if plain_loss <= MOST_LOSS:
        return Quantised(plain_loss, plain_loss, [])
    progress(f"it loses {100 * plain_loss:.1f} points of macro-F1: looking for the layers responsible (minutes)")
    encoded = torch.encode(validation.statements)
    items = token_batches([len(row) for row in encoded], CHECKED_TOKENS)
    with _silent():
        mixed = nncf.quantize_with_accuracy_control(
            model,
            dataset,
            nncf.Dataset(items, lambda places: _arrays(torch, [encoded[place] for place in places])),
            _validator(torch, encoded, validation),
            max_drop=MOST_LOSS,
            **how,
        )
    _save(mixed, folder)
    return Quantised(loss(), plain_loss, sorted(_quantised_layers(plain) - _quantised_layers(mixed)))


def _convert(torch: TorchRuntime, rows: Sequence[Tokens]) -> Any:
    """The model for OpenVINO in full precision, with the inputs that its forward pass accepts."""
    from torch import from_numpy

    # Rows of different length: with nothing padded, tracing could drop the attention mask.
    example = _arrays(torch, [min(rows, key=len), max(rows, key=len)])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tensors = {name: from_numpy(array) for name, array in example.items()}
        return openvino.convert_model(torch.model, example_input=tensors)


def _arrays(torch: TorchRuntime, batch: Sequence[Tokens]) -> dict[str, Any]:
    return {name: array for name, array in torch.pad(batch).items() if name in torch.reads}


def _validator(torch: TorchRuntime, encoded: Sequence[Tokens], validation: Rows) -> Callable[..., Any]:
    """What NNCF measures a model with: macro-F1, and the logits of every item, by which it ranks layers.

    It is first tried on a single item; that macro-F1 is not used.
    """

    def validate(compiled: Any, items: Iterable[list[int]]) -> tuple[float, list[list[Any]]]:
        logits, each = np.zeros((len(encoded), 6)), []
        for places in items:
            answer = compiled(_arrays(torch, [encoded[place] for place in places]))[0]
            logits[places] = answer
            each.append([answer])
        return validation.score(logits), each

    return validate


def _save(model: Any, folder: Path) -> None:
    # Never over a file that is there: OpenVINO may have it mapped into memory.
    shutil.rmtree(folder / INT8_FOLDER, ignore_errors=True)
    (folder / INT8_FOLDER).mkdir()
    openvino.save_model(model, folder / INT8_FOLDER / "model.xml")


def _quantised_layers(model: Any) -> set[str]:
    """Names of the operations that read a quantised activation."""
    return {
        node.get_friendly_name().removeprefix("__module.")
        for node in model.get_ordered_ops()
        if any(port.get_source_output().get_node().get_type_name() == "FakeQuantize" for port in node.inputs())
    }


@contextmanager
def _silent() -> Iterator[None]:
    """Without NNCF's own bars and log lines."""
    nncf.set_log_level(logging.ERROR)
    with redirect_stdout(StringIO()):
        yield
