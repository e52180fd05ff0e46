"""Answers on disk: what is kept, taken back, and found again after a crash."""

import json
import os
import re
import resource
import signal
import subprocess
import sys
from contextlib import ExitStack, contextmanager

import pytest

from serving.errors import StancewiseError
from serving.tables import append_row, appendable, mend_end
from tests.conftest import REPOSITORY, write_lines
from tests.training.labelling.pages import ask
from training.config import DataSet
from training.data.check import check
from training.data.corpus import LabelledStatement
from training.data.sources import read_set
from training.labelling.answers import Answered, Given, session

TEXTS = (
    "The choir sued the bishop over the bells.",
    "مجلس المدينة يشيد بالحديقة.",
    "🐝 The beekeepers asked for a hedge.",
    "Nobody likes the new clock, says the sexton.",
    "The baker met the mayor at noon.",
)
STATEMENTS = [
    LabelledStatement(id=str(i), text=text, speaker="The choir" if i == 1 else None, group=f"g{i}")
    for i, text in enumerate(TEXTS, 1)
]


@contextmanager
def opened(path):
    with session(path, STATEMENTS) as (one, _):
        yield one


def given(number, **labels):
    return Given(id=str(number), **({"stance": "neutrality", "sentiment": "neutral"} | labels))


def ids(path):
    return [json.loads(line)["id"] for line in path.read_text("utf-8").splitlines()]


def test_the_same_command_goes_on_behind_the_last_answer_and_comes_back_to_what_was_skipped(tmp_path):
    path = tmp_path / "a.jsonl"
    with opened(path) as one:
        one.answer(given(1))
        one.skip("2")
        one.answer(given(3))
    with opened(path) as one:
        assert [one.next().id, len(one.answers)] == ["4", 2]
        one.answer(given(4))
        one.answer(given(5))
        assert one.next().id == "2"
        one.answer(given(2))
        assert one.next() is None
    assert ids(path) == ["1", "3", "4", "5", "2"]


def test_undo_goes_back_over_skips_and_answers_and_over_a_restart(tmp_path):
    path = tmp_path / "a.jsonl"
    with opened(path) as one:
        one.answer(given(1, stance="criticism", note="bells"))
        one.answer(given(2))
        one.skip("3")
        one.skip("4")
        assert [one.undo(), one.next().id, one.undo(), one.next().id] == [None, "4", None, "3"]
    with opened(path) as one:
        assert (one.undo().id, one.next().id, ids(path)) == ("2", "2", ["1"])
        back = one.undo()
        assert (back.stance, back.note, one.next().id, path.read_bytes()) == ("criticism", "bells", "1", b"")
        assert not one.can_undo()
        assert one.undo() is None


def test_a_second_answer_to_one_statement_is_refused(tmp_path):
    with opened(tmp_path / "a.jsonl") as one:
        one.answer(given(1))
        for again in (lambda: one.answer(given(1)), lambda: one.skip("1")):
            with pytest.raises(Answered):
                again()
    assert ids(tmp_path / "a.jsonl") == ["1"]


@pytest.mark.parametrize("cut", range(1, 60, 7))
def test_a_half_written_last_line_is_cut_off_and_asked_again(tmp_path, cut):
    path = tmp_path / "a.jsonl"
    with opened(path) as one:
        one.answer(given(1))
        one.answer(given(2))
    path.write_bytes(path.read_bytes()[: -1 - cut])
    with session(path, STATEMENTS) as (one, lost):
        assert lost > 0
        assert one.next().id == "2"
        one.answer(given(2))
    assert ids(path) == ["1", "2"]


def test_a_last_line_without_its_end_and_blank_lines_are_no_loss(tmp_path):
    path = tmp_path / "a.jsonl"
    with opened(path) as one:
        one.answer(given(1))
    whole = path.read_bytes()
    for end in (b"", b"\n\n", b"\n  \n"):
        path.write_bytes(whole.rstrip(b"\n") + end)
        with session(path, STATEMENTS) as (one, lost):
            assert (lost, len(one.answers)) == (0, 1)
        assert path.read_bytes() == whole


def test_a_file_without_a_single_whole_line_begins_anew(tmp_path):
    (tmp_path / "a.jsonl").write_bytes('{"id": "1", "text": "Über'.encode()[:-1])
    with session(tmp_path / "a.jsonl", STATEMENTS) as (one, lost):
        assert (lost, one.next().id) == (25, "1")


def test_what_the_disk_does_not_take_leaves_the_file_as_it_was(tmp_path):
    path = tmp_path / "a.jsonl"
    with opened(path) as one:
        one.answer(given(1))
        before = path.read_bytes()
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 10, limits[1]))
        try:
            with pytest.raises(OSError, match="large"):
                one.answer(given(2))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        assert path.read_bytes() == before
        assert one.next().id == "2"
        one.answer(given(2))
    assert ids(path) == ["1", "2"]


def test_two_sessions_never_share_a_file(tmp_path):
    with (
        opened(tmp_path / "a.jsonl"),
        pytest.raises(StancewiseError, match=r"a.jsonl: another process writes to it"),
        opened(tmp_path / "a.jsonl"),
    ):
        pass


