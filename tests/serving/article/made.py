"""Labelled articles made by hand, by the words that stand in them."""

from serving.article.statements import Article, ArticleStatement, Span
from serving.explain import Explanation
from serving.labels import HEADS
from serving.statement import HeadPrediction


def head(name: str, label: str, probability: float = 0.9, abstained: bool = False) -> HeadPrediction:
    labels = HEADS[name]
    rest = (1 - probability) / (len(labels) - 1)
    probabilities = {one: probability if one == label else rest for one in labels}
    return HeadPrediction(label=label, probabilities=probabilities, abstained=abstained)


class Draft:
    """A text and the statements said to be in it."""

    def __init__(self, text: str, name: str | None = None, notes: tuple[str, ...] = ()) -> None:
        self.text, self.name, self.notes = text, name, notes
        self.statements: list[ArticleStatement] = []

    def span(self, words: str, after: int = 0) -> Span:
        start = self.text.index(words, after)
        return Span(start=start, end=start + len(words), text=words)

    def says(
        self,
        speaker: str | None,
        target: str,
        sentence: str,
        stance: str | None,
        *content: str,
        cue: str | None = None,
        mentions: tuple[str | None, str] | None = None,
        sure: float = 0.9,
        sentiment: str | None = "neutral",
        kind: str = "indirect",
        explanation: Explanation | None = None,
        after: int = 0,
    ) -> "Draft":
        """Add a statement; `stance` `?support` is one that the model is too unsure of."""
        evidence = self.span(sentence, after)
        holder, named = mentions or (None, target)
        unsure = bool(stance) and stance.startswith("?")
        self.statements.append(
            ArticleStatement(
                speaker=speaker,
                target=target,
                kind=kind,
                speaker_mention=self.span(holder, evidence.start) if holder else None,
                cue=self.span(cue, evidence.start) if cue else None,
                content=tuple(self.span(words, evidence.start) for words in content) or (evidence,),
                target_mention=self.span(named, evidence.start),
                sentence=evidence,
                stance=head("stance", stance.lstrip("?"), sure, unsure) if stance else None,
                sentiment=head("sentiment", sentiment) if sentiment else None,
                abstained=unsure,
                explanation=explanation,
            )
        )
        return self

    def article(self) -> Article:
        statements = sorted(self.statements, key=lambda one: one.sentence.start)
        return Article(name=self.name, text=self.text, statements=statements, notes=list(self.notes))
