"""A search over a config's keys with Optuna: one nested MLflow run per trial, judged on validation alone."""

import hashlib
import json
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import mlflow
import numpy as np
import optuna
import yaml
from optuna.exceptions import DuplicatedStudyError, ExperimentalWarning, TrialPruned
from optuna.study import MaxTrialsCallback
from optuna.trial import FrozenTrial, TrialState
from pydantic import Field, field_validator, model_validator
from rich.console import Console
from rich.table import Table
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from serving.errors import StancewiseError
from serving.tables import whole
from training.config import Section, TrainConfig, load_config
from training.data.corpus import Corpus
from training.experiments import track
from training.experiments.before import check_recipe, read_experiment
from training.experiments.run import WORK, fine_tune
from training.fitting.fit import SELECTION_METRIC

_DONE = (TrialState.COMPLETE, TrialState.PRUNED)
_HEARTBEAT = 60  # seconds; a trial silent for twice as long was killed, and is tried again
_PATIENCE = 60  # seconds to wait for another process that is just creating the study's parent run


class Range(Section):
    """Numbers from `low` to `high`: whole ones if both are whole, log-uniform with `log`."""

    low: int | float
    high: int | float
    log: bool = False

    @model_validator(mode="after")
    def _ordered(self) -> "Range":
        if self.low >= self.high or (self.log and self.low <= 0):
            raise ValueError("low must be below high, and above 0 with log")
        return self


class Choice(Section):
    """Some values of any kind."""

    choices: tuple[Any, ...] = Field(min_length=2)


class SweepConfig(Section):
    """What is searched, and how long."""

    name: str
    base: Path = Field(description="the training config whose keys are varied")
    trials: Annotated[int, Field(gt=0)] = 20
    space: dict[str, Range | Choice] = Field(min_length=1, description="key, such as optimiser.learning_rate -> values")
    storage: str | None = Field(
        default=None, description="database of the trials; none: that of MLflow, or sweeps.db beside a tracking server"
    )
    unpruned: int = Field(default=5, ge=0, description="trials before the first may be stopped early")
    seed: int = 0

    @field_validator("space", mode="before")
    @classmethod
    def _shaped(cls, value: Any) -> Any:
        for key, given in value.items() if isinstance(value, dict) else ():
            if not isinstance(given, dict) or ("choices" in given) == ("low" in given):
                raise ValueError(f"{key}: give either {{low: ..., high: ...}} or {{choices: [...]}}")
        return value


@dataclass(frozen=True)
class Sweep:
    """A search with everything it needs at hand."""

    config: SweepConfig
    base: TrainConfig
    corpora: dict[str, Corpus]
    study: optuna.Study
    console: Console


class Pruning(TrainerCallback):
    """Reports the validation score of every epoch, and ends a trial that does worse than most did at that epoch."""

    def __init__(self, trial: optuna.Trial) -> None:
        self.trial = trial
        self.run_id: str | None = None  # of the trial, once it is pruned

    def on_evaluate(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        metrics: dict[str, float],
        **kwargs: Any,
    ) -> None:
        """Report, and stop by raising TrialPruned."""
        epoch = round(state.epoch or 0)
        self.trial.report(metrics[f"eval_{SELECTION_METRIC}"], epoch)
        if self.trial.should_prune():
            if run := mlflow.active_run():
                self.run_id = run.info.run_id
            raise TrialPruned(f"after epoch {epoch}")


def sweep(config: SweepConfig, console: Console) -> Path:
    """Run the trials that are missing; returns the best config's file, which `train` takes as it is.

    A killed sweep goes on when it is started again, and several processes may work on one: they share the database.

    Raises:
        StancewiseError: a key of the space that the base config does not have, a value that does not fit, a mistake in
            the data, or a store that does not answer.
    """
    base = load_config(config.base, TrainConfig)
    for values in _corners(config):
        _trial_config(config, base, values)
    untested = base.model_copy(update={"data": base.data.model_copy(update={"test": None})})
    corpora = read_experiment(untested, console)
    check_recipe(base, WORK)
    study, parent = _open_study(config, base, corpora)
    track.refuse_deleted(mlflow.get_run(parent), "or start another sweep with the key seed")
    one = Sweep(config, base, corpora, study, console)
    finished = len(study.get_trials(deepcopy=False, states=_DONE))
    console.print(
        f"sweep {study.study_name}: {finished} of {config.trials} trials are done; run {parent}", soft_wrap=True
    )
    with mlflow.start_run(run_id=parent), _quiet():
        if finished < config.trials:
            study.optimize(lambda trial: _try(one, trial), callbacks=[MaxTrialsCallback(config.trials, _DONE)])
        return _log_results(one)