def test_a_folder_that_may_not_be_written_is_named(tmp_path):
    """Without the rights of root, which may write anywhere."""
    root = os.geteuid() == 0
    tmp_path.chmod(0o500)
    if root:
        os.seteuid(65534)
    try:
        with pytest.raises(
            StancewiseError, match=r"a.jsonl: cannot be written \(Permission denied\); choose a file els"
        ):
            session(tmp_path / "a.jsonl", STATEMENTS).__enter__()
    finally:
        if root:
            os.seteuid(0)
        tmp_path.chmod(0o700)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (
            {"id": "1", "text": "Another text.", "stance": "support"},
            r"a.jsonl:1: answers a statement that is not in this",
        ),
        ({"id": "77", "text": TEXTS[0], "stance": "support"}, r"a.jsonl:1: answers a statement that is not in this"),
        ({"id": "1", "text": TEXTS[0], "stance": "zebra"}, r"a.jsonl:1: stance: .*; correct the line or remove it"),
        ([1], r"a.jsonl:1: a JSON object is needed, not list; correct the line"),
    ],
)
def test_a_file_of_something_else_is_refused(tmp_path, line, said):
    path = write_lines(tmp_path / "a.jsonl", [line])
    before = path.read_bytes()
    with pytest.raises(StancewiseError, match=said) as error, opened(path):
        pass
    assert "zebra" not in str(error.value)
    assert path.read_bytes() == before


def test_answers_twice_and_a_table_as_output_are_refused(tmp_path):
    row = {"id": "1", "text": TEXTS[0], "stance": "support"}
    path = write_lines(tmp_path / "a.jsonl", [row, row])
    with pytest.raises(StancewiseError, match=r"a.jsonl:2: a second answer to one statement"), opened(path):
        pass
    with pytest.raises(StancewiseError, match=r"a.csv: answers are kept as JSON Lines"), opened(tmp_path / "a.csv"):
        pass


def test_the_answers_are_training_data_as_they_are(tmp_path):
    path = tmp_path / "a.jsonl"
    with opened(path) as one:
        one.shown["4"] = {"model": "tiny", "stance": "support", "stance_probabilities": {"support": 1.0}}
        for number, stance in enumerate(("support", "neutrality", "criticism", "criticism"), 1):
            one.answer(given(number, stance=stance, note="says so", target={"start": 2, "end": 7}))
    assert check([path], least_share=0, most_share=1) == []
    for source in ("statements", "table"):
        rows = read_set(DataSet(source=source, path=path)).rows
        assert [row.stance for row in rows] == ["support", "neutrality", "criticism", "criticism"]
        assert [row.group for row in rows] == ["g1", "g2", "g3", "g4"]
        assert rows[2].text[rows[2].target_start : rows[2].target_end] == rows[2].target == "The b"


def test_lone_surrogates_and_nested_values_are_written_whole(tmp_path):
    with appendable(tmp_path / "a.jsonl") as file:
        append_row(file, {"text": "half \ud83d", "more": {"a": [1]}})
        assert mend_end(file) == 0
    assert json.loads((tmp_path / "a.jsonl").read_bytes())["text"] == "half \ud83d"


@contextmanager
def command(folder, *options):
    """The command in a process of its own: the address and key of its page, and the process."""
    process = subprocess.Popen(
        [sys.executable, "-m", "training", "label", *options, "--port", "0", "--no-browser"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with ExitStack() as stack:
        stack.callback(process.wait)
        stack.callback(process.kill)
        for line in process.stdout:
            if found := re.search(r"(http://127.0.0.1:\d+)/#(\S+)", line):
                yield found[1], found[2], process
                return
        raise AssertionError(process.stderr.read())


def test_after_kill_9_no_answer_is_lost_and_the_same_command_goes_on(tmp_path):
    write_lines(tmp_path / "to-label.jsonl", [{"text": text} for text in TEXTS])
    options = ("to-label.jsonl", "--output", "a.jsonl")
    kept = []
    for stop in (2, 1):
        with command(tmp_path, *options) as (host, key, process):
            for _ in range(stop):
                asked = ask(host, "/next", None, key)[1]["statement"]["id"]
                assert ask(host, "/answer", {"id": asked, "stance": "support"}, key)[0] == 200
                kept.append(asked)
            process.send_signal(signal.SIGKILL)
            process.wait()
        assert ids(tmp_path / "a.jsonl") == kept
        with (tmp_path / "a.jsonl").open("ab") as file:
            file.write(b'{"id": "to-label:4", "te')  # as if the last write had been cut
    with command(tmp_path, *options) as (host, key, process):
        state = ask(host, "/next", None, key)[1]
        assert (state["statement"]["id"], state["done"], state["total"]) == ("to-label:4", 3, 5)
        process.send_signal(signal.SIGINT)
        out, complaints = process.communicate(timeout=60)
    assert process.returncode == 0
    assert "answered: 3 of 5; the same command goes on" in out
    assert "its last line was half-written (24 bytes)" in complaints
