"""A real server that fails in all the ways that servers fail."""

import asyncio
import json

import pytest

from serving import StancewiseError, Statement
from tests.end_to_end.stores import free_port
from tests.training.teaching.llm import question, running
from training.teaching.answer import Answer, Unanswered
from training.teaching.endpoint import MOST_TOKENS, TRIES, Endpoint, key_of
from training.teaching.prompt import AGAIN, ANSWER_FORMAT, GUIDE

KEY = "sk-Secret-0123456789"
TEXT = "Ada praised the zoning accord to the skies."
STATEMENT = Statement(text=TEXT, speaker="Ada", target="the zoning accord")


@pytest.fixture
def llm():
    with running(key=KEY) as server:
        yield server


def endpoint(server, **settings):
    return Endpoint(**{"url": server.url, "llm": "large", "key": KEY, "first_wait": 0.01, **settings})


def answers(asked, *statements):
    async def several():
        async with asked:
            return [await asked.answer(one) for one in statements]

    return asyncio.run(several())


def refusal(asked, statement=STATEMENT):
    with pytest.raises(StancewiseError) as caught:
        answers(asked, statement)
    message = str(caught.value)
    assert KEY not in message
    assert TEXT not in message
    return message


def test_a_statement_is_asked_with_guide_schema_and_key(llm):
    asked = endpoint(llm)
    [found] = answers(asked, STATEMENT)
    assert found.source == "logprobs"
    assert max(found.shares["stance"].values()) == pytest.approx(0.8)
    [body] = llm.asked
    assert body["messages"][0] == {"role": "system", "content": GUIDE}
    assert question(body) == {"text": TEXT, "holder": "Ada", "target": "the zoning accord"}
    assert body["response_format"] == ANSWER_FORMAT
    assert (body["temperature"], body["max_tokens"], body["logprobs"]) == (0, MOST_TOKENS, True)
    assert llm.headers[0]["authorization"] == f"Bearer {KEY}"
    assert asked.notes == []
    assert (asked.usage.replies, asked.usage.tokens_out, asked.usage.uncounted) == (1, 16, 0)
    assert KEY not in repr(asked)


def test_the_mention_that_is_meant_is_shown(llm):
    text = "The board met the board of rivals, and then " + "it rained, " * 9 + "the board walked out."
    start = text.rindex("the board")
    answers(endpoint(llm), Statement(text=text, target="the board", target_start=start, target_end=start + 9))
    assert question(llm.asked[0])["target_mention"].endswith("the board walked out.")


@pytest.mark.parametrize("fault", ["429", "429 with a date", "500", "503", "cut", "slow"])
def test_what_passes_is_asked_again(llm, fault):
    llm.faults = [fault, fault]
    [found] = answers(endpoint(llm, timeout=1.0), STATEMENT)
    assert isinstance(found, Answer)
    assert len(llm.asked) == 3


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("500", "HTTP 500, server_error"),
        ("429", "HTTP 429, rate_limit_exceeded"),
        ("cut", "the connection broke"),
        ("slow", "no answer within 0.3 s"),
    ],
)
def test_what_does_not_pass_is_left_at_last(llm, fault, reason):
    llm.faults = [fault] * TRIES
    assert answers(endpoint(llm, timeout=0.3), STATEMENT) == [Unanswered(f"{reason}, {TRIES} times", unreachable=True)]
    assert len(llm.asked) == TRIES


@pytest.mark.parametrize("fault", ["prose", "cut answer", "wrong label", "empty", "no protocol"])
def test_an_answer_of_no_use_is_asked_for_once_more(llm, fault):
    llm.faults = ["", fault]
    _, found = answers(endpoint(llm), STATEMENT, STATEMENT)
    assert isinstance(found, Answer)
    assert len(llm.asked) == 3
    assert llm.asked[2]["messages"][-1]["content"].endswith(AGAIN)
    llm.faults = [fault, fault]
    [found] = answers(endpoint(llm), STATEMENT)
    assert found.reason.endswith(", twice")
    assert len(llm.asked) == 5


