"""The programs that measure adapt and pick, on a public set of made-up rows."""

import json
import subprocess
import sys

import pytest

from tests.conftest import REPOSITORY, STATEMENTS, read_lines, write_lines


@pytest.fixture
def program(project, tmp_path):
    """Runs a program in the project's folder; its cells go to the file given."""
    folder = tmp_path / "sets" / "gwsd"
    folder.mkdir(parents=True)
    rows = read_lines(STATEMENTS / "train.jsonl")[1000:]
    for part, some in (("train", rows[:120]), ("test", rows[300:340])):
        kept = ("id", "text", "target", "stance")
        write_lines(folder / f"{part}.jsonl", [{name: row[name] for name in kept} for row in some])
    environment = project.environment | {"STANCE_BENCHMARKS": str(tmp_path / "sets")}

    def run(name: str, *arguments: str) -> str:
        command = [sys.executable, str(REPOSITORY / "benchmarks" / name), "--sets", "gwsd", "--seeds", "1", *arguments]
        done = subprocess.run(
            command, cwd=project.folder, env=environment, capture_output=True, text=True, timeout=600, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


@pytest.mark.slow
def test_few_labels_are_measured_cell_by_cell(program, tmp_path):
    cells = tmp_path / "adapt.jsonl"
    options = ["--rows", "8", "--epochs", "1", "--output", str(cells)]
    program("adapt.py", "--methods", "TF-IDF", *options)
    first = cells.read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["method"] for line in first] == ["first model", "TF-IDF"]
    program("adapt.py", "--methods", "ours,bare,TF-IDF", *options)
    lines = cells.read_text(encoding="utf-8").splitlines()
    assert lines[:2] == first, "what is finished is not run again"
    assert {json.loads(line)["method"] for line in lines[2:]} == {"ours", "bare"}
    assert len(json.loads(lines[-1])["predicted"]) == 40
    table = program("adapt.py", "--table", "--output", str(cells))
    assert [line.split(" | ")[1] for line in table.splitlines()[2:]] == ["first model", "ours", "bare", "TF-IDF"]
    assert "text" not in json.loads(lines[0])


@pytest.mark.slow
def test_picking_is_measured_against_chance(program, tmp_path):
    cells = tmp_path / "pick.jsonl"
    program("pick.py", "--labels", "10,20", "--output", str(cells))
    kept = [json.loads(line) for line in cells.read_text(encoding="utf-8").splitlines()]
    assert {(one["way"], one["labels"]) for one in kept} == {(w, n) for w in ("picked", "random") for n in (10, 20)}
    table = program("pick.py", "--table", "--output", str(cells)).splitlines()
    assert table[2].startswith("| gwsd, stance | 10 | 1 |")
    assert table[2].count("[") == 4
