"""An environment per peer, outside the repository: their pins contradict ours and each other's."""

import json
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path

from serving_peers.processes import PeerError

HERE = Path(__file__).parent
PEERS = {"infinity": "infinity_emb", "litserve": "litserve", "mlserver": "mlserver"}  # folder and what it is for
INSTALL_SECONDS = 1800


def python(peers: Path, name: str) -> Path:
    """The interpreter of a peer's environment.

    Raises:
        PeerError: it was not prepared, or could not be.
    """
    state = peers / f"{name}.json"
    if not state.is_file():
        raise PeerError("not prepared; run: python benchmarks/speed.py prepare")
    content = json.loads(state.read_text(encoding="utf-8"))
    if content["reason"]:
        raise PeerError(f"does not install: {content['reason']}")
    return peers / name / "bin" / "python"


def versions(peers: Path, name: str) -> str:
    """The versions that matter, for the table."""
    state = peers / f"{name}.json"
    return json.loads(state.read_text(encoding="utf-8"))["versions"] if state.is_file() else ""


def own_versions() -> str:
    """Ours, of the same kind."""
    named = ("stancewise", "openvino", "torch", "transformers", "mlflow")
    return ", ".join(f"{name} {version(name)}" for name in named)


def prepare(peers: Path, say: Callable[[str], None]) -> None:
    """Build what is missing; what does not install is noted, and the table says so."""
    peers.mkdir(parents=True, exist_ok=True)
    for name in PEERS:
        pins = (HERE / f"{name}.txt").read_text(encoding="utf-8")
        wanted = sha256(f"{platform.python_version()}\n{pins}".encode()).hexdigest()
        state = peers / f"{name}.json"
        if state.is_file() and json.loads(state.read_text(encoding="utf-8"))["wanted"] == wanted:
            say(f"{name}: as it should be")
            continue
        say(f"{name}: installing (a few minutes)")
        reason = _install(peers / name, HERE / f"{name}.txt")
        chosen = [line for line in pins.splitlines() if line.split("==")[0] in _NAMED]
        state.write_text(
            json.dumps({"wanted": wanted, "reason": reason, "versions": ", ".join(chosen).replace("==", " ")})
        )
        say(f"{name}: {reason or 'installed'}")


_NAMED = ("infinity_emb", "litserve", "mlserver", "onnxruntime", "optimum", "torch", "transformers")


def _install(folder: Path, pins: Path) -> str | None:
    """None, or why it cannot be installed."""
    shutil.rmtree(folder, ignore_errors=True)
    interpreter = folder / "bin" / "python"
    # As in the Makefile: torch comes from pip's own configuration, which knows where the CPU build is.
    steps = (
        [sys.executable, "-m", "venv", str(folder)],
        [
            str(interpreter),
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--requirement",
            str(pins),
        ],
    )
    for step in steps:
        try:
            done = subprocess.run(step, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False)  # noqa: S603
        except subprocess.TimeoutExpired:
            return f"not done within {INSTALL_SECONDS} seconds"
        if done.returncode:
            lines = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
            return (lines or done.stderr.splitlines() or ["it said nothing"])[-1].removeprefix("ERROR: ")
    return None


def onnx(peers: Path, model: Path, precision: str) -> Path:
    """The model as ONNX, for infinity's optimum engine: fused by optimum's own optimiser, in `fp32` or `int8`.

    infinity 0.0.78 would fuse at load, but calls optimum with an argument that optimum no longer has.

    Raises:
        PeerError: it cannot be exported.
    """
    interpreter = python(peers, "infinity")
    digest = sha256((model / "model.safetensors").read_bytes()).hexdigest()[:16]
    folder = peers / "onnx" / digest
    if not (folder / "done").is_file():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        command = [str(interpreter), str(HERE / "export_onnx.py"), str(model), str(folder)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)  # noqa: S603
        if done.returncode:
            raise PeerError(f"ONNX export: {(done.stderr.splitlines() or ['it said nothing'])[-1]}")
        (folder / "done").touch()
    return folder / precision
