"""What goes in and what comes out: statements and predictions."""

import re
from typing import Annotated, Any, ClassVar, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from serving.language.detect import UNKNOWN
from serving.names.spelling import INVISIBLE, same, spelled

QUESTION_COLUMNS = ("text", "speaker", "target")  # of a table without offsets, such as the MLflow model reads
NAME_CHARACTERS = 500  # longest holder or target accepted; a longer one is a text, not a mention

_FILLERS = "\u115f\u1160\u2800\u3164\uffa0\ufffc"  # of Hangul, Braille and embedded objects: letters that show nothing
_VISIBLE = re.compile(rf"[^\s\x00-\x1f{_FILLERS}{INVISIBLE}]")


def _unicode(text: str) -> str:
    if not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text):
        raise ValueError("bytes or escapes in it are not Unicode text; save the file as UTF-8")
    return text


def _blank_to_none(name: str | None) -> str | None:
    return _unicode(name).strip() or None if name else None


def _not_blank(text: str) -> str:
    if not _VISIBLE.search(spelled(text).text if "&" in text else text):  # a page's &nbsp;
        raise PydanticCustomError("blank", "empty")
    return text


Name = Annotated[str | None, Field(max_length=NAME_CHARACTERS), AfterValidator(_blank_to_none)]
Text = Annotated[str, AfterValidator(_unicode)]
VisibleText = Annotated[Text, AfterValidator(_not_blank)]
Offset = Annotated[int | None, Field(ge=0)]


class Statement(BaseModel):
    """A text whose holder (`speaker`) takes a stance toward `target`.

    `speaker=None` asks for the position of the text's author, `target=None` for the text's main subject.
    The offsets are characters (code points) into `text` and say which mention is meant; without them the first one is.
    `scheme` names the annotation scheme whose labels are wanted, for a model trained on several; None: its first.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    text: VisibleText
    speaker: Name = None
    target: Name = None
    speaker_start: Offset = None
    speaker_end: Offset = None
    target_start: Offset = None
    target_end: Offset = None
    scheme: str | None = Field(default=None, max_length=40)

    @model_validator(mode="after")
    def _on_the_mentions(self) -> Self:
        """Refuse offsets that are not on the mention named: they would mark another one in silence."""
        for name in ("speaker", "target"):
            start, end, mention = (getattr(self, key) for key in (f"{name}_start", f"{name}_end", name))
            if start is None and end is None:
                continue
            if start is None or end is None or mention is None:
                raise ValueError(f"{name}: give {name}, {name}_start and {name}_end, or no offsets")
            if not start < end <= len(self.text):
                raise ValueError(
                    f"{name}: offsets {start}:{end} are outside the text of {len(self.text)} characters; "
                    "correct them or leave them out"
                )
            if self.text[start:end] != mention and not same(self.text[start:end], mention):
                raise ValueError(
                    f"{name}: the text at {start}:{end} is not the {name} named; count characters (an emoji is one) "
                    "from 0 to behind the last, or leave the offsets out"
                )
        return self


class HeadPrediction(BaseModel):
    """One head's answer: a label and a calibrated probability for every label (they sum to 1)."""

    model_config = ConfigDict(frozen=True)

    label: str
    probabilities: dict[str, float]
    abstained: bool = Field(
        description="the label's probability is below the head's threshold, or the model does not read the language"
    )

    @property
    def probability(self) -> float:
        """The calibrated probability of `label`, 0 to 1."""
        return self.probabilities[self.label]


class Prediction(BaseModel):
    """Both heads' answers for one statement; a head that the model was not trained for is None."""

    model_config = ConfigDict(frozen=True)

    COLUMNS: ClassVar = (
        "stance",
        "stance_probabilities",
        "sentiment",
        "sentiment_probabilities",
        "abstained",
        "language",
    )

    stance: HeadPrediction | None
    sentiment: HeadPrediction | None
    language: str = Field(default=UNKNOWN, description="ISO 639 code of the text's language, or unknown")
    foreign: bool = Field(default=False, description="the model does not read this language: both heads abstain")

    @property
    def abstained(self) -> bool:
        """True when a trained head is too unsure to be relied on."""
        return any(head is not None and head.abstained for head in (self.stance, self.sentiment))

    def row(self) -> dict[str, Any]:
        """The prediction as flat columns, the form of every table and of the MLflow model."""
        heads = (self.stance, self.sentiment)
        answers = [(head.label, head.probabilities) if head else (None, None) for head in heads]
        return dict(zip(self.COLUMNS, (*answers[0], *answers[1], self.abstained, self.language), strict=True))
