"""An endpoint that speaks OpenAI's protocol (`/chat/completions`), with all that may go wrong between it and us.

Neither the key nor a text, nor a word of what the other side wrote, stands in an error: a server may repeat what it
was sent.
"""

import asyncio
import json
import os
import random
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from ipaddress import ip_address
from typing import Any, Self

import httpx2

from serving.errors import StancewiseError
from serving.rows.read import shown
from serving.statement import Statement
from training.teaching.answer import Answer, Reply, Unanswered, combined, read_reply
from training.teaching.prompt import ANSWER_FORMAT, Message, messages

TRIES = 5  # of one request that the endpoint does not answer
MOST_TOKENS = 4096  # of an answer: room for a model that thinks aloud, an end for one that never stops
_LONGEST_WAIT = 600  # seconds that an endpoint may ask us to wait
_CONNECT_SECONDS = 10
_TOP = 5  # tokens that could have stood in one place; some endpoints give no more
_IDENTIFIER = re.compile(r"[a-z]+(?:_[a-z]+){0,6}")
_SPENT = {"insufficient_quota", "billing_hard_limit_reached"}
_PASSING = {408, 409, 425, 429}  # and every 5xx
_REFUSED = {400, 413, 422}
# What a request asks for beyond the protocol's core -> words by which an endpoint that refuses it may name it, and
# what the user is told. In this order they are left out where it names none.
_OPTIONAL = {
    "response_format": (
        ("response_format", "schema", "guided", "grammar"),
        "takes no JSON schema: the prompt alone asks for JSON",
    ),
    "logprobs": (("logprob",), ""),
    "temperature": (("temperature",), "takes no temperature: it samples with its own"),
    "max_tokens": (("max_tokens", "max_completion_tokens"), "takes no max_tokens: answers have no limit"),
    "system": (("system role", "system message"), ""),
}


class _RefusedError(Exception):
    """The endpoint does not take this request; asking again would not help. `said` is its own text: not for users."""

    def __init__(self, what: str, said: str) -> None:
        super().__init__(what)
        self.said = said


class _LostError(Exception):
    """The endpoint gave no answer to a request, however often it was asked."""


@dataclass
class Usage:
    """Tokens as the endpoint counts them."""

    tokens_in: int = 0
    tokens_out: int = 0
    replies: int = 0
    uncounted: int = 0  # replies without a count

    def add(self, reply: dict[str, Any]) -> None:
        """Count one reply."""
        self.replies += 1
        usage = reply.get("usage")
        try:
            counts = int(usage["prompt_tokens"]), int(usage["completion_tokens"])  # type: ignore[index]
        except (KeyError, TypeError, ValueError):
            self.uncounted += 1
            return
        self.tokens_in += counts[0]
        self.tokens_out += counts[1]


