"""Which words carried a prediction: on a rule that is known, on the trained model, on whatever people write."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving import StanceClassifier, StancewiseError, Statement
from serving.explain import MOST_WORDS, versions, with_offsets, without
from serving.inputs import mention_span
from serving.labels import LOGITS
from serving.store.folder import ModelSettings
from tests.conftest import STATEMENTS, read_lines

REAL = STATEMENTS / "test.jsonl"


class Rule:
    """A runtime whose logit for support is a rule on the text; all others are 0."""

    name = "rule"
    streams = 1

    def __init__(self, support: Callable[[str], float]) -> None:
        self.support = support

    def encode(self, statements):
        return [statement.text for statement in statements]

    def forward(self, batch):
        logits = np.zeros((len(batch), 6))
        logits[:, LOGITS["stance"].start] = [self.support(text) for text in batch]
        return logits


def planted(support: Callable[[str], float], heads=("stance", "sentiment")) -> StanceClassifier:
    ones, zeros = dict.fromkeys(heads, 1.0), dict.fromkeys(heads, 0.0)
    settings = ModelSettings(
        kind="tfidf", heads=heads, temperatures=ones, abstain_below=zeros, template="marked", max_length=96
    )
    return StanceClassifier(settings, Rule(support))


def hailed(text: str) -> float:
    return 3.0 if "hailed" in text else -1.0


def test_words_of_chinese_are_words():
    statement = Statement(text="外交部坚决反对NATO的制裁。", speaker="外交部", target="制裁")
    [explanation] = planted(lambda text: 3.0 if "反对" in text else -1.0).explain([statement])
    assert [word.text for word in explanation.words] == ["坚决", "反对", "NATO", "的"]
    assert max(explanation.words, key=lambda word: word.effect).text == "反对"


def test_the_word_that_a_rule_goes_by_is_named_and_the_others_do_nothing():
    statement = Statement(text="Oslo warmly hailed the accord on Monday.", speaker="Oslo", target="the accord")
    [explanation] = planted(hailed).explain([statement])
    effects = {word.text: word.effect for word in explanation.words}
    assert list(effects) == ["warmly", "hailed", "on", "Monday"]
    assert max(effects, key=effects.__getitem__) == "hailed"
    # The logit falls from 3 to -1, and with it the odds against two labels at 0.
    assert effects.pop("hailed") == pytest.approx(4)
    assert list(effects.values()) == pytest.approx([0, 0, 0])
    assert explanation.total == pytest.approx(4)
    assert explanation.whole == pytest.approx(4)
    assert explanation.share == pytest.approx(1)
    assert (explanation.head, explanation.label) == ("stance", "support")


def test_a_word_that_holds_the_label_back_has_a_negative_effect():
    [explanation] = planted(lambda text: 2.0 - ("not" in text)).explain([Statement(text="They did not object.")])
    assert explanation.label == "support"
    assert {word.text: word.effect for word in explanation.words}["not"] == pytest.approx(-1)


def test_words_that_do_not_add_up_show_in_the_sum_check():
    either = planted(lambda text: 3.0 * ("warm" in text or "kind" in text))
    [explanation] = either.explain([Statement(text="warm and kind")])
    assert explanation.total == pytest.approx(0)  # either word alone is enough
    assert explanation.whole == pytest.approx(3)
    assert explanation.share == pytest.approx(0)


def test_nothing_to_leave_out_has_no_share():
    for text in ("Oslo", "..."):
        [explanation] = planted(hailed).explain([Statement(text=text, speaker="Oslo")])
        assert explanation.words == []
        assert (explanation.total, explanation.whole, explanation.share) == (0, 0, None)


def test_a_head_that_the_model_was_not_trained_for_has_no_explanation():
    classifier = planted(hailed, heads=("stance",))
    statements = [Statement(text="Oslo hailed it."), Statement(text="Rome did not.")]
    assert classifier.explain(statements, "sentiment") == [None, None]
    assert None not in classifier.explain(statements, "stance")


def test_no_statements_have_no_explanations():
    assert planted(hailed).explain([]) == []


def test_a_text_of_too_many_words_is_refused_without_repeating_it():
    fits = Statement(text="word " * MOST_WORDS)
    assert len(planted(hailed).explain([fits])[0].words) == MOST_WORDS
    with pytest.raises(StancewiseError, match=f"401 words are too many .* at most {MOST_WORDS}") as caught:
        planted(hailed).explain([Statement(text="secret " * (MOST_WORDS + 1))])
    assert "secret" not in str(caught.value)


def test_a_mention_stays_the_same_when_a_word_before_it_goes():
    # Without "new" the text has an earlier "the accord"; the one that was meant stays marked.
    statement = Statement(text="Oslo left the new accord; the accord stands.", target="the accord")
    _, several = versions(statement)
    for version in several:
        start, end = mention_span(version.text, version.target, version.target_start, version.target_end)
        assert version.text[start:end] == "the accord"
        assert version.text[end:].strip() in ("stands.", ".")


def test_accents_and_apostrophes_belong_to_their_word():
    text = "The cafe\u0301's owner isn’t e-mailing the U.S. again."
    [explanation] = planted(hailed).explain([Statement(text=text)])
    words = [word.text for word in explanation.words]
    assert words == ["The", "cafe\u0301's", "owner", "isn’t", "e-mailing", "the", "U.S", "again"]


ANY = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)


@given(text=ANY, holder=st.text("ab Ö", max_size=4), target=st.text("ab é", max_size=4))
def test_offsets_are_right_whatever_is_written(text, holder, target):
    statement = Statement(text=f"a {text} {holder} {text} {target}", speaker=holder, target=target)
    [explanation] = planted(hailed).explain([statement])
    held = [
        span
        for name in (statement.speaker, statement.target)
        if (span := mention_span(statement.text, name, None, None))
    ]
    at = 0
    for word in explanation.words:
        assert statement.text[word.start : word.end] == word.text
        assert at <= word.start < word.end
        assert all(word.end <= start or end <= word.start for start, end in held)
        at = word.end
    assert explanation.total == pytest.approx(sum(word.effect for word in explanation.words))


@given(text=ANY, data=st.data())
def test_leaving_out_moves_the_mentions_with_their_words(text, data):
    before = data.draw(st.integers(0, len(text)))
    whole = f"{text[:before]}Name{text[before:]}"
    statement = Statement(text=whole, target="Name", target_start=before, target_end=before + 4)
    words, several = versions(statement)
    for version in (*several, without(statement, words[::2])):
        assert version.text[version.target_start : version.target_end] == "Name"


@pytest.mark.parametrize("head", ["stance", "sentiment"])
def test_the_trained_model_explains_real_statements(classifier, head):
    rows = [Statement(**{k: row[k] for k in ("text", "speaker", "target")}) for row in read_lines(REAL)[:20]]
    for row, explanation in zip(rows, classifier.explain(rows, head), strict=True):
        spans = [(word.start, word.end) for word in explanation.words]
        assert [row.text[start:end] for start, end in spans] == [word.text for word in explanation.words]
        named = [span for name in (row.speaker, row.target) if (span := mention_span(row.text, name, None, None))]
        assert not any(a < end and start < b for a, b in spans for start, end in named)
        first, bare = classifier.predict([row, without(with_offsets(row), spans)])
        assert explanation.label == getattr(first, head).label
        fallen = [odds(getattr(one, head).probabilities[explanation.label]) for one in (first, bare)]
        assert explanation.whole == pytest.approx(fallen[0] - fallen[1], abs=1e-3)
        assert explanation.total == pytest.approx(sum(word.effect for word in explanation.words))


def odds(probability: float) -> float:
    return float(np.log(probability / (1 - probability)))
