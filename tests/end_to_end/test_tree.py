"""`make demo` and `make tables` rewrite nothing that is under version control; conftest.py sees to `make test`."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY, ran, tracked_changes

SETS = os.environ.get("STANCE_BENCHMARKS")
needs_sets = pytest.mark.skipif(not SETS, reason="STANCE_BENCHMARKS is not set")


@pytest.fixture
def copy(tmp_path):
    """The tracked files in a repository of their own."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("not a clone: nothing is under version control")
    folder = tmp_path / "clone"
    for name in filter(None, listed.stdout.split("\0")):
        if (REPOSITORY / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(REPOSITORY / name, folder / name)
    identity = ["-c", "user.name=test", "-c", "user.email=test@localhost"]
    for command in (["init", "--quiet"], ["add", "--all"], [*identity, "commit", "--quiet", "--message", "all"]):
        subprocess.run(["git", *command], cwd=folder, check=True)
    return folder


def environment(folder: Path) -> dict[str, str]:
    store = f"sqlite:///{folder}/mlflow.db"
    return {**os.environ, "PYTHONPATH": str(folder), "MLFLOW_TRACKING_URI": store, "HF_HUB_OFFLINE": "1"}


def test_a_short_demo_rewrites_nothing_tracked(copy, encoder):
    parts = {part: f"{{path: data/statements/{part}.jsonl, rows: 60}}" for part in ("train", "validation", "test")}
    short = {"data": f"{{{', '.join(f'{part}: {one}' for part, one in parts.items())}}}", "epochs": "1"}
    short |= {"encoder": f"{{folder: {encoder}}}", "device": "cpu"}
    options = [word for key, value in short.items() for word in ("--set", f"{key}={value}")]
    for command in (["train", "configs/quickstart.yaml", "--reuse", *options], ["sample", "state-visit"]):
        ran([sys.executable, "-m", "training", *command], copy, environment(copy))
    assert tracked_changes(copy) == ""


@needs_sets
def test_a_short_table_rewrites_nothing_tracked(copy):
    for command in (
        ["benchmarks/transfer.py"],
        ["-m", "training", "benchmark", "configs/benchmarks/votes.yaml", "--table"],
    ):
        done = ran([sys.executable, *command], copy, environment(copy))
    assert "| votes | 3 |" in done.stdout
    assert tracked_changes(copy) == ""


@pytest.mark.slow
@pytest.mark.parametrize("target", ["demo", pytest.param("tables", marks=needs_sets)])
def test_make_rewrites_nothing_tracked(copy, target):
    # An environment that is installed already: this one.
    venv = copy / ".venv"
    venv.mkdir()
    (venv / "bin").symlink_to(Path(sys.executable).parent)
    (venv / "installed").touch()
    done = subprocess.run(
        ["make", target], cwd=copy, env=environment(copy), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert tracked_changes(copy) == ""