def _corners(config: SweepConfig) -> Iterator[dict[str, Any]]:
    """Values of every kind once, so that a key or value that does not fit is an error before the first trial."""
    ends: dict[str, tuple[Any, ...]] = {
        key: wanted.choices if isinstance(wanted, Choice) else (wanted.low, wanted.high)
        for key, wanted in config.space.items()
    }
    for place in range(max(map(len, ends.values()))):
        yield {key: values[min(place, len(values) - 1)] for key, values in ends.items()}


def _trial_config(config: SweepConfig, base: TrainConfig, values: dict[str, Any], number: int = 0) -> TrainConfig:
    """The base config with a trial's values, without test part and registration."""
    overrides = [f"{key}={json.dumps(value)}" for key, value in values.items()]
    loaded = load_config(config.base, TrainConfig, overrides)
    for key in config.space:
        if key.split(".")[0] in ("data", "register", "seeds", "name", "experiment"):
            raise StancewiseError(f"space.{key}: this key does not change how a model is trained")
    data = base.data.model_copy(update={"test": None})
    return loaded.model_copy(
        update={"data": data, "register_as": None, "seeds": base.seeds[:1], "name": f"{config.name}, trial {number}"}
    )


def _open_study(config: SweepConfig, base: TrainConfig, corpora: dict[str, Corpus]) -> tuple[optuna.Study, str]:
    """The study and its parent run; whoever creates the study creates the run."""
    settings = config.model_dump(mode="json", exclude={"name", "base", "trials", "storage"})
    mark = track.fingerprint(base, base.seeds[0], corpora)
    digest = hashlib.sha256(json.dumps([settings, mark], sort_keys=True).encode()).hexdigest()
    name = f"{config.name}-{digest[:8]}"
    url = _storage_url(config)
    # MLflow keeps its own schema revision in the same database, which Optuna would take for its own.
    storage = optuna.storages.RDBStorage(
        url,
        skip_compatibility_check=True,
        heartbeat_interval=_HEARTBEAT,
        heartbeat_stale_trial_callback=optuna.storages.RetryHeartbeatStaleTrialCallback(),
        engine_kwargs={"connect_args": {"timeout": 60}} if url.startswith("sqlite") else None,
    )
    parts: dict[str, Any] = {
        "sampler": optuna.samplers.TPESampler(seed=config.seed),
        "pruner": optuna.pruners.MedianPruner(n_startup_trials=config.unpruned),
    }
    try:
        study = optuna.create_study(storage=storage, study_name=name, direction="maximize", **parts)
    except DuplicatedStudyError:
        # Another process draws from the same study: with the same seed both would try the same values first.
        parts["sampler"] = optuna.samplers.TPESampler(seed=None)
        study = optuna.load_study(storage=storage, study_name=name, **parts)
        for _ in range(_PATIENCE):
            if "run" in study.user_attrs:
                return study, study.user_attrs["run"]
            time.sleep(1)
    with mlflow.start_run(run_name=config.name, tags={"kind": "sweep", "study": name}) as parent:
        mlflow.log_params({f"space.{key}": _shown(wanted) for key, wanted in config.space.items()})
        mlflow.log_params({"base": str(config.base), "storage": storage.url.partition("@")[2] or storage.url})
    study.set_user_attr("run", parent.info.run_id)
    return study, str(parent.info.run_id)


def _storage_url(config: SweepConfig) -> str:
    store = config.storage or mlflow.get_tracking_uri()
    return store if store.startswith(("sqlite", "postgresql", "mysql")) else "sqlite:///sweeps.db"


def _shown(wanted: Range | Choice) -> str:
    if isinstance(wanted, Choice):
        return ", ".join(map(str, wanted.choices))
    return f"{wanted.low:g} to {wanted.high:g}" + (", log" if wanted.log else "")


def _try(one: Sweep, trial: optuna.Trial) -> float:
    values = {key: _suggest(trial, key, wanted) for key, wanted in one.config.space.items()}
    config = _trial_config(one.config, one.base, values, trial.number)
    one.console.print(f"[bold]trial {trial.number}[/]: {', '.join(f'{k} {v}' for k, v in values.items())}")
    start, pruning = time.perf_counter(), Pruning(trial)
    try:
        finished = fine_tune(
            config, config.seeds[0], one.corpora, one.console, nested=True, keep_model=False, callbacks=[pruning]
        )
    except TrialPruned as reason:
        one.console.print(f"trial {trial.number}: stopped {reason}, below the median of the other trials")
        if pruning.run_id:
            # An exception left it as failed, but nothing failed; and its checkpoints are of no use.
            mlflow.MlflowClient().set_terminated(pruning.run_id, "KILLED")
            mlflow.MlflowClient().set_tag(pruning.run_id, "pruned", str(reason))
            shutil.rmtree(WORK / pruning.run_id, ignore_errors=True)
        raise
    finally:
        trial.set_user_attr("minutes", (time.perf_counter() - start) / 60)
    assert finished.evaluations is not None
    heads = finished.evaluations["validation"].heads.values()
    trial.set_user_attr("run", finished.run_id)
    return float(np.mean([head.metrics["macro_f1"].value for head in heads]))


