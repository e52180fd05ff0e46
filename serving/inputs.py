"""How a statement becomes the model's input: marks, text pair, and the window of a long text.

Templates:

- `marked`: the holder's and the target's mention are marked in the text (entity markers after Baldini
  Soares et al. 2019, "Matching the Blanks"); a mention that is not in the text goes into a text pair.
- `pair`: the text is left as it is, both names stand in a text pair.
- `blind`: the text alone; the control that shows what holder and target are worth.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from serving.errors import StancewiseError
from serving.names.mentions import find_mention
from serving.names.words import UNSPACED
from serving.statement import Statement

if TYPE_CHECKING:
    from tokenizers import Encoding, Tokenizer

Template = Literal["marked", "pair", "blind"]
Offsets = tuple[int, int]

HOLDER_MARKS = ("[H]", "[/H]")
TARGET_MARKS = ("[T]", "[/T]")
MARKS = HOLDER_MARKS + TARGET_MARKS

_SPECIALS = 4  # most special tokens a tokenizer adds around a text pair (RoBERTa: <s> </s></s> </s>)
_LEAST_TEXT = 8  # tokens of text that must remain beside the names, else the input says nothing
_CHARACTERS_PER_TOKEN = 16  # a window this wide is cut before tokenizing, so that cost does not grow with the text


@dataclass(frozen=True)
class Rendered:
    """A statement as the one or two strings the tokenizer gets."""

    text: str
    pair: str | None


@dataclass(frozen=True, slots=True)
class Tokens:
    """What the encoder reads: token ids, and for each token 0 (text) or 1 (text pair)."""

    ids: list[int]
    types: list[int]

    def __len__(self) -> int:
        return len(self.ids)


def mention_span(text: str, name: str | None, start: int | None, end: int | None) -> Offsets | None:
    """Where a statement's holder or target stands in its text: by its offsets, else its first mention."""
    if name is None:
        return None
    if start is not None and end is not None:
        return start, end
    return find_mention(text, name)


def _crossing(a: Offsets, b: Offsets) -> bool:
    return a[0] < b[0] < a[1] < b[1] or b[0] < a[0] < b[1] < a[1]


def _mark(text: str, spans: dict[tuple[str, str], Offsets]) -> str:
    # Later marks first, so that earlier offsets stay true; at one place an outer mark encloses an inner one.
    inserts = []
    for rank, (marks, (start, end)) in enumerate(spans.items()):
        width = end - start
        blank = ["" if re.match(f"[{UNSPACED}]", text[place]) else " " for place in (start, end - 1)]
        inserts += [
            (start, 1, -width, rank, f"{marks[0]}{blank[0]}"),
            (end, 0, width, -rank, f"{blank[1]}{marks[1]}"),
        ]
    for position, _, _, _, mark in sorted(inserts, reverse=True):
        text = text[:position] + mark + text[position:]
    return text


def _inside(spans: dict[tuple[str, str], Offsets], window: Offsets) -> dict[tuple[str, str], Offsets]:
    start, end = window
    return {k: (a - start, b - start) for k, (a, b) in spans.items() if start <= a and b <= end}


def _neutralise(text: str, reserved: Sequence[str]) -> str:
    """`text` with the tokenizer's own tokens made harmless; the length stays, and so do offsets."""
    for token in reserved:
        if token in text:
            text = text.replace(token, "(" + token[1:])
    return text


def uncut(tokenizer: "Tokenizer") -> "Tokenizer":
    """The same tokenizer, which may have held lengths to cut at and to pad to; we do both ourselves."""
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


