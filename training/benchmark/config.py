"""What a benchmark compares: a training config, changes to it, and peers, on the same rows."""

from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import Field, ValidationError, model_validator

from serving.errors import StancewiseError, describe
from serving.labels import Head
from training.config import BaselineConfig, Data, ExperimentConfig, Section, TrainConfig, load_config

_OWN = {"register_as", "seeds"}  # of a training config, what a benchmark does not take over
C = TypeVar("C", bound=ExperimentConfig)


class Contender(Section):
    """One line of the table."""

    name: str = Field(pattern=r"^[\w.-]+$")
    kind: Literal["recipe", "tfidf", "run_classification", "setfit", "vader"] = "recipe"
    base: Path | None = Field(
        default=None, description="of a recipe: another training config, its train and validation"
    )
    change: dict[str, Any] = Field(default={}, description="of a recipe: key.subkey -> value that differs")
    rows_a_class: Annotated[int, Field(gt=0)] | None = Field(default=None, description="of setfit; none: all rows")
    steps: Annotated[int, Field(gt=0)] | None = Field(default=None, description="of setfit: most steps of 16 pairs")
    seeds: tuple[int, ...] = Field(default=(1,), min_length=1)


class BenchmarkConfig(Section):
    """One table: the first contender is what the others are compared with."""

    name: str = Field(pattern=r"^[\w.-]+$")
    title: str
    base: Path = Field(description="the training config that contenders change")
    heads: tuple[Head, ...] = Field(min_length=1, description="measured; peers give the first")
    data: Data | None = Field(default=None, description="none: that of the training config")
    change: dict[str, Any] = Field(default={}, description="for every contender: key.subkey -> value that differs")
    contenders: tuple[Contender, ...] = Field(min_length=1)

    @cached_property
    def recipe(self) -> TrainConfig:
        """The training config with the benchmark's data and change."""
        return recipe_config(self, Contender(name=self.name))

    @model_validator(mode="after")
    def _buildable(self) -> "BenchmarkConfig":
        names = [one.name for one in self.contenders]
        if len(set(names)) < len(names):
            raise ValueError("contenders: two have the same name")
        for one in self.contenders:
            if one.kind == "recipe":
                recipe_config(self, one)
        return self


def recipe_config(benchmark: BenchmarkConfig, contender: Contender) -> TrainConfig:
    """The contender's experiment: its training config with the benchmark's data and its changes.

    Raises:
        ValueError: a change names no key, or its value does not fit.
        StancewiseError: a mistake in the training config.
    """
    values = _loaded(benchmark.base)
    if benchmark.data:
        values["data"] = benchmark.data.model_dump(mode="json")
    _apply(benchmark.change, values, "change")
    if contender.base:
        own = _loaded(contender.base)
        learned = {part: own["data"][part] for part in ("train", "validation")}
        values = {**own, "data": {**values["data"], **learned}}
    values["heads"] = benchmark.heads
    _apply(contender.change, values, f"contenders: {contender.name}: change")
    return _validated(TrainConfig, benchmark, contender, values)


def tfidf_config(benchmark: BenchmarkConfig, contender: Contender) -> BaselineConfig:
    """The TF-IDF peer's experiment."""
    values = {"data": benchmark.recipe.data.model_dump(mode="json"), "heads": benchmark.heads, **contender.change}
    return _validated(BaselineConfig, benchmark, contender, values)


def _loaded(path: Path) -> dict[str, Any]:
    return load_config(path, TrainConfig).model_dump(mode="json", exclude=_OWN)


def _apply(change: dict[str, Any], values: dict[str, Any], place: str) -> None:
    for key, value in change.items():
        *parents, last = key.split(".")
        inner = values
        for parent in parents:
            if not isinstance(inner.get(parent), dict):
                raise ValueError(f"{place}: {key}: there is no {parent}")
            inner = inner[parent]
        inner[last] = value


def _validated(kind: type[C], benchmark: BenchmarkConfig, contender: Contender, values: dict[str, Any]) -> C:
    frame = {"name": f"{benchmark.name}/{contender.name}", "experiment": "benchmarks"}
    try:
        return kind.model_validate({**values, **frame})
    except ValidationError as error:
        raise ValueError(f"contenders: {contender.name}: {describe(error)}") from None


def chosen(benchmark: BenchmarkConfig, only: str | None) -> list[Contender]:
    """The contenders asked for by name, comma-separated; all without `only`.

    Raises:
        StancewiseError: a name that no contender has.
    """
    names = only.split(",") if only else [one.name for one in benchmark.contenders]
    known = {one.name: one for one in benchmark.contenders}
    if unknown := [name for name in names if name not in known]:
        raise StancewiseError(
            f"--only {unknown[0]}: no such contender in {benchmark.name}; there are {', '.join(known)}"
        )
    return [known[name] for name in names]