def _suggest(trial: optuna.Trial, key: str, wanted: Range | Choice) -> Any:
    if isinstance(wanted, Choice):
        # By place: Optuna takes plain values alone, a choice may be a list or a dictionary.
        return wanted.choices[trial.suggest_categorical(key, range(len(wanted.choices)))]
    if isinstance(wanted.low, int) and isinstance(wanted.high, int):
        return trial.suggest_int(key, wanted.low, wanted.high, log=wanted.log)
    return trial.suggest_float(key, wanted.low, wanted.high, log=wanted.log)


def _values(config: SweepConfig, trial: FrozenTrial) -> dict[str, Any]:
    found = {}
    for key, value in trial.params.items():
        wanted = config.space[key]
        found[key] = wanted.choices[value] if isinstance(wanted, Choice) else value
    return found


def _log_results(one: Sweep) -> Path:
    """Plots, costs and the best config on the parent run; the best trials on the terminal."""
    study, config = one.study, one.config
    trials = study.get_trials(deepcopy=False, states=_DONE)
    complete = [trial for trial in trials if trial.state == TrialState.COMPLETE]
    if not complete:
        raise StancewiseError(f"sweep {study.study_name}: no trial was finished; raise the key unpruned")
    best = study.best_trial
    mlflow.log_metrics(
        {
            "sweep/best_macro_f1": study.best_value,
            "sweep/trials": len(trials),
            "sweep/pruned": len(trials) - len(complete),
            "cost/minutes": sum(trial.user_attrs.get("minutes", 0.0) for trial in trials),
        }
    )
    mlflow.set_tags({"best.run": best.user_attrs["run"], "best.trial": str(best.number)})
    _log_plots(study, len(complete))
    path = Path(f"{config.name}-best.yaml")
    chosen = load_config(
        config.base, TrainConfig, [f"{key}={json.dumps(value)}" for key, value in _values(config, best).items()]
    )
    content = chosen.model_copy(update={"name": f"{config.name}-best"}).model_dump(
        mode="json", by_alias=True, exclude_defaults=True
    )
    heading = (
        f"# The best of {len(trials)} trials of sweep {study.study_name}: validation macro-F1 {study.best_value:.4f}.\n"
    )
    with whole(path) as temporary:
        temporary.write_text(heading + yaml.safe_dump(content, sort_keys=False, allow_unicode=True), encoding="utf-8")
    mlflow.log_artifact(str(path), "best")
    table = Table(title=f"best of {len(trials)} trials ({len(trials) - len(complete)} pruned)", title_justify="left")
    for name in ("trial", "macro-F1", "minutes", *config.space):
        table.add_column(name, justify="right")
    for trial in sorted(complete, key=lambda t: -(t.value or 0))[:5]:
        values = _values(config, trial)
        minutes = f"{trial.user_attrs.get('minutes', 0.0):.1f}"
        cells = [f"{value:.3g}" if isinstance(value, float) else str(value) for value in map(values.get, config.space)]
        table.add_row(str(trial.number), f"{100 * (trial.value or 0):.1f}", minutes, *cells)
    one.console.print(table)
    one.console.print(f"best config: {path}; train it with: python -m training train {path}", soft_wrap=True)
    return path


def _log_plots(study: optuna.Study, complete: int) -> None:
    from optuna.visualization import matplotlib as drawn

    plots = {"history": drawn.plot_optimization_history, "slice": drawn.plot_slice}
    if complete > 1:
        plots["importance"] = drawn.plot_param_importances
    for name, plot in plots.items():
        axes = np.ravel(np.asarray(plot(study), dtype=object))
        mlflow.log_figure(axes[0].get_figure(), f"plots/{name}.png")


@contextmanager
def _quiet() -> Iterator[None]:
    """Optuna's own log lines would repeat ours, and its plots are marked experimental."""
    import warnings

    level = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        try:
            yield
        finally:
            optuna.logging.set_verbosity(level)
