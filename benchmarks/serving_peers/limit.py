"""How far int8 scoring is from what the machine's int8 multiplication allows, and where the time goes."""

import json
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import cycle
from statistics import median
from typing import Any

import numpy as np
import openvino
from openvino import opset13 as ops

from serving.classifier import StanceClassifier
from serving.runtime.base import BATCH_TOKENS, token_batches
from serving.runtime.cores import usable_cores
from serving.runtime.int8 import compile_model
from serving.statement import Statement
from serving.store.folder import INT8_FOLDER
from serving_peers.servers import Context
from serving_peers.table import markdown
from serving_peers.texts import Texts

ROWS = 2048  # tokens of the multiplication that is the yardstick
CHAIN = 16  # multiplications in a row, so that what stands before and after them does not count
STRETCH_SECONDS = 0.3
COPIED = ("INFERENCE_NUM_THREADS", "NUM_STREAMS", "INFERENCE_PRECISION_HINT")
SINGLE = 200  # statements whose time is taken apart, one by one
Stamp = dict[str, float]  # seconds by step


@dataclass(frozen=True)
class Shapes:
    """What the encoder multiplies."""

    hidden: int
    inner: int
    layers: int

    def matrices(self) -> dict[tuple[int, int], int]:
        """How often a matrix of each shape (inputs, outputs) is applied to a token."""
        shapes: dict[tuple[int, int], int] = defaultdict(int)
        shapes[self.hidden, self.hidden] += 4 * self.layers
        shapes[self.hidden, self.inner] += self.layers
        shapes[self.inner, self.hidden] += self.layers
        return dict(shapes)

    def operations(self, tokens: int) -> float:
        """Multiplications and additions for one statement: matrices, attention, pooler."""
        linear = sum(count * a * b for (a, b), count in self.matrices().items()) * tokens
        attention = 2 * self.layers * tokens * tokens * self.hidden
        return 2.0 * (linear + attention + self.hidden * self.hidden)


def measure(context: Context, texts: Texts, seconds: float, rounds: int, say: Callable[[str], None]) -> str:
    """The tables."""
    path = context.model / INT8_FOLDER / "model.xml"
    if not path.is_file():
        return "Distance from the limit: the model folder holds no int8 model."
    content = json.loads((context.model / "config.json").read_text(encoding="utf-8"))
    try:
        shapes = Shapes(content["hidden_size"], content["intermediate_size"], content["num_hidden_layers"])
    except KeyError as error:
        return f"Distance from the limit: config.json has no {error}; known are encoders built like BERT."
    classifier = StanceClassifier.load(context.model, device="cpu", runtime="openvino")
    threads = usable_cores()
    pairs = sorted({(min(pair), max(pair)) for pair in shapes.matrices()})
    yardsticks = {pair: Yardstick(*pair, threads) for pair in pairs}
    peaks: dict[tuple[int, int], list[float]] = {pair: [] for pair in pairs}
    reached: list[float] = []
    # The machine's speed drifts: yardstick and model are measured in turn.
    for number in range(rounds):
        say(f"limit: round {number + 1} of {rounds}")
        for pair, yardstick in yardsticks.items():
            peaks[pair].append(yardstick.rate(seconds / rounds / len(pairs)))
        reached.append(_bulk(classifier, texts.statements, seconds / rounds))
    say("limit: where the time goes")
    return "\n\n".join(
        [*_ceiling(shapes, texts, yardsticks, peaks, reached), *_where(context, classifier, texts, threads)]
    )


def _bulk(classifier: StanceClassifier, statements: Sequence[Statement], seconds: float) -> float:
    count, start = 0, time.perf_counter()
    while not count or time.perf_counter() - start < seconds:
        classifier.predict(statements)
        count += len(statements)
    return count / (time.perf_counter() - start)


