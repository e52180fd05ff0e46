"""The `export` command: a folder that serves a model anywhere, with this package and pinned requirements."""

import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Annotated, Literal

import typer
from packaging.requirements import Requirement
from rich.console import Console
from rich.table import Table

from serving.article.reading.parse import INSTALL, pipeline_name
from serving.cli import ModelOption
from serving.errors import StancewiseError
from serving.store.folder import INT8_FOLDER, read_settings, write_settings
from serving.store.versions import find_model

SERVING = Path(__file__).parents[1]
SERVER = (
    *("fastapi", "numpy", "prometheus-client", "py3langid", "pydantic", "rich", "rjieba", "safetensors"),
    *("snowballstemmer", "typer", "uvicorn[standard]"),
)
RUNTIMES = {"openvino": ("openvino", "tokenizers"), "torch": ("torch", "transformers"), "numpy": ()}
TO_READY = 120  # seconds that a start may take

RuntimeKind = Literal["openvino", "torch", "numpy"]

CONTAINERFILE = """\
FROM docker.io/library/python:{python}-slim
WORKDIR /app
COPY requirements.txt .
RUN pip install --no-cache-dir -r requirements.txt
COPY . .
USER nobody
EXPOSE 8000
HEALTHCHECK CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/ready')"]
ENTRYPOINT ["python", "-m", "serving", "serve", "--model", "model"]
CMD ["--host", "0.0.0.0"]
"""

README = """\
# A stance model, ready to serve

With a container engine (podman or docker), the server on http://127.0.0.1:8000:

    podman build -t stance . && podman run --rm -p 127.0.0.1:8000:8000 stance

Without, in a virtual environment of Python {python}:

    pip install -r requirements.txt && python -m serving serve --model model

Neither needs a registry once it is installed. `python -m serving serve --help` lists limits and the API key.

{articles}
"""
ARTICLES = "Articles are read with {pipeline}, whose version is in requirements.txt."
NO_ARTICLES = """\
It labels statements. It reads no articles, because no English pipeline for spaCy was installed where it was exported:
`POST /v1/article` is refused. To read them, add the packages of this line to requirements.txt:

    {install}
"""


@dataclass(frozen=True)
class Exported:
    """What an export weighs and how fast it starts."""

    folder: Path
    runtime: RuntimeKind
    model_mb: float
    packages_mb: float  # of the pinned requirements, as installed here
    seconds: float  # from start to ready


def export(
    model: ModelOption, output: Annotated[Path, typer.Option(help="The folder to make; it must not exist yet.")]
) -> None:
    """Write a folder that serves the model anywhere, with a Containerfile and pinned requirements.

    The model needs no registry there; one with int8 needs neither torch nor transformers. The server there reads
    articles if this installation does, with the same parser.

    Example:

        python -m serving export --model models:/stance@champion --output stance-server
    """
    made, other = export_model(model, output)
    table = Table("runtime", "model, MB", "packages, MB", "seconds to ready")
    for one in (made, other):
        if one:
            table.add_row(one.runtime, f"{one.model_mb:.0f}", f"{one.packages_mb:.0f}", f"{one.seconds:.1f}")
    console = Console()
    console.print(table)
    if other:
        saved = other.model_mb + other.packages_mb - made.model_mb - made.packages_mb
        faster = other.seconds / made.seconds
        console.print(f"int8 saves {saved:,.0f} MB and is ready {faster:.1f} times as fast as PyTorch")
    console.print(f"{output}: see its README.md", soft_wrap=True)


def export_model(uri: str, output: Path) -> tuple[Exported, Exported | None]:
    """Write the folder, start the server in it once, and compare an int8 model with its PyTorch form.

    Args:
        uri: a folder or an MLflow URI.
        output: the folder to be made; it must not exist yet.

    Returns:
        The export, and for an int8 model what PyTorch would have been, where the model holds that too.

    Raises:
        StancewiseError: there is no such model, the folder exists, or the exported server does not start.
    """
    if output.exists():
        raise StancewiseError(f"--output {output}: exists already; name a new folder, or remove it")
    source = find_model(uri)
    settings = read_settings(source)
    runtime: RuntimeKind = "numpy" if settings.kind == "tfidf" else "torch"
    if (source / INT8_FOLDER).is_dir():
        runtime = "openvino"
    output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=output.parent, prefix=f".{output.name}.partial-") as work:
        folder = Path(work) / "export"
        _write(source, folder, runtime)
        result = _measured(folder, runtime)
        other = None
        if runtime == "openvino" and (source / "model.safetensors").is_file():
            beside = Path(work) / "torch"
            _write(source, beside, "torch")
            other = _measured(beside, "torch")
        folder.replace(output)
    return Exported(output, runtime, result.model_mb, result.packages_mb, result.seconds), other


