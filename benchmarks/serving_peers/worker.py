"""One contender in a process of its own, told by lines of JSON what to time. Runs in any environment.

python worker.py CONTENDER MODEL_FOLDER TEXTS.json
"""

import asyncio
import json
import os
import sys
import time
from itertools import cycle
from pathlib import Path
from typing import Any, Protocol

BATCH = 32  # of the peers, as their users set it
WARM_UP = 64


class Contender(Protocol):
    """Something that answers a list of inputs."""

    reads: str  # which of the two forms of a statement
    calibrated: bool

    def answer(self, rows: list[Any]) -> list[Any]:
        """Everything about these rows, as a user would get it."""
        ...


class Ours:
    """The inference module of this project."""

    reads, calibrated = "statements", True

    def __init__(self, folder: str, runtime: Any) -> None:
        from serving import StanceClassifier

        self.classifier = StanceClassifier.load(folder, device="cpu", runtime=runtime)

    def answer(self, rows: list[Any]) -> list[Any]:
        """Typed predictions."""
        return self.classifier.predict(rows)


class Pipeline:
    """The text-classification pipeline of transformers."""

    reads, calibrated = "rendered", False

    def __init__(self, folder: str) -> None:
        from transformers import pipeline

        self.pipe = pipeline("text-classification", model=folder, device="cpu", batch_size=BATCH, top_k=None)

    def answer(self, rows: list[Any]) -> list[Any]:
        """A list of label and score for each row."""
        return self.pipe(rows)


class Infinity:
    """An engine of infinity-emb, without its HTTP server."""

    reads, calibrated = "rendered", False

    def __init__(self, folder: str, engine: str) -> None:
        from infinity_emb import AsyncEmbeddingEngine, EngineArgs

        # With a model in a local folder its optimum engine finds the ONNX file only from inside that folder.
        os.chdir(folder)
        arguments = EngineArgs(
            model_name_or_path=".",
            engine=engine,
            device="cpu",
            batch_size=BATCH,
            onnx_disable_optimize=True,  # the file is optimised already, see export_onnx.py
            model_warmup=False,  # its own feeds the optimum engine more tokens than BERT has positions; ours is below
        )
        self.loop = asyncio.new_event_loop()
        self.engine = AsyncEmbeddingEngine.from_args(arguments)
        self.loop.run_until_complete(self.engine.astart())

    def answer(self, rows: list[Any]) -> list[Any]:
        """A list of label and score for each row."""
        return self.loop.run_until_complete(self.engine.classify(sentences=rows, raw_scores=True))[0]


def load(name: str, folder: str) -> Contender:
    """The contender of that name."""
    kind, _, variant = name.partition(":")
    if kind == "ours":
        return Ours(folder, variant)
    return Infinity(folder, variant) if kind == "infinity" else Pipeline(folder)


def plain(answer: Any) -> Any:
    """An answer as JSON."""
    if isinstance(answer, list):
        return answer
    heads = (("stance", answer.stance), ("sentiment", answer.sentiment))
    return {name: head and head.probabilities for name, head in heads}


def bulk(contender: Contender, rows: list[Any], seconds: float) -> dict[str, Any]:
    """Whole passes over the rows, at least one, until the time is up."""
    count, start = 0, time.perf_counter()
    while not count or time.perf_counter() - start < seconds:
        contender.answer(rows)
        count += len(rows)
    return {"per_second": count / (time.perf_counter() - start)}


def single(contender: Contender, rows: list[Any], seconds: float) -> dict[str, Any]:
    """One row after the other, other rows each time, until the time is up."""
    times: list[float] = []
    end = time.perf_counter() + seconds
    for row in cycle(rows):
        start = time.perf_counter()
        contender.answer([row])
        times.append(1000 * (time.perf_counter() - start))
        if time.perf_counter() > end:
            break
    return {"ms": times}


def main(name: str, folder: str, texts: Path) -> None:
    """Load, warm up, obey."""
    # Libraries print what they like; the channel to the parent is a copy of standard output that they do not know.
    channel = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    contender = load(name, folder)
    rows = json.loads(texts.read_text(encoding="utf-8"))[contender.reads]
    if contender.reads == "statements":
        from serving import Statement

        rows = [Statement(**row) for row in rows]
    single(contender, rows, 0.5)
    contender.answer(rows[:WARM_UP])
    print(json.dumps({"ready": True}), file=channel, flush=True)
    for line in sys.stdin:
        order = json.loads(line)
        if order["do"] == "sample":
            answers = [plain(answer) for answer in contender.answer(rows[: order["count"]])]
            reply: dict[str, Any] = {"answers": answers, "calibrated": contender.calibrated}
        else:
            reply = (bulk if order["do"] == "bulk" else single)(contender, rows, order["seconds"])
        print(json.dumps(reply), file=channel, flush=True)
    os._exit(0)  # infinity's threads would wait for more


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
