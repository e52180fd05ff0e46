"""MLflow: what a run holds, and how its model gets into the registry."""

import hashlib
import json
import os
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from typing import Any

import mlflow
import pandas as pd
from filelock import FileLock
from mlflow.entities import Experiment, LifecycleStage, Metric, Run
from mlflow.exceptions import MlflowException
from rich.console import Console
from rich.markup import escape
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from serving.errors import StancewiseError
from serving.store.access import refused
from serving.store.run_files import CONFIG_FILE
from training.config import ExperimentConfig, flatten
from training.data.corpus import Corpus

FINGERPRINT = "stancewise.fingerprint"
EXPERIMENT_KIND = "mlflow.experimentKind"  # without it the UI opens at traces of language models, not at runs


def open_experiment(name: str) -> None:
    """Select the experiment, so that an unreachable store is an error before any work.

    Raises:
        StancewiseError: the tracking store does not answer, or the experiment was deleted or has a name it refuses.
    """
    store = mlflow.get_tracking_uri()
    try:
        if store.startswith(("http://", "https://")):
            # MLflow itself would try again for minutes before it says so. Any answer will do, a refusal too.
            with suppress(urllib.error.HTTPError):
                urllib.request.urlopen(f"{store.rstrip('/')}/health", timeout=10).close()  # noqa: S310
        with _created_once(store):
            if there := mlflow.get_experiment_by_name(name):
                _refuse_deleted(there, "or name another one with the key experiment")
            experiment = mlflow.set_experiment(name)
        if EXPERIMENT_KIND not in experiment.tags:
            mlflow.set_experiment_tags({EXPERIMENT_KIND: "custom_model_development"})
    except (MlflowException, OSError) as error:
        cause = str(error).splitlines()[0]
        if getattr(error, "error_code", None) == "INVALID_PARAMETER_VALUE":
            raise StancewiseError(f"experiment: {cause}; choose another name") from None
        raise refused(error) or StancewiseError(
            f"MLflow store {store}: {cause}; start it, or set MLFLOW_TRACKING_URI"
        ) from None


def refuse_deleted(run: Run, other: str) -> None:
    """Raise StancewiseError if nothing can be logged to the run or beside it, because it or its experiment was deleted.

    Args:
        run: to go on with.
        other: what else the user can do, such as "or train again".
    """
    _refuse_deleted(mlflow.get_experiment(run.info.experiment_id), other)
    if run.info.lifecycle_stage == LifecycleStage.DELETED:
        restore = f"mlflow runs restore --run-id {run.info.run_id}"
        raise StancewiseError(f"run {run.info.run_id} was deleted; restore it ({restore}), {other}")


def _refuse_deleted(experiment: Experiment, other: str) -> None:
    if experiment.lifecycle_stage == LifecycleStage.DELETED:
        restore = f"mlflow experiments restore --experiment-id {experiment.experiment_id}"
        raise StancewiseError(
            f"MLflow store {mlflow.get_tracking_uri()}: the experiment {experiment.name!r} was deleted; "
            f"restore it ({restore}), {other}"
        )


@contextmanager
def _created_once(store: str) -> Iterator[None]:
    """Two processes that both find no SQLite file would both create its tables, and both fail."""
    if not store.startswith("sqlite:///"):
        yield
        return
    with FileLock(f"{store.removeprefix('sqlite:///')}.lock", timeout=120):
        yield


