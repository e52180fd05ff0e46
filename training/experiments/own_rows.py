"""A user's few rows: read and checked, near-duplicates together, away from what the model was measured on, split."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from sklearn.model_selection import StratifiedGroupKFold

from serving.article.text.copies import NEAR_DUPLICATE
from serving.errors import StancewiseError
from serving.labels import HEADS, UNLABELLED, Head
from serving.language.detect import foreign, language_of
from serving.store.folder import ModelSettings
from training.config import DataSet
from training.data.check import check_rows
from training.data.corpus import Corpus, group_key, only_heads
from training.data.leaks import find_leaks
from training.data.parts import refuse
from training.data.similar import similar_texts
from training.data.sources import read_set
from training.evaluation.metrics import Ints
from training.experiments.first import First, without_groups
from training.experiments.folds import strata

LEAST_OF_A_LABEL = 8  # rows of each label of a head; fewer say nothing of it
HELD_OUT_FROM = 200  # rows; with fewer, cross-validation measures on all of them
FOLDS = 5  # of the cross-validation; with more rows one of them is held out


@dataclass(frozen=True)
class Split:
    """What is learned from and what is measured on, in whole groups; places among the user's rows."""

    learned: Ints
    held_out: Ints


def read_own(path: Path, settings: ModelSettings) -> tuple[Corpus, tuple[Head, ...], list[str]]:
    """The user's rows, near-duplicates in one group; the heads that they teach; what the user should know.

    Raises:
        StancewiseError: a row that cannot be used, as file:line; no head of the model is labelled; too few rows.
    """
    own = read_set(DataSet(source="table", path=path))
    refuse([str(problem) for problem in check_rows(own)])
    labelled = [head for head in HEADS if (own.labels(head) != UNLABELLED).any()]
    heads = tuple(head for head in settings.heads if head in labelled)
    notes = []
    if own.unlabelled:
        notes.append(f"{own.unlabelled:,} rows of {path} have no label and are left out.")
    if not heads:
        raise StancewiseError(
            f"{path}: no row has a {' or '.join(settings.heads)}, which is what this model answers; label some"
        )
    notes += [f"This model does not answer {head}: its labels are not used." for head in labelled if head not in heads]
    languages = (language_of(row.text, settings.languages) for row in own.rows)
    if others := Counter(one for one in languages if foreign(one, settings.languages)):
        counts = ", ".join(f"{language} {count:,}" for language, count in sorted(others.items()))
        notes.append(f"Some rows are in a language on which the model will go on to abstain: {counts}.")
    own = only_heads(own, heads)
    refuse_few(own, heads)
    return grouped(own), heads, notes


def refuse_few(own: Corpus, heads: Sequence[Head]) -> None:
    """Raise StancewiseError, with counts, if a label of a head has fewer rows than LEAST_OF_A_LABEL."""
    problems = []
    for head in heads:
        labels = own.labels(head)
        counts = {label: int((labels == i).sum()) for i, label in enumerate(HEADS[head])}
        if min(counts.values()) < LEAST_OF_A_LABEL:
            problems.append(f"{head}: " + ", ".join(f"{label} {count}" for label, count in counts.items()))
    if problems:
        raise StancewiseError(
            f"{own.path}: {LEAST_OF_A_LABEL} rows of every label are needed, and there are of {'; '.join(problems)}; "
            "label more (python -m training pick finds rows), or take the column out of the table"
        )


def grouped(corpus: Corpus) -> Corpus:
    """The rows with one group for all that hang together: by the user's group, the text, or nearly the same text."""
    keys = list(dict.fromkeys(map(group_key, corpus.rows)))
    numbers = {key: number for number, key in enumerate(keys)}
    of_text = {row.text: numbers[group_key(row)] for row in corpus.rows}
    links = [(numbers[group_key(row)], of_text[row.text]) for row in corpus.rows]
    texts = list(of_text)
    links += [(of_text[texts[i]], of_text[texts[j]]) for i, j, _ in similar_texts(texts, NEAR_DUPLICATE)]
    left, right = np.array(links).T
    graph = coo_array((np.ones(len(links)), (left, right)), shape=(len(keys), len(keys)))
    together = connected_components(graph, directed=False)[1]
    rows = [
        row.model_copy(update={"group": f"{corpus.path.stem}:{together[numbers[group_key(row)]]}"})
        for row in corpus.rows
    ]
    return replace(corpus, rows=rows)


def apart(own: Corpus, first: First) -> tuple[Corpus, set[int], list[str]]:
    """The user's rows that no test of the model has; the places of those that it learned from already; notes.

    A row near a test row would make the test say more than is true, so it is neither learned nor measured. A row that
    the model knows may teach again, but it measures nothing.
    """
    notes = []
    tests = [without_groups([corpus]) for corpus in first.tests.values()]
    if near := find_leaks(without_groups([own]), tests):
        places = ", ".join(own.place(i) for i in list(near)[:5])
        notes.append(
            f"{len(near):,} rows are (nearly) rows of the model's test part and are left out, or its figures would be "
            f"too good: {places}" + (", ..." if len(near) > 5 else "") + "."
        )
        own = own.keep(set(range(len(own.rows))) - near.keys())
        if not own.rows:
            raise StancewiseError(f"{own.path}: every row is a row of the model's test part; nothing is left to learn")
    learned = [corpus for corpus in (first.rows, first.later) if corpus.rows]
    known = set(find_leaks(without_groups([own]), [without_groups(learned)])) if learned else set()
    if len(known) == len(own.rows):
        raise StancewiseError(
            f"{own.path}: the model learned from every one of these rows before, so nothing shows whether it helps; "
            "go on from the version before, or add rows"
        )
    if known:
        notes.append(f"The model learned from {len(known):,} of the rows before: they teach, but are not measured on.")
    return own, known, notes


def split(own: Corpus, seed: int) -> list[Split]:
    """A fifth held out, or five folds where there are few rows; whole groups, with like shares of the labels.

    Raises:
        StancewiseError: all rows are of one group.
    """
    groups, labels = own.groups(), strata(own)
    folds = min(FOLDS, int(groups.max()) + 1)
    if folds < 2:
        raise StancewiseError(
            f"{own.path}: all rows are of one group (one text, one story), so none can be held out to measure on; "
            "add rows from elsewhere"
        )
    if np.bincount(labels).max() < folds:  # both heads' labels together are too rare to be spread evenly
        labels = max((own.labels(head) for head in HEADS), key=lambda one: int((one != UNLABELLED).sum()))
    parts = StratifiedGroupKFold(folds, shuffle=True, random_state=seed).split(labels, labels, groups)
    splits = [Split(learned, held_out) for learned, held_out in parts]
    return splits[:1] if len(own.rows) >= HELD_OUT_FROM else splits
