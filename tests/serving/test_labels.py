import numpy as np
import pytest

from serving.labels import HEADS, UNLABELLED, label_indices


@pytest.mark.parametrize("head", HEADS)
def test_a_label_has_the_place_that_it_has_among_its_heads(head):
    found = label_indices(head, reversed(HEADS[head]))
    assert found.tolist() == [2, 1, 0]
    assert found.dtype == np.int64


def test_what_is_no_label_of_the_head_is_unlabelled():
    assert label_indices("stance", [None, float("nan"), "", "positive", "support"]).tolist() == [UNLABELLED] * 4 + [0]
    assert label_indices("stance", []).shape == (0,)