@dataclass
class Endpoint:
    """One model behind one address. An async context: statements are asked inside it.

    Args:
        url: the base URL, such as `http://127.0.0.1:8000/v1`.
        llm: what the endpoint calls the model.
        key: sent as a bearer token; None: none is sent.
        key_name: where the key comes from, for messages.
        samples: how often a statement is asked where the endpoint gives no log-probabilities.
        temperature: of these samples.
        timeout: seconds that one answer may take.
        first_wait: seconds before the first repetition; each next one waits twice as long.

    Raises:
        StancewiseError: the URL is none, or has a password in it; the key has characters that HTTP cannot send.
    """

    url: str
    llm: str
    key: str | None = field(default=None, repr=False)
    key_name: str = "OPENAI_API_KEY"
    samples: int = 1
    temperature: float = 1.0
    timeout: float = 300.0
    first_wait: float = 1.0
    usage: Usage = field(default_factory=Usage)
    notes: list[str] = field(default_factory=list)  # what the endpoint does not offer, once it is known

    def __post_init__(self) -> None:
        self.address = _address(self.url)
        if self.key is not None and not re.fullmatch(r"[!-~]+", self.key):
            raise StancewiseError(f"{self.key_name}: the key has blanks or characters that no key has; set it again")
        self._offered = list(_OPTIONAL)
        self.settled = False  # whether it is known what the endpoint offers
        self._gives_shares: bool | None = None  # not known yet
        self._reached = False
        self._not_before = 0.0  # of the loop's clock: when the endpoint wants to be asked again

    @property
    def host(self) -> str:
        """Host and port, as the user gave them."""
        return self.address.netloc.decode()

    @property
    def local(self) -> bool:
        """Whether what is sent stays on this machine, as far as the address says."""
        name = self.address.host
        try:
            return ip_address(name).is_loopback
        except ValueError:
            return name == "localhost" or name.endswith(".localhost")

    @property
    def in_the_clear(self) -> bool:
        """Whether everybody between here and there can read what is sent."""
        return self.address.scheme == "http" and not self.local

    async def __aenter__(self) -> Self:
        headers = {"authorization": f"Bearer {self.key}"} if self.key else {}
        self._client = httpx2.AsyncClient(
            headers=headers,
            timeout=httpx2.Timeout(self.timeout, connect=_CONNECT_SECONDS, pool=None),
            limits=httpx2.Limits(max_connections=None),
            trust_env=not self.local,  # a proxy must not get what is meant for this machine
            follow_redirects=False,  # texts and key go where the user said, and nowhere else
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.aclose()

    async def answer(self, statement: Statement) -> Answer | Unanswered:
        """Labels with probabilities, or why there are none.

        Raises:
            StancewiseError: the endpoint cannot be used at all: address, key, model, quota.
        """
        first = await self._reply(statement)
        if isinstance(first, Unanswered):
            return first
        replies = [first]
        if first.shares is None:
            for _ in range(self.samples - 1):
                one = await self._reply(statement)
                if isinstance(one, Unanswered):
                    return one
                replies.append(one)
        return combined(replies)

    async def _reply(self, statement: Statement) -> Reply | Unanswered:
        """One reply; a model whose answer is of no use is asked once more."""
        found = await self._once(messages(statement))
        if isinstance(found, Unanswered) and found.again:
            found = await self._once(messages(statement, again=True))
            if isinstance(found, Unanswered) and found.again:
                found = Unanswered(f"{found.reason}, twice")
        if isinstance(found, Reply):
            self._learn(found)
        return found

    async def _once(self, asked: Sequence[Message]) -> Reply | Unanswered:
        try:
            reply = await (self._post(asked) if self.settled else self._settle(asked))
        except _RefusedError as error:
            return Unanswered(f"the endpoint refused it ({error})")
        except _LostError as error:
            return Unanswered(str(error), unreachable=True)
        return read_reply(reply)

    async def _settle(self, asked: Sequence[Message]) -> dict[str, Any]:
        """The first reply of all; what the endpoint refuses is left out of this request and of all others.

        Raises:
            StancewiseError: it refuses the plainest request too.
        """
        notes = []
        while True:
            try:
                reply = await self._post(asked)
                break
            except _RefusedError as error:
                if not self._offered:
                    fix = "check --llm and --endpoint; the server's own log says more"
                    raise StancewiseError(f"{self.host} refuses the shortest statement ({error}); {fix}") from None
                named = [one for one in self._offered if any(word in error.said for word in _OPTIONAL[one][0])]
                left_out = (named or self._offered)[0]
                self._offered.remove(left_out)
                notes.append(_OPTIONAL[left_out][1])
        self.settled = True
        self._note(*notes)
        return reply

    def _learn(self, reply: Reply) -> None:
        """Whether log-probabilities come, by the first reply that can be read."""
        if self._gives_shares is None:
            self._gives_shares = reply.shares is not None
            if not self._gives_shares:
                several = f"the shares of {self.samples} samples"
                instead = several if self.samples > 1 else "one answer, smoothed; --samples 5 says more"
                self._note(f"gives no log-probabilities: probabilities come from {instead}")

    def _note(self, *notes: str) -> None:
        self.notes += [f"{self.host} {note}" for note in notes if note]

    def _body(self, asked: Sequence[Message]) -> dict[str, Any]:
        sampled = self.samples > 1 and self._gives_shares is False
        optional: dict[str, dict[str, Any]] = {
            "response_format": {"response_format": ANSWER_FORMAT},
            "logprobs": {"logprobs": True, "top_logprobs": _TOP},
            "temperature": {"temperature": self.temperature if sampled else 0.0},
            "max_tokens": {"max_tokens": MOST_TOKENS},
        }
        if "system" not in self._offered:
            asked = [{"role": "user", "content": "\n\n".join(one["content"] for one in asked)}]
        body: dict[str, Any] = {"model": self.llm, "messages": list(asked)}
        for one in self._offered:
            body |= optional.get(one, {})
        return body

    async def _post(self, asked: Sequence[Message]) -> dict[str, Any]:
        """A reply of the endpoint, asked again as long as what hinders it may pass."""
        problem = ""
        for tried in range(TRIES):
            await asyncio.sleep(self._not_before - asyncio.get_running_loop().time())
            wait = self.first_wait * 2**tried * random.uniform(0.5, 1.5)  # noqa: S311 (so that not all come back at once)
            try:
                response = await self._client.post(self.address, json=self._body(asked))
            except (httpx2.ConnectError, httpx2.ConnectTimeout) as error:
                problem = f"cannot be reached ({error or 'no answer'})"
                if not self._reached:
                    fix = "start the server, or correct --endpoint"
                    raise StancewiseError(f"--endpoint: {self.host} {problem}; {fix}") from None
            except httpx2.TimeoutException:
                problem = f"no answer within {self.timeout:g} s"
            except httpx2.HTTPError:
                problem = "the connection broke"
            else:
                self._reached = True
                if response.status_code == httpx2.codes.OK:
                    return self._read(response)
                problem = self._passing(response)
                if (asked_for := _retry_after(response)) is not None:
                    wait = self._pause(asked_for)
            if tried < TRIES - 1:
                await asyncio.sleep(wait)
        raise _LostError(f"{problem}, {TRIES} times")

    def _pause(self, seconds: float) -> float:
        """Let everybody wait as long as the endpoint asks for."""
        if seconds > _LONGEST_WAIT:
            minutes = f"{self.host} asks to wait {seconds / 60:,.0f} minutes"
            raise StancewiseError(f"{minutes}; nothing is lost: the same command goes on later")
        self._not_before = max(self._not_before, asyncio.get_running_loop().time() + seconds)
        return 0.0

    def _read(self, response: httpx2.Response) -> dict[str, Any]:
        try:
            reply = response.json()
        except (ValueError, RecursionError):
            reply = None
        if isinstance(reply, dict):
            self.usage.add(reply)
            return reply
        if not self.settled:
            fix = "give its base URL, which mostly ends with /v1"
            raise StancewiseError(f"--endpoint: {self.host} answers, but not in OpenAI's protocol; {fix}")
        return {}

    def _passing(self, response: httpx2.Response) -> str:
        """What hinders an answer, if it may pass.

        Raises:
            StancewiseError: it does not pass.
            _RefusedError: it is about this request.
        """
        status, code = response.status_code, _code(response)
        said = f"HTTP {status}{f', {code}' if code else ''}"
        if response.has_redirect_location:
            there = _host(response.headers["location"])
            where = f"{self.host} redirects to {there or 'another path'} ({said})"
            why = "which is not followed: texts and key would go there"
            raise StancewiseError(f"--endpoint: {where}, {why}; if that is right, give that address")
        if status in _REFUSED:
            raise _RefusedError(said, response.text.lower())
        if code in _SPENT:
            raise StancewiseError(
                f"{self.host}: the account has no quota left ({said}); with a new one the same command goes on"
            )
        if status in (401, 403):
            what = f"the key in {self.key_name} is not accepted" if self.key else f"it wants a key; set {self.key_name}"
            raise StancewiseError(f"{self.host}: {what} ({said}); --key-env names another variable")
        if status == httpx2.codes.NOT_FOUND:
            what = f"no model {shown(self.llm)}, or no {self.address.path} ({said})"
            raise StancewiseError(f"{self.host}: {what}; check --llm, and that --endpoint is the base URL (.../v1)")
        if status in _PASSING or status >= httpx2.codes.INTERNAL_SERVER_ERROR:
            return said
        raise StancewiseError(f"{self.host}: an answer that is not expected ({said}); check --endpoint")


def key_of(name: str, given: bool) -> str | None:
    """The key in an environment variable; None where there is none.

    Args:
        name: of the variable.
        given: whether the user named it.

    Raises:
        StancewiseError: the user named a variable that is not set.
    """
    key = os.environ.get(name, "").strip()
    if not key and given:
        raise StancewiseError(
            f"--key-env {name}: no such environment variable, or it is empty; set it: export {name}=..."
        )
    return key or None


def _address(url: str) -> httpx2.URL:
    """The URL that is asked.

    Raises:
        StancewiseError: no http(s) URL with a host, or one with a password.
    """
    try:
        found = httpx2.URL(url)
    except (httpx2.InvalidURL, UnicodeError):
        found = httpx2.URL("")
    if found.scheme not in ("http", "https") or not re.fullmatch(r"[\w.:-]+", found.host):
        raise StancewiseError("--endpoint: a URL such as http://127.0.0.1:8000/v1 is needed, with http:// or https://")
    if found.userinfo:
        raise StancewiseError("--endpoint: a name or password in the URL; leave it out and give a key with --key-env")
    path = found.path.rstrip("/") or "/v1"
    return found.copy_with(path=path if path.endswith("/chat/completions") else f"{path}/chat/completions")


def _host(url: str) -> str:
    try:
        return httpx2.URL(url).netloc.decode()
    except (httpx2.InvalidURL, UnicodeError):
        return ""


def _retry_after(response: httpx2.Response) -> float | None:
    """Seconds of the header Retry-After, which are a number or a date (RFC 9110, section 10.2.3)."""
    value = response.headers.get("retry-after", "")
    if re.fullmatch(r"\d{1,9}(\.\d+)?", value):
        return float(value)
    try:
        until = parsedate_to_datetime(value)
    except ValueError:
        return None
    until = until if until.tzinfo else until.replace(tzinfo=UTC)
    return max((until - datetime.now(UTC)).total_seconds(), 0.0)


def _code(response: httpx2.Response) -> str | None:
    """The error's name, such as `model_not_found`; nothing else of what the endpoint says."""
    try:
        error = json.loads(response.text)["error"]
        names = [error.get("code"), error.get("type")]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    return next((one for one in names if isinstance(one, str) and _IDENTIFIER.fullmatch(one)), None)
