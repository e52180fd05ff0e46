"""How rows are put together into batches."""

from collections import Counter
from itertools import combinations, pairwise
from types import SimpleNamespace

from hypothesis import given
from hypothesis import strategies as st

from serving.server.queue import START, Waiting, cuts, rounded, share

lengths = st.lists(st.integers(1, 16).map(lambda n: 8 * n), min_size=1, max_size=60)


def cost(counts, ranges):
    return sum(START + high * sum(n for length, n in counts.items() if low <= length <= high) for low, high in ranges)


@given(lengths=st.lists(st.integers(1, 7).map(lambda n: 8 * n), min_size=1, max_size=30))
def test_no_other_cut_is_cheaper(lengths):
    counts = Counter(lengths)
    distinct = sorted(counts)
    found = cuts(counts)
    assert found[-1][0] == distinct[0]
    options = []
    for k in range(len(distinct)):
        for places in combinations(range(1, len(distinct)), k):
            edges = [0, *places, len(distinct)]
            options.append([(distinct[a], distinct[b - 1]) for a, b in pairwise(edges)])
    assert cost(counts, found) == min(cost(counts, option) for option in options)


@given(lengths=lengths, parts=st.integers(1, 4), budget=st.integers(8, 4096))
def test_the_oldest_row_is_always_taken_and_the_budget_kept(lengths, parts, budget):
    window = [Waiting(SimpleNamespace(), i, None, length) for i, length in enumerate(lengths)]
    chosen = share(window, parts, budget)
    assert chosen[0] is window[0]
    assert len(set(map(id, chosen))) == len(chosen)
    assert len(chosen) == 1 or len(chosen) * max(row.length for row in chosen) <= budget
    assert len(chosen) <= -(-len(window) // parts)


def test_lengths_are_rounded_up():
    assert [rounded(n) for n in (0, 1, 8, 9)] == [8, 8, 8, 16]
