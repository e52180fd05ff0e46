"""What Prometheus sees."""

import os

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram, generate_latest, multiprocess

_FAST = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30)  # seconds

REQUESTS = Counter("stancewise_requests", "Requests by path and status", ["path", "status"])
STATEMENTS = Counter("stancewise_statements", "Statements labelled")
FOREIGN = Counter(
    "stancewise_foreign_texts", "Statements and articles that the model cannot read", ["kind", "language"]
)
DROPPED = Counter("stancewise_dropped_statements", "Statements whose client went away or whose deadline passed")
QUEUE = Gauge("stancewise_queue_statements", "Statements accepted and not yet answered", multiprocess_mode="livesum")
BATCH_STATEMENTS = Histogram(
    "stancewise_batch_statements", "Statements in a batch", buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256)
)
BATCH_TOKENS = Histogram("stancewise_batch_tokens", "Padded tokens in a batch", buckets=[32 << i for i in range(9)])
LATENCY = Histogram("stancewise_request_seconds", "From the whole body to the answer", buckets=_FAST)
QUEUED = Histogram("stancewise_queue_seconds", "A request's wait for its first batch", buckets=_FAST)
TOKENISING = Histogram("stancewise_tokenise_seconds", "Tokenising of what was waiting", buckets=_FAST)
READING = Histogram(
    "stancewise_read_seconds", "Reading of one article", buckets=(0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 120)
)
READER_ENDS = Counter(
    "stancewise_reader_ends", "Ends of the process that reads articles while it read one, by cause", ["cause"]
)
INFERENCE = Histogram("stancewise_inference_seconds", "One batch in the model", buckets=_FAST)
MODEL = Gauge("stancewise_model_version", "The version served, 0 for a folder", multiprocess_mode="max")
SWAPS = Counter("stancewise_model_swaps", "Looks at the alias by outcome", ["outcome"])


def exposition() -> bytes:
    """The text that /metrics answers with: of every worker where there are several."""
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return generate_latest(REGISTRY)
    registry = CollectorRegistry()
    multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return generate_latest(registry)
