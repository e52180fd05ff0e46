"""What a benchmark compares: a recipe, changes to it, and peers, on the same rows."""

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from serving.errors import StancewiseError
from serving.labels import Head
from training.config import BaselineConfig, Data, Recipe, Section, TrainConfig


class Contender(Section):
    """One line of the table."""

    name: str = Field(pattern=r"^[\w.-]+$")
    kind: Literal["recipe", "tfidf", "run_classification", "setfit", "vader"] = "recipe"
    change: dict[str, Any] = Field(default={}, description="of a recipe: key.subkey -> value that differs")
    rows_a_class: Annotated[int, Field(gt=0)] | None = Field(default=None, description="of setfit; none: all rows")
    steps: Annotated[int, Field(gt=0)] | None = Field(default=None, description="of setfit: most steps of 16 pairs")
    seeds: tuple[int, ...] = Field(default=(1,), min_length=1)


class BenchmarkConfig(Section):
    """One table: the first contender is what the others are compared with."""

    name: str = Field(pattern=r"^[\w.-]+$")
    title: str
    heads: tuple[Head, ...] = Field(min_length=1, description="measured; peers give the first")
    data: Data
    recipe: Recipe
    contenders: tuple[Contender, ...] = Field(min_length=1)

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
    """The contender's experiment: the benchmark's recipe with its changes.

    Raises:
        ValueError: a change names no key, or its value does not fit.
    """
    values: dict[str, Any] = {**benchmark.recipe.model_dump(mode="json"), **_frame(benchmark, contender)}
    for key, value in contender.change.items():
        *parents, last = key.split(".")
        place = values
        for parent in parents:
            if not isinstance(place.get(parent), dict):
                raise ValueError(f"contenders: {contender.name}: change: {key}: there is no {parent}")
            place = place[parent]
        place[last] = value
    return TrainConfig.model_validate(values)


def tfidf_config(benchmark: BenchmarkConfig, contender: Contender) -> BaselineConfig:
    """The TF-IDF peer's experiment."""
    return BaselineConfig.model_validate({**_frame(benchmark, contender), **contender.change})


def _frame(benchmark: BenchmarkConfig, contender: Contender) -> dict[str, Any]:
    return {
        "name": f"{benchmark.name}/{contender.name}",
        "experiment": "benchmarks",
        "data": benchmark.data.model_dump(mode="json"),
        "heads": list(benchmark.heads),
    }


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
