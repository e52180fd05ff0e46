"""What a model said becomes labels and probabilities, or a reason that repeats nothing of it."""

import json
import math

import pytest

from serving.labels import HEADS
from tests.training.teaching.llm import logprobs, message, pieces
from training.teaching.answer import Reply, Unanswered, combined, read_reply

LABELS = {"stance": "criticism", "sentiment": "neutral"}


def reply(content, reason="stop", **more):
    return {"choices": [{"message": {"content": content}, "finish_reason": reason, **more}]}


def said(fault):
    found, reason = message(fault, LABELS)
    return read_reply({"choices": [{"message": found, "finish_reason": reason}]})


@pytest.mark.parametrize("form", ["", "fenced", "thoughts", "capitals"])
def test_labels_are_read_whatever_stands_around_them(form):
    assert said(form) == Reply(LABELS, None)


@pytest.mark.parametrize(
    ("fault", "reason", "again"),
    [
        ("cut answer", "the model's answer was cut short", True),
        ("cut thoughts", "the model's answer was cut short", True),
        ("prose", "the model's answer is not JSON", True),
        ("wrong label", "the model's answer has no known stance", True),
        ("empty", "the model's answer is empty", True),
        ("refusal", "the model refused", False),
        ("filter", "the model refused", False),
    ],
)
def test_an_answer_without_labels_has_a_reason(fault, reason, again):
    assert said(fault) == Unanswered(reason, again=again)


@pytest.mark.parametrize(
    "odd",
    [
        {},
        {"choices": []},
        {"choices": None},
        {"choices": [None]},
        {"choices": [{"message": "text"}]},
        {"error": "no"},
    ],
)
def test_a_reply_that_is_none_of_the_protocol(odd):
    found = read_reply(odd)
    assert isinstance(found, Unanswered)
    assert found.reason == "the endpoint's answer is not of the protocol"


@pytest.mark.parametrize("content", ['{"stance": 3, "sentiment": null}', '{"stance": ["support"]}', "[1]", "{" * 5000])
def test_odd_json_is_no_answer(content):
    assert isinstance(read_reply(reply(content)), Unanswered)


def test_the_last_object_counts():
    content = f'At first {{"stance": "support", "sentiment": "positive"}}, but then {json.dumps(LABELS)}'
    assert read_reply(reply(content)) == Reply(LABELS, None)


@pytest.mark.parametrize("split", [False, True])
@pytest.mark.parametrize("labels", [{"stance": s, "sentiment": t} for s, t in zip(*HEADS.values(), strict=True)])
def test_probabilities_follow_from_the_tokens_however_labels_are_cut(labels, split):
    tokens = pieces(labels, split)
    found = read_reply(reply("".join(token for token, _ in tokens), logprobs=logprobs(tokens)))
    assert found.labels == labels
    for head, several in HEADS.items():
        second, third = (one for one in several if one != labels[head])
        # "ne" begins neutral and negative alike; where the answer took another way, nothing tells the two apart.
        if split and head == "sentiment" and labels[head] == "positive":
            assert found.shares[head] == pytest.approx({labels[head]: 0.8, second: 0.1, third: 0.1})
        else:
            assert found.shares[head] == pytest.approx({labels[head]: 0.8, second: 0.15, third: 0.05})


def test_alternatives_that_are_no_label_do_not_count():
    tokens = pieces(LABELS, split=False)
    tokens[2] = (tokens[2][0], {tokens[2][0]: 0.6, ' "support': 0.2, " {": 0.1, "criticism": 0.05, '"crit': 0.05})
    found = read_reply(reply("".join(token for token, _ in tokens), logprobs=logprobs(tokens)))
    assert found.shares["stance"] == pytest.approx({"support": 0.25, "neutrality": 0.0, "criticism": 0.75})


@pytest.mark.parametrize(
    "odd",
    [
        None,
        {"content": None},
        {"content": []},
        {"content": [{"token": "x"}]},
        {"tokens": ["a"], "token_logprobs": [-0.1]},
        {"content": [{"token": '{"stance": "support"', "logprob": None}]},
    ],
)
def test_log_probabilities_of_another_form_are_left_out(odd):
    assert read_reply(reply(json.dumps(LABELS), logprobs=odd)) == Reply(LABELS, None)


def test_shares_of_samples_are_smoothed():
    other = {"stance": "support", "sentiment": "neutral"}
    found = combined([Reply(LABELS, None), Reply(other, None), Reply(LABELS, None)])
    assert found.source == "3 samples"
    assert found.shares["stance"] == pytest.approx(
        {"support": 0.1 / 3 + 0.3, "neutrality": 0.1 / 3, "criticism": 0.1 / 3 + 0.6}
    )
    assert all(math.isclose(sum(shares.values()), 1) for shares in found.shares.values())
    alone = combined([Reply(LABELS, None)])
    assert alone.source == "one answer"
    assert alone.row()["sentiment_probabilities"] == {"positive": 0.0333, "neutral": 0.9333, "negative": 0.0333}