def _write(source: Path, folder: Path, runtime: RuntimeKind) -> None:
    left_out = {"openvino": ["model.safetensors", "*.bin.index.json"], "torch": [INT8_FOLDER], "numpy": []}[runtime]
    shutil.copytree(source, folder / "model", ignore=shutil.ignore_patterns(*left_out))
    write_settings(folder / "model", read_settings(source))
    shutil.copytree(SERVING, folder / "serving", ignore=shutil.ignore_patterns("__pycache__"))
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    pipeline = pipeline_name()
    articles = ARTICLES.format(pipeline=pipeline) if pipeline else NO_ARTICLES.format(install=INSTALL)
    pins = pinned_requirements([*SERVER, *RUNTIMES[runtime], *(("spacy", pipeline) if pipeline else ())])
    (folder / "requirements.txt").write_text("".join(f"{pin}\n" for pin in pins), encoding="utf-8")
    (folder / "Containerfile").write_text(CONTAINERFILE.format(python=python), encoding="utf-8")
    (folder / ".containerignore").write_text("**/__pycache__\n", encoding="utf-8")
    (folder / "README.md").write_text(README.format(python=python, articles=articles), encoding="utf-8")


def pinned_requirements(names: Iterable[str]) -> list[str]:
    """`name==version` of each package and of everything it needs, as installed here; sorted.

    What was installed from an address is no index's: it is named by that address.

    Args:
        names: as in a requirements file, extras included.

    Raises:
        StancewiseError: one of them is not installed.
    """
    pins: dict[str, str] = {}
    waiting = [Requirement(name) for name in names]
    seen: set[tuple[str, str]] = set()
    while waiting:
        wanted = waiting.pop()
        for extra in ("", *wanted.extras):
            if (wanted.name.lower(), extra) in seen:
                continue
            seen.add((wanted.name.lower(), extra))
            try:
                found = metadata.distribution(wanted.name)
            except metadata.PackageNotFoundError:
                raise StancewiseError(
                    f"{wanted.name} is not installed; install the project with: pip install ."
                ) from None
            pins[found.metadata["Name"].lower().replace("_", "-")] = _pin(found)
            needs = [Requirement(line) for line in found.requires or []]
            waiting += [one for one in needs if one.marker is None or one.marker.evaluate({"extra": extra})]
    return [f"{name}{pin}" for name, pin in sorted(pins.items())]


def _pin(installed: metadata.Distribution) -> str:
    origin = json.loads(installed.read_text("direct_url.json") or "{}")
    if "archive_info" in origin:
        return f" @ {origin['url']}"
    # A local build, such as +cpu, is not what an index offers.
    return f"=={installed.version.partition('+')[0]}"


def _measured(folder: Path, runtime: RuntimeKind) -> Exported:
    pins = (folder / "requirements.txt").read_text(encoding="utf-8").splitlines()
    packages = sum(_installed_bytes(Requirement(pin).name) for pin in pins)
    model = sum(path.stat().st_size for path in (folder / "model").rglob("*") if path.is_file())
    return Exported(folder, runtime, model / 1e6, packages / 1e6, seconds_to_ready(folder))


def _installed_bytes(name: str) -> int:
    files = metadata.distribution(name).files or []
    return sum(path.stat().st_size for file in files if (path := Path(str(file.locate()))).is_file())


def seconds_to_ready(folder: Path) -> float:
    """Seconds from starting the folder's server to its readiness, on a port of its own on this machine.

    Raises:
        StancewiseError: it ended before.
    """
    command = [sys.executable, "-m", "serving", "serve", "--model", "model", "--port", "0", "--device", "cpu"]
    start = time.perf_counter()
    with subprocess.Popen(command, cwd=folder, stderr=subprocess.PIPE, text=True) as server:  # noqa: S603
        assert server.stderr
        last = ""
        try:
            for line in server.stderr:
                last = line.strip() or last
                if _message(line) == "ready":
                    return time.perf_counter() - start
                if time.perf_counter() - start > TO_READY:
                    break
        finally:
            server.terminate()
    raise StancewiseError(f"{folder}: the exported server does not start ({last})")


def _message(line: str) -> str:
    try:
        return str(json.loads(line).get("message"))
    except (ValueError, AttributeError):
        return ""
