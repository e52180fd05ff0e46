"""The rooms of the house: nothing imports upward, no circles, a small core that loads alone."""

import ast
import subprocess
import sys
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY

# From the ground up; a room imports from its own and from those before it.
SERVING = (
    *(
        "errors",
        "labels",
        "names",
        "language",
        "statement",
        "rows",
        "inputs",
        "tables",
        "store",
        "runtime",
        "explain",
        "terminal",
        "watch",
    ),
    *("article", "classifier", "pyfunc", "scoring", "server", "cli", "commands"),
)
TRAINING = (
    *("config", "data", "evaluation", "labelling", "teaching", "fitting"),
    *("experiments", "int8", "benchmark", "commands"),
)
TRAINING_ONLY = {"training", "datasets", "sklearn", "matplotlib", "scipy", "yaml"}
HEAVY = {"fastapi", "spacy", "openvino", "py3langid", "pyspark", "matplotlib", "sklearn", "datasets"}
MOST_FILES = 12


def module_of(path: Path) -> str:
    parts = path.relative_to(REPOSITORY).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def modules() -> dict[str, Path]:
    paths = [path for room in ("serving", "training") for path in (REPOSITORY / room).rglob("*.py")]
    return {module_of(path): path for path in paths}


@cache
def imports(module: str) -> frozenset[str]:
    """Every module that is named in an import statement, wherever in the file it stands."""
    found = set()
    for node in ast.walk(ast.parse(modules()[module].read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            found |= {f"{base}.{alias.name}" if f"{base}.{alias.name}" in modules() else base for alias in node.names}
    return frozenset(found)


def floor(module: str, rooms: tuple[str, ...]) -> int | None:
    inside = module.partition(".")[2]
    found = [i for i, room in enumerate(rooms) if inside == room or inside.startswith(f"{room}.")]
    return max(found, key=lambda i: len(rooms[i])) if found else None


def test_there_is_no_circle():
    graph = {module: imports(module) & modules().keys() for module in modules()}
    try:
        list(TopologicalSorter(graph).static_order())
    except CycleError as error:
        pytest.fail(f"circle: {' -> '.join(error.args[1])}")


@pytest.mark.parametrize(("package", "rooms"), [("serving", SERVING), ("training", TRAINING)])
def test_nothing_imports_a_room_above_it(package, rooms):
    mine = [module for module in modules() if module.startswith(f"{package}.") and not module.endswith("__main__")]
    assert [module for module in mine if floor(module, rooms) is None] == []
    upward = [
        f"{module} -> {other}"
        for module in mine
        for other in imports(module)
        if other.startswith(f"{package}.") and floor(other, rooms) > floor(module, rooms)
    ]
    assert upward == []


def test_serving_knows_nothing_of_training():
    mine = [module for module in modules() if module.partition(".")[0] == "serving"]
    assert [m for m in mine if {other.partition(".")[0] for other in imports(m)} & TRAINING_ONLY] == []


def test_nothing_imports_a_main():
    sources = [*REPOSITORY.glob("tests/**/*.py"), *REPOSITORY.glob("benchmarks/**/*.py"), *modules().values()]
    for path in sources:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom):
                assert not (node.module or "").endswith("__main__"), path


def test_the_core_is_small():
    files = sorted(path.name for path in (REPOSITORY / "serving").glob("*.py"))
    assert len(files) <= MOST_FILES, files


def test_every_room_says_what_it_is():
    for module, path in modules().items():
        assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))), module


def test_the_core_loads_alone():
    code = f"import sys, serving; print(*sorted({HEAVY!r} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_tests_mirror_the_rooms():
    for path in (REPOSITORY / "tests").glob("*/**/test_*.py"):
        room = path.parent.relative_to(REPOSITORY / "tests")
        if room.parts[0] in ("serving", "training"):
            assert (REPOSITORY / room).is_dir(), path
