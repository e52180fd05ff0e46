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

from serving.inputs import Tokens
from serving.labels import LOGITS, UNLABELLED, Logits
from serving.runtime.base import all_logits, token_batches
from serving.runtime.int8 import OpenVinoRuntime
from serving.runtime.pytorch import TorchRuntime
from serving.statement import Statement
from serving.store.folder import INT8_FOLDER, ModelSettings
from training.evaluation.metrics import Ints, macro_f1_score

MOST_LOSS = 0.005  # of validation macro-F1, mean of the heads; an int8 model that loses more is made again
ITEM_TOKENS, RANKED_ITEMS = 1024, 8  # size of the accuracy control's items; on how many of them it ranks the layers
TIE = 1e-4  # of macro-F1: what tells layers apart that change logits but no label

# NNCF gives a layer back its original weights but leaves the smoothing of its input, which they do not undo: a layer
# kept in higher precision would answer worse than in int8.
UNSMOOTHED = nncf.AdvancedQuantizationParameters(
    smooth_quant_alphas=nncf.AdvancedSmoothQuantParameters(matmul=-1, convolution=-1)
)


@dataclass(frozen=True)
class Rows:
    """Labelled statements: label indices by head and group numbers, both of shape (rows,)."""

    statements: list[Statement]
    labels: dict[str, Ints]
    groups: Ints

    def score(self, logits: Logits, places: Sequence[int] | None = None) -> float:
        """Macro-F1 from logits of shape (rows, 6), mean of the heads; with `places`, of the rows there."""
        scores = []
        for head, every in self.labels.items():
            labels = every if places is None else every[places]
            known = labels != UNLABELLED
            if known.any():
                predicted = logits[known, LOGITS[head]].argmax(axis=1).astype(np.int64)
                scores.append(macro_f1_score(labels[known], predicted))
        return float(np.mean(scores))


@dataclass(frozen=True)
class Quantised:
    """How the int8 model came about; the losses are of validation macro-F1, mean of the heads, against PyTorch."""

    loss: float
    plain_loss: float  # with every layer in int8, before accuracy control
    kept: list[str]  # layers that accuracy control left in higher precision

    def __str__(self) -> str:
        text = f"Int8 changes validation macro-F1 (mean of the heads) by {_points(-self.loss)} points."
        if self.plain_loss > MOST_LOSS:
            text += (
                f" At first it was {_points(-self.plain_loss)}, beyond the {_points(-MOST_LOSS)} allowed: made again "
                f"under accuracy control; layers kept in higher precision: {len(self.kept)}"
            )
            text += f" ({', '.join(self.kept)})." if self.kept else "."
        return text


def _points(share: float) -> str:
    return f"{round(100 * share, 1) + 0.0:+.1f}"  # never -0.0


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
    exact = all_logits(torch, validation.statements)
    wanted = validation.score(exact)

    def loss() -> float:
        return wanted - validation.score(all_logits(OpenVinoRuntime(folder, settings), validation.statements))

    plain_loss = loss()
    if plain_loss <= MOST_LOSS:
        return Quantised(plain_loss, plain_loss, [])
    progress(f"it loses {100 * plain_loss:.1f} points of macro-F1: looking for the layers responsible (minutes)")
    encoded = torch.encode(validation.statements)
    items = token_batches([len(row) for row in encoded], ITEM_TOKENS)
    with _silent():
        mixed = nncf.quantize_with_accuracy_control(
            model,
            dataset,
            nncf.Dataset(items, lambda places: _arrays(torch, [encoded[place] for place in places])),
            _validator(torch, encoded, validation, exact),
            max_drop=MOST_LOSS,
            advanced_quantization_parameters=UNSMOOTHED,
            advanced_accuracy_restorer_parameters=nncf.AdvancedAccuracyRestorerParameters(
                ranking_subset_size=RANKED_ITEMS
            ),
            **how,
        )
    _save(mixed, folder)
    return Quantised(loss(), plain_loss, sorted(_int8_layers(plain) - _int8_layers(mixed)))


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


def _validator(torch: TorchRuntime, encoded: Sequence[Tokens], validation: Rows, exact: Logits) -> Callable[..., Any]:
    """What NNCF measures a model with: macro-F1 of some items, and the error of each item's logits, negated.

    Not the logits themselves: by those NNCF 3.4 would give precision first to the layer that gains least from it.
    """

    def validate(compiled: Any, items: Iterable[list[int]]) -> tuple[float, list[float]]:
        places: list[int] = []
        answers, errors = [], []
        for item in items:
            answer = compiled(_arrays(torch, [encoded[place] for place in item]))[0]
            errors.append(float(np.square(answer - exact[item]).sum() / np.square(exact[item]).sum()))
            answers.append(answer)
            places += item
        score = validation.score(np.concatenate(answers), places)
        return score - TIE * min(1.0, float(np.mean(errors))), [-error for error in errors]

    return validate


def _save(model: Any, folder: Path) -> None:
    # Never over a file that is there: OpenVINO may have it mapped into memory.
    shutil.rmtree(folder / INT8_FOLDER, ignore_errors=True)
    (folder / INT8_FOLDER).mkdir()
    # Not in fp16: what is not int8 was checked in fp32, and fp16 cannot hold every weight.
    openvino.save_model(model, folder / INT8_FOLDER / "model.xml", compress_to_fp16=False)


def _int8_layers(model: Any) -> set[str]:
    """Names of the layers whose weights are int8."""
    names = {
        layer.get_friendly_name()
        for layer in model.get_ordered_ops()
        if layer.get_type_name() == "MatMul" and any(_is_int8(port.get_node()) for port in layer.input_values())
    }
    return {name.removeprefix("__module.").partition("/")[0] for name in names}


def _is_int8(node: Any) -> bool:
    """Whether it is an int8 constant, perhaps on its way to floating point: convert, subtract, multiply."""
    while node.get_type_name() in ("Convert", "Subtract", "Multiply"):
        node = node.input_value(0).get_node()
    return node.get_type_name() == "Constant" and node.get_element_type() in (openvino.Type.i8, openvino.Type.u8)


@contextmanager
def _silent() -> Iterator[None]:
    """Without NNCF's own bars and log lines."""
    nncf.set_log_level(logging.ERROR)
    with redirect_stdout(StringIO()):
        yield
