"""The commands that train: `train`, `baseline`, `sweep`, `reader`, `adapt`."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from serving.cli import OutputAliasOption, TrackedModelOption, console
from serving.errors import StancewiseError
from training.fitting import processes

Overrides = Annotated[
    list[str] | None, typer.Option("--set", help="Change a key of the config, such as epochs=2; repeat for more.")
]


def train(
    config: Annotated[Path | None, typer.Argument(help="A YAML config, such as configs/quickstart.yaml.")] = None,
    overrides: Overrides = None,
    resume: Annotated[
        str | None,
        typer.Option(help="Without a config: the id of a stopped run, to be resumed from its last checkpoint."),
    ] = None,
    reuse: Annotated[
        bool, typer.Option(help="Do nothing if a run with this config and data is finished already.")
    ] = False,
    folds: Annotated[
        int | None, typer.Option(help="Cross-validate over train and validation together, with this many folds.")
    ] = None,
) -> None:
    """Fine-tune an encoder, calibrate it, evaluate it, track it in MLflow and register it.

    Every run prints its RUN_ID when it starts. The finished model is registered as the config's `register` says; for a
    trial, add --set register=null, so that the champion stays.

    Examples:

        python -m training train configs/quickstart.yaml --reuse
        python -m training train configs/quickstart.yaml --set template=blind --set register=null --set "seeds=[1,2]"
        python -m training train configs/quickstart.yaml --folds 5 --reuse
        python -m training train --resume RUN_ID
        torchrun --nproc_per_node 2 -m training train configs/quickstart.yaml
    """
    with processes.team() as leads:
        if leads:
            _train(config, overrides, resume, reuse, folds)
        else:
            from training.fitting.fit import follow

            follow()


def _train(
    config: Path | None, overrides: list[str] | None, resume: str | None, reuse: bool, folds: int | None
) -> None:
    from training.config import TrainConfig, load_config
    from training.experiments import run

    if (config is None) == (resume is None):
        raise StancewiseError("give either a config, such as configs/quickstart.yaml, or --resume RUN_ID")
    if resume is not None:
        if overrides or reuse or folds:
            raise StancewiseError("--resume takes the run's own config; leave out --set, --reuse and --folds")
        run.resume(resume, console)
    elif folds is not None:
        from training.experiments.folds import cross_validate

        assert config is not None
        cross_validate(load_config(config, TrainConfig, overrides), folds, console, reuse)
    else:
        assert config is not None
        run.train(load_config(config, TrainConfig, overrides), console, reuse)


def baseline(
    config: Annotated[Path, typer.Argument(help="A YAML config, such as configs/baseline.yaml.")],
    overrides: Overrides = None,
) -> None:
    """Fit TF-IDF + logistic regression, tracked and registered like a fine-tuned model.

    Example:

        python -m training baseline configs/baseline.yaml
    """
    from training.config import BaselineConfig, load_config
    from training.experiments import run

    run.baseline(load_config(config, BaselineConfig, overrides), console)


def sweep(
    configs: Annotated[list[Path], typer.Argument(help="YAML sweeps, such as configs/sweeps/quickstart.yaml.")],
) -> None:
    """Search a config's keys with Optuna, each trial a nested MLflow run, judged on validation alone.

    A stopped sweep is resumed by the same command. Two processes started with the same config share the trials.

    Example:

        python -m training sweep configs/sweeps/quickstart.yaml
    """
    from training.config import load_config
    from training.experiments.sweep import SweepConfig
    from training.experiments.sweep import sweep as run_sweep

    for config in configs:
        run_sweep(load_config(config, SweepConfig), console)


def reader(
    config: Annotated[Path, typer.Argument(help="A YAML config, such as configs/reader.yaml.")] = Path(
        "configs/reader.yaml"
    ),
    model: TrackedModelOption = "models:/stance@champion",
    output_alias: OutputAliasOption = None,
    overrides: Overrides = None,
) -> None:
    """Train a tracked model to find the positions of articles, and register the new version.

    Without a reader, rules of grammar choose what the model is asked about. The labels of statements stay the same.

    Examples:

        python -m training reader --output-alias reader
        python -m training reader configs/reader.yaml --model models:/stance@champion --set epochs=2
    """
    from training.config import ReaderConfig, load_config
    from training.experiments.reader import train_reader

    train_reader(load_config(config, ReaderConfig, overrides), model, output_alias, console)


def adapt(
    data: Annotated[Path, typer.Option(help="Labelled statements: .jsonl, .csv, .tsv, .xlsx or .parquet.")],
    model: TrackedModelOption = "models:/stance@champion",
    alias: Annotated[
        str, typer.Option(help="The alias of the new version; champion is given by promote alone.")
    ] = "challenger",
    epochs: Annotated[int, typer.Option(min=1, help="How often each new row is seen.")] = 10,
    learning_rate: Annotated[
        float | None, typer.Option(help="Of the optimiser (default: a third of the first training's).")
    ] = None,
    replay: Annotated[
        int, typer.Option(min=0, help="Rows of the first training beside each new one, so that it forgets little.")
    ] = 2,
    replay_from: Annotated[
        Literal["data", "run"],
        typer.Option(help="Where these come from: data (its files), or run (300 statements that MLflow keeps)."),
    ] = "data",
    seed: Annotated[int, typer.Option(help="Of the split, the order of the rows and what is replayed.")] = 1,
) -> None:
    """Let a tracked model learn from a few rows of your own, and say whether it helped.

    Rows need a `text` and a `stance` or a `sentiment`, and may have `speaker`, `target` and `group`: rows of one group
    (a story, a speech) are never on both sides of a measurement. Eight rows of each label are the least. The new
    version is registered with a card that compares it with the model before, on your rows and on the old test part. A
    model of runs:/ is not registered.

    Example:

        python -m training adapt --model models:/stance@champion --data data/own-topic/labelled.csv
    """
    from training.config import AdaptConfig
    from training.experiments.adapt import adapt as go_on

    if learning_rate is not None and learning_rate <= 0:
        raise StancewiseError(f"--learning-rate {learning_rate}: must be above 0")
    config = AdaptConfig(
        data=data, epochs=epochs, learning_rate=learning_rate, replay=replay, replay_from=replay_from, seed=seed
    )
    go_on(config, model, None if model.startswith("runs:/") else alias, console)
