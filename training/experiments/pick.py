"""`python -m training pick`: the statements whose labels would teach a model most.

The method is BADGE (Ash et al. 2020, "Deep Batch Active Learning by Diverse, Uncertain Gradient Lower Bounds"). Each
statement stands for the gradient that its label would send into the last layer, if the label were the model's own
answer: (p - onehot(answer)) x hidden, of both heads. It is long where the model is unsure, and it points elsewhere for
statements of another kind. k-means++ seeding (Arthur and Vassilvitskii 2007) draws statements that are far from those
drawn before, so that they are unsure and different at once. One thing differs from the paper: the zero gradient counts
as drawn, so that statements that the model is sure of, which all lie there, are not far from everything.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from rich.console import Console

from serving.classifier import StanceClassifier, softmax
from serving.commands.predict import progress
from serving.errors import StancewiseError
from serving.labels import HEADS, LOGITS, Logits
from serving.rows.check import checked
from serving.rows.read import FORMATS, Row, read_rows, table_format
from serving.runtime.base import BATCH_TOKENS, token_batches
from serving.runtime.pytorch import TorchRuntime
from serving.statement import Statement
from serving.store.folder import ModelSettings
from serving.tables import RowWriter, open_writer
from serving.terminal import say
from training.data.similar import Unlike
from training.evaluation.metrics import Floats
from training.experiments.pool import MOST, Candidate, Pool, read_pool

CHUNK = 512  # statements between two movements of the progress bar
SUGGESTED = "model_{}"  # column of the model's label; its probability stands in model_{}_sureness


@dataclass(frozen=True)
class Gradients:
    """The gradient embeddings of statements, as their two factors: their products would not fit into memory."""

    errors: Floats  # p - onehot(answer), shape (statements, 3 a head)
    hidden: Floats  # what the last layer reads, shape (statements, width)

    @cached_property
    def lengths(self) -> Floats:
        """Squared, shape (statements,)."""
        squared: Floats = (self.errors**2).sum(axis=1) * (self.hidden**2).sum(axis=1)
        return squared

    def distances(self, one: int) -> Floats:
        """Squared, of all statements from this one, shape (statements,)."""
        inner = (self.errors @ self.errors[one]) * (self.hidden @ self.hidden[one])
        squared: Floats = np.maximum(self.lengths + self.lengths[one] - 2 * inner, 0)
        return squared


def pick(
    model: str,
    input: Path,
    output: Path,
    rows: int,
    labelled: Path | None,
    suggest: bool,
    seed: int,
    device: str,
    errors: Console,
) -> int:
    """Choose rows of a table and write them, the most telling first; returns how many rows could not be read.

    Args:
        model: a folder or an MLflow URI of a fine-tuned encoder.
        input: the table; only a bounded pool of it is held in memory.
        output: a table with the columns of the input.
        rows: how many to choose.
        labelled: a table of statements that are labelled already.
        suggest: add the model's labels and how sure it is.
        seed: of every draw.
        device: `auto`, `cpu` or a torch device.
        errors: for progress and the summary.

    Raises:
        StancewiseError: a table or the model cannot be read, or nothing is left to label.
    """
    for path in (input, *([labelled] if labelled else [])):
        table_format(path)
    table_format(output, FORMATS)
    classifier = StanceClassifier.load(model, device, runtime="torch")
    runtime = classifier.runtime
    if not isinstance(runtime, TorchRuntime):
        raise StancewiseError(
            f"{model}: a {classifier.settings.kind} model has no embeddings; name a fine-tuned encoder"
        )
    with ExitStack() as stack:
        bad = _Bad(stack, output.with_name(f"{output.name}.bad.jsonl"))
        with errors.status(f"reading {input}"):
            pool = read_pool(_rows(input, errors), _rows(labelled, errors) if labelled else (), seed, bad)
        pool.candidates = list(_readable(runtime, pool.candidates, bad))
        if not pool.candidates:
            raise StancewiseError(f"{input}: no statement is left to label ({pool.labelled:,} are labelled already)")
        with progress(errors) as bar:
            task = bar.add_task("asking the model", total=len(pool.candidates))
            statements = [one.statement for one in pool.candidates]
            logits, hidden = embed(runtime, statements, partial(bar.advance, task))
        chosen = choose(gradients(classifier.settings, logits, hidden), pool.candidates, rows, seed)
        writer = stack.enter_context(open_writer(output))
        for place in chosen:
            values = pool.candidates[place].row.values
            writer.write({**values, **(_suggested(classifier.settings, logits[place], values) if suggest else {})})
    _report(pool, chosen, rows, output, errors)
    if bad.count:
        say(f"{bad.count:,} rows are no statements: see {bad.path}", errors)
    return bad.count


@dataclass
class _Bad:
    """Rows that are no statements, written to a file as they are met; without one there is no file."""

    stack: ExitStack
    path: Path
    count: int = 0
    writer: RowWriter | None = None

    def __call__(self, line: int, reason: str) -> None:
        if self.writer is None:
            self.writer = self.stack.enter_context(open_writer(self.path))
        self.writer.write({"line": line, "reason": reason})
        self.count += 1


def _rows(path: Path, errors: Console) -> Iterator[Row]:
    return checked(read_rows(path), str(path), partial(say, console=errors), path.suffix.lower() != ".jsonl")


def _readable(runtime: TorchRuntime, candidates: Sequence[Candidate], bad: _Bad) -> Iterator[Candidate]:
    """Without what the model cannot read, such as a target that fills it."""
    for start in range(0, len(candidates), CHUNK):
        some = candidates[start : start + CHUNK]
        try:
            runtime.encode([one.statement for one in some])
            yield from some
        except StancewiseError:
            for one in some:
                try:
                    runtime.encode([one.statement])
                    yield one
                except StancewiseError as error:
                    bad(one.row.line, str(error))


def embed(
    runtime: TorchRuntime, statements: Sequence[Statement], on_progress: Callable[[int], Any]
) -> tuple[Logits, Floats]:
    """Raw logits (statements, 6), and what the last layer reads for them, shape (statements, width).

    Raises:
        StancewiseError: the model cannot read a statement.
    """
    last = [one for one in runtime.model.modules() if isinstance(one, torch.nn.Linear) and one.out_features == 6][-1]
    seen: list[npt.NDArray[np.float32]] = []
    hook = last.register_forward_pre_hook(lambda _, given: seen.append(given[0].float().cpu().numpy()))
    logits, hidden = np.empty((len(statements), 6)), np.empty((len(statements), last.in_features), dtype=np.float32)
    source = iter(statements)
    start = 0
    try:
        while some := list(islice(source, CHUNK)):
            encoded = runtime.encode(some)
            for batch in token_batches([len(one) for one in encoded], BATCH_TOKENS):
                places = np.array(batch) + start
                logits[places] = runtime.forward([encoded[i] for i in batch])
                hidden[places] = seen.pop()
            start += len(some)
            on_progress(len(some))
    finally:
        hook.remove()
    return logits, hidden.astype(np.float64)


def gradients(settings: ModelSettings, logits: Logits, hidden: Floats) -> Gradients:
    """The gradient embeddings, from calibrated probabilities of every head that the model answers."""
    parts = []
    for head in settings.heads:
        probabilities = softmax(logits[:, LOGITS[head]] / settings.temperatures[head])
        parts.append(probabilities - np.eye(3)[probabilities.argmax(axis=1)])
    return Gradients(np.concatenate(parts, axis=1), hidden)


def choose(points: Gradients, candidates: Sequence[Candidate], rows: int, seed: int) -> list[int]:
    """Places of at most `rows` candidates, drawn by k-means++ seeding, the first the one that is most unsure.

    No two have nearly the same text. As soon as there are as many targets without a row as rows to come, only those are
    drawn from: every target has a row before the rows end, or, where there are more targets, no target has two.
    """
    rng = np.random.default_rng(seed)
    targets = np.unique([one.target for one in candidates], return_inverse=True)[1]
    missing = set(targets.tolist())
    allowed = np.ones(len(candidates), dtype=np.bool_)
    nearest = points.lengths.copy()
    chosen: list[int] = []
    texts = Unlike()
    while len(chosen) < rows and allowed.any():
        missing &= set(targets[allowed].tolist())
        wanted = allowed
        if missing and len(missing) >= rows - len(chosen):
            wanted = allowed & np.isin(targets, list(missing))
        weights = np.where(wanted, nearest, 0)
        if not weights.any():
            weights = wanted.astype(np.float64)
        place = int(rng.choice(len(weights), p=weights / weights.sum())) if chosen else int(weights.argmax())
        allowed[place] = False
        if not texts.add(candidates[place].statement.text):
            continue
        nearest = np.minimum(nearest, points.distances(place))
        chosen.append(place)
        missing.discard(int(targets[place]))
    return chosen


def _suggested(settings: ModelSettings, logits: Logits, values: dict[str, Any]) -> dict[str, Any]:
    added: dict[str, Any] = {}
    for head in settings.heads:
        probabilities = softmax(logits[LOGITS[head]] / settings.temperatures[head])
        name = SUGGESTED.format(head)
        added |= {
            name: HEADS[head][int(probabilities.argmax())],
            f"{name}_sureness": round(float(probabilities.max()), 3),
        }
    if taken := sorted(added.keys() & values.keys()):
        raise StancewiseError(f"column {taken[0]!r} is in the input already and would be overwritten; rename it")
    return added


def _report(pool: Pool, chosen: Sequence[int], rows: int, output: Path, errors: Console) -> None:
    targets = len({pool.candidates[place].target for place in chosen})
    say(f"{len(chosen):,} of {pool.rows:,} rows chosen, on {targets:,} of {pool.targets:,} targets: {output}", errors)
    if pool.labelled:
        say(f"{pool.labelled:,} rows were labelled already, or nearly", errors)
    if pool.rows > MOST:
        say(f"they were chosen among {len(pool.candidates):,} rows drawn at random, some of every target", errors)
    if len(chosen) < rows:
        say(f"no more than {len(chosen):,} differ: the others have nearly the same text as one of them", errors)
