"""What benchmarks/adapt.py and benchmarks/pick.py share: the public sets, the learners, the finished cells."""

import hashlib
import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from serving.errors import StancewiseError
from serving.labels import LOGITS, UNLABELLED, Head
from serving.runtime.base import Runtime, all_logits
from serving.runtime.load import load_runtime
from serving.runtime.tfidf import TfidfRuntime
from serving.store.folder import ModelSettings
from serving.tables import whole
from training.benchmark.peers import fit_setfit
from training.config import AdaptConfig, BaselineConfig, DataSet
from training.data.corpus import Corpus
from training.data.sources import read_set
from training.evaluation.metrics import Ints
from training.experiments.derive import Tracked, tracked_encoder
from training.experiments.first import First, read_first
from training.experiments.lesson import Lesson, prepare
from training.fitting.adapt import go_on
from training.fitting.baseline import fit_baseline
from training.fitting.encoders import load_encoder


@dataclass(frozen=True)
class FewSet:
    """A public set with one labelled head: where the few rows come from, and what they are measured on."""

    name: str
    head: Head
    train: DataSet
    test: DataSet
    target: str | None = None  # rows of this target alone

    def read(self) -> tuple[Corpus, Corpus]:
        """Training and test rows.

        Raises:
            StancewiseError: STANCE_BENCHMARKS does not hold the set.
        """
        both = [read_set(self.train), read_set(self.test)]
        if self.target:
            both = [one.keep(i for i, row in enumerate(one.rows) if row.target == self.target) for one in both]
        return both[0], both[1]


def _set(name: str, head: Head, source: str, test: str, target: str | None = None) -> FewSet:
    parts = [DataSet.model_validate({"source": source, "part": part}) for part in ("train", test)]
    return FewSet(name, head, parts[0], parts[1], target)


_TOPICS = {
    "atheism": "Atheism",
    "climate": "Climate Change is a Real Concern",
    "feminism": "Feminist Movement",
    "clinton": "Hillary Clinton",
    "abortion": "Legalization of Abortion",
}
SETS = {
    one.name: one
    for one in (
        _set("newsmtsc", "sentiment", "newsmtsc", "rw_test"),
        _set("gwsd", "stance", "gwsd", "test"),
        _set("directed-sentiment", "stance", "directed_sentiment", "validation"),
        *(_set(f"semeval-{name}", "stance", "semeval2016_stance", "test", topic) for name, topic in _TOPICS.items()),
    )
}


class Cells:
    """Finished cells in a JSON Lines file, each with the answers as digits, and no text; written whole each time."""

    def __init__(self, path: Path) -> None:
        self.path = path
        lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
        self.cells: list[dict[str, Any]] = [json.loads(line) for line in lines]

    def find(self, **wanted: Any) -> dict[str, Any] | None:
        """The cell with these values."""
        return next((one for one in self.cells if all(one.get(k) == v for k, v in wanted.items())), None)

    def keep(self, about: dict[str, Any], found: dict[str, Any]) -> None:
        """Add a cell, or replace the one that is about the same and was made from other settings or data."""
        names = [name for name in about if name != "key"]
        self.cells = [one for one in self.cells if any(one.get(name) != about[name] for name in names)]
        self.cells.append({**about, **found})
        with whole(self.path) as temporary:
            temporary.write_text("".join(json.dumps(one) + "\n" for one in self.cells), encoding="utf-8")


def digits(labels: Ints) -> str:
    """Label indices as one text."""
    return "".join(map(str, labels.tolist()))


def indices(text: str) -> Ints:
    """The opposite of `digits`."""
    return np.array(list(map(int, text)), dtype=np.int64)


@dataclass(frozen=True)
class Start:
    """The first model, and what it takes to go on from it."""

    source: Tracked
    first: First
    config: AdaptConfig
    runtime: Runtime

    def key(self, train: Corpus, test: Corpus) -> str:
        """Digest of what decides a cell."""
        settings = self.config.model_dump(mode="json", exclude={"data", "seed"})
        content = [self.source.run.info.run_id, settings, train.digest, test.digest]
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]

    def lesson(self, own: Corpus, head: Head, seed: int) -> Lesson:
        """What is taught by the rows' labels of one head."""
        own = replace(own, lines=[], rows=[_only(row, head) for row in own.rows])
        config = self.config.model_copy(update={"seed": seed})
        return prepare(config, self.source, self.first, own, [head], self.runtime)


