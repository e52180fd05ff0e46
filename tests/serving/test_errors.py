"""What is said of a full disk: Linux has one at /dev/full."""

import errno
from pathlib import Path

import pytest

from serving.errors import StancewiseError, full_disk
from serving.tables import whole


def test_a_file_on_a_full_disk_is_named_and_what_stood_there_stays(tmp_path):
    path = tmp_path / "out.csv"
    path.write_text("old", encoding="utf-8")
    with pytest.raises(OSError, match="No space left") as raised, whole(path) as temporary:
        temporary.write_text("half", encoding="utf-8")
        Path("/dev/full").write_text("x", encoding="utf-8")
    said = str(full_disk(raised.value))
    assert said == f"{path}: cannot be written: the disk is full; make room, or write to another folder"
    assert [one.name for one in tmp_path.iterdir()] == ["out.csv"]
    assert path.read_text(encoding="utf-8") == "old"


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(errno.EDQUOT, "Disk quota exceeded", "/a/b"), "/a/b: cannot be written"),
        (RuntimeError("(sqlite3.OperationalError) database or disk is full"), "the output cannot be written"),
        (OSError(errno.ENOENT, "No such file", "/a/b"), None),
        (RuntimeError("unexpected pos 26752 vs 26644"), None),
    ],
)
def test_errors_of_libraries_that_mean_a_full_disk(error, said):
    found = full_disk(error)
    assert (found is None) if said is None else str(found).startswith(said)


def test_what_was_said_already_is_not_lost_to_the_error_that_follows_it():
    def train() -> None:
        try:
            raise StancewiseError("go on with: --resume 1") from OSError(errno.ENOSPC, "No space left on device")
        finally:
            raise RuntimeError("the store cannot note it: database or disk is full")

    with pytest.raises(RuntimeError) as raised:
        train()
    assert str(full_disk(raised.value)) == "go on with: --resume 1"
