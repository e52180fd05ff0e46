"""Permutation tests over whole reports, for many pairs at once, and the correction for their number."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Places = npt.NDArray[np.intp]
Test = tuple[Floats, Places]  # values in order, and where they may be cut in two

PERMUTATIONS = 10_000  # at least, where few of them differ as much
CHANGED_BELOW = 0.05  # corrected p
_FINEST = 4 / CHANGED_BELOW  # permutations for each test, so that one that stands out alone passes the correction
_SURE = 100  # permutations that differ as much, after which a test ends: it has found that chance does so often
_AT_ONCE = 500
_NUMBERS = 2_000_000  # held at once
_SEED = 20260314  # the same reports give the same figures
_SAME = 1e-9


def differences_at(values: Floats, cuts: Places) -> Floats:
    """How much the values before and behind each cut differ, weighted by how many there are on both sides.

    The difference of the means times sqrt(before * behind / all), so that a few values at an end do not win by chance.

    Args:
        values: (..., values) in order.
        cuts: (cuts,) numbers of values before each cut, from 1 to one fewer than all.

    Returns:
        (..., cuts), none below 0.
    """
    number = values.shape[-1]
    sums = (values - values.mean(axis=-1, keepdims=True)).cumsum(axis=-1)[..., cuts - 1]
    differences: Floats = np.abs(sums) * np.sqrt(number / (cuts * (number - cuts)))
    return differences


def strongest(values: Floats, cuts: Places) -> int:
    """The place in `cuts` of the one at which the values differ most; of several the first."""
    differences = differences_at(values, cuts)
    return int(np.argmax(differences >= differences.max() - _SAME))


def p_values(tests: Sequence[Test]) -> Floats:
    """How often values in another order differ as much at their strongest cut as they do in this one.

    A permutation test of the maximally selected statistic (Hothorn and Zeileis 2008, "Generalized maximally selected
    statistics"): it allows for the choice of the cut. With one cut it is the two-sided test of two samples. A test ends
    early where chance often does as much (Besag and Clifford 1991, "Sequential Monte Carlo p-values").

    Args:
        tests: values in order and their cuts, as in `differences_at`; at least one cut each.

    Returns:
        (tests,) from above 0 to 1.
    """
    most = max(PERMUTATIONS, int(_FINEST * len(tests)))
    found = np.ones(len(tests))
    by_number: dict[int, list[int]] = {}
    for place, (values, _) in enumerate(tests):
        by_number.setdefault(len(values), []).append(place)
    for number, places in by_number.items():
        for place, p in _of_one_length([tests[place] for place in places], number, most):
            found[places[place]] = p
    return found


def _of_one_length(tests: Sequence[Test], number: int, most: int) -> list[tuple[int, float]]:
    """The p values of tests with as many values, by place: the same permutations serve them all."""
    random = np.random.default_rng((_SEED, number))
    # Sorted, so that p does not depend on the order in which values of one day came.
    going = {place: (np.sort(values), cuts) for place, (values, cuts) in enumerate(tests)}
    observed = [differences_at(values, cuts).max() for values, cuts in tests]
    as_much = [0] * len(tests)
    ended = []
    drawn = 0
    at_once = max(1, min(_AT_ONCE, _NUMBERS // number))
    while going and drawn < most:
        orders = random.permuted(np.tile(np.arange(number), (min(at_once, most - drawn), 1)), axis=1)
        for place, (values, cuts) in list(going.items()):
            reached = differences_at(values[orders], cuts).max(axis=1) >= observed[place] - _SAME
            counted = as_much[place] + reached.cumsum()
            if counted[-1] >= _SURE:
                ended.append((place, float(_SURE / (drawn + 1 + np.searchsorted(counted, _SURE)))))
                del going[place]
            as_much[place] = int(counted[-1])
        drawn += len(orders)
    return ended + [(place, (1 + as_much[place]) / (1 + most)) for place in going]


def corrected(p: Floats) -> Floats:
    """p values that allow for their number (Benjamini and Hochberg 1995): shares of false ones among those below."""
    falling = np.argsort(p)[::-1]
    ranks = np.arange(len(p), 0, -1)
    found = np.empty(len(p))
    found[falling] = np.minimum(np.minimum.accumulate(p[falling] * len(p) / ranks), 1)
    return found