class Yardstick:
    """Multiplications u8 × i8 from `few` to `many` columns and back, with as many streams as the runtime has."""

    def __init__(self, few: int, many: int, threads: int) -> None:
        self.operations = 2.0 * ROWS * few * many * CHAIN
        self.threads = threads
        model = _chain(few, many)
        settings = {"INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": threads}
        compiled = openvino.Core().compile_model(model, "CPU", settings)
        self.kinds = ", ".join(sorted(set(_kinds(compiled))))
        self.requests = [compiled.create_infer_request() for _ in range(threads)]
        self.input = np.random.default_rng(1).integers(0, 256, (ROWS, few), dtype=np.uint8)
        for request in self.requests:
            # One after the other: OpenVINO 2026.4.1 may lock up when two threads hand over the first arrays at once.
            request.infer([self.input])

    def rate(self, seconds: float) -> float:
        """GOP/s of all streams together, the best of a few stretches."""
        best, end = 0.0, time.perf_counter() + seconds
        with ThreadPoolExecutor(self.threads) as pool:
            while not best or time.perf_counter() < end:
                start = time.perf_counter()
                counts = list(pool.map(self._stretch, self.requests))
                best = max(best, sum(counts) * self.operations / (time.perf_counter() - start) / 1e9)
        return best

    def _stretch(self, request: Any) -> int:
        count, end = 0, time.perf_counter() + STRETCH_SECONDS
        while not count or time.perf_counter() < end:
            request.infer([self.input], share_inputs=True)
            count += 1
        return count


def _chain(few: int, many: int) -> openvino.Model:
    """Matrices of both shapes in turn. Between them stands what keeps the numbers in eight bits, as in the model."""
    generator = np.random.default_rng(1)
    source = ops.parameter([ROWS, few], np.uint8, name="input")
    node = ops.multiply(ops.convert(source, np.float32), np.float32(1 / 255))
    for number in range(CHAIN):
        inputs, outputs = (few, many) if number % 2 == 0 else (many, few)
        weights = ops.constant(generator.integers(-127, 128, (outputs, inputs), dtype=np.int8))
        scale = ops.constant(np.full((outputs, 1), 1 / 127 / inputs**0.5, dtype=np.float32))
        matrix = ops.multiply(ops.convert(weights, np.float32), scale)
        node = ops.matmul(node, matrix, transpose_a=False, transpose_b=True)
        low, high = np.float32(0), np.float32(1)
        node = ops.fake_quantize(node, low, high, low, high, levels=256)
    # The last result stays small: writing it must not count.
    return openvino.Model([ops.reduce_max(node, np.array([0]))], [source], "yardstick")


def _kinds(compiled: Any) -> list[str]:
    """How the multiplications are executed: OpenVINO says so in the compiled graph."""
    return [
        str(node.get_rt_info()["primitiveType"].astype(str))
        for node in compiled.get_runtime_model().get_ordered_ops()
        if node.get_rt_info()["layerType"].astype(str) == "FullyConnected"
    ]


def _ceiling(
    shapes: Shapes,
    texts: Texts,
    yardsticks: dict[tuple[int, int], Yardstick],
    peaks: dict[tuple[int, int], list[float]],
    reached: list[float],
) -> list[str]:
    needed = sum(map(shapes.operations, texts.tokens)) / len(texts.tokens) / 1e9
    rows = [
        [f"{ROWS} × {a} × {b}", yardsticks[a, b].kinds, f"{median(rates):,.0f}", f"{max(rates):,.0f}"]
        for (a, b), rates in peaks.items()
    ]
    threads = next(iter(yardsticks.values())).threads
    peak = max(max(rates) for rates in peaks.values())
    ceiling = peak / needed
    speed = median(reached)
    lengths = texts.tokens
    padded = sum(len(batch) * max(lengths[i] for i in batch) for batch in token_batches(lengths, BATCH_TOKENS))
    return [
        markdown(
            [f"u8 × i8 multiplication in OpenVINO, {threads} streams", "run as", "GOP/s, median of rounds", "best"],
            rows,
        ),
        f"A statement needs {needed:.3f} GOP ({sum(lengths) / len(lengths):.1f} tokens; matrices, attention, pooler, "
        f"unpadded; padding in length-sorted batches adds {padded / sum(lengths) - 1:.1%}). At the best rate, "
        f"{peak:,.0f} GOP/s, the machine could answer {ceiling:,.0f} statements/s; bulk int8 scoring answers "
        f"{speed:,.0f}: **{speed / ceiling:.0%} of the ceiling**.",
    ]


