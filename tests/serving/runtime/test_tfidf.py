from functools import partial

import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer

from serving import Statement
from serving.runtime.base import all_logits
from serving.runtime.tfidf import NEAR, TEXT_CHARACTERS, TfidfRuntime, ngrams, save_tfidf
from serving.store.folder import ModelSettings
from tests.conftest import STATEMENTS, read_lines


@pytest.mark.parametrize("template", ["marked", "blind"])
def test_the_weighting_is_that_of_scikit_learn(tmp_path, template):
    rows = read_lines(STATEMENTS / "validation.jsonl")[:50]
    texts = [Statement(text=row["text"], speaker=row["speaker"], target=row["target"]) for row in rows]
    vectorizer = TfidfVectorizer(analyzer=partial(ngrams, template=template), sublinear_tf=True, min_df=2)
    features = vectorizer.fit_transform(texts)
    rng = np.random.default_rng(0)
    weights, bias = rng.normal(size=(features.shape[1], 6)), rng.normal(size=6)
    save_tfidf(tmp_path, vectorizer.get_feature_names_out().tolist(), vectorizer.idf_, weights, bias)
    heads = ("stance", "sentiment")
    settings = ModelSettings(
        kind="tfidf",
        heads=heads,
        temperatures=dict.fromkeys(heads, 1.0),
        abstain_below=dict.fromkeys(heads, 0.0),
        template=template,
        max_length=1,
    )
    unseen = [*texts, Statement(text="?"), Statement(text="qqqqq zzzzz")]
    expected = vectorizer.transform(unseen) @ weights + bias
    np.testing.assert_allclose(all_logits(TfidfRuntime(tmp_path, settings), unseen), expected, atol=1e-9)


def test_holder_and_target_change_the_features_unless_blind():
    one = Statement(text="Oslo hailed the accord Rome rejected.", speaker="Oslo")
    other = one.model_copy(update={"speaker": "Rome"})
    assert sorted(ngrams(one, "marked")) != sorted(ngrams(other, "marked"))
    assert sorted(ngrams(one, "blind")) == sorted(ngrams(other, "blind"))


@pytest.mark.parametrize("before", ["", "İ" * 40 + " ", "left out " * (TEXT_CHARACTERS // 9 + 1)])
def test_of_two_mentions_the_one_that_the_offsets_name_is_read(before):
    text = f"{before}Early Oslo calm. {'So it went on. ' * (2 * NEAR // 15)}Late Oslo quarrelled."
    for side, near, far in ((text.index, "early", "late"), (text.rindex, "late", "early")):
        start = side("Oslo")
        for role, mark in (("speaker", "[H]"), ("target", "[T]")):
            place = {f"{role}_start": start, f"{role}_end": start + 4}
            found = set(ngrams(Statement(text=text, **{role: "oslo"}, **place), "marked"))
            assert f"{mark}<{near}" in found
            assert f"{mark}<{far}" not in found
            assert (f"{mark}>quarrelled" in found) == (near == "late")
