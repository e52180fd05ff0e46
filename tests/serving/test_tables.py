import json

import pyarrow.parquet as pq
import pytest

from serving.rows.read import read_rows
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


def test_probabilities_are_json_in_csv_and_structs_in_parquet(tmp_path):
    row = {"text": "a", "stance_probabilities": {"support": 0.5, "neutrality": 0.25, "criticism": 0.25}}
    for extension in (".csv", ".parquet"):
        with open_writer(tmp_path / f"out{extension}") as writer:
            writer.write(row)
    [csv_row] = read_rows(tmp_path / "out.csv")
    assert json.loads(csv_row.values["stance_probabilities"])["support"] == 0.5
    assert pq.read_table(tmp_path / "out.parquet").to_pylist() == [row]


def written(path, rows):
    with open_writer(path) as writer:
        for row in rows:
            writer.write(row)
    return pq.read_table(path).to_pylist()


@pytest.mark.parametrize(
    ("rows", "wanted"),
    [
        ([{"n": 1}, {"n": 2, "note": "late"}], [{"n": 1, "note": None}, {"n": 2, "note": "late"}]),
        ([{"n": 1}, {}, {"n": 2.5}], [{"n": 1.0}, {"n": None}, {"n": 2.5}]),
        ([{"n": 1}, {"n": "two"}, {"n": [3]}], [{"n": "1"}, {"n": "two"}, {"n": "[3]"}]),
        ([{"n": {"a": 1}}, {"n": {"b": "x"}}], [{"n": {"a": 1, "b": None}}, {"n": {"a": None, "b": "x"}}]),
        ([{"n": {}}, {"n": {}}], [{"n": "{}"}, {"n": "{}"}]),
        ([{"n": 2**70}, {"n": 1}], [{"n": str(2**70)}, {"n": "1"}]),
        ([{"n": "\ud83d half"}, {"n": "whole"}], [{"n": "\\ud83d half"}, {"n": "whole"}]),
    ],
)
@pytest.mark.parametrize("apart", [1, 1500])
def test_parquet_keeps_every_column_and_every_value(tmp_path, rows, wanted, apart):
    found = written(tmp_path / "out.parquet", [{"i": i} | row for row in rows for i in range(apart)])
    without = dict.fromkeys(wanted[0])
    assert found == [{"i": i} | without | row for row in wanted for i in range(apart)]
    assert [file.name for file in tmp_path.iterdir()] == ["out.parquet"]


def test_a_failure_after_a_change_of_columns_leaves_nothing(tmp_path):
    with pytest.raises(RuntimeError), open_writer(tmp_path / "out.parquet") as writer:
        for i in range(3000):
            writer.write({"n": i} if i < 1500 else {"late": i})
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []
