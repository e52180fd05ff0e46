"""From candidate to champion: conditions with figures, one alias moved, every decision kept on the version."""

import getpass
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import mlflow
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException
from pydantic import Field
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from serving.errors import StancewiseError
from serving.rows.read import read_rows
from serving.store.package import register
from serving.store.run_files import find_run, read_config
from training.config import RegistryName, Section
from training.evaluation.compare import compare, read_sides

CHAMPION, CHALLENGER = "champion", "challenger"
REPLACED = "promotion.replaced"  # tag of a champion: the version that was champion before it
_LOCK_MINUTES = 15  # a promotion that takes longer was killed


class PromotionConfig(Section):
    """The gate."""

    model: RegistryName = Field(default="stance", description="name in the registry")
    part: str = Field(default="test", description="both are compared on these rows")
    least_difference: float = Field(default=-0.005, description="lower end of the interval of macro-F1, on every head")
    most_ece: float = Field(default=0.05, gt=0, le=1, description="expected calibration error, on every head")
    samples: Path = Field(description="statements to label in a fresh process")


@dataclass(frozen=True)
class Condition:
    """One thing a candidate must show."""

    name: str
    met: bool
    figures: str


@dataclass(frozen=True)
class Decision:
    """What became of a candidate."""

    version: str
    alias: str  # champion or challenger
    against: str | None  # the champion's version it was compared with
    conditions: list[Condition]

    @property
    def promoted(self) -> bool:
        """Whether it is the champion now."""
        return self.alias == CHAMPION


def promote(name: str, config: PromotionConfig, console: Console) -> Decision:
    """Make a candidate champion if it meets every condition, else challenger.

    Args:
        name: a run id, `models:/NAME/VERSION` or `models:/NAME@ALIAS`; a run's model is registered if it is not yet.
        config: the gate.
        console: where progress is shown.

    Raises:
        StancewiseError: there is no such run or version, it is champion already, both cannot be compared, or another
            promotion of this model is under way.
    """
    run = find_run(name)
    with _alone(config.model):
        number = register(run.info.run_id, config.model).rpartition("/")[2]
        version = mlflow.MlflowClient().get_model_version(config.model, number)
        champion = _aliased(config.model, CHAMPION)
        if champion and champion.version == version.version:
            raise StancewiseError(f"version {version.version} of {config.model} is the champion already")
        with console.status("comparing with the champion"):
            conditions = [*_differences(version, champion, config), *calibration(version.run_id, config)]
        with console.status("labelling samples in a fresh process"):
            conditions.append(_serves(version, config))
        alias = CHAMPION if all(one.met for one in conditions) else CHALLENGER
        decision = Decision(str(version.version), alias, str(champion.version) if champion else None, conditions)
        _settle(config.model, decision)
    return decision


def rollback(model: str) -> Decision:
    """Make the version champion again that the present champion replaced.

    Raises:
        StancewiseError: there is no champion, or it replaced none.
    """
    with _alone(model):
        champion = _aliased(model, CHAMPION)
        if champion is None:
            raise StancewiseError(f"{model} has no champion to roll back")
        before = champion.tags.get(REPLACED)
        if before is None:
            raise StancewiseError(
                f"version {champion.version} of {model} replaced no champion; there is none to restore"
            )
        decision = Decision(before, CHAMPION, str(champion.version), [Condition("rollback", True, "asked for")])
        client = mlflow.MlflowClient()
        client.set_registered_model_alias(model, CHAMPION, before)
        _keep(model, decision)
    return decision


def show_decision(decision: Decision, model: str, console: Console) -> None:
    """Print the conditions with their figures, and the outcome."""
    against = f" against champion {decision.against}" if decision.against else ""
    table = Table(title=f"{escape(model)}, version {decision.version}{against}", title_justify="left")
    for title in ("condition", "met", "figures"):
        table.add_column(title)
    for one in decision.conditions:
        table.add_row(escape(one.name), "[green]yes[/]" if one.met else "[red]no[/]", escape(one.figures))
    console.print(table)
    failed = ", ".join(one.name for one in decision.conditions if not one.met)
    because = f"; not met: {failed}" if failed else ""
    console.print(
        f"version {decision.version} is now [bold]{decision.alias}[/]{escape(because)}", soft_wrap=True, highlight=False
    )


def _aliased(model: str, alias: str) -> ModelVersion | None:
    client = mlflow.MlflowClient()
    try:
        aliases = client.get_registered_model(model).aliases
    except MlflowException:
        raise StancewiseError(f"{model}: no such registered model in {mlflow.get_tracking_uri()}") from None
    if alias not in aliases:
        return None
    return client.get_model_version_by_alias(model, alias)


