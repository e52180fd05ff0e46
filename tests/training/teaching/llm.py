"""A real server on loopback that speaks OpenAI's protocol, with labels from our data in place of a model.

Its faults can be switched while it runs. `python -m tests.training.teaching.llm PORT` runs it alone.
"""

import asyncio
import hashlib
import json
import math
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse, Response, StreamingResponse

from serving.labels import HEADS
from tests.conftest import STATEMENTS, read_lines
from tests.end_to_end.stores import free_port

LONG_AGO = "Wed, 21 Oct 2015 07:28:00 GMT"


@dataclass
class LLM:
    """What the server does, and what it was asked."""

    port: int
    key: str | None = None  # the only one that is accepted
    model: str = "large"
    logprobs: bool = True  # whether they are given where they are asked for
    split: bool = False  # whether labels are cut into several tokens
    refuses: set[str] = field(default_factory=set)  # parameters that are answered with 400
    names: bool = True  # whether the 400 says which
    usage: bool = True
    schema: bool = True  # whether it is kept to
    elsewhere: str = "http://elsewhere.example/v1"  # where a redirect leads
    seconds: float = 0.0  # that one answer takes
    faults: list[str] = field(default_factory=list)  # of the next requests, one each
    faulty: dict[str, str] = field(default_factory=dict)  # text -> what always happens to it
    samples: list[dict[str, str]] = field(default_factory=list)  # labels of the next answers
    asked: list[dict] = field(default_factory=list)  # bodies
    headers: list[dict] = field(default_factory=list)
    at_once: int = 0
    most_at_once: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def texts(self) -> list[str]:
        return [question(body)["text"] for body in self.asked]


def question(body: dict) -> dict:
    """The statement that a request is about, after the guide and before other words, if there are such."""
    content = body["messages"][-1]["content"]
    return json.JSONDecoder().raw_decode(content, content.rindex('{"text": '))[0]


def labels_of() -> dict[tuple, dict[str, str]]:
    rows = [row for part in ("train", "validation", "test") for row in read_lines(STATEMENTS / f"{part}.jsonl")]
    return {(row["text"], row["speaker"], row["target"]): {head: row[head] for head in HEADS} for row in rows}


def guess(known: dict[tuple, dict[str, str]], asked: dict) -> dict[str, str]:
    """The labels of our data, every sixth one wrong; of other statements labels by chance, the same every time."""
    place = hashlib.sha256(json.dumps([asked["text"], asked["holder"], asked["target"]]).encode()).digest()
    found = {head: labels[place[i] % 3] for i, (head, labels) in enumerate(HEADS.items())}
    if place[2] % 6:
        found |= known.get((asked["text"], asked["holder"], asked["target"]), {})
    return found


def pieces(labels: dict[str, str], split: bool) -> list[tuple[str, dict[str, float]]]:
    """Tokens of an answer with what could have stood there: a label has 0.8, the second 0.15, the third 0.05."""
    found: list[tuple[str, dict[str, float]]] = [("{", {})]
    for head, several in HEADS.items():
        label = labels[head]
        second, third = (one for one in several if one != label)
        found.append((f'"{head}":', {}))
        if not split:
            found.append((f' "{label}', {f' "{label}': 0.8, f' "{second}': 0.15, f' "{third}': 0.05}))
        else:
            found.append((' "', {}))
            shares: dict[str, float] = {}
            for one, share in ((label, 0.8), (second, 0.15), (third, 0.05)):
                shares[one[:2]] = shares.get(one[:2], 0.0) + share
            found.append((label[:2], shares))
            alike = {one: share for one, share in ((label, 0.8), (second, 0.15), (third, 0.05)) if one[:2] == label[:2]}
            found.append((label[2:], {one[2:]: share / sum(alike.values()) for one, share in alike.items()}))
        found.append(('"', {}))
        found.append((", " if head == "stance" else "}", {}))
    return found


def logprobs(tokens: list[tuple[str, dict[str, float]]]) -> dict:
    content = []
    for token, others in tokens:
        shares = others or {token: 1.0}
        top = [{"token": one, "logprob": math.log(share), "bytes": None} for one, share in shares.items()]
        content.append({"token": token, "logprob": math.log(shares[token]), "bytes": None, "top_logprobs": top})
    return {"content": content, "refusal": None}


def failed(status: int, code: str, message: str, **headers: str) -> JSONResponse:
    return JSONResponse({"error": {"message": message, "type": "error", "code": code}}, status, headers=headers)


