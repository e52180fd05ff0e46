"""What was found, before hours of training on it."""

from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table

from serving.labels import HEADS
from training.data.corpus import Corpus


def summary(corpora: dict[str, list[Corpus]]) -> Table:
    """One line a part and set: rows, groups, labelled rows of each label, licence; fits 80 characters."""
    order = "\n".join(f"{head}: {' / '.join(labels)}" for head, labels in HEADS.items())
    table = Table(title="data", title_justify="left", box=SIMPLE_HEAD, pad_edge=False, caption=order)
    table.add_column("part and set: licence")
    for column in ("rows", "groups", "labels"):
        table.add_column(column, justify="right", no_wrap=True)
    for part, sets in corpora.items():
        table.add_row(f"[bold]{escape(part)}[/]")
        for corpus in sets:
            groups = len(set(corpus.groups().tolist()))
            labels = "\n".join(f"{head} {_counts(corpus, head)}" for head in HEADS if corpus.labels(head).max() >= 0)
            table.add_row(escape(_name(corpus)), f"{len(corpus.rows):,}", f"{groups:,}", labels)
            for why, rows in (("no label", corpus.unlabelled), ("in another part", corpus.shared)):
                if rows:
                    table.add_row(f"left out: {why}", f"{rows:,}")
    return table


def _name(corpus: Corpus) -> str:
    return f"{corpus.name}: {corpus.provenance.licence}" if corpus.provenance else corpus.name


def _counts(corpus: Corpus, head: str) -> str:
    labels = corpus.labels(head)
    return " / ".join(f"{(labels == i).sum():,}" for i in range(len(HEADS[head])))
