"""Archives labelled into a folder: killed, resumed, added to, and what is refused."""

import fcntl
import json
import random
import subprocess
import sys
import time
from io import StringIO
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from rich.console import Console

from serving.article.kept import Kept, parts
from serving.article.text.archive import Archive
from serving.classifier import StanceClassifier
from serving.errors import StancewiseError
from serving.scoring import archive as module
from serving.scoring.archive import label
from serving.scoring.engine import How

HOLDERS = ("Mayor Ilse Tarn", "Peter Holm", "Chairwoman Ada Brunn")
TARGETS = ("the Harbour Accord", "the Ferry Accord", "the Island Tunnel")
SIDES = ("a disgrace", "a blessing for every island")


def write_report(folder: Path, number: int, word: str = "") -> Path:
    """An invented report that is not nearly like another: too short for that."""
    holder, target = HOLDERS[number % 3], TARGETS[number // 3 % 3]
    text = f'"{target[0].upper()}{target[1:]} is {SIDES[number % 2]}," said {holder} at meeting {number}{word}.\n'
    path = folder / f"2026-{1 + number % 9:02}-{1 + number % 28:02}-{number:05}.md"
    path.write_text(f"---\nsource: Outlet {number % 4}\n---\n{text}", encoding="utf-8")
    return path


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "reports"
    made.mkdir()
    for number in range(8):
        write_report(made, number)
    return made


@pytest.fixture
def few(monkeypatch):
    """Two reports in a file of statements."""
    monkeypatch.setitem(module.AT_ONCE, "local", 2)


def run(model, folder, keep, copies=False, **how):
    """What the command does; returns the archive with its problems, the reports that it listed, and what was said."""
    archive, said = Archive([folder]), StringIO()
    how = How(**{"model": str(model), "targets": {}, "everything": True, **how})
    listed = label(archive, keep, how, Console(file=said, width=400), copies)
    return archive, listed, said.getvalue()


def kept(keep):
    """What a trend is computed from, by report."""
    return {report.name: (report, article) for report, article in Kept(keep)}


def digests(keep):
    """The texts of each file of statements."""
    return [list(dict.fromkeys(pq.read_table(part)["digest"].to_pylist())) for part in parts(keep)]


def test_what_is_kept_is_what_the_classifier_reads(baseline, folder, tmp_path, few):
    keep = tmp_path / "labelled"
    (folder / "2026-03-14-nothing.md").write_text("It rained.\n", encoding="utf-8")
    run(baseline, folder, keep)
    found = kept(keep)
    classifier = StanceClassifier.load(baseline)
    assert len(found) == 9
    statements = 0
    for path in sorted(folder.iterdir()):
        report, article = found[str(path)]
        wanted = classifier.read_article(path.read_text(encoding="utf-8"), everything=True)
        assert [one.model_dump() for one in article.statements] == [one.model_dump() for one in wanted.statements]
        assert (article.notes, article.text, article.name) == (wanted.notes, "", str(path))
        assert str(report.date) == path.name[:10]
        statements += len(article.statements)
    assert statements
    assert Kept(keep).counts() == (9, statements)
    assert [len(some) for some in digests(keep)] == [2, 2, 2, 2, 1]
    assert {one.name for one in keep.iterdir()} == {"_lock", "_manifest.json", "reports.parquet", "statements"}
    sure = list(Kept(keep, sure=True))
    assert len(sure) == 9
    assert sum(len(article.statements) for _, article in sure) == Kept(keep, sure=True).counts()[1] < statements


def test_only_new_and_changed_texts_are_labelled_and_removed_ones_vanish(baseline, folder, tmp_path):
    keep = tmp_path / "labelled"
    run(baseline, folder, keep)
    before = {part: part.read_bytes() for part in parts(keep)}
    assert "8 of 8 texts are labelled already" in run(baseline, folder, keep)[2]
    assert {part: part.read_bytes() for part in parts(keep)} == before
    first, second, third, fourth, *_ = sorted(folder.iterdir())
    first.unlink()
    second.rename(folder / "renamed.txt")  # without a day by now
    third.rename(folder / "2026-12-24-other-day.md")
    fourth.write_text(fourth.read_text(encoding="utf-8").replace("disgrace", "scandal").replace("blessing", "boon"))
    new = write_report(folder, 100)
    _, listed, said = run(baseline, folder, keep)
    assert "5 of 7 texts are labelled already" in said
    assert len(listed) == 8
    assert {part: part.read_bytes() for part in parts(keep) if part in before} == before
    assert [len(some) for some in digests(keep)] == [8, 2]
    found = kept(keep)
    assert not {str(first), str(second), str(third), str(folder / "renamed.txt")} & found.keys()
    assert str(found[str(folder / "2026-12-24-other-day.md")][0].date) == "2026-12-24"
    changed = found[str(fourth)][1].statements[0].sentence.text
    assert "scandal" in changed or "boon" in changed
    assert str(new) in found
    write_report(folder, int(first.stem[-5:]))
    assert "8 of 8 texts are labelled already" in run(baseline, folder, keep)[2]


def test_copies_are_labelled_once_and_count_if_they_are_to(baseline, folder, tmp_path):
    keep = tmp_path / "labelled"
    original = sorted(folder.iterdir())[0]
    (folder / "2026-12-01-copy.md").write_bytes(original.read_bytes())
    (folder / "2026-12-02-copy.md").write_text(original.read_text(encoding="utf-8").replace("Outlet", "Paper"))
    run(baseline, folder, keep)
    assert len(kept(keep)) == 8
    rows = {row["report"]: row for row in pq.read_table(keep / "reports.parquet").to_pylist()}
    assert rows[str(folder / "2026-12-01-copy.md")]["copy_of"] == str(original)
    run(baseline, folder, keep, copies=True)
    found = kept(keep)
    assert len(found) == 10
    # Another front matter has other offsets, and so is a text of its own.
    assert [len(some) for some in digests(keep)] == [8, 1]
    assert found[str(original)][1].statements == found[str(folder / "2026-12-01-copy.md")][1].statements
    run(baseline, folder, keep)
    assert len(kept(keep)) == 8


def command(model, folder, keep, *more):
    return [
        *(sys.executable, "-m", "serving", "article", str(folder), "--model", str(model), "--all"),
        *("--trend", "month", "--keep", str(keep), "--output", str(keep.with_suffix(".jsonl")), *more),
    ]


@pytest.mark.parametrize("kills", [2, pytest.param(10, marks=pytest.mark.slow)])
def test_killed_at_random_points_each_text_is_labelled_once(baseline, tmp_path, kills):
    folder, keep = tmp_path / "reports", tmp_path / "labelled"
    folder.mkdir()
    files = 2 * kills + 2  # of statements: each killed run writes at most two, so that the last one has work left
    for number in range(64 * files):
        write_report(folder, number)
    (folder / "broken.md").write_bytes(b"\xff\xfe\xff")
    chance = random.Random(kills)
    for _ in range(kills):
        begun = len(parts(keep))
        process = subprocess.Popen(command(baseline, folder, keep), stderr=subprocess.PIPE, text=True)
        while process.poll() is None and len(parts(keep)) == begun:
            time.sleep(0.001)
        wait = time.monotonic() + chance.random() / 2
        while time.monotonic() < wait and len(parts(keep)) == begun + 1:
            time.sleep(0.001)
        process.kill()
        process.communicate()
        assert process.returncode == -9
        assert not keep.with_suffix(".jsonl").exists()
    assert not (keep / "reports.parquet").exists()
    (keep / "statements" / ".part-000009.parquet.1.partial").write_bytes(b"half")
    last = subprocess.run(command(baseline, folder, keep), capture_output=True, text=True, check=False)
    assert last.returncode == 3, last.stderr
    assert "broken.md" in last.stderr
    assert f"{64 * files:,} articles" in last.stderr
    assert "texts are labelled already" in last.stderr
    unbroken = tmp_path / "unbroken"
    run(baseline, folder, unbroken)
    assert digests(keep) == digests(unbroken)
    assert list(Kept(keep)) == list(Kept(unbroken))
    assert not list(keep.rglob(".*"))
    assert keep.with_suffix(".jsonl").read_text(encoding="utf-8").count("\n") > 9


def test_other_work_is_refused_with_what_to_do(baseline, champion, folder, tmp_path):
    keep = tmp_path / "labelled"
    run(baseline, folder, keep)
    before = {path: path.read_bytes() for path in keep.rglob("*") if path.is_file()}
    for other, message in (
        ({}, f"holds answers of {baseline}, not of {champion}; give --model {baseline}"),
        ({"any_language": True}, "holds answers without --any-language; .* or name another --keep"),
        ({"everything": False}, "was begun with --all; add --all, or name another --keep"),
        ({"targets": {"Oslo": ["Norway"]}}, "was begun with other --target options; give the same ones"),
    ):
        with pytest.raises(StancewiseError, match=message):
            run(baseline if other else champion, folder, keep, **other)
    manifest = keep / "_manifest.json"
    for field, message in (("parser", "was read with old, not with"), ("runtime", "was labelled on old, not on")):
        manifest.write_text(json.dumps({**json.loads(before[manifest]), field: "old"}), encoding="utf-8")
        write_report(folder, 100)
        with pytest.raises(StancewiseError, match=message):
            run(baseline, folder, keep)
    manifest.write_bytes(before[manifest])
    with (keep / "_lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(StancewiseError, match="another run is writing to it"):
            run(baseline, folder, keep)
    assert {path: path.read_bytes() for path in keep.rglob("*") if path.is_file()} == before


def test_a_folder_of_something_else_is_not_touched(baseline, folder, tmp_path):
    for name, file, message in (
        ("mine", "thesis.txt", "holds no _manifest.json; name another --keep"),
        ("hidden", ".git", "holds no _manifest.json; name another --keep"),
        ("scored", "_manifest.json", "its _manifest.json is not one of labelled reports; name another --keep"),
    ):
        (tmp_path / name).mkdir()
        (tmp_path / name / file).write_text("{}", encoding="utf-8")
        with pytest.raises(StancewiseError, match=message):
            run(baseline, folder, tmp_path / name)
        assert (tmp_path / name / file).read_text(encoding="utf-8") == "{}"
    (tmp_path / "file").write_text("x", encoding="utf-8")
    with pytest.raises(StancewiseError, match="is a file; name a folder"):
        run(baseline, folder, tmp_path / "file")
    with pytest.raises(StancewiseError, match="does not exist"):
        run(baseline, folder, tmp_path / "no" / "where")


def test_without_a_report_that_counts_nothing_is_made(baseline, tmp_path):
    folder, keep = tmp_path / "reports", tmp_path / "labelled"
    folder.mkdir()
    archive, listed, _ = run(baseline, folder, keep)
    assert ("no .txt or .md file in this folder" in archive.problems[0], listed) == (True, [])
    (folder / "undated.txt").write_text("It rained.\n", encoding="utf-8")
    assert len(run(baseline, folder, keep)[1]) == 1
    assert not keep.exists()


def test_a_full_disk_loses_no_text_that_was_labelled(baseline, folder, tmp_path, few, monkeypatch):
    keep = tmp_path / "labelled"
    real = pq.write_table
    written = []

    def full(table, where, **options):
        if len(written) == 2:
            Path(where).write_bytes(b"PAR1")
            raise OSError(28, "No space left on device", str(where))
        written.append(where)
        real(table, where, **options)

    with monkeypatch.context() as patched:
        patched.setattr(pq, "write_table", full)
        with pytest.raises(StancewiseError, match=r"No space left .* again: what is labelled is kept"):
            run(baseline, folder, keep)
    assert [len(some) for some in digests(keep)] == [2, 2]
    assert not list(keep.rglob(".*.partial"))
    assert "4 of 8 texts are labelled already" in run(baseline, folder, keep)[2]
    assert len(kept(keep)) == 8


def test_a_damaged_file_is_named_and_its_texts_are_labelled_again(baseline, folder, tmp_path, few):
    keep = tmp_path / "labelled"
    run(baseline, folder, keep)
    part = parts(keep)[1]
    part.write_bytes(part.read_bytes()[:-20])
    with pytest.raises(StancewiseError, match=r"part-000001\.parquet: cannot be read .*remove it and run the same"):
        run(baseline, folder, keep)
    part.unlink()
    run(baseline, folder, keep)
    assert len(kept(keep)) == 8


def test_names_that_are_no_text_are_kept(baseline, folder, tmp_path):
    path = write_report(folder, 50)
    odd = path.rename(folder / "2026-05-05-\udcff.md")
    run(baseline, folder, tmp_path / "labelled")
    assert str(odd).encode("utf-8", "backslashreplace").decode() in kept(tmp_path / "labelled")


def test_a_text_that_changes_meanwhile_is_named(baseline, folder, tmp_path):
    path = sorted(folder.iterdir())[3]
    archive = Archive([folder])
    listed = label(
        archive,
        tmp_path / "labelled",
        How(str(baseline), {}, everything=True),
        Console(file=StringIO()),
        on_survey=lambda _: path.unlink(),
    )
    assert archive.problems == [f"{path}: changed while it was read; run the same command again"]
    assert len(listed) == 8
    assert len(kept(tmp_path / "labelled")) == 7


def test_a_text_that_cannot_be_labelled_is_named_and_the_others_are(baseline, folder, tmp_path):
    archive, _, _ = run(baseline, folder, tmp_path / "labelled", targets={" ": []})
    assert len(archive.problems) == 8
    assert archive.problems[0].startswith(f"{sorted(folder.iterdir())[0]}: targets: a name is blank")
    assert kept(tmp_path / "labelled") == {}
