"""The model card: what a model was made from, what it is for, what it reaches, how to load it."""

from collections.abc import Sequence

from serving.labels import HEADS, UNLABELLED
from serving.store.folder import ModelSettings
from training.config import ExperimentConfig, Recipe, flatten
from training.data.corpus import Corpus
from training.evaluation.before_after import COLUMNS, Change
from training.evaluation.evaluate import Evaluation

_FIGURES = {"macro_f1": "macro-F1", "accuracy": "accuracy", "ece": "calibration error", "coverage": "coverage"}


def model_card(
    config: ExperimentConfig,
    settings: ModelSettings,
    corpora: dict[str, Corpus],
    evaluations: dict[str, Evaluation],
    minutes: float,
) -> str:
    """The card as Markdown; figures are percent with 95 % intervals.

    Args:
        config: what the run was started with.
        settings: what is stored with the model.
        corpora: the rows by part.
        evaluations: the figures by part.
        minutes: of training.
    """
    sections = [
        f"# {config.name}",
        _answers(settings),
        "## Figures",
        *[_figures(part, evaluation) for part, evaluation in evaluations.items()],
        "Intervals resample whole stories. Coverage is the share of rows it answers without abstaining; thresholds: "
        + ", ".join(f"{head} {least:.2f}" for head, least in settings.abstain_below.items())
        + ".",
        "## Data",
        _data(corpora),
        *_use(settings),
        "## Training",
        f"{minutes:.1f} minutes. "
        + _adapters(config)
        + ", ".join(f"`{key}` {value}" for key, value in _settings(config).items())
        + ".",
    ]
    return "\n\n".join(sections) + "\n"


def _answers(settings: ModelSettings) -> str:
    heads = " and ".join(f"**{head}** ({', '.join(HEADS[head])})" for head in settings.heads)
    return f"Answers, for a text with an optional holder and target: {heads}."


def _use(settings: ModelSettings) -> list[str]:
    return [
        "## Use and limits",
        "For analysts who read the statements behind the figures. Not for decisions about persons. It was trained on "
        f"short texts in {', '.join(settings.languages)} and of the domains of its data. It abstains on other "
        "languages, where that can be told; on other domains its probabilities are too sure. A stance is what the text "
        "shows of the holder, not what the holder thinks.",
        "## Load",
        "```python\nfrom serving import StanceClassifier, Statement\n\n"
        f'classifier = StanceClassifier.load("runs:/{settings.run_id}")\n'
        'classifier.predict([Statement(text="...", speaker="...", target="...")])\n```',
    ]


def adapted_card(
    name: str, before: str, settings: ModelSettings, changes: Sequence[Change], words: list[str], notes: list[str]
) -> str:
    """The card of a model that went on from another one, as Markdown.

    Args:
        name: of the run.
        before: the run of the other model.
        settings: what is stored with the model.
        changes: on every part that both were measured on.
        words: what the figures mean, in sentences.
        notes: how it was trained and measured, in sentences.
    """
    lines = [f"| {' | '.join(COLUMNS)} |", "|---" * len(COLUMNS) + "|"]
    lines += [f"| {' | '.join(row)} |" for one in changes for row in one.rows()]
    sections = [
        f"# {name}",
        _answers(settings),
        "## Did it help?",
        "\n".join(f"- {sentence}" for sentence in words),
        "\n".join(lines),
        "Macro-F1 in percent, before and after on the same rows, and the paired difference in points. The 95 % "
        "intervals resample whole groups.",
        "## How it was made",
        "\n".join(f"- {note}" for note in notes)
        + f"\n- It goes on from run `{before}`, whose card says what that model was trained on.",
        *_use(settings),
    ]
    return "\n\n".join(sections) + "\n"


def _adapters(config: ExperimentConfig) -> str:
    lora = config.lora if isinstance(config, Recipe) else None
    return f"LoRA: adapters of rank {lora.rank}, merged into the weights; nothing else is needed. " if lora else ""


def _figures(part: str, evaluation: Evaluation) -> str:
    heads = list(evaluation.heads)
    lines = [
        f"| {part}, {len(evaluation.corpus.rows):,} rows | " + " | ".join(heads) + " |",
        "|---" * (len(heads) + 1) + "|",
    ]
    for name, title in _FIGURES.items():
        metrics = [evaluation.heads[head].metrics.get(name) for head in heads]
        cells = ["" if one is None else str(one) for one in metrics]
        lines.append(f"| {title} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _data(corpora: dict[str, Corpus]) -> str:
    lines = ["| part | set | rows | licence |", "|---|---|---|---|"]
    for part, corpus in corpora.items():
        for one in corpus.members or (corpus,):
            licence = one.provenance.licence if one.provenance else ""
            counts = "; ".join(
                f"{head} " + " / ".join(str(int((labels == i).sum())) for i in range(3))
                for head in HEADS
                if ((labels := one.labels(head)) != UNLABELLED).any()
            )
            lines.append(f"| {part} | {one.name} | {len(one.rows):,} ({counts}) | {licence} |")
    return "\n".join(lines)


def _settings(config: ExperimentConfig) -> dict[str, str]:
    flat = flatten(config)
    return {key: str(flat[key]) for key in sorted(flat)}
