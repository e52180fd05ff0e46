"""The statements that every contender answers: the same ones in every run."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from serving.runtime.base import load_inputs
from serving.statement import Statement
from serving.store.folder import read_settings

STATEMENTS = Path(__file__).parents[2] / "data" / "statements"
LEAST_WORDS, MOST_WORDS = 8, 60


@dataclass(frozen=True)
class Texts:
    """Statements, and beside each the string with marks that a peer reads instead."""

    statements: list[Statement]
    rendered: list[str]
    tokens: list[int]


def choose(folder: Path, count: int) -> Texts:
    """At most `count` statements of data/, in an order that depends on their ids alone.

    Left out are those that do not fit into the model as they stand and those that need a text pair: most peers read one
    string and do not cut a window, and all are to see the same tokens.
    """
    settings = read_settings(folder)
    inputs = load_inputs(folder, settings)
    rows = [
        json.loads(line)
        for part in ("test", "train", "validation")
        for line in (STATEMENTS / f"{part}.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    rows = [row for row in rows if LEAST_WORDS <= len(row["text"].split()) <= MOST_WORDS]
    rows.sort(key=lambda row: hashlib.sha256(row["id"].encode()).digest())
    texts = Texts([], [], [])
    for row in rows:
        statement = Statement(text=row["text"], speaker=row.get("speaker"), target=row.get("target"))
        rendered = inputs.render(statement)
        whole = len(inputs.tokenizer.encode(rendered.text))
        if rendered.pair is None and whole <= settings.max_length:
            texts.statements.append(statement)
            texts.rendered.append(rendered.text)
            texts.tokens.append(whole)
        if len(texts.statements) == count:
            break
    return texts


def write(texts: Texts, path: Path) -> None:
    """Write what a contender in another process reads."""
    statements = [statement.model_dump(exclude_none=True) for statement in texts.statements]
    path.write_text(json.dumps({"statements": statements, "rendered": texts.rendered}), encoding="utf-8")