def _differences(version: ModelVersion, champion: ModelVersion | None, config: PromotionConfig) -> Iterator[Condition]:
    """Every head the champion answers, compared on the same rows."""
    if champion is None:
        yield Condition("not worse than the champion", True, "there is no champion yet")
        return
    sides = read_sides([champion.run_id, version.run_id], config.part)
    for missing in set(sides[0].heads()) - set(sides[1].heads()):
        yield Condition(f"{missing} not worse", False, f"the candidate has no {missing} head, the champion has")
    for one in compare(sides):
        met = one.difference.low > config.least_difference
        wanted = f"lower end above {100 * config.least_difference:+.1f} wanted"
        yield Condition(f"{one.head} not worse", met, f"{one.difference.points} points of macro-F1; {wanted}")


def calibration(run_id: str, config: PromotionConfig) -> Iterator[Condition]:
    """One condition for every head that the run's model answers; a figure that is missing is not met.

    Raises:
        StancewiseError: the run keeps no config, which names its heads.
    """
    metrics = mlflow.get_run(run_id).data.metrics
    for head in read_config(run_id)["heads"]:
        name = f"{config.part}/{head}/ece"
        error = metrics.get(name)
        if error is None:
            figures = f"run {run_id} has no {name}: it was not measured on {config.part} rows with {head} labels"
        else:
            figures = f"ECE {error:.3f}; at most {config.most_ece:g} wanted"
        yield Condition(f"{head} calibrated", error is not None and error <= config.most_ece, figures)


def _serves(version: ModelVersion, config: PromotionConfig) -> Condition:
    """Load the version the way a user does, in a process of its own that refuses pickle, and label the samples."""
    uri = f"models:/{version.name}/{version.version}"
    environment = {
        **os.environ,
        "MLFLOW_TRACKING_URI": mlflow.get_tracking_uri(),
        "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
    }
    wanted = sum(1 for _ in read_rows(config.samples))
    with tempfile.TemporaryDirectory() as folder:
        bare, output = Path(folder) / "samples.jsonl", Path(folder) / "labelled.jsonl"
        statements = [
            {k: row.values.get(k) for k in ("text", "speaker", "target")} for row in read_rows(config.samples)
        ]
        bare.write_text("".join(json.dumps(one) + "\n" for one in statements), encoding="utf-8")
        command = [sys.executable, "-m", "serving", "predict", "--model", uri]
        command += ["--input", str(bare), "--output", str(output)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)  # noqa: S603
        labelled = sum(1 for _ in read_rows(output)) if output.is_file() else 0
    figures = f"{labelled} of {wanted} samples labelled"
    if done.returncode != 0:
        figures += f"; {(done.stderr.strip().splitlines() or ['no message'])[-1]}"
    return Condition("serves", done.returncode == 0 and labelled == wanted, figures)


def _settle(model: str, decision: Decision) -> None:
    client = mlflow.MlflowClient()
    if decision.promoted and decision.against:
        client.set_model_version_tag(model, decision.version, REPLACED, decision.against)
    client.set_registered_model_alias(model, decision.alias, decision.version)
    if decision.promoted and CHALLENGER in client.get_registered_model(model).aliases:
        challenger = client.get_model_version_by_alias(model, CHALLENGER)
        if str(challenger.version) == decision.version:
            client.delete_registered_model_alias(model, CHALLENGER)
    _keep(model, decision)


def _keep(model: str, decision: Decision) -> None:
    """The decision as a tag of the version: one tag per decision, named by its time."""
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H.%M.%SZ")
    content = {
        "became": decision.alias,
        "against": decision.against,
        "by": f"{getpass.getuser()}@{socket.gethostname()}",
        "conditions": {one.name: {"met": one.met, "figures": one.figures} for one in decision.conditions},
    }
    mlflow.MlflowClient().set_model_version_tag(model, decision.version, f"promotion.{now}", json.dumps(content))


@contextmanager
def _alone(model: str) -> Iterator[None]:
    """Hold the registry's only unique thing, a model's name: two processes cannot both create it.

    Aliases alone would not do: of two promotions at once each could compare with the old champion and win.
    """
    client = mlflow.MlflowClient()
    lock = f"{model}.promotion"
    mine = f"{getpass.getuser()}@{socket.gethostname()}, process {os.getpid()}"
    try:
        client.create_registered_model(lock, description=f"a promotion is under way: {mine}")
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
        _break_or_refuse(client, model, lock)
        client.create_registered_model(lock, description=f"a promotion is under way: {mine}")
    try:
        yield
    finally:
        client.delete_registered_model(lock)


def _break_or_refuse(client: mlflow.MlflowClient, model: str, lock: str) -> None:
    held = client.get_registered_model(lock)
    minutes = (time.time() - held.creation_timestamp / 1000) / 60
    if minutes < _LOCK_MINUTES:
        raise StancewiseError(
            f"{model}: {held.description}, for {minutes:.0f} minutes; try again when it is done "
            f"(if it was killed, in {_LOCK_MINUTES - minutes:.0f} minutes)"
        )
    client.delete_registered_model(lock)