def fingerprint(config: ExperimentConfig, seed: int, corpora: dict[str, Corpus]) -> str:
    """What decides a run's result: config, seed and data; two runs with the same one are the same experiment."""
    # Without what stands at its default, so that a key added later does not make every finished run another one.
    settings = config.model_dump(
        mode="json", exclude={"name", "experiment", "data", "register_as", "seeds"}, exclude_defaults=True
    )
    digests = {part: corpus.digest for part, corpus in corpora.items()}
    content = json.dumps([type(config).__name__, settings, seed, digests], sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()


def dataset_digest(corpora: dict[str, Corpus]) -> str:
    """The first 16 hexadecimal digits of a digest over all parts: runs with the same one saw the same rows."""
    content = json.dumps({part: corpus.digest for part, corpus in corpora.items()}, sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()[:16]


def find_finished(experiment: str, mark: str) -> str | None:
    """The newest finished run with this fingerprint."""
    runs = mlflow.search_runs(
        experiment_names=[experiment],
        filter_string=f"tags.`{FINGERPRINT}` = '{mark}' and attributes.status = 'FINISHED'",
        order_by=["attributes.start_time DESC"],
        max_results=1,
        output_format="list",
    )
    return runs[0].info.run_id if runs else None


def log_setup(config: ExperimentConfig, seed: int, corpora: dict[str, Corpus], mark: str) -> None:
    """Parameters, tags, the resolved config and the data sets of the active run."""
    params = flatten(config)
    params.pop("seeds", None)
    mlflow.log_params({**params, "seed": seed})
    mlflow.log_dict({"kind": type(config).__name__, **config.model_dump(mode="json", by_alias=True)}, CONFIG_FILE)
    if config.data.corrections:
        mlflow.log_artifact(str(config.data.corrections), "corrections")
    tags = {FINGERPRINT: mark, "template": config.template, "dataset_digest": dataset_digest(corpora), **git_state()}
    for part, corpus in corpora.items():
        tags[f"data.{part}.sha256"] = corpus.digest
        for one in corpus.members or (corpus,):
            frame = pd.DataFrame([row.model_dump(include=set(LOGGED_FIELDS)) for row in one.rows])
            dataset = mlflow.data.from_pandas(frame, source=str(one.path), name=one.name, digest=one.digest[:16])
            about = {"weight": str(one.weight)}
            if one.provenance:
                about |= {f"provenance.{key}": value for key, value in asdict(one.provenance).items()}
            mlflow.log_input(dataset, context={"train": "training"}.get(part, part), tags=about)
    mlflow.set_tags(tags)


LOGGED_FIELDS = ("id", "text", "speaker", "target", "stance", "sentiment", "domain", "group")


def git_state() -> dict[str, str]:
    """Commit and dirty flag of the working folder; nothing outside a repository."""
    try:
        commit = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=True)  # noqa: S607
        status = subprocess.run(["git", "status", "--porcelain"], capture_output=True, text=True, check=True)  # noqa: S607
    except (OSError, subprocess.CalledProcessError):
        return {}
    return {"git.commit": commit.stdout.strip(), "git.dirty": str(bool(status.stdout.strip())).lower()}


class MlflowCallback(TrainerCallback):
    """Step metrics under `curve/`: losses, learning rate, gradient norm, validation macro-F1 of each head.

    A store that stops answering does not stop the training: metrics are kept with their times and sent when it is back.
    """

    NAMES = {"loss": "train_loss", "eval_loss": "validation_loss"}  # noqa: RUF012
    LEFT_OUT = ("epoch", "runtime", "per_second", "total_flos")
    PAUSE = 10  # seconds between two attempts to reach a store that did not answer

    def __init__(self, run_id: str, console: Console) -> None:
        self.run_id = run_id
        self.console = console
        self.kept: list[Metric] = []
        self.silent_since: float | None = None
        self.last_attempt = 0.0

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """Send one log entry."""
        metrics = {}
        for name, value in (logs or {}).items():
            if name.startswith("train_") or any(part in name for part in self.LEFT_OUT):
                continue
            metrics[f"curve/{self.NAMES.get(name, name.removeprefix('eval_'))}"] = float(value)
        now = round(1000 * time.time())
        self.kept += [Metric(name, value, now, state.global_step) for name, value in metrics.items()]
        if self.silent_since is None or time.monotonic() - self.last_attempt > self.PAUSE:
            self.send()

    def send(self) -> bool:
        """Send what is kept; False when the store does not answer."""
        self.last_attempt = time.monotonic()
        try:
            with _impatient():
                for start in range(0, len(self.kept), _BATCH):
                    mlflow.MlflowClient().log_batch(self.run_id, self.kept[start : start + _BATCH])
        except (MlflowException, OSError) as error:
            if self.silent_since is None:
                self.silent_since = time.monotonic()
                cause = str(error).splitlines()[0][:200]
                self.console.print(
                    f"[yellow]the MLflow store does not answer[/]; training continues, and its metrics are kept "
                    f"({escape(cause)})",
                    soft_wrap=True,
                )
            return False
        self.kept.clear()
        if self.silent_since is not None:
            minutes = (time.monotonic() - self.silent_since) / 60
            self.console.print(f"the MLflow store is back after {minutes:.1f} minutes; nothing is lost", soft_wrap=True)
            self.silent_since = None
        return True

    def send_all(self) -> None:
        """Wait until the store has everything; a user who stops the wait goes on with `--resume` later."""
        if self.send():
            return
        store = mlflow.get_tracking_uri()
        resume = f"python -m training train --resume {self.run_id}"
        with self.console.status(
            f"trained; waiting for the MLflow store {store} (if it stops, resume it with: {resume})"
        ):
            while not self.send():
                time.sleep(self.PAUSE)


_BATCH = 1000  # metrics that MLflow takes at once


@contextmanager
def _impatient() -> Iterator[None]:
    """MLflow tries a request again for minutes; while training, one failure is enough to try later."""
    wanted = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0", "MLFLOW_HTTP_REQUEST_TIMEOUT": "10"}
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
