"""Kept Parquet files and their digests."""

import subprocess
import sys

import pyarrow as pa
import pytest

from serving import StancewiseError
from tests.conftest import REPOSITORY
from training.data.checksums import SUMS, check, read_parquet, update_parquet


def add(path, value):
    update_parquet(path, lambda old: pa.table({"n": [*(old["n"].to_pylist() if old else []), value]}), ("n",))


def test_a_file_is_changed_with_its_digest_as_sha256sum_reads_it(tmp_path):
    path = tmp_path / "kept" / "numbers.parquet"
    add(path, 1)
    add(path, 2)
    add(path.with_name("others.parquet"), 3)
    assert read_parquet(path).to_pydict() == {"n": [1, 2]}
    done = subprocess.run(["sha256sum", "--check", SUMS], cwd=path.parent, capture_output=True, text=True, check=False)
    assert done.stdout == "numbers.parquet: OK\nothers.parquet: OK\n"


def test_another_file_in_its_place_is_refused_and_left_as_it_is(tmp_path):
    path, other = tmp_path / "numbers.parquet", tmp_path / "other" / "numbers.parquet"
    add(path, 1)
    add(other, 2)
    path.write_bytes(other.read_bytes())
    for refused in (lambda: read_parquet(path), lambda: check(path), lambda: add(path, 3)):
        with pytest.raises(StancewiseError, match=r"numbers\.parquet: its SHA-256 is not the one in .*SHA256SUMS"):
            refused()
    assert path.read_bytes() == other.read_bytes()


def test_a_file_that_is_not_listed_may_be_read(tmp_path):
    path = tmp_path / "numbers.parquet"
    add(path, 1)
    (tmp_path / SUMS).unlink()
    assert read_parquet(path).num_rows == 1
    path.write_text("no table")
    with pytest.raises(StancewiseError, match="not a Parquet file"):
        read_parquet(path)


def test_a_change_that_fails_changes_nothing(tmp_path):
    path = tmp_path / "numbers.parquet"
    add(path, 1)
    before = {one.name: one.read_bytes() for one in tmp_path.iterdir()}
    with pytest.raises(ZeroDivisionError):
        update_parquet(path, lambda _: 1 / 0, ("n",))
    assert {one.name: one.read_bytes() for one in tmp_path.iterdir()} == before


def test_processes_that_add_at_once_lose_nothing(tmp_path):
    program = (
        "import sys; from pathlib import Path; from tests.training.data.test_checksums import add\n"
        "for n in range(5): add(Path(sys.argv[1]), int(sys.argv[2]) + n)"
    )
    path = tmp_path / "numbers.parquet"
    commands = [[sys.executable, "-c", program, str(path), str(first)] for first in (0, 10)]
    started = [subprocess.Popen(command, cwd=REPOSITORY) for command in commands]
    assert [process.wait(120) for process in started] == [0, 0]
    assert sorted(read_parquet(path)["n"].to_pylist()) == [*range(5), *range(10, 15)]
