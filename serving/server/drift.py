"""What Prometheus sees of drift: the window of every worker together, beside the model's reference."""

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from serving.watch.compare import compare, enough, estimated_accuracy
from serving.watch.measures import ANSWERED
from serving.watch.window import Window


def exposition(window: Window | None) -> bytes:
    """Gauges as text; None: the model keeps no reference, and only that is said."""
    registry = CollectorRegistry()
    registry.register(_Drift(window))
    return generate_latest(registry)


class _Drift(Collector):
    def __init__(self, window: Window | None) -> None:
        self.window = window

    def collect(self) -> Iterable[Metric]:
        """Worked out anew whenever it is asked for."""
        known = "1: the model keeps a reference, so drift is watched; 0: it keeps none"
        yield GaugeMetricFamily("stancewise_drift_watched", known, int(self.window is not None))
        if self.window:
            yield from _families(self.window)


def _families(window: Window) -> Iterable[Metric]:
    reference, total = window.reference, window.total()
    yield GaugeMetricFamily("stancewise_drift_statements", "Statements counted in the window", total.statements)
    yield GaugeMetricFamily("stancewise_drift_texts", "Different texts in a request, summed", total.texts)
    yield GaugeMetricFamily("stancewise_drift_hours", "Length of the window", window.hours)

    labels = ["head", "measure"]
    distances = GaugeMetricFamily(
        "stancewise_drift_distance", "Jensen-Shannon distance of the window from validation", labels=labels
    )
    chances = GaugeMetricFamily(
        "stancewise_drift_chance", "What the distance stays below by chance, in 99 of 100 cases", labels=labels
    )
    for one in compare(reference, total.counts, total.texts):
        if one.distance is not None and one.chance is not None:
            distances.add_metric(one.key, one.distance)
            chances.add_metric(one.key, one.chance)
    yield from (distances, chances)

    estimated = GaugeMetricFamily(
        "stancewise_estimated_accuracy", "Of the window, by average thresholded confidence", labels=["head"]
    )
    measured = GaugeMetricFamily("stancewise_validation_accuracy", "Of labelled validation rows", labels=["head"])
    abstained = GaugeMetricFamily("stancewise_abstained_share", "Of the window's statements", labels=["head"])
    before = GaugeMetricFamily("stancewise_validation_abstained_share", "Of the validation rows", labels=["head"])
    for head, accuracy in reference.accuracy.items():
        measured.add_metric([head], accuracy.measured)
        share = estimated_accuracy(reference, total.counts, head)
        if share is not None and enough(reference, total.texts):
            estimated.add_metric([head], share)
    abstains = ANSWERED.index("abstains")
    for histogram in reference.histograms:
        if histogram.measure == "abstention":
            before.add_metric([histogram.head], histogram.counts[abstains] / reference.rows)
            counts = total.counts[histogram.key]
            if counts.any() and enough(reference, total.texts):
                abstained.add_metric([histogram.head], float(counts[abstains] / counts.sum()))
    yield from (estimated, measured, abstained, before)
