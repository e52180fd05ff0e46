"""Statements in which support is rare, for the table of what class weights do there.

    python benchmarks/imbalance.py

writes train.jsonl, validation.jsonl and rare.jsonl (of the test part) into build/imbalance/: the statements of
data/statements/ with so few rows of support that they are 5 % of each file. Whole stories keep or lose their support
rows, in an order fixed by a seed.
"""

from pathlib import Path

import numpy as np

from serving.tables import open_writer
from training.data.corpus import LabelledStatement, group_key, read_corpus

STATEMENTS = Path(__file__).parents[1] / "data" / "statements"
OUTPUT = Path("build/imbalance")
RARE, SHARE = "support", 0.05


def without_most(rows: list[LabelledStatement]) -> list[LabelledStatement]:
    """The rows with all but `SHARE` of the rare label left out."""
    others = sum(row.stance != RARE for row in rows)
    most = round(SHARE / (1 - SHARE) * others)
    rare = [i for i, row in enumerate(rows) if row.stance == RARE]
    stories = list(dict.fromkeys(group_key(rows[i]) for i in rare))
    rank = dict(zip(stories, np.random.default_rng(0).permutation(len(stories)).tolist(), strict=True))
    kept = set(sorted(rare, key=lambda i: rank[group_key(rows[i])])[:most])
    return [row for i, row in enumerate(rows) if row.stance != RARE or i in kept]


def main() -> None:
    """Write the three files."""
    OUTPUT.mkdir(parents=True, exist_ok=True)
    for part, name in (("train", "train"), ("validation", "validation"), ("test", "rare")):
        rows = without_most(read_corpus(STATEMENTS / f"{part}.jsonl").rows)
        path = OUTPUT / f"{name}.jsonl"
        with open_writer(path) as writer:
            for row in rows:
                writer.write(row.model_dump(exclude_none=True))
        print(f"{path}: {len(rows):,} rows, {sum(row.stance == RARE for row in rows)} of {RARE}")


if __name__ == "__main__":
    main()