def _only(row: Any, head: Head) -> Any:
    return row.model_copy(update={other: None for other in LOGITS if other != head} | {"stance_votes": None})


def start(model: str, changes: dict[str, Any]) -> Start:
    """Read the first model and its first training.

    Args:
        model: `models:/NAME@ALIAS`, `models:/NAME/VERSION` or `runs:/RUN_ID`.
        changes: of AdaptConfig.

    Raises:
        StancewiseError: as `adapt`.
    """
    source = tracked_encoder(model, None, "cannot go on learning")
    config = AdaptConfig(data=Path("benchmark"), **changes)
    runtime = load_runtime(source.folder, source.settings, runtime="torch")
    return Start(source, read_first(source.run, config), config, runtime)


def answers(runtime: Runtime, test: Corpus, head: Head) -> Ints:
    """Label indices of one head, shape (rows,)."""
    return all_logits(runtime, test.statements())[:, LOGITS[head]].argmax(axis=1).astype(np.int64)


def ours(begun: Start, own: Corpus, test: Corpus, head: Head, seed: int) -> dict[str, Any]:
    """What the adapted model answers to the set's test rows, and to the old test parts."""
    lesson = begun.lesson(own, head, seed)
    with tempfile.TemporaryDirectory() as folder:
        made = lesson.learn(range(len(own.rows)), Path(folder) / "model")
        old = old_answers(begun, made)
        return {"predicted": digits(answers(made, test, head)), "old": old}


def old_answers(begun: Start, runtime: Runtime) -> dict[str, str]:
    """A model's answers to the first model's test parts, by part and head."""
    return {
        f"{part}/{head}": digits(answers(runtime, corpus, head))
        for part, corpus in begun.first.tests.items()
        for head in begun.source.settings.heads
    }


def setfit(begun: Start, own: Corpus, test: Corpus, head: Head, seed: int) -> dict[str, Any]:
    """SetFit at its defaults, from the bare encoder."""
    encoder = begun.first.recipe.encoder
    given = fit_setfit(encoder, own, range(len(own.rows)), head, {"test": test}, ["test"], seed)
    return {"predicted": digits(given.probabilities["test"].argmax(axis=1))}


def bare(begun: Start, own: Corpus, test: Corpus, head: Head, seed: int) -> dict[str, Any]:
    """The encoder as it was pretrained, fine-tuned by the first training's recipe, as often over the rows as ours."""
    first, settings = begun.first.recipe, begun.source.settings
    recipe = first.model_copy(update={"heads": (head,), "epochs": begun.config.epochs, "device": "auto"})
    rows = replace(own, rows=[_only(row, head) for row in own.rows])
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        load_encoder(recipe.encoder, recipe.template)[0].save_pretrained(folder)
        go_on(recipe, settings.schemes, rows, Corpus(Path("nothing"), []), seed, folder, [])
        made = load_runtime(folder, settings, runtime="torch")
        return {"predicted": digits(answers(made, test, head))}


def tfidf(begun: Start, own: Corpus, test: Corpus, head: Head, seed: int) -> dict[str, Any]:
    """Logistic regression on words."""
    data = {"train": "few", "validation": "few"}
    values = {"name": "few", "data": data, "heads": (head,), "min_documents": 1, "inverse_penalty": (10.0,)}
    config = BaselineConfig.model_validate(values)
    settings = ModelSettings.model_validate(
        {
            **{"kind": "tfidf", "heads": (head,), "temperatures": {head: 1}, "abstain_below": {head: 0}},
            **{"template": config.template, "max_length": 1},
        }
    )
    with tempfile.TemporaryDirectory() as folder:
        made = TfidfRuntime(fit_baseline(config, own, own, Path(folder)), settings)
        return {"predicted": digits(answers(made, test, head))}


@cache
def read(name: str) -> tuple[Corpus, Corpus]:
    """Training and test rows of a set, by its name."""
    train, test = SETS[name].read()
    known = np.flatnonzero(test.labels(SETS[name].head) != UNLABELLED).tolist()
    return train, test.keep(known)


def chosen(wanted: str | None, known: Sequence[str], option: str) -> list[str]:
    """Names asked for, comma-separated; all without.

    Raises:
        StancewiseError: an unknown name.
    """
    names = wanted.split(",") if wanted else list(known)
    if unknown := [name for name in names if name not in known]:
        raise StancewiseError(f"{option} {unknown[0]}: there are {', '.join(known)}")
    return names
