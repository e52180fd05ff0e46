"""One attribution: who says, thinks, feels or does what, found by grammar (`grammar.py`) or by rules (`plain.py`)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from serving.article.statements import Kind
from serving.article.text.quotations import Quotation
from serving.inputs import Offsets


@dataclass(frozen=True)
class Attribution:
    """Spans are characters into the text that was parsed."""

    source: Offsets  # the holder's mention with all that belongs to it
    head: int  # where its head word begins: `she`, `minister`
    cue: Offsets
    content: tuple[Offsets, ...]


def kind_of(one: Attribution, quotations: Sequence[Quotation]) -> Kind:
    """Whether the content is a quotation, holds one, or is none."""
    quoted = [q for q in quotations if any(start < q.end and q.start < end for start, end in one.content)]
    if not quoted:
        return "indirect"
    outside = sum(end - start for start, end in one.content) - sum(q.end - q.start for q in quoted)
    return "direct" if outside <= 2 * len(quoted) else "mixed"


def innermost(several: Iterable[Attribution], place: int) -> Attribution | None:
    """The attribution with the least content around a character."""
    around = (one for one in several if covers(one.content, place))
    return min(around, key=lambda one: sum(end - start for start, end in one.content), default=None)


def covers(spans: Iterable[Offsets], place: int) -> bool:
    """Whether a character lies in one of the spans."""
    return any(start <= place < end for start, end in spans)
