"""The positions of an article, or of many, by holder and target."""

from collections import Counter, defaultdict
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
    probability: float | None = Field(description="how sure it is, 0 to 1: the mean over the statements")
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
    label, probability = _mean([statement for statement in statements if statement.stance])
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


def _mean(statements: Sequence[ArticleStatement]) -> tuple[str | None, float | None]:
    means: dict[str, float] = defaultdict(float)
    for one in statements:
        assert one.stance
        # Sureness is the probability of the label times that of any position being taken.
        taken = 1.0 if one.sureness is None else one.sureness / one.stance.probability
        for label, value in one.stance.probabilities.items():
            means[label] += taken * value / len(statements)
    best = max(means, key=means.__getitem__, default=None)
    return best, means[best] if best else None