def _where(context: Context, classifier: StanceClassifier, texts: Texts, threads: int) -> list[str]:
    """Seconds by step in the bulk path and for single statements, and by kind of layer within the model."""
    model = openvino.Core().read_model(context.model / INT8_FOLDER / "model.xml")
    tables = []
    ways = {"bulk": (texts.statements, False), "one at a time": (texts.statements[:SINGLE], True)}
    for way, (statements, single) in ways.items():
        # The profile costs time itself: steps are timed without it, layers with it, on the same batches.
        steps, batches = _steps(classifier, statements, single)
        layers, kinds = _layers(model, batches, 1 if single else threads, threads)
        total, within = sum(steps.values()), sum(layers.values())
        rows = [[name, f"{1e6 * used / len(statements):,.0f}", f"{used / total:.1%}"] for name, used in steps.items()]
        for name, used in sorted(layers.items(), key=lambda entry: -entry[1]):
            scaled = steps["model"] * used / within
            row = [
                f"… model: {name} ({kinds[name]})",
                f"{1e6 * scaled / len(statements):,.0f}",
                f"{scaled / total:.1%}",
            ]
            rows.append(row)
        note = "" if single else ", steps after one another, one batch at a time"
        tables.append(markdown([f"where the time goes, {way}{note}", "µs a statement", "share"], rows))
    return [
        *tables,
        "In bulk the steps overlap: tokenising goes on while batches are in the model, on its own streams.",
    ]


def _steps(classifier: StanceClassifier, statements: Sequence[Statement], single: bool) -> tuple[Stamp, list[Any]]:
    """Seconds of each step, the quickest of three passes, and the padded batches."""
    passes = [_one_pass(classifier, statements, single) for _ in range(3)]
    return min(passes, key=lambda one: sum(one[0].values()))


def _one_pass(classifier: StanceClassifier, statements: Sequence[Statement], single: bool) -> tuple[Stamp, list[Any]]:
    runtime: Any = classifier.runtime
    used: Stamp = dict.fromkeys(("rendering", "tokenising", "batching", "padding", "model", "post-processing"), 0.0)
    batches = []

    def timed(name: str, function: Callable[..., Any], *arguments: Any) -> Any:
        start = time.perf_counter()
        result = function(*arguments)
        used[name] += time.perf_counter() - start
        return result

    for rows in [[statement] for statement in statements] if single else [list(statements)]:
        # encode() renders too; rendering is timed apart and taken off.
        timed("rendering", list, map(runtime.inputs.render, rows))
        encoded = timed("tokenising", runtime.encode, rows)
        chosen = timed("batching", token_batches, list(map(len, encoded)), BATCH_TOKENS)
        logits = np.empty((len(rows), 6))
        for places in chosen:
            batch = [encoded[i] for i in places]
            batches.append(timed("padding", runtime.pad, batch))
            logits[places] = timed("model", runtime.forward, batch)
        timed("post-processing", classifier.answers, rows, logits)
    used["tokenising"] = max(0.0, used["tokenising"] - used["rendering"])
    used["model"] = max(0.0, used["model"] - used["padding"])  # forward() pads too
    return used, batches


def _layers(model: Any, batches: list[Any], streams: int, threads: int) -> tuple[Stamp, dict[str, str]]:
    """Seconds by kind of layer, and how that kind is executed most."""
    # With the settings of the runtime's own compiled model, whatever they are; only the profile is added.
    own = compile_model(model, threads, streams=streams)
    settings = {name: own.get_property(name) for name in COPIED}
    compiled = openvino.Core().compile_model(model, "CPU", {**settings, "PERF_COUNT": True})
    request = compiled.create_infer_request()
    reads = [port.get_any_name() for port in compiled.inputs]
    used: Stamp = defaultdict(float)
    ways: dict[str, Stamp] = defaultdict(lambda: defaultdict(float))
    end = time.perf_counter() + 30
    for batch, turn in zip(cycle(batches), range(2 * len(batches)), strict=False):
        request.infer([batch[name] for name in reads], share_inputs=True)
        if turn < len(batches):
            continue  # the first pass only warms up: every new length makes its own kernels
        for node in request.profiling_info:
            spent = node.real_time.total_seconds()
            if spent:
                used[node.node_type] += spent
                ways[node.node_type][node.exec_type] += spent
        if time.perf_counter() > end:
            break
    most = {name: max(found, key=found.__getitem__) for name, found in ways.items()}
    whole = sum(used.values())
    small = [name for name, spent in used.items() if spent < 0.01 * whole]
    kept = {name: spent for name, spent in used.items() if name not in small}
    if small:
        kept["others"] = sum(used[name] for name in small)
        most["others"] = f"{len(small)} kinds"
    return kept, most
