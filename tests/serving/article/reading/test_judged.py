"""Every pair of a sentence is judged; what the judge finds expressed is shown by its names."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from serving.article.flow import article_of, questions, read_article, together
from serving.article.reading.judging import FAINT, Judged
from serving.article.reading.pairs import Paragraph
from serving.article.reading.parse import load_pipeline
from serving.article.reading.positions import find_positions
from serving.article.text.blocks import parsable
from serving.runtime.pairs import ANSWERS, FEATURES
from serving.runtime.reader import Limits
from serving.statement import HeadPrediction, Prediction

REPORT = (
    "Ada Brekke, the mayor, met shopkeepers on Monday.\n\n"
    "She said the tram plan was a waste of money, but the council of Lund welcomed it.\n\n"
    "“We will fight the plan,” said Ole Vang, who owns a shop on the quay."
)


def judge(expressed, seen=None):
    """Finds criticism in the pairs whose words (holder or None, target) it is given, with this probability.

    What the linear model says beside it does not lift the others over what is shown.
    """

    def scores(sentences):
        answers = []
        for one in sentences:
            rows = np.zeros((len(one.pairs), len(ANSWERS)))
            for row, pair in zip(rows, one.pairs, strict=True):
                words = [None if each is None else one.text[slice(*each.phrase)] for each in (pair.holder, pair.target)]
                if seen is not None:
                    seen.append((*words, one.before, pair.features))
                row[ANSWERS.index("criticism")] = expressed.get(tuple(words), 0.0)
                row[0] = 1 - row.sum()
            answers.append(rows)
        return answers

    return Judged(scores, Limits(shown_above=0.5, sure_above=0.9))


def found(expressed, text=REPORT, targets=None):
    """The pairs that are likely."""
    positions = find_positions(text, targets, judged=judge(expressed)).positions
    return [(one.speaker, one.target) for one in positions if one.read["nothing"] < 0.5]


def test_a_pair_is_shown_by_the_names_its_words_stand_for():
    assert found({("She", "the tram plan"): 0.9}) == [("Ada Brekke", "tram plan")]
    assert found({("We", "the plan"): 0.9, ("who", "the quay"): 0.0}) == [("Ole Vang", "tram plan")]
    assert found({(None, "the tram plan"): 1.0}) == [(None, "tram plan")]


def test_the_words_of_a_quotation_are_those_of_its_speaker():
    text = "“The plan is a gift. It will help us all,” said Ole Vang."
    assert found({(None, "The plan"): 0.9}, text) == [("Ole Vang", "plan")]


def test_a_quotation_within_one_is_that_of_the_speaker_outside():
    text = "“The plan is a gift. We say the sale is a mistake. It is late,” said Ole Vang."
    assert found({(None, "the sale"): 0.9}, text) == [("Ole Vang", "sale")]


def test_numbers_and_adjectives_may_stand_for_somebody():
    text = "Eleven deputies broke ranks. The union praised the eleven, and most of the farmers rejected the largest."
    pairs = {("The union", "the eleven"): 1.0, ("most of the farmers", "the largest"): 1.0}
    assert found(pairs, text) == [("union", "the eleven"), ("most of the farmers", "the largest")]


@pytest.mark.parametrize("name", ["Ada Brekke (D-Calif.)", "Ada Brekke, D-Calif.,", "Ada Brekke (R)"])
def test_the_party_behind_a_name_is_no_holder(name):
    seen = []
    find_positions(f"The bill is a gift, {name} said.", judged=judge({}, seen))
    assert {holder for holder, *_ in seen} == {"Ada Brekke", "The bill", None}


@pytest.mark.parametrize(
    "text",
    [
        "June 6, 1944, D-Day, they landed.",
        "Interstate 95 (I-95) was shut.",
        "A film (R-rated) opened at K, R-Mart, on Monday.",
        "Ada Lund, the mayor (and a farmer), left.",
        "They take vitamins (D). Article 5 (I) says so.",
    ],
)
def test_other_brackets_and_letters_stay(text):
    assert parsable(text) == text


def test_a_place_of_two_words_is_left_out_and_a_full_stop_stays():
    text = "Lund, D-New York, said so to Rask, D-Calif. The bill passed."
    assert parsable(text) == "Lund,             said so to Rask, D-Calif. The bill passed."


def test_the_classifier_is_not_asked_about_what_is_hardly_expressed():
    seen = []
    find_positions(REPORT, judged=judge({}, seen))
    positions = find_positions(REPORT).positions
    assert 0 < len(positions) < len(seen) / 2
    assert all(1 - one.read["nothing"] >= FAINT for one in positions)


def test_without_a_reader_the_linear_model_chooses_alone():
    text = "Nora Vik condemned the ferry tax on Monday. The ferry left at noon."
    [one] = [one for one in find_positions(text).positions if one.read["nothing"] < 0.5]
    assert (one.speaker, one.target) == ("Nora Vik", "ferry tax")
    assert max(one.read, key=one.read.get) == "criticism"


def test_a_phrase_within_a_phrase_is_no_second_target():
    both = {("She", "a waste of money"): 0.8, ("She", "money"): 1.0}
    assert found(both) == [("Ada Brekke", "money")]


def test_a_named_target_is_shown_by_the_users_name():
    pairs = {("She", "the tram plan"): 0.9, ("We", "the plan"): 0.9, ("She", "money"): 0.9}
    assert found(pairs, targets={"THE TRAM": ["tram plan"]}) == [("Ada Brekke", "THE TRAM"), ("Ole Vang", "THE TRAM")]


def test_the_judge_reads_the_sentence_before_and_the_grammar():
    seen = []
    find_positions(REPORT, judged=judge({}, seen))
    assert {len(numbers) for *_, numbers in seen} == {FEATURES}
    [(before, numbers)] = [(b, n) for holder, target, b, n in seen if (holder, target) == ("She", "the tram plan")]
    assert before.startswith("Ada Brekke, the mayor")
    assert numbers[2:4] == (1, 0)  # the words are hers, and she is named in the sentence
    names = {holder for holder, *_ in seen}
    assert {"Ada Brekke", "She", "Ole Vang", "We", None} <= names
    assert not any(target == "Monday" for _, target, *_ in seen)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.sampled_from([*REPORT.split(), "\n\n", "“", "”", "it", "we", "him", "U.S.", "😀"]), max_size=40))
def test_offsets_are_true_whatever_the_text_and_however_many_are_expressed(words):
    text = " ".join(["Well", *words])
    limits = Limits(shown_above=0.1, sure_above=0.9)
    everything = Judged(lambda sentences: [np.tile([0.0, 1, 0, 0], (len(one.pairs), 1)) for one in sentences], limits)
    reading, asked = questions(find_positions(text, judged=everything))
    for one, statement in zip(reading.positions, asked, strict=True):
        spans = [one.sentence, one.target_mention, *filter(None, (one.speaker_mention, one.cue)), *one.content]
        assert all(text[span.start : span.end] == span.text for span in spans)
        assert statement.text == one.sentence.text


def prediction(**chances):
    chances = {"support": 0.0, "neutrality": 0.0, "criticism": 0.0, **chances}
    stance = HeadPrediction(label=max(chances, key=chances.get), probabilities=chances, abstained=True)
    return Prediction(stance=stance, sentiment=None)


def test_both_models_count_for_the_stance_and_its_sureness():
    read = {"nothing": 0.5, "support": 0.4, "neutrality": 0.0, "criticism": 0.1}
    doubtful, agreeing, other = (
        together(read, prediction(**chances).stance)
        for chances in (
            {"support": 1 / 3, "neutrality": 1 / 3, "criticism": 1 / 3},
            {"support": 0.9, "neutrality": 0.05, "criticism": 0.05},
            {"support": 0.01, "neutrality": 0.01, "criticism": 0.98},
        )
    )
    assert doubtful[0].label == "support"
    assert doubtful[1] == pytest.approx(0.4, abs=0.03)  # who knows nothing changes little
    assert agreeing[1] > 0.6
    assert other[0].label == "criticism"
    assert sum(other[0].probabilities.values()) == pytest.approx(1)


def test_a_mention_is_no_declared_neutrality():
    declared = {"nothing": 0.2, "support": 0.05, "neutrality": 0.7, "criticism": 0.05}
    mentioned = {"nothing": 0.9, "support": 0.05, "neutrality": 0.0, "criticism": 0.05}
    stance = prediction(support=0.05, neutrality=0.9, criticism=0.05).stance
    assert together(declared, stance)[0].label == "neutrality"
    assert together(declared, stance)[1] > 0.6
    assert together(mentioned, stance)[1] < 0.1


def test_the_article_shows_what_both_are_sure_of():
    judged = judge({("She", "the tram plan"): 0.9, ("We", "the plan"): 0.9})
    for sure, shown in ((1.0, [True, True]), (0.0, [])):
        reading, asked = questions(find_positions(REPORT, judged=judged))
        article = article_of(reading, [prediction(criticism=sure, neutrality=1 - sure)] * len(asked))
        listed = {(one.speaker, one.target): one for one in article.statements}
        pairs = [("Ada Brekke", "tram plan"), ("Ole Vang", "tram plan")]
        assert [listed[pair].sure for pair in pairs if pair in listed] == shown
        assert all(0.5 <= one.sureness <= 1 for one in article.statements)
        assert not any("read" in one for one in article.model_dump()["statements"])


def test_a_less_sure_position_is_listed_as_unsure_if_everything_is_asked_for():
    judged = judge({("She", "the tram plan"): 0.4})
    shown, every = (
        article_of(reading, [prediction(criticism=0.1, neutrality=0.9)] * len(asked)).statements
        for reading, asked in (
            questions(find_positions(REPORT, judged=judged, everything=each)) for each in (False, True)
        )
    )
    assert shown == []
    assert every
    assert all(one.stance.abstained and one.sureness < 0.5 for one in every)


def test_a_declared_neutrality_has_a_limit_of_its_own():
    def took_no_side(sentences):
        return [np.tile([0.6, 0.0, 0.4, 0.0], (len(one.pairs), 1)) for one in sentences]

    assert ANSWERS[2] == "neutrality"
    stance = HeadPrediction(
        label="neutrality", probabilities={"support": 0.1, "neutrality": 0.8, "criticism": 0.1}, abstained=False
    )
    seen = []
    for neutral_above in (None, 0.2):
        judged = Judged(took_no_side, Limits(shown_above=0.95, sure_above=1.0, neutral_above=neutral_above))
        reading, asked = questions(find_positions(REPORT, judged=judged))
        seen.append(article_of(reading, [Prediction(stance=stance, sentiment=None)] * len(asked)).statements)
    assert seen[0] == []
    assert {one.stance.label for one in seen[1]} == {"neutrality"}


@pytest.mark.parametrize("judged", [None, judge({("She", "the tram plan"): 0.9})])
def test_a_model_without_stance_lists_its_sentiment(judged):
    reading, asked = questions(find_positions(REPORT, judged=judged))
    sentiment = HeadPrediction(label="neutral", probabilities={"neutral": 1.0}, abstained=False)
    article = article_of(reading, [Prediction(stance=None, sentiment=sentiment)] * len(asked))
    assert 0 < len(article.statements) <= len(asked)
    assert all(one.sureness >= reading.judged.limits.shown_above for one in article.statements)


@pytest.mark.parametrize(
    ("text", "whole"),
    [("“A gift.” “It is late.”", True), ("“A gift.” He paused. “It is late.”", False), ("It is “late”.", False)],
)
def test_a_paragraph_is_a_quotation_if_nothing_else_stands_in_it(text, whole):
    assert Paragraph.of(load_pipeline()(text)).is_quotation == whole


def test_what_is_called_something_is_a_target_but_no_part_of_a_name_is():
    seen = []
    for text in ("He calls the move visionary.", "Deputies consider tax cuts."):
        find_positions(text, judged=judge({}, seen))
    targets = {target for _, target, *_ in seen}
    assert "move" in targets
    assert "tax" not in targets


def test_the_stance_that_is_shown_is_the_one_explained():
    def predict(rows):
        return [prediction(support=0.6 + 0.1 * ("waste" in row.text), criticism=0.3) for row in rows]

    judged = judge({("She", "the tram plan"): 1.0})
    articles = read_article(predict, REPORT, explained=True, judged=judged).statements
    [shown] = [one for one in articles if one.speaker == "Ada Brekke"]
    assert (shown.stance.label, shown.explanation.label) == ("criticism", "criticism")
