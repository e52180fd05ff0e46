"""What the model is told and asked: a short form of the guide in data/README.md, then one statement as JSON."""

import hashlib
import json
from pathlib import Path
from typing import Any

from serving.labels import HEADS
from serving.statement import Statement

GUIDE = Path(__file__).with_name("prompt.md").read_text(encoding="utf-8")
AGAIN = "Answer with the JSON object and nothing else."  # added where an answer had another form
ANSWER_FORMAT = {
    "type": "json_schema",
    "json_schema": {
        "name": "labels",
        "strict": True,
        "schema": {
            "type": "object",
            "properties": {head: {"type": "string", "enum": list(labels)} for head, labels in HEADS.items()},
            "required": list(HEADS),
            "additionalProperties": False,
        },
    },
}
VERSION = hashlib.sha256(json.dumps([GUIDE, ANSWER_FORMAT]).encode()).hexdigest()[
    :12
]  # another prompt, another version

_AROUND = 40  # characters on each side of a mention that is shown
_BYTES_A_TOKEN = 4  # of English and, roughly, of other scripts too
_ANSWER_TOKENS = 25  # of the JSON object

Message = dict[str, str]


def messages(statement: Statement, again: bool = False) -> list[Message]:
    """The guide as the system's message, the statement as the user's; asked `again` with the form said once more."""
    asked: dict[str, Any] = {"text": statement.text, "holder": statement.speaker, "target": statement.target}
    for name, start, end in (
        ("holder", statement.speaker_start, statement.speaker_end),
        ("target", statement.target_start, statement.target_end),
    ):
        if start is not None and end is not None:
            asked[f"{name}_mention"] = statement.text[max(0, start - _AROUND) : end + _AROUND]
    # One message of each role: the templates of some models take no others.
    question = json.dumps(asked, ensure_ascii=False) + (f"\n\n{AGAIN}" if again else "")
    return [{"role": "system", "content": GUIDE}, {"role": "user", "content": question}]


def estimated_tokens(statement: Statement) -> tuple[int, int]:
    """About how many tokens one question has, and its answer, if the model does not think aloud before it."""
    size = sum(len(one["content"].encode()) for one in messages(statement))
    return size // _BYTES_A_TOKEN, _ANSWER_TOKENS
