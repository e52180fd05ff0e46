"""The program that tries levers of training, on a public set of made-up rows."""

import os
import subprocess
import sys

import pytest

from tests.conftest import REPOSITORY, STATEMENTS, read_lines, write_lines
from training.data.checksums import read_parquet


@pytest.mark.slow
def test_levers_are_compared_with_the_recipe_and_kept(tmp_path):
    folder = tmp_path / "sets" / "newsmtsc"
    folder.mkdir(parents=True)
    for part, rows in (("train", 80), ("rw_validation", 30), ("mt_validation", 30)):
        own = read_lines(STATEMENTS / f"{'train' if part == 'train' else 'test'}.jsonl")
        write_lines(folder / f"{part}.jsonl", own[:rows] if part != "mt_validation" else own[-rows:])
    for name in ("data", "configs"):
        (tmp_path / name).symlink_to(REPOSITORY / name)
    program = "import benchmarks.levers as levers; levers.TRAINED, levers.MEASURED = 30, 40; levers.run(levers.app)"
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "STANCE_BENCHMARKS": str(tmp_path / "sets")}

    def run(*arguments: str) -> subprocess.CompletedProcess:
        command = [sys.executable, "-c", program, *arguments]
        done = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300, check=False
        )
        assert done.returncode == 0, done.stderr
        return done

    levers = "recipe,target named first,r-drop,adversarial,five epochs averaged,contrastive"
    done = run("--only", levers, "--seeds", "1")
    lines = [line.strip("| ").split(" | ") for line in done.stdout.splitlines() if line.startswith("| ")]
    assert [line[0] for line in lines[1:]] == levers.split(",")
    cells = tmp_path / "benchmarks/cells/levers.parquet"
    assert read_parquet(cells)["lever"].to_pylist() == sorted(levers.split(","))
    content = cells.read_bytes()
    again = run("--only", levers, "--seeds", "1")
    assert again.stdout == done.stdout
    assert cells.read_bytes() == content
