"""The servers that are compared: how each is started, asked and read."""

import http.client
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from serving.labels import Logits
from serving.statement import Statement
from serving.store.folder import INT8_FOLDER, ModelSettings, write_settings
from serving_peers import answers, environments
from serving_peers.processes import ROOT, PeerError, last_line, start, stop

HERE = Path(__file__).parent
HOST = "127.0.0.1"
START_SECONDS = 180
BATCH, WAIT_SECONDS = 32, 0.005  # of the peers that gather batches; they wait this long for the next statement


@dataclass(frozen=True)
class Context:
    """What a server is started with."""

    model: Path
    settings: ModelSettings
    work: Path
    peers: Path


@dataclass(frozen=True)
class Server:
    """One contender; `body` makes a request and `read` gets six calibrated probabilities from a reply."""

    title: str
    runtime: str  # which of our own in-process answers are to come back
    ready: str
    path: str
    command: Callable[[Context, int], tuple[list[str], dict[str, str]]]
    body: Callable[[Statement, str], Any]
    read: Callable[[Any, ModelSettings], Logits]


class Running:
    """A started server."""

    def __init__(self, server: Server, context: Context) -> None:
        """Start it.

        Raises:
            PeerError: it cannot be started, or is not ready in time.
        """
        self.server = server
        self.port = free_port()
        command, extra = server.command(context, self.port)
        name = "".join(c if c.isalnum() else "-" for c in server.title)
        self.log = context.work / f"server-{name}.log"
        folder = context.work / f"cwd-{name}"
        folder.mkdir(exist_ok=True)
        self.began = time.perf_counter()
        self.process = start(command, self.log, folder, extra)
        try:
            self.wait(START_SECONDS)
        except BaseException:
            self.close()
            raise
        self.ready_seconds = time.perf_counter() - self.began

    @property
    def url(self) -> str:
        """Where statements are posted."""
        return f"http://{HOST}:{self.port}{self.server.path}"

    def wait(self, seconds: float) -> None:
        """Return when the server says that it is ready.

        Raises:
            PeerError: it died, or is not ready in time.
        """
        wait_ready(self.process, self.log, self.port, self.server.ready, seconds)

    def close(self) -> None:
        """Stop it."""
        stop(self.process)


def wait_ready(process: subprocess.Popen[str], log: Path, port: int, path: str, seconds: float) -> None:
    """Return when a server of this machine answers 200 at the path.

    Raises:
        PeerError: it died, or is not ready in time.
    """
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        if process.poll() is not None:
            raise PeerError(f"stopped with {process.returncode}: {last_line(log)}")
        try:
            connection = http.client.HTTPConnection(HOST, port, timeout=5)
            connection.request("GET", path)
            if connection.getresponse().status == 200:
                return
        except (OSError, http.client.HTTPException):
            pass
        finally:
            connection.close()
        time.sleep(0.02)
    raise PeerError(f"not ready within {seconds:g} seconds: {last_line(log)}")


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def mlflow_model(context: Context, runtime: str) -> Path:
    """The folder as an MLflow model with this tree's serving code; without int8 if torch is to run."""
    import mlflow

    from serving.store.package import signature

    path = context.work / f"mlflow-{runtime}"
    if path.is_dir():
        return path
    folder = context.model
    if runtime == "torch" and (folder / INT8_FOLDER).is_dir():
        folder = context.work / "model-torch"
        shutil.copytree(context.model, folder, ignore=shutil.ignore_patterns(INT8_FOLDER))
        write_settings(folder, context.settings)
    elif runtime == "openvino" and not (folder / INT8_FOLDER).is_dir():
        raise PeerError("the model folder holds no int8 model")
    mlflow.pyfunc.save_model(
        path,
        python_model=str(ROOT / "serving" / "pyfunc.py"),
        artifacts={"model": str(folder)},
        code_paths=[str(ROOT / "serving")],
        signature=signature(),
        pip_requirements=["mlflow"],  # the environment is not built from them
    )
    return path


def _ours(runtime: str) -> Callable[[Context, int], tuple[list[str], dict[str, str]]]:
    def command(context: Context, port: int) -> tuple[list[str], dict[str, str]]:
        options = ["--model", str(context.model), "--port", str(port), "--device", "cpu", "--runtime", runtime]
        return [sys.executable, "-m", "serving", "serve", *options], {"PYTHONPATH": str(ROOT)}

    return command


def _mlflow(runtime: str) -> Callable[[Context, int], tuple[list[str], dict[str, str]]]:
    def command(context: Context, port: int) -> tuple[list[str], dict[str, str]]:
        model = mlflow_model(context, runtime)
        options = ["--model-uri", str(model), "--host", HOST, "--port", str(port), "--env-manager", "local"]
        # It starts uvicorn by name: the environment's programs come first.
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        return [sys.executable, "-m", "mlflow", "models", "serve", *options], {"PATH": path}

    return command


def _litserve(context: Context, port: int) -> tuple[list[str], dict[str, str]]:
    interpreter = environments.python(context.peers, "litserve")
    options = [str(context.model), str(port), str(BATCH), str(WAIT_SECONDS)]
    return [str(interpreter), str(HERE / "litserve_app.py"), *options], {}


