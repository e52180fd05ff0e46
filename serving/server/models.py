"""The model that is served: loaded, warmed, and replaced when the alias moves."""

import logging
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from serving.classifier import StanceClassifier
from serving.errors import StancewiseError
from serving.server import prometheus
from serving.server.settings import ServerSettings
from serving.statement import Statement
from serving.store import versions
from serving.watch.reference import read_reference
from serving.watch.window import Window

log = logging.getLogger("stancewise")

# A short one, a pair and one at full length, so that every shape of input has been seen before the first request.
WARM_UP = [
    Statement(text="The mayor hailed the tram plan.", speaker="The mayor", target="the tram plan"),
    Statement(text="It was a waste.", target="the tram plan"),
    Statement(text="The council met again on the matter. " * 200, target="the matter"),
]


@dataclass(frozen=True)
class Served:
    """A loaded model and where it comes from."""

    classifier: StanceClassifier
    name: str
    version: str | None  # None for a folder or a run
    window: Window | None  # what it was asked lately; None for a model without a reference

    @property
    def run_id(self) -> str | None:
        """The MLflow run that trained it."""
        return self.classifier.settings.run_id


def load(settings: ServerSettings, version: versions.Version | None) -> Served:
    """Load and warm up a model; a registry that does not answer is stood in for by the local copy.

    Raises:
        StancewiseError: there is no such model, or its files are damaged or cannot be read.
    """
    folder = versions.fetch(version) if version else versions.find_model(settings.model)
    classifier = StanceClassifier.from_folder(
        folder, settings.device, settings.runtime, settings.threads(), settings.any_language
    )
    classifier.predict(WARM_UP * 11)
    for statement in WARM_UP:
        classifier.predict([statement])
    name = version.name if version else folder.name
    reference = read_reference(folder)
    # Where there are several workers they count together, in the folder that their metrics share.
    shared = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
    window = Window(reference, settings.drift_hours, Path(shared) if shared else None) if reference else None
    return Served(classifier, name, version.number if version else None, window)


def locate(settings: ServerSettings) -> versions.Version | None:
    """The version that the settings name; None for a folder or a run.

    Raises:
        StancewiseError: there is no such version, or the registry does not answer and there is no local copy.
    """
    if not versions.is_registered(settings.model):
        return None
    try:
        return versions.resolve(settings.model)
    except ConnectionError as error:
        version = versions.remembered(settings.model)
        if version is None:
            raise StancewiseError(
                f"{settings.model}: the registry does not answer ({error}) and there is no local copy; start the "
                "registry, or set MLFLOW_TRACKING_URI"
            ) from None
        log.warning(
            "the registry does not answer; the local copy is served",
            extra={"fields": {"model": version.name, "version": version.number, "cause": str(error)}},
        )
        return version


class Watcher:
    """Looks at the alias and loads what it points to."""

    def __init__(self, settings: ServerSettings, swap: Callable[[Served], None]) -> None:
        self.settings = settings
        self.swap = swap
        self.refused: versions.Version | None = None  # did not load; not tried again until the alias moves

    def watches(self) -> bool:
        """Whether the settings name an alias: a version or a folder never changes."""
        return "@" in self.settings.model and versions.is_registered(self.settings.model)

    def look(self, served: Served) -> None:
        """Compare the alias with what is served and swap if it moved; never raises."""
        try:
            version = versions.resolve(self.settings.model)
        except (ConnectionError, StancewiseError) as error:
            self._note("unreachable", "the registry does not answer; the present model stays in use", error)
            return
        if version.number == served.version or version == self.refused:
            return
        start = time.perf_counter()
        try:
            new = load(self.settings, version)
        except Exception as error:
            self.refused = version
            self._note("refused", "the new version cannot be loaded; the present model stays in use", error, version)
            return
        self.refused = None
        self.swap(new)
        prometheus.SWAPS.labels("swapped").inc()
        seconds = round(time.perf_counter() - start, 3)
        fields = {"model": new.name, "version": new.version, "before": served.version, "seconds": seconds}
        log.info("the alias was moved; the new version is served", extra={"fields": fields})

    @staticmethod
    def _note(outcome: str, message: str, error: Exception, version: versions.Version | None = None) -> None:
        prometheus.SWAPS.labels(outcome).inc()
        cause = str(error).splitlines()[0] if str(error) else type(error).__name__
        fields = {"cause": cause, **({"version": version.number} if version else {})}
        log.error(message, extra={"fields": fields})
