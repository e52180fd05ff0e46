import csv
from datetime import date

import pytest
from openpyxl import Workbook

from serving import StancewiseError
from serving.rows.read import MISSING, read_json_lines, read_rows


def rows_of(path, content, encoding="utf-8"):
    path.write_bytes(content.encode(encoding) if isinstance(content, str) else content)
    return list(read_rows(path))


def test_json_lines_name_the_line_of_what_cannot_be_read():
    rows = list(read_json_lines(['{"text": "a"}\n', "\n", "{broken\n", "[1]\n"]))
    assert [(row.line, row.problem is None) for row in rows] == [(1, True), (3, False), (4, False)]
    assert "not JSON" in rows[1].problem
    assert "list" in rows[2].problem


def test_csv_rows_with_other_fields_than_the_header_are_named(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text('text,speaker\n"a\nb",x\nonly\none,two,three\n', encoding="utf-8")
    rows = list(read_rows(path))
    assert [row.line for row in rows] == [2, 4, 5]
    assert rows[0].values == {"text": "a\nb", "speaker": "x"}
    assert "fewer fields" in rows[1].problem
    assert "more fields" in rows[2].problem


def test_a_byte_order_mark_is_no_part_of_the_first_column(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_bytes(b"\xef\xbb\xbftext\nhello\n")
    assert [row.values for row in read_rows(path)] == [{"text": "hello"}]


@pytest.mark.parametrize(
    ("header", "row", "values"),
    [
        ("text;speaker;votes, all", "a;b;c", {"text": "a", "speaker": "b", "votes, all": "c"}),
        ("text,votes;a;b;c", "a,b", {"text": "a", "votes;a;b;c": "b"}),
        ("Text;x,y,z", "a;b", {"Text": "a", "x,y,z": "b"}),
        ("tweet;author;x,y", "a;b;c", {"tweet": "a", "author": "b", "x,y": "c"}),
        ("text", "a; b", {"text": "a; b"}),
    ],
)
def test_a_mark_within_a_column_name_is_no_separator(tmp_path, header, row, values):
    assert [one.values for one in rows_of(tmp_path / "rows.csv", f"{header}\n{row}\n")] == [values]


@pytest.mark.parametrize("first", ["sep=;", '"sep=;"', "SEP=;", "\ufeffsep=;"])
def test_a_first_line_that_tells_excel_the_separator_is_no_header(tmp_path, first):
    [row] = rows_of(tmp_path / "rows.csv", f"{first}\r\ntext;speaker\r\nOslo, yes.;Oslo\r\n")
    assert (row.line, row.values) == (3, {"text": "Oslo, yes.", "speaker": "Oslo"})


def test_unknown_missing_and_false_files_are_errors(tmp_path):
    with pytest.raises(StancewiseError, match=r"unknown extension '\.ods'"):
        list(read_rows(tmp_path / "rows.ods"))
    with pytest.raises(StancewiseError, match="no such file"):
        list(read_rows(tmp_path / "rows.jsonl"))
    (tmp_path / "rows.parquet").write_text("no parquet")
    with pytest.raises(StancewiseError, match="not a Parquet file"):
        list(read_rows(tmp_path / "rows.parquet"))


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_what_spreadsheets_save_is_read(tmp_path, separator, end, mark):
    lines = [
        ("text", "speaker", "target"),
        ('"Oslo; Rome|Turin, and\tBern said ""no"""', "Rome", "the pact"),
        ("Yes", "", ""),
    ]
    content = mark + end.join(separator.join(cells) for cells in lines) + end
    first, second = rows_of(tmp_path / "rows.csv", content)
    assert first.values == {"text": 'Oslo; Rome|Turin, and\tBern said "no"', "speaker": "Rome", "target": "the pact"}
    assert (first.line, second.line, second.values["speaker"]) == (2, 3, "")


def test_a_comma_in_the_header_separates_whatever_else_stands_there(tmp_path):
    [row] = rows_of(tmp_path / "rows.csv", "text,note;old\na;b,c\n")
    assert row.values == {"text": "a;b", "note;old": "c"}


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_json_lines_may_have_windows_line_ends_and_a_mark(tmp_path, mark):
    rows = rows_of(tmp_path / "rows.jsonl", mark + b'{"text": "a"}\r\n\r\n{"text": "b"}\r\n')
    assert [(row.line, row.values) for row in rows] == [(1, {"text": "a"}), (3, {"text": "b"})]


@pytest.mark.parametrize("extension", [".csv", ".jsonl"])
@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("text,target\na,b\n".encode("utf-16"), "UTF-16, not UTF-8 text; save it as UTF-8 .Excel: as 'CSV UTF-8'"),
        ("text,target\na,b\n".encode("utf-16-be"), "UTF-16 or no text"),
        ("text\n".encode("utf-32"), "UTF-32"),
        (b"\x1f\x8b\x08\x00rest", "gzip"),
        (b"PK\x03\x04rest", "Excel workbook"),
        (b"PAR1rest", "extension .parquet"),
    ],
)
def test_what_is_no_utf8_text_is_one_error_that_says_what_it_is(tmp_path, extension, content, message):
    with pytest.raises(StancewiseError, match=rf"rows{extension}: .*{message}"):
        rows_of(tmp_path / f"rows{extension}", content)


