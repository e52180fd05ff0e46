"""What is read from an article: who takes which position toward what, and where in the text it stands."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from serving.explain import Explanation
from serving.language.detect import UNKNOWN
from serving.statement import HeadPrediction, Statement

Kind = Literal["direct", "mixed", "indirect", "turn", "author"]


class Span(BaseModel):
    """A stretch of the article: `article.text[start:end] == text`."""

    model_config = ConfigDict(frozen=True)

    start: int = Field(ge=0, description="characters (code points) into the article's text")
    end: int = Field(ge=0)
    text: str

    def __contains__(self, other: "Span") -> bool:
        return self.start <= other.start and other.end <= self.end


class Position(BaseModel):
    """A holder and a target that stand in one sentence, before anything is said of the stance."""

    model_config = ConfigDict(frozen=True)

    speaker: str | None = Field(description="the holder's name as the article gives it in full; null: the author")
    target: str = Field(description="the target's name, likewise")
    kind: Kind = Field(description="how the holder is quoted; turn: a line of a transcript; author: not at all")
    speaker_mention: Span | None = Field(description="the words that stand for the holder, such as `she`")
    cue: Span | None = Field(description="the words that attribute, such as `said`")
    content: tuple[Span, ...] = Field(description="what the holder says; of the author: the sentence")
    target_mention: Span
    sentence: Span = Field(description="the evidence, and what the model reads")
    read: dict[str, float] | None = Field(
        default=None,
        exclude=True,
        description="the reader's probabilities of nothing, support, declared neutrality, criticism",
    )

    def statement(self) -> Statement:
        """What the model is asked."""
        names: dict[str, Any] = {}
        for field, name, mention in (
            ("speaker", self.speaker, self.speaker_mention),
            ("target", self.target, self.target_mention),
        ):
            names[field] = name
            if mention and mention in self.sentence:
                start = self.sentence.start
                names |= {
                    field: mention.text,
                    f"{field}_start": mention.start - start,
                    f"{field}_end": mention.end - start,
                }
        return Statement(text=self.sentence.text, **names)


class ArticleStatement(Position):
    """A position with the model's answer."""

    stance: HeadPrediction | None
    sentiment: HeadPrediction | None
    abstained: bool = Field(description="a head is too unsure to be relied on")
    language: str = Field(default=UNKNOWN, description="ISO 639 code of the sentence's language, or unknown")
    foreign: bool = Field(default=False, description="the model does not read this language: both heads abstain")
    sureness: float | None = Field(
        default=None, description="probability that the holder takes this side at all; null: without a parser"
    )
    sure: bool = Field(default=False, description="as sure as those that are right nine times in ten on validation")
    explanation: Explanation | None = Field(default=None, description="which words carried the stance, if asked for")


class Article(BaseModel):
    """A text with the statements found in it, in the order of the text."""

    model_config = ConfigDict(frozen=True)

    name: str | None = None
    text: str
    language: str = Field(default=UNKNOWN, description="ISO 639 code of the text's language, or unknown")
    foreign: bool = Field(default=False, description="the model does not read this language: nothing was labelled")
    statements: list[ArticleStatement]
    notes: list[str] = Field(default=[], description="what could not be read, and what to do about it")
