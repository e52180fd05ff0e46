"""How well the mentions of a text are grouped into entities, against the entities that a report lists.

B-cubed (Bagga and Baldwin 1998, "Algorithms for Scoring Coreference Chains"): a mention is as precise as the mentions
put together with it are of its entity, and has as much recall as those of its entity were put together with it. The
mean is over mentions, so an entity weighs as much as it is mentioned. Only listed mentions count.
"""

from collections import Counter
from collections.abc import Hashable, Sequence

import numpy as np

from training.evaluation.metrics import Floats, Metric, group_weights


def b_cubed(listed: Sequence[Hashable], found: Sequence[Hashable | None]) -> Floats:
    """Precision and recall of every mention of a text, shape (mentions, 2).

    Args:
        listed: the entity of each mention.
        found: what each was taken for; None: for nothing, and it is then an entity of its own.
    """
    taken: list[Hashable] = [(place,) if one is None else (one, "") for place, one in enumerate(found)]
    both = Counter(zip(listed, taken, strict=True))
    of_listed, of_taken = Counter(listed), Counter(taken)
    rows = [
        (both[pair] / of_taken[pair[1]], both[pair] / of_listed[pair[0]]) for pair in zip(listed, taken, strict=True)
    ]
    return np.array(rows, dtype=np.float64).reshape(len(rows), 2)


def figures(texts: Sequence[Floats]) -> list[Metric]:
    """B-cubed precision, recall and F1, then the mean of each further column, with intervals that resample texts.

    Args:
        texts: for each text its mentions, shape (mentions, 2 or more); the first columns are those of `b_cubed`.
    """
    sums = np.array([[*one.sum(axis=0), len(one)] for one in texts])
    weights = np.concatenate([np.ones((1, len(texts))), group_weights(np.arange(len(texts)))])
    drawn = weights @ sums
    means = drawn[:, :-1] / np.maximum(drawn[:, -1:], 1)
    precision, recall = means[:, 0], means[:, 1]
    f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-9)
    return [Metric.of(one[0], one[1:]) for one in (precision, recall, f1, *means[:, 2:].T)]