def test_a_byte_that_is_not_utf8_makes_its_row_a_bad_one_in_whichever_column(tmp_path):
    content = "text,land\nYes,Österreich\nNo,Peru\n".encode() + "Na,Perú\n".encode("latin-1")
    rows = rows_of(tmp_path / "rows.csv", content)
    assert [(row.line, row.problem is None) for row in rows] == [(2, True), (3, True), (4, False)]
    assert rows[2].problem.startswith("not UTF-8: byte 0xFA at column 7; save the file as UTF-8")
    lines = rows_of(tmp_path / "rows.jsonl", b'{"text": "a", "x": "\xfa"}\n{"text": "b", "x": "\\ud83d"}\n')
    assert [row.problem is None for row in lines] == [False, True]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("text,größe\na,b\n".encode("latin-1"), r"rows.csv:1: not UTF-8: byte 0xF6"),
        (b"text,target,text\na,b,c\n", r"rows.csv:1: column 'text' stands twice"),
        (b'text,"target\na,b\n', r"rows.csv:1: the header is not CSV"),
    ],
)
def test_a_header_that_cannot_be_right_is_an_error(tmp_path, content, message):
    with pytest.raises(StancewiseError, match=message):
        rows_of(tmp_path / "rows.csv", content)


def test_blank_lines_before_the_header_and_between_rows_are_passed_over(tmp_path):
    rows = rows_of(tmp_path / "rows.csv", "\n\ntext,target\n\na,b\n")
    assert [(row.line, row.values) for row in rows] == [(5, {"text": "a", "target": "b"})]


GOOD = "Oslo agreed,Oslo\n"


@pytest.mark.parametrize(
    ("lines", "bad"),
    [
        (['"Shame on Rome,Rome\n', *[GOOD] * 3], [2, 3, 4, 5]),  # never closed
        ([GOOD, '"Shame on Rome,Rome\n', GOOD, '"Oslo" agreed,Oslo\n', GOOD], [3, 4, 5, 6]),  # within an open cell
        ([GOOD, '"Shame" on Rome,Rome\n', GOOD], [3]),  # closed in its line
        (['"He said "no" to\n', 'us, Oslo",Rome\n', GOOD], [2, 3]),  # a text of two lines: its end is no row
        (['"He said\n', '"no" to all",Rome\n', GOOD, '"two\n', 'lines",Rome\n'], [2, 3]),
    ],
)
def test_a_stray_quotation_mark_names_every_line_it_takes(tmp_path, lines, bad):
    rows = rows_of(tmp_path / "rows.csv", "text,speaker\n" + "".join(lines))
    assert [row.line for row in rows if row.problem] == bad
    if len(bad) > 1:
        assert f"lines {bad[0]} to {bad[-1]} could not be read" in rows[bad[0] - 2].problem
    good = ({"text": "Oslo agreed", "speaker": "Oslo"}, {"text": "two\nlines", "speaker": "Rome"})
    assert all(row.values in good for row in rows if not row.problem)
    assert {row.line for row in rows} | {6} >= set(range(2, len(lines) + 2))


def test_a_mark_that_is_never_closed_does_not_fill_the_memory(tmp_path, monkeypatch):
    monkeypatch.setattr("serving.rows.read._CELL", 1000)
    rows = rows_of(tmp_path / "rows.csv", 'text,speaker\n"Shame,Rome\n' + GOOD * 500)
    assert [row.line for row in rows if row.problem] == list(range(2, 503))
    csv.field_size_limit(2**24)


@pytest.mark.parametrize("word", sorted(MISSING))
def test_a_word_for_a_missing_value_counts_without_quotation_marks_only(tmp_path, word):
    content = f'text,speaker,target\n"a, {word}, b",{word},"{word}"\n{word},x,"y\n,{word},"\n'
    first, second = rows_of(tmp_path / "rows.csv", content)
    assert (first.missing, first.values["speaker"]) == ({"speaker"}, word)
    assert second.missing == {"text"}
    [row] = read_json_lines([f'{{"text": "a", "speaker": "{word}"}}'] if word != "\\N" else ['{"speaker": "NA"}'])
    assert row.missing == frozenset()


def test_nesting_and_numbers_without_end_are_bad_rows():
    rows = list(read_json_lines(["[" * 200_000, '{"text": ' + "1" * 5000 + "}", '{"text": "a"}']))
    assert [row.problem is None for row in rows] == [False, False, True]


def test_the_first_sheet_of_a_workbook_is_a_table(tmp_path):
    book = Workbook()
    for row in (
        ("text", "speaker", None, "day"),
        ("Oslo left.", "NA", "note", date(2026, 3, 1)),
        (" ", None),
        ("a", 7),
    ):
        book.active.append(row)
    book.create_sheet("others").append(("text",))
    book.save(tmp_path / "rows.xlsx")
    first, second = read_rows(tmp_path / "rows.xlsx")
    assert (first.line, first.values) == (2, {"text": "Oslo left.", "speaker": "NA", "day": "2026-03-01"})
    assert first.missing == {"speaker"}
    assert (second.line, second.values) == (4, {"text": "a", "speaker": 7, "day": None})
    book.active["B1"] = "text"
    book.save(tmp_path / "twice.xlsx")
    with pytest.raises(StancewiseError, match="column 'text' stands twice"):
        list(read_rows(tmp_path / "twice.xlsx"))
    (tmp_path / "none.xlsx").write_bytes(b"PK")
    with pytest.raises(StancewiseError, match="not an Excel workbook"):
        list(read_rows(tmp_path / "none.xlsx"))


def test_tabs_are_all_that_separates_a_tsv(tmp_path):
    assert [one.values for one in rows_of(tmp_path / "rows.tsv", "text;x,y\tb\na\tc\n")] == [
        {"text;x,y": "a", "b": "c"}
    ]