class InputEncoder:
    """Turns statements into token ids, the same way in training and in inference.

    Only the text is ever truncated: a window around the target (and the holder, where it fits) is kept.
    A holder's name may be shortened to a quarter of `max_length`, the target's never.
    """

    def __init__(
        self, tokenizer: "Tokenizer", template: Template, max_length: int, schemes: Sequence[str] = ()
    ) -> None:
        self.tokenizer = uncut(tokenizer)
        self.template = template
        self.max_length = max_length
        self.schemes = schemes
        added = [token.content for token in tokenizer.get_added_tokens_decoder().values()]
        self._reserved = [token for token in added if len(token) > 1]

    def render(self, statement: Statement) -> Rendered:
        """The strings for one statement, without regard to length."""
        return self._render(statement, window=None)

    def encode(self, statements: Sequence[Statement]) -> list[Tokens]:
        """The tokens of every statement, unpadded, each at most `max_length` long.

        Raises:
            StancewiseError: a target has so many tokens that no text would remain beside it, or the model does not
                know the statement's scheme.
        """
        rendered = [self._fit(s) if self._too_wide(s) else self.render(s) for s in statements]
        encoded = self._tokenize(rendered)
        for i, row in enumerate(encoded):
            if len(row) > self.max_length:
                [encoded[i]] = self._tokenize([self._fit(statements[i])])
        return encoded

    def _too_wide(self, statement: Statement) -> bool:
        return len(statement.text) > _CHARACTERS_PER_TOKEN * self.max_length

    def _tokenize(self, rendered: Sequence[Rendered]) -> list[Tokens]:
        inputs = [one.text if one.pair is None else (one.text, one.pair) for one in rendered]
        return [Tokens(row.ids, row.type_ids) for row in self.tokenizer.encode_batch_fast(inputs)]

    def _render(self, statement: Statement, window: Offsets | None) -> Rendered:
        window = window or (0, len(statement.text))
        text = _neutralise(statement.text[slice(*window)], self._reserved)
        opening = self._opening(statement)
        if self.template == "blind":
            return Rendered(opening + text, None)
        names = {HOLDER_MARKS: statement.speaker, TARGET_MARKS: statement.target}
        spans = _inside(self._spans(statement), window) if self.template == "marked" else {}
        absent = [
            f"{marks[0]} {_neutralise(name, self._reserved)} {marks[1]}"
            for marks, name in names.items()
            if name and marks not in spans
        ]
        return Rendered(opening + _mark(text, spans), " ".join(absent) or None)

    def _opening(self, statement: Statement) -> str:
        """The scheme, said in words before the text; nothing for a model of one scheme."""
        if not self.schemes:
            return ""
        scheme = statement.scheme or self.schemes[0]
        if scheme not in self.schemes:
            raise StancewiseError(f"scheme: this model knows {', '.join(self.schemes)}; name one of them, or none")
        return f"{scheme}: "

    def _spans(self, statement: Statement) -> dict[tuple[str, str], Offsets]:
        text = statement.text
        target = mention_span(text, statement.target, statement.target_start, statement.target_end)
        holder = mention_span(text, statement.speaker, statement.speaker_start, statement.speaker_end)
        if holder and target and _crossing(holder, target):
            holder = None
        spans = {HOLDER_MARKS: holder, TARGET_MARKS: target}
        return {marks: span for marks, span in spans.items() if span}

    def _count(self, text: str) -> int:
        return len(self._plain(text))

    def _plain(self, text: str) -> "Encoding":
        return self.tokenizer.encode(text, add_special_tokens=False)

    def _fit(self, statement: Statement) -> Rendered:
        """Render the window of the text that leaves room for the marks and names."""
        if self.template == "blind":
            budget = self.max_length - _SPECIALS - self._count(self._opening(statement))
            return self._render(statement, self._window(statement.text, [], budget))
        if statement.speaker and self._count(statement.speaker) > self.max_length // 4:
            start = end = None  # a shortened name is no longer the marked mention
            name = self._shorten(statement.speaker, self.max_length // 4)
            statement = statement.model_copy(update={"speaker": name, "speaker_start": start, "speaker_end": end})
        names = sum(self._count(name) for name in (statement.speaker, statement.target) if name)
        budget = self.max_length - _SPECIALS - len(MARKS) - names - self._count(self._opening(statement))
        if budget < _LEAST_TEXT:
            raise StancewiseError(
                f"target: {self._count(statement.target or '')} tokens leave no room for the text in the model's "
                f"{self.max_length}; give a shorter target, or train with a larger max_length"
            )
        spans = self._spans(statement)
        mentions = [spans[marks] for marks in (TARGET_MARKS, HOLDER_MARKS) if marks in spans]
        return self._render(statement, self._window(statement.text, mentions, budget))

    def _shorten(self, name: str, tokens: int) -> str:
        return name[: self._plain(name).offsets[tokens - 1][1]]

    def _window(self, text: str, mentions: Sequence[Offsets], budget: int) -> Offsets:
        """Character span of at most `budget` tokens that holds the first mention, and the second if it fits."""
        centre = mentions[0] if mentions else (0, 0)
        reach = _CHARACTERS_PER_TOKEN * self.max_length
        base = max(0, centre[0] - reach)
        piece = _neutralise(text[base : centre[1] + reach], self._reserved)
        tokens = [(base + a, base + b) for a, b in self._plain(piece).offsets]
        if len(tokens) <= budget:
            return (tokens[0][0], tokens[-1][1]) if tokens else (0, 0)
        first, last = 0, 0
        for span in mentions:
            inside = [i for i, (a, b) in enumerate(tokens) if a < span[1] and b > span[0]]
            if not inside:
                continue
            low, high = (inside[0], inside[-1] + 1) if last == 0 else (min(first, inside[0]), max(last, inside[-1] + 1))
            if high - low <= budget:
                first, last = low, high
        # Context on both sides, more where the text ends on the other.
        room = budget - (last - first)
        first = max(0, min(first - room // 2, len(tokens) - budget))
        return tokens[first][0], tokens[first + budget - 1][1]