def test_json_that_is_cut_is_asked_for_once_more(llm):
    llm.faults = ["", "no json", "no json", ""]
    _, lost, found = answers(endpoint(llm), STATEMENT, STATEMENT, STATEMENT)
    assert lost.reason == "the endpoint's answer is not of the protocol, twice"
    assert isinstance(found, Answer)


@pytest.mark.parametrize("fault", ["refusal", "filter"])
def test_a_refusal_is_a_refusal(llm, fault):
    llm.faults = [fault]
    assert answers(endpoint(llm), STATEMENT) == [Unanswered("the model refused")]
    assert len(llm.asked) == 1


@pytest.mark.parametrize("names", [True, False])
@pytest.mark.parametrize(
    ("refused", "note"),
    [
        ("response_format", "takes no JSON schema"),
        ("logprobs", "gives no log-probabilities"),
        ("temperature", "takes no temperature"),
        ("max_tokens", "takes no max_tokens"),
        ("system", None),
    ],
)
def test_what_the_endpoint_refuses_is_left_out_and_said_once(llm, refused, note, names):
    llm.refuses, llm.names = {refused}, names
    asked = endpoint(llm)
    found = answers(asked, STATEMENT, STATEMENT)
    assert all(isinstance(one, Answer) for one in found)
    assert refused not in llm.asked[-1]
    if names:
        assert len(llm.asked) == 3
        assert [note in one for one in asked.notes] == ([True] if note else [])
        assert "sentiment" in llm.asked[-1]["messages"][0]["content"]  # the guide
    if note:
        assert sum(note in one for one in asked.notes) == 1


def test_an_endpoint_that_ignores_the_schema(llm):
    llm.faults = ["fenced", "thoughts"]
    assert [one.source for one in answers(endpoint(llm), STATEMENT, STATEMENT)] == ["one answer"] * 2


def test_a_refusal_later_is_about_that_statement_alone(llm):
    llm.faults = ["", "400", ""]
    asked = endpoint(llm)
    _, lost, found = answers(asked, STATEMENT, STATEMENT, STATEMENT)
    assert lost.reason == "the endpoint refused it (HTTP 400, context_length_exceeded)"
    assert isinstance(found, Answer)
    assert asked.notes == []


def test_samples_stand_in_for_log_probabilities(llm):
    llm.logprobs = False
    llm.samples = [{"stance": one, "sentiment": "neutral"} for one in ("support", "support", "criticism", "support")]
    asked = endpoint(llm, samples=4, temperature=0.7)
    [found] = answers(asked, STATEMENT)
    assert found.source == "4 samples"
    assert found.shares["stance"]["support"] == pytest.approx(0.9 * 0.75 + 0.1 / 3)
    assert [body["temperature"] for body in llm.asked[1:]] == [0.7] * 3
    assert asked.notes == [
        f"127.0.0.1:{llm.port} gives no log-probabilities: probabilities come from the shares of 4 samples"
    ]


def test_samples_are_not_asked_where_log_probabilities_come(llm):
    assert answers(endpoint(llm, samples=4), STATEMENT)[0].source == "logprobs"
    assert len(llm.asked) == 1


def test_one_answer_without_log_probabilities_is_smoothed_and_said(llm):
    llm.logprobs, llm.usage = False, False
    asked = endpoint(llm)
    [found] = answers(asked, STATEMENT)
    assert max(found.shares["stance"].values()) == pytest.approx(0.9 + 0.1 / 3)
    assert "--samples 5 says more" in asked.notes[0]
    assert asked.usage.uncounted == 1


