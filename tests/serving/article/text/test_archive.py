"""Archives of reports: what is in them, read a second time, and what is bad in them."""

import datetime
import os
import threading
from pathlib import Path

import pytest

from serving.article.text.archive import Archive, Listed, digest_of, notes
from serving.article.text.dates import AmbiguousDateError
from tests.serving.article.text.test_copies import REPRINT, STORY

DAY = datetime.date(2026, 3, 14)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "2026-03-14-a.md").write_text(STORY, encoding="utf-8")
    (tmp_path / "b.md").write_text(f"---\ndate: 15 March 2026\nsource: The Post\n---\n{REPRINT}", encoding="utf-8")
    (tmp_path / "c.txt").write_text(
        "Title: A row\nDate: 2026-03-14T23:30:00-05:00\n\nIlse Tarn left.", encoding="utf-8"
    )
    (tmp_path / "d.txt").write_text("Ilse Tarn stayed.", encoding="utf-8")
    return tmp_path


def test_days_of_many_forms_are_read_and_copies_named(folder):
    listed = Archive([folder]).survey()
    names = [str(folder / name) for name in ("2026-03-14-a.md", "b.md", "c.txt", "d.txt")]
    assert [(one.name, one.date) for one in listed] == [
        (names[0], DAY),
        (names[1], datetime.date(2026, 3, 15)),
        (names[2], DAY),  # the day that is written, whatever the zone
        (names[3], None),
    ]
    assert [one.counts for one in listed] == [True, False, True, False]
    assert notes(listed) == [
        f"reports whose text is a copy of another one, or nearly one, counted once: 1 ({names[1]} of {names[0]}; "
        "--copies counts them all)",
        f"reports without a date, left out: 1 ({names[3]})",
    ]
    assert [one.counts for one in Archive([folder]).survey(copies=True)] == [True, True, True, False]


def test_texts_are_read_again_only_where_they_are_wanted(folder):
    archive = Archive([folder, folder])
    listed = archive.survey()
    assert len(listed) == 4
    wanted = [listed[0], listed[2]]
    (folder / "d.txt").unlink()
    again = list(archive.reports({one.digest for one in wanted}, {one.file for one in wanted}))
    assert [(one.name, digest_of(one.text)) for one in again] == [(one.name, one.digest) for one in wanted]
    (folder / "c.txt").write_text("Ilse Tarn changed.", encoding="utf-8")
    again = archive.reports({one.digest for one in wanted}, {one.file for one in wanted})
    assert [one.name for one in again] == [listed[0].name]


def test_what_is_bad_is_named_and_the_others_are_read(folder):
    (folder / "old.txt").write_bytes("Secret café.".encode("latin-1"))
    (folder / "empty").mkdir()
    misread = folder / "misread.jsonl"
    misread.write_text('{"id": "Secret one."}\n{"Text": "Secret two."}\n', encoding="utf-8")
    rows = folder / "rows.csv"
    rows.write_text("text,date,id\nIlse Tarn sang.,2026-03-15,x\nSecret,spring,y\n", encoding="utf-8")
    archive = Archive([folder, folder / "empty", folder / "nowhere", misread, rows])
    listed = archive.survey()
    assert [one.name for one in listed][4:] == [f"{rows}: x"]
    assert [problem.removeprefix(f"{folder}/").split(":")[0] for problem in archive.problems] == [
        *("empty", "nowhere", "old.txt", "misread.jsonl", "rows.csv"),
    ]
    assert "write 'Text' as 'text'" in archive.problems[3]
    assert not any("Secret" in problem for problem in archive.problems)


def test_a_date_with_two_meanings_is_known_before_anything_is_labelled(folder):
    (folder / "z.txt").write_text("Title: A row\nDate: 03/04/2026\n\nIlse Tarn left.", encoding="utf-8")
    with pytest.raises(AmbiguousDateError, match=r"z\.txt: date: 03/04/2026 is 3 April or 4 March"):
        Archive([folder]).survey()
    assert Archive([folder], order="day-first").survey()[-1].date == datetime.date(2026, 4, 3)


def test_what_can_be_read_once_only_is_remembered(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    text = f"Title: A row\nDate: 2026-03-14\n\n{STORY}"
    thread = threading.Thread(target=lambda: pipe.write_text(text, encoding="utf-8"))
    thread.start()
    archive = Archive([pipe])
    [one] = archive.survey()
    thread.join()
    [report] = archive.reports({one.digest}, {pipe})
    assert report.text.endswith(STORY)


def test_a_text_that_stands_in_two_files_is_read_once(tmp_path):
    for name in ("a", "b"):
        (tmp_path / f"2026-03-14-{name}.md").write_text(STORY, encoding="utf-8")
    archive = Archive([tmp_path])
    listed = archive.survey(copies=True)
    assert len({one.digest for one in listed}) == 1
    assert len(list(archive.reports({one.digest for one in listed}, {one.file for one in listed}))) == 1


def test_a_note_lists_some_of_many():
    made = [Listed(f"{place}.md", None, None, b"", Path("x")) for place in range(12)]
    assert notes(made) == [
        "reports without a date, left out: 12 (0.md, 1.md, 2.md, 3.md, 4.md, 5.md, 6.md, 7.md, 8.md, 9.md and 2 more)"
    ]