def broken(fault: str, llm: LLM, body: dict) -> Response | None:
    """The answer to a request that goes wrong before a model sees it."""
    said = f"trouble with {question(body)['text']} and {llm.key}"  # as careless servers do
    if fault == "cut":

        async def half() -> Iterator[bytes]:
            yield b'{"choices": [{"mess'

        return StreamingResponse(half(), headers={"content-length": "400", "content-type": "application/json"})
    return {
        "429": failed(429, "rate_limit_exceeded", said, **{"retry-after": "0"}),
        "429 with a date": failed(429, "rate_limit_exceeded", said, **{"retry-after": LONG_AGO}),
        "429 for hours": failed(429, "rate_limit_exceeded", said, **{"retry-after": "7200"}),
        "quota": failed(429, "insufficient_quota", said),
        "400": failed(400, "context_length_exceeded", said),
        "404": failed(404, "model_not_found", said),
        "500": failed(500, "server_error", said),
        "503": Response("busy", 503),
        "html": HTMLResponse("<h1>Welcome</h1>"),
        "redirect": RedirectResponse(f"{llm.elsewhere}/chat/completions", 307),
        "no json": Response('{"choices": [', 200, media_type="application/json"),
        "no protocol": JSONResponse({"answer": 42}),
    }.get(fault)


def message(fault: str, labels: dict[str, str]) -> tuple[dict, str]:
    """What the model says, and why it stopped."""
    answer = json.dumps(labels)
    return {
        "cut answer": ({"content": answer[:12]}, "length"),
        "cut thoughts": ({"content": f"Perhaps {answer}, or"}, "length"),
        "prose": ({"content": "The holder is in favour."}, "stop"),
        "wrong label": ({"content": answer.replace(labels["stance"], "agree")}, "stop"),
        "empty": ({"content": ""}, "stop"),
        "refusal": ({"content": None, "refusal": "I cannot help with that."}, "stop"),
        "filter": ({"content": None}, "content_filter"),
        "fenced": ({"content": f"Here you are:\n```json\n{answer}\n```\nAnything else?"}, "stop"),
        "thoughts": ({"content": f'<think>It may be {{"stance": "none"}}.</think>\n{answer}'}, "stop"),
        "capitals": ({"content": answer.replace(labels["stance"], labels["stance"].title())}, "stop"),
    }.get(fault, ({"content": answer}, "stop"))


def application(llm: LLM) -> FastAPI:
    app = FastAPI()
    known = labels_of()

    @app.get("/health")
    def health() -> dict:
        return {"status": "ok"}

    @app.post("/v1/chat/completions")
    async def completions(request: Request) -> Response:
        body = await request.json()
        llm.asked.append(body)
        llm.headers.append(dict(request.headers))
        llm.at_once += 1
        llm.most_at_once = max(llm.most_at_once, llm.at_once)
        try:
            return await answered(request, body)
        finally:
            llm.at_once -= 1

    async def answered(request: Request, body: dict) -> Response:
        asked = question(body)
        if llm.key and request.headers.get("authorization") != f"Bearer {llm.key}":
            return failed(401, "invalid_api_key", f"wrong key: {request.headers.get('authorization')}, not {llm.key}")
        if body["model"] != llm.model:
            return failed(404, "model_not_found", f"there is no {body['model']}")
        for name in sorted(llm.refuses & body.keys()):
            return failed(400, "unsupported", f"unknown parameter: {name}" if llm.names else "bad request")
        if "system" in llm.refuses and body["messages"][0]["role"] == "system":
            return failed(400, "unsupported", "System role not supported" if llm.names else "bad request")
        fault = llm.faulty.get(asked["text"]) or (llm.faults.pop(0) if llm.faults else "")
        if fault == "slow":
            await asyncio.sleep(5)
        await asyncio.sleep(llm.seconds)
        if response := broken(fault, llm, body):
            return response
        labels = llm.samples.pop(0) if llm.samples else guess(known, asked)
        said, why = message(fault, labels)
        choice = {"index": 0, "message": {"role": "assistant", **said}, "finish_reason": why}
        if llm.logprobs and body.get("logprobs") and not fault:
            tokens = pieces(labels, llm.split)
            choice["message"]["content"] = "".join(token for token, _ in tokens)
            choice["logprobs"] = logprobs(tokens)
        reply = {
            "id": "1",
            "object": "chat.completion",
            "created": int(time.time()),
            "model": llm.model,
            "choices": [choice],
        }
        if llm.usage:
            prompt = sum(len(one["content"]) for one in body["messages"]) // 4
            reply["usage"] = {"prompt_tokens": prompt, "completion_tokens": 16, "total_tokens": prompt + 16}
        return JSONResponse(reply)

    return app


@contextmanager
def running(**settings: object) -> Iterator[LLM]:
    """The server in a thread, until the end."""
    llm = LLM(free_port(), **settings)
    server = uvicorn.Server(uvicorn.Config(application(llm), port=llm.port, log_level="error", lifespan="off"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    until = time.monotonic() + 60
    while not server.started:
        assert thread.is_alive()
        assert time.monotonic() < until
        time.sleep(0.02)
    try:
        yield llm
    finally:
        server.force_exit = server.should_exit = True
        thread.join(20)


if __name__ == "__main__":
    uvicorn.run(application(LLM(int(sys.argv[1]))), port=int(sys.argv[1]), log_level="warning")