def _mlserver(context: Context, port: int) -> tuple[list[str], dict[str, str]]:
    interpreter = environments.python(context.peers, "mlserver")
    folder = context.work / "mlserver"
    folder.mkdir(exist_ok=True)
    server = {"host": HOST, "http_port": port, "grpc_port": free_port(), "metrics_endpoint": None, "debug": False}
    model = {
        "name": "stance",
        "implementation": "mlserver_app.Checkpoint",
        "max_batch_size": BATCH,
        "max_batch_time": WAIT_SECONDS,
        "parameters": {"uri": str(context.model)},
    }
    (folder / "settings.json").write_text(json.dumps(server), encoding="utf-8")
    (folder / "model-settings.json").write_text(json.dumps(model), encoding="utf-8")
    return [str(interpreter.with_name("mlserver")), "start", str(folder)], {"PYTHONPATH": str(HERE)}


def _infinity(engine: str, precision: str) -> Callable[[Context, int], tuple[list[str], dict[str, str]]]:
    def command(context: Context, port: int) -> tuple[list[str], dict[str, str]]:
        interpreter = environments.python(context.peers, "infinity")
        folder = environments.onnx(context.peers, context.model, precision) if precision else context.model
        return [str(interpreter), str(HERE / "infinity_app.py"), str(folder), engine, str(port), str(BATCH)], {}

    return command


def _statement(statement: Statement, rendered: str) -> Any:
    return {"text": statement.text, "speaker": statement.speaker, "target": statement.target}


def _v2(statement: Statement, rendered: str) -> Any:
    return {"inputs": [{"name": "text", "shape": [1], "datatype": "BYTES", "data": [rendered]}]}


def _read_row(reply: Any, settings: ModelSettings) -> Logits:
    row = reply["predictions"][0]
    return answers.from_heads({head: row[f"{head}_probabilities"] for head in settings.heads})


def _read_ours(reply: Any, settings: ModelSettings) -> Logits:
    row = reply["predictions"][0]
    return answers.from_heads({head: row[head]["probabilities"] for head in settings.heads})


SERVERS = {
    "ours:openvino": Server(
        "ours, int8", "openvino", "/ready", "/v1/predict", _ours("openvino"), _statement, _read_ours
    ),
    "ours:torch": Server("ours, torch", "torch", "/ready", "/v1/predict", _ours("torch"), _statement, _read_ours),
    "mlflow:openvino": Server(
        "mlflow models serve, int8",
        "openvino",
        "/ping",
        "/invocations",
        _mlflow("openvino"),
        lambda statement, rendered: {"dataframe_records": [_statement(statement, rendered)]},
        _read_row,
    ),
    "mlflow:torch": Server(
        "mlflow models serve, torch",
        "torch",
        "/ping",
        "/invocations",
        _mlflow("torch"),
        lambda statement, rendered: {"dataframe_records": [_statement(statement, rendered)]},
        _read_row,
    ),
    "litserve": Server(
        "LitServe, torch",
        "torch",
        "/health",
        "/predict",
        _litserve,
        lambda statement, rendered: {"text": rendered},
        lambda reply, settings: answers.from_logits(np.array(reply["logits"]), settings),
    ),
    "mlserver": Server(
        "MLServer, torch",
        "torch",
        "/v2/models/stance/ready",
        "/v2/models/stance/infer",
        _mlserver,
        _v2,
        lambda reply, settings: answers.from_logits(np.array(reply["outputs"][0]["data"]), settings),
    ),
    "infinity:torch": Server(
        "infinity-emb, torch",
        "torch",
        "/health",
        "/classify",
        _infinity("torch", ""),
        lambda statement, rendered: {"model": "stance", "input": [rendered], "raw_scores": True},
        lambda reply, settings: answers.from_scores(reply["data"][0], settings),
    ),
    "infinity:optimum:int8": Server(
        "infinity-emb, ONNX int8",
        "none",
        "/health",
        "/classify",
        _infinity("optimum", "int8"),
        lambda statement, rendered: {"model": "stance", "input": [rendered], "raw_scores": True},
        lambda reply, settings: answers.from_scores(reply["data"][0], settings),
    ),
}


def closed_loop(running: Running, bodies: Path, clients: int, seconds: float) -> dict[str, float]:
    """Load of `clients` keep-alive connections, each posting as soon as it has its answer.

    Raises:
        PeerError: wrk fails, or the server died under the load.
    """
    command = ["wrk", "-t1", f"-c{clients}", f"-d{max(1, round(seconds))}s", "--timeout", "30s"]
    command += ["-s", str(HERE / "load.lua"), running.url, "--", str(bodies)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=seconds + 90, check=False)  # noqa: S603
    except subprocess.TimeoutExpired:
        raise PeerError("wrk did not come back") from None
    found = [line for line in done.stdout.splitlines() if line.startswith("RESULT ")]
    if not found or running.process.poll() is not None:
        raise PeerError(f"under load: {last_line(running.log)}")
    result: dict[str, float] = json.loads(found[0].removeprefix("RESULT "))
    return result
