import json

import pyarrow.parquet as pq
import pytest

from serving import StancewiseError
from serving.rows.read import read_json_lines, read_rows
from serving.tables import open_writer

ROWS = [
    {"text": 'a "quoted", comma', "speaker": "Oslo", "n": 1},
    {"text": "two\nlines", "speaker": "Zürich 🚢", "n": 2},
]


@pytest.mark.parametrize("extension", [".jsonl", ".csv", ".parquet"])
def test_rows_survive_every_format(tmp_path, extension):
    path = tmp_path / f"rows{extension}"
    with open_writer(path) as writer:
        for row in ROWS:
            writer.write(row)
    found = [row.values for row in read_rows(path)]
    expected = [{k: str(v) for k, v in row.items()} for row in ROWS] if extension == ".csv" else ROWS
    assert found == expected


@pytest.mark.parametrize("extension", [".jsonl", ".csv", ".parquet"])
def test_a_failure_leaves_nothing_behind(tmp_path, extension):
    path = tmp_path / f"rows{extension}"
    path.write_text("the old file")
    with pytest.raises(RuntimeError), open_writer(path) as writer:
        writer.write(ROWS[0])
        raise RuntimeError
    assert [file.name for file in tmp_path.iterdir()] == [path.name]
    assert path.read_text() == "the old file"


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


def test_unknown_missing_and_false_files_are_errors(tmp_path):
    with pytest.raises(StancewiseError, match=r"unknown extension '\.xlsx'"):
        list(read_rows(tmp_path / "rows.xlsx"))
    with pytest.raises(StancewiseError, match="no such file"):
        list(read_rows(tmp_path / "rows.jsonl"))
    (tmp_path / "rows.parquet").write_text("no parquet")
    with pytest.raises(StancewiseError, match="not a Parquet file"):
        list(read_rows(tmp_path / "rows.parquet"))


def test_probabilities_are_json_in_csv_and_structs_in_parquet(tmp_path):
    row = {"text": "a", "stance_probabilities": {"support": 0.5, "neutrality": 0.25, "criticism": 0.25}}
    for extension in (".csv", ".parquet"):
        with open_writer(tmp_path / f"out{extension}") as writer:
            writer.write(row)
    [csv_row] = read_rows(tmp_path / "out.csv")
    assert json.loads(csv_row.values["stance_probabilities"])["support"] == 0.5
    assert pq.read_table(tmp_path / "out.parquet").to_pylist() == [row]


def test_a_column_that_changes_its_type_is_an_error_in_parquet(tmp_path):
    path = tmp_path / "out.parquet"
    with pytest.raises(StancewiseError, match="changes its type"), open_writer(path) as writer:
        for i in range(1025):
            writer.write({"n": i if i < 1024 else "text"})
    assert not path.exists()
