"""The inference module: statements in, typed calibrated predictions out."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from serving.errors import StancewiseError
from serving.explain import Explanation, explain
from serving.labels import HEADS, LOGITS, Head, Logits
from serving.language.detect import foreign, language_of
from serving.runtime.base import Runtime, RuntimeName, all_logits
from serving.runtime.load import load_reader, load_runtime
from serving.runtime.reader import PairReader
from serving.statement import HeadPrediction, Prediction, Statement
from serving.store.folder import ModelSettings, read_settings
from serving.store.versions import find_model

if TYPE_CHECKING:
    from serving.article.flow import OnProgress, Targets
    from serving.article.reading.judging import Judged
    from serving.article.statements import Article


class StanceClassifier:
    """Labels statements by stance and sentiment toward their target."""

    def __init__(
        self,
        settings: ModelSettings,
        runtime: Runtime,
        reader: Callable[[], PairReader | None] = lambda: None,
        any_language: bool = False,
    ) -> None:
        self.settings = settings
        self.runtime = runtime
        self.languages = None if any_language else settings.languages  # a text in another one abstains
        self._load_reader = reader
        self._loaded: tuple[str, str, RuntimeName, int | None, bool] | None = None  # what `load` was told

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickled, it is its folder: another process loads it from there, and weights are not copied.

        Raises:
            TypeError: it was not loaded from a folder.
        """
        if self._loaded is None:
            raise TypeError("only a StanceClassifier that was loaded from a folder can be pickled")
        return type(self).load, self._loaded

    @classmethod
    def load(
        cls,
        uri: str | Path,
        device: str = "auto",
        runtime: RuntimeName = "auto",
        threads: int | None = None,
        any_language: bool = False,
    ) -> "StanceClassifier":
        """Load a model from a folder or an MLflow URI; no pickle is read.

        Args:
            uri: a folder, `models:/NAME@ALIAS`, `models:/NAME/VERSION`, `models:/MODEL_ID` or `runs:/RUN_ID`.
            device: `auto` (a GPU if there is one), `cpu` or a torch device such as `cuda:0`.
            runtime: `torch`, `openvino` (int8 on the CPU), or `auto`: int8 on a CPU where the model holds it.
            threads: for int8 on the CPU (default: the cores that this process may use).
            any_language: do not abstain on texts in a language that the model does not read.

        Raises:
            StancewiseError: the URI names no stancewise model, its files are damaged or cannot be read, or the store
                does not answer.
        """
        return cls.from_folder(find_model(uri), device, runtime, threads, any_language)

    @classmethod
    def from_folder(
        cls,
        folder: Path,
        device: str = "auto",
        runtime: RuntimeName = "auto",
        threads: int | None = None,
        any_language: bool = False,
    ) -> "StanceClassifier":
        """Load a folder that `find_model` gave, whose digests are checked already; the rest as for `load`."""
        settings = read_settings(folder)
        # Who only labels statements need not wait for the reader.
        loaded = load_runtime(folder, settings, device, runtime, threads)
        made = cls(settings, loaded, lambda: load_reader(folder, device), any_language)
        made._loaded = str(folder.absolute()), device, runtime, threads, any_language
        return made

    @cached_property
    def reader(self) -> PairReader | None:
        """The model that reads articles; None: there is none in the folder.

        Raises:
            StancewiseError: its files cannot be read.
        """
        return self._load_reader()

    @cached_property
    def judged(self) -> "Judged | None":
        """What helps to choose the positions of an article; None: the model has no reader.

        Raises:
            StancewiseError: the reader's files cannot be read.
        """
        from serving.article.reading.judging import judged_by

        return judged_by(self.reader.scores, self.reader.settings) if self.reader else None

    def predict(self, statements: Iterable[Statement]) -> list[Prediction]:
        """One prediction per statement, in the order given.

        A row's result does not depend on the other rows.

        Raises:
            StancewiseError: a target is too long for the model, or something is no `Statement`.
        """
        rows = _only_statements(statements)
        if not rows:
            return []
        return self.answers(rows, all_logits(self.runtime, rows))

    def explain(self, statements: Iterable[Statement], head: Head = "stance") -> list[Explanation | None]:
        """Which words of each statement carried the head's label; None where the model was not trained for it.

        Raises:
            StancewiseError: a text has too many words to leave each out, or a target is too long for the model.
        """
        return explain(self.predict, _only_statements(statements), head)

    def read_article(
        self,
        text: str,
        targets: "Targets | None" = None,
        name: str | None = None,
        explain: bool = False,
        on_progress: "OnProgress | None" = None,
        everything: bool = False,
    ) -> "Article":
        """Find who takes which position toward what in a text, and label each.

        A text in a language that the model does not read has no statements, and a note that says so.

        Args:
            text: an article, a readout, a transcript; the offsets of the answer count its characters.
            targets: what to look for, as names or as name -> aliases; None: whatever positions are taken on.
            name: of the article, passed on.
            explain: also which words carried each stance; takes as many times longer as a sentence has words.
            on_progress: told the stage (`reading`, `labelling`, `explaining`), what is done of it, and its total
                (characters when reading, then statements).
            everything: also pairs that show no position, or too unsure a one: what is only mentioned.

        Raises:
            StancewiseError: the text is empty, too long, no plain text, or a target is blank.
        """
        # Who only labels statements need not load what reads an article.
        from serving.article.flow import read_article

        return read_article(
            self.predict, text, targets, name, explain, on_progress, self.judged, everything, self.languages
        )

    def answers(self, rows: Sequence[Statement], logits: Logits) -> list[Prediction]:
        """Calibrated predictions from raw logits of shape (rows, 6)."""
        languages = [language_of(row.text, self.languages) for row in rows]
        unread = [foreign(language, self.languages) for language in languages]
        heads = {head: self._head(head, logits[:, LOGITS[head]], unread) for head in self.settings.heads}
        nothing: list[HeadPrediction | None] = [None] * len(rows)
        pairs = zip(heads.get("stance", nothing), heads.get("sentiment", nothing), languages, unread, strict=True)
        return [
            Prediction(stance=stance, sentiment=sentiment, language=language, foreign=other)
            for stance, sentiment, language, other in pairs
        ]

    def _head(self, head: Head, logits: Logits, unread: Sequence[bool]) -> list[HeadPrediction | None]:
        labels = HEADS[head]
        least = self.settings.abstain_below[head]
        predictions: list[HeadPrediction | None] = []
        for row, other in zip(softmax(logits / self.settings.temperatures[head]), unread, strict=True):
            best = int(row.argmax())
            probabilities = dict(zip(labels, row.tolist(), strict=True))
            abstained = other or bool(row[best] < least)
            predictions.append(HeadPrediction(label=labels[best], probabilities=probabilities, abstained=abstained))
        return predictions


def _only_statements(given: Iterable[Statement]) -> list[Statement]:
    """The statements as a list; a text by itself says neither whose stance is wanted, nor toward what."""
    fix = "give a list such as [Statement(text=..., speaker=..., target=...)]"
    if isinstance(given, Statement | str | bytes | Mapping) or not isinstance(given, Iterable):
        raise StancewiseError(f"statements: a list of Statement is needed, not {type(given).__name__}; {fix}")
    rows = list(given)
    for number, row in enumerate(rows):
        if not isinstance(row, Statement):
            raise StancewiseError(f"statements: item {number} is no Statement but {type(row).__name__}; {fix}")
    return rows


def softmax(logits: Logits) -> Logits:
    """Probabilities over the last axis, same shape as `logits`."""
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    result: Logits = powers / powers.sum(axis=-1, keepdims=True)
    return result
