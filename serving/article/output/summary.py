"""The positions of an article, or of many, by holder and target."""

from collections import Counter
from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict, Field

from serving.article.statements import Article, ArticleStatement
from serving.statement import HeadPrediction


class Evidence(BaseModel):
    """A statement by its place: `articles[article].statements[statement]`."""

    model_config = ConfigDict(frozen=True)

    article: int
    statement: int


class Pair(BaseModel):
    """What one holder says of one target."""

    model_config = ConfigDict(frozen=True)

    speaker: str | None
    target: str
    stances: dict[str, int] = Field(description="statements by label, those without abstention")
    sentiments: dict[str, int]
    abstained: int = Field(description="statements in which the model was too unsure")
    stance: str | None = Field(description="the label with the most probability over all statements")
    probability: float | None = Field(description="its mean probability, 0 to 1")
    evidence: list[Evidence]


def summarise(articles: Sequence[Article]) -> list[Pair]:
    """Every holder-target pair over all articles, those with most statements first.

    Names are compared without regard to case; the first spelling is shown.
    """
    pairs: dict[tuple[str | None, str], list[tuple[Evidence, ArticleStatement]]] = {}
    for number, article in enumerate(articles):
        for place, statement in enumerate(article.statements):
            key = (statement.speaker and statement.speaker.casefold(), statement.target.casefold())
            pairs.setdefault(key, []).append((Evidence(article=number, statement=place), statement))
    found = [_pair([one for one, _ in rows], [statement for _, statement in rows]) for rows in pairs.values()]
    return sorted(found, key=lambda pair: -len(pair.evidence))


def _pair(evidence: list[Evidence], statements: list[ArticleStatement]) -> Pair:
    stances = [statement.stance for statement in statements if statement.stance]
    label, probability = _mean(stances)
    return Pair(
        speaker=statements[0].speaker,
        target=statements[0].target,
        stances=_counts(stances),
        sentiments=_counts([statement.sentiment for statement in statements if statement.sentiment]),
        abstained=sum(statement.abstained for statement in statements),
        stance=label,
        probability=probability,
        evidence=evidence,
    )


def _counts(answers: Sequence[HeadPrediction]) -> dict[str, int]:
    return dict(Counter(answer.label for answer in answers if not answer.abstained))


def _mean(answers: Sequence[HeadPrediction]) -> tuple[str | None, float | None]:
    if not answers:
        return None, None
    labels = answers[0].probabilities
    means = {label: sum(one.probabilities[label] for one in answers) / len(answers) for label in labels}
    best = max(means, key=means.__getitem__)
    return best, means[best]