def test_a_redirect_is_not_followed(llm):
    with running() as there:
        llm.faults, llm.elsewhere = ["redirect"], there.url
        message = refusal(endpoint(llm))
        assert there.asked == []
    assert f"redirects to 127.0.0.1:{there.port} (HTTP 307), which is not followed: texts and key would go" in message


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"key": "sk-wrong"}, "the key in OPENAI_API_KEY is not accepted (HTTP 401, invalid_api_key)"),
        ({"key": None}, "it wants a key; set OPENAI_API_KEY (HTTP 401, invalid_api_key)"),
        ({"llm": "tiny"}, "no model 'tiny', or no /v1/chat/completions (HTTP 404, model_not_found); check --llm"),
    ],
)
def test_what_cannot_work_stops_at_once(llm, settings, message):
    assert message in refusal(endpoint(llm, **settings))
    assert len(llm.asked) == 1


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("quota", "the account has no quota left (HTTP 429, insufficient_quota)"),
        ("429 for hours", "asks to wait 120 minutes; nothing is lost: the same command goes on later"),
        ("html", "answers, but not in OpenAI's protocol; give its base URL, which mostly ends with /v1"),
    ],
)
def test_what_does_not_pass_soon_stops(llm, fault, message):
    llm.faults = [fault]
    assert message in refusal(endpoint(llm))


def test_an_endpoint_that_refuses_everything(llm):
    llm.faults = ["400"] * 20
    assert "refuses the shortest statement (HTTP 400, context_length_exceeded); check --llm" in refusal(endpoint(llm))


def test_nothing_answers_there(llm):
    nobody = endpoint(llm, url=f"http://127.0.0.1:{free_port()}/v1")
    assert "cannot be reached (All connection attempts failed); start the server, or correct --endpoint" in refusal(
        nobody
    )


@pytest.mark.parametrize(
    "url", ["", "localhost:8000", "ftp://a/v1", "http://", "https:///v1", "http://[", "http://a b", "http://a:port"]
)
def test_an_address_that_is_none(url):
    with pytest.raises(StancewiseError, match="--endpoint: a URL such as"):
        Endpoint(url, "large")


def test_an_address_holds_no_password():
    with pytest.raises(StancewiseError, match="password in the URL") as caught:
        Endpoint("https://ada:s3cret@api.example/v1", "large")
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "asked"),
    [
        ("http://127.0.0.1:8000", "http://127.0.0.1:8000/v1/chat/completions"),
        ("http://127.0.0.1:8000/v1/", "http://127.0.0.1:8000/v1/chat/completions"),
        ("https://a.example/gateway/mlflow/v1", "https://a.example/gateway/mlflow/v1/chat/completions"),
        ("https://a.example/x/chat/completions?version=2", "https://a.example/x/chat/completions?version=2"),
    ],
)
def test_the_base_url_or_the_whole_one(url, asked):
    assert str(Endpoint(url, "large").address) == asked


@pytest.mark.parametrize(
    ("url", "local", "in_the_clear"),
    [
        ("http://127.0.0.1:8000", True, False),
        ("http://localhost/v1", True, False),
        ("http://[::1]:80/v1", True, False),
        ("http://localhost.example/v1", False, True),
        ("http://10.0.0.7:8000/v1", False, True),
        ("https://api.example/v1", False, False),
    ],
)
def test_whether_texts_leave_the_machine(url, local, in_the_clear):
    asked = Endpoint(url, "large")
    assert (asked.local, asked.in_the_clear) == (local, in_the_clear)


def test_a_key_comes_from_the_environment(monkeypatch):
    monkeypatch.setenv("OWN_KEY", f" {KEY}\n")
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    assert key_of("OWN_KEY", given=True) == KEY
    assert key_of("OPENAI_API_KEY", given=False) is None
    with pytest.raises(StancewiseError, match="--key-env NO_KEY: no such environment variable"):
        key_of("NO_KEY", given=True)
    for odd in ("two words", "schlüssel", "a\nb"):
        with pytest.raises(StancewiseError, match="characters that no key has") as caught:
            Endpoint("http://127.0.0.1/v1", "large", odd)
        assert odd not in str(caught.value)


def test_the_answer_format_asks_for_both_heads():
    schema = json.loads(json.dumps(ANSWER_FORMAT))["json_schema"]["schema"]
    assert schema["required"] == ["stance", "sentiment"]
    assert schema["properties"]["stance"]["enum"] == ["support", "neutrality", "criticism"]
