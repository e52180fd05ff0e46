"""The programs that measure how cost grows; what they measure is looked at by people, not asserted."""

import json
import subprocess
import sys

import pytest

from tests.conftest import REPOSITORY

PNG = b"\x89PNG\r\n"


@pytest.fixture
def folder(tmp_path):
    for name in ("data", "configs"):
        (tmp_path / name).symlink_to(REPOSITORY / name)
    (tmp_path / "docs/images").mkdir(parents=True)
    return tmp_path


def measure(folder, *arguments, program="scale"):
    command = [sys.executable, str(REPOSITORY / f"benchmarks/{program}.py"), *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=900, check=False)


def keep(folder, measure, by, seconds):
    figures = folder / "benchmarks/growth"
    figures.mkdir(parents=True, exist_ok=True)
    points = [{by: at, "seconds": took, "peak_mb": 500.0} for at, took in seconds.items()]
    (figures / f"{measure}.json").write_text(json.dumps({"cores": 2, "points": points}))


def test_the_picture_is_drawn_from_what_is_kept(folder):
    for name, by in (("rows", "rows"), ("lengths", "tokens"), ("scoring", "rows"), ("workers", "workers")):
        keep(folder, name, by, {10: 3.0, 100: 12.0, 1000: 102.0})
    done = measure(folder, "draw")
    assert done.returncode == 0, done.stderr
    assert (folder / "docs/images/scale.png").read_bytes().startswith(PNG)


def test_what_was_not_measured_is_named(folder):
    keep(folder, "rows", "rows", {10: 3.0, 100: 12.0, 1000: 102.0})
    done = measure(folder, "draw")
    assert done.returncode == 1
    assert "lengths.json is missing" in done.stderr
    assert "python benchmarks/scale.py lengths" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("rows", ["--at", "40,80,160"]),
        ("lengths", ["--at", "48,64", "--rows", "40"]),
        ("workers", ["--at", "1,2", "--trials", "2", "--rows", "40"]),
    ],
)
def test_training_and_sweeps_are_measured_and_kept(folder, name, arguments):
    done = measure(folder, name, *arguments)
    assert done.returncode == 0, done.stderr
    points = json.loads((folder / f"benchmarks/growth/{name}.json").read_text())["points"]
    assert len(points) == len(done.stdout.split("\n\n")[0].splitlines()) - 2
    assert all(value > 0 for point in points for value in point.values())
    assert ("they foretell" in done.stdout) == (name == "rows")


@pytest.mark.slow
def test_scoring_and_stages_are_measured(folder, champion):
    done = measure(folder, "scoring", "--model", str(champion), "--at", "50,100")
    assert done.returncode == 0, done.stderr
    assert "of in process" in done.stdout
    done = measure(folder, "--model", str(champion), program="stages")
    assert done.returncode == 0, done.stderr
    assert "values/s, one client" in done.stdout
    assert "not counted" in done.stdout
