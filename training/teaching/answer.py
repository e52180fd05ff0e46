"""From a reply of the protocol to labels and probabilities, or to the reason why there are none."""

import json
import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from serving.labels import HEADS

SMOOTHING = 0.1  # of answers without probabilities: this share goes to all three labels alike

_THOUGHTS = re.compile(r"^.*</think>", re.DOTALL)

Shares = dict[str, dict[str, float]]  # head -> label -> probability


@dataclass(frozen=True)
class Reply:
    """Labels by head; with probabilities, if the endpoint gave logprobs from which they follow."""

    labels: dict[str, str]
    shares: Shares | None


@dataclass(frozen=True)
class Answer:
    """Probabilities by head, which sum to 1, and where they come from."""

    shares: Shares
    source: str

    def row(self) -> dict[str, Any]:
        """The columns of a `teacher` file: probabilities and their source. Labels are left to people."""
        columns = {
            f"{head}_probabilities": {label: round(share, 4) for label, share in shares.items()}
            for head, shares in self.shares.items()
        }
        return {**columns, "probabilities_from": self.source}


@dataclass(frozen=True)
class Unanswered:
    """Why a statement has no labels."""

    reason: str
    again: bool = False  # whether asking once more may help
    unreachable: bool = False  # whether the endpoint, not the model, gave no answer


def read_reply(reply: dict[str, Any]) -> Reply | Unanswered:
    """The labels of one reply; a reason never repeats what the model wrote."""
    try:
        choice = reply["choices"][0]
        message = choice["message"]
        content = message.get("content")
    except (KeyError, IndexError, TypeError, AttributeError):
        return Unanswered("the endpoint's answer is not of the protocol", again=True)
    if message.get("refusal") or choice.get("finish_reason") == "content_filter":
        return Unanswered("the model refused")
    if not isinstance(content, str) or not content.strip():
        return Unanswered("the model's answer is empty", again=True)
    cut = choice.get("finish_reason") == "length"
    found = _object(content, cut)
    if found is None:
        return Unanswered("the model's answer was cut short" if cut else "the model's answer is not JSON", again=True)
    labels = {head: _label(found.get(head)) for head in HEADS}
    if wrong := [head for head, label in labels.items() if label not in HEADS[head]]:
        return Unanswered(f"the model's answer has no known {' and no known '.join(wrong)}", again=True)
    return Reply(labels, _shares(choice.get("logprobs")))


def combined(replies: Sequence[Reply]) -> Answer:
    """One answer from the replies to one question.

    A reply with probabilities counts alone. Otherwise a label has the share of the replies that gave it, smoothed:
    0.9 of the share plus 0.1 / 3. Source: Szegedy et al. 2016, "Rethinking the Inception Architecture for Computer
    Vision" (label smoothing).
    """
    if replies[0].shares:
        return Answer(replies[0].shares, "logprobs")
    shares: Shares = {}
    for head, labels in HEADS.items():
        counts = Counter(reply.labels[head] for reply in replies)
        shares[head] = {
            label: (1 - SMOOTHING) * counts[label] / len(replies) + SMOOTHING / len(labels) for label in labels
        }
    return Answer(shares, f"{len(replies)} samples" if len(replies) > 1 else "one answer")


def _object(content: str, cut: bool) -> dict[str, Any] | None:
    """The last JSON object of an answer; thoughts, fences and words around it do no harm.

    Of an answer that was `cut` while the model thought aloud nothing counts: what it weighed is no answer.
    """
    text = _THOUGHTS.sub("", content)
    if cut and not text.lstrip().startswith("{"):
        return None
    found, place = None, text.find("{")
    while place >= 0:
        try:
            value, end = json.JSONDecoder().raw_decode(text, place)
        except (ValueError, RecursionError):
            end = place + 1
        else:
            found = value
        place = text.find("{", end)
    return found


def _label(value: object) -> str:
    return value.strip().lower() if isinstance(value, str) else ""


def _shares(logprobs: object) -> Shares | None:
    """The probabilities of both heads; None if the log-probabilities of the tokens do not say them."""
    try:
        tokens = [(one["token"], _alternatives(one)) for one in logprobs["content"]]  # type: ignore[index]
        found = {head: _of_head(tokens, head, labels) for head, labels in HEADS.items()}
    except (KeyError, TypeError, ValueError, OverflowError):
        return None
    return {head: one for head, one in found.items() if one} if all(found.values()) else None


def _alternatives(token: dict[str, Any]) -> dict[str, float]:
    """What could have stood in a token's place, itself included, with probabilities."""
    several = [*(token.get("top_logprobs") or ()), token]
    return {one["token"]: math.exp(min(one["logprob"], 0.0)) for one in several}


def _of_head(
    tokens: Sequence[tuple[str, dict[str, float]]], head: str, labels: Sequence[str]
) -> dict[str, float] | None:
    """The probabilities of one head's labels.

    A label is read along the tokens of the answer until a token tells the labels apart. What could have stood in a
    token's place counts for the labels that it may begin ("neg" for negative, "ne" for neutral and negative alike).
    """
    text = "".join(token for token, _ in tokens)
    opened = list(re.finditer(rf'"{head}"\s*:\s*"', text))
    if not opened:
        return None
    begin, at, mass = opened[-1].end(), 0, 1.0
    shares = dict.fromkeys(labels, 0.0)
    for token, alternatives in tokens:
        start, at = at, at + len(token)
        if at <= begin:
            continue
        before = text[begin:start]  # of the label; empty at its first token
        lead = text[start:begin]  # of the token: what stands before the label, such as a quotation mark
        for other, share in alternatives.items():
            written = before + other[len(lead) :]
            meant = [label for label in labels if _begins(written, label)] if other.startswith(lead) else []
            if other == token and len(meant) > 1:
                continue  # the next token says which
            for label in meant:
                shares[label] += mass * share / len(meant)
        if len([label for label in labels if _begins(text[begin:at], label)]) <= 1:
            break
        mass *= alternatives[token]
    total = sum(shares.values())
    return {label: share / total for label, share in shares.items()} if total > 0 else None


def _begins(written: str, label: str) -> bool:
    """Whether what is written of a value may be this label."""
    whole = f'{label}"'
    return bool(written) and (whole.startswith(written) or written.startswith(whole))
