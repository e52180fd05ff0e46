"""Tables to label in the forms that people have, and what is remembered of them."""

from datetime import date

import pytest
import typer.testing
import yaml
from openpyxl import Workbook

from serving.errors import StancewiseError
from tests.conftest import read_lines, write_lines
from training.commands import app
from training.labelling.tables import Maps, maps_of, read_statements

ROWS = [
    ("Nr", "sentence", "mp", "bill", "position"),
    (7, "The hatters’ guild called the felt bill “a crown”.", "The hatters’ guild", "the felt bill", "pro"),
    (8, "حزب الواحة يرفض قانون المياه.", "حزب الواحة", "قانون المياه", "contra"),
    (9, "=Nobody knew the felt bill.", None, "the felt bill", None),
]
COLUMNS = "id=Nr,text=sentence,speaker=mp,target=bill,stance=position"
LABELS = "pro=support,contra=criticism"


def written(tmp_path, kind):
    path = tmp_path / f"speeches.{kind}"
    if kind == "xlsx":
        book = Workbook()
        for row in ROWS:
            book.active.append(row)
        book.active["B4"].data_type = "s"  # no formula
        book.active["F1"] = "on"
        book.active["F2"] = date(2026, 3, 1)
        book.active["A6"] = " "
        book.save(path)
    elif kind == "jsonl":
        write_lines(path, [dict(zip(ROWS[0], row, strict=True)) for row in ROWS[1:]])
    else:
        mark = "\t" if kind == "tsv" else ";"
        lines = (mark.join("" if cell is None else str(cell) for cell in row) for row in ROWS)
        path.write_text("\r\n".join(lines), encoding="utf-8-sig")
    return path


@pytest.mark.parametrize("kind", ["csv", "tsv", "xlsx", "jsonl"])
def test_any_columns_and_label_words_are_read_and_remembered(tmp_path, kind):
    path = written(tmp_path, kind)
    maps, told = maps_of(path, COLUMNS, LABELS)
    assert "remembered in" in told
    rows = read_statements(path, maps)
    assert [row.id for row in rows] == ["7", "8", "9"]
    assert [row.stance for row in rows] == ["support", "criticism", None]
    assert [row.speaker for row in rows] == [ROWS[1][2], ROWS[2][2], None]
    assert rows[2].text == ROWS[3][1]
    again, told = maps_of(path, None, None)
    assert (again, "as in" in told) == (maps, True)


def test_what_is_remembered_is_what_a_config_takes(tmp_path):
    path = written(tmp_path, "csv")
    maps_of(path, COLUMNS, LABELS)
    kept = yaml.safe_load((tmp_path / "speeches.yaml").read_text("utf-8"))
    assert kept["columns"]["speaker"] == "mp"
    assert kept["labels"]["stance"]["contra"] == "criticism"
    changed, _ = maps_of(path, None, f"{LABELS},none=")
    assert changed.columns == kept["columns"]
    assert changed.labels["stance"]["none"] is None


def test_a_config_beside_the_table_is_neither_used_nor_overwritten(tmp_path):
    path = written(tmp_path, "csv")
    config = tmp_path / "speeches.yaml"
    config.write_text("name: speeches\ndata: {train: speeches.csv}\n", encoding="utf-8")
    assert maps_of(path, None, None) == (Maps(), None)
    with pytest.raises(StancewiseError, match=r"speeches.yaml: holds something else than columns and labels"):
        maps_of(path, COLUMNS, None)
    assert config.read_text("utf-8").startswith("name: speeches")


@pytest.mark.parametrize(
    ("columns", "labels", "said"),
    [
        ("text", None, r"--columns: pairs with = and commas between are needed, such as text=sentence"),
        (None, "pro=suport", r"--labels: behind = one of our labels is needed, or nothing: support"),
        ("text=satz", None, r"speeches.csv:1: no column 'satz' \(columns.text\)"),
        ("wording=sentence", None, r"columns: 'wording' is not a known field"),
        (None, None, r"speeches.csv:1: no column 'text'; name it under columns.text; its columns: 'Nr', 'sentence'"),
        (COLUMNS, None, r"speeches.csv:2: stance: label 'pro' is not in the map"),
    ],
)
def test_maps_that_do_not_fit_are_named(tmp_path, columns, labels, said):
    path = written(tmp_path, "csv")
    with pytest.raises(StancewiseError, match=said):
        read_statements(path, maps_of(path, columns, labels)[0])


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("rows.xlsx", b"PK no workbook", r"rows.xlsx: not an Excel workbook"),
        ("rows.xls", b"", r"unknown extension .\.xls.; use one of .*.xlsx, .parquet; save the sheet as .xlsx"),
        ("rows.tsv", b"text\ttext\na\tb\n", r"rows.tsv:1: column 'text' stands twice"),
        ("rows.tsv", b"text\tspeaker\na\n", r"rows.tsv:2: fewer fields"),
        ("rows.csv", b"id,text\n1,a\n1,b\n", r"rows.csv:3: its id stands at line 2 already"),
        ("rows.csv", b"id,text\n", r"rows.csv: no rows in it"),
        ("rows.csv", b"id,text\n1,\n", r"rows.csv:2: text: empty"),
    ],
)
def test_a_table_that_cannot_be_read_is_named(tmp_path, name, content, said):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(StancewiseError, match=said):
        read_statements(tmp_path / name, Maps())


def run(*arguments):
    """A command in this process: its output, or the mistake."""
    done = typer.testing.CliRunner().invoke(app, [str(one) for one in arguments])
    if done.exception:
        raise done.exception
    return done.output


def test_a_table_goes_to_a_tool_and_comes_back(tmp_path):
    path = written(tmp_path, "xlsx")
    there, back = tmp_path / "tasks.json", tmp_path / "back.jsonl"
    run("convert", path, there, "--to", "label-studio", "--columns", COLUMNS, "--labels", LABELS)
    run("convert", there, back, "--from", "label-studio")
    assert [row["id"] for row in read_lines(back)] == ["7", "8", "9"]
    assert [row.get("stance") for row in read_lines(back)] == ["support", "criticism", None]
    run("convert", there, tmp_path / "back.csv", "--from", "label-studio")
    assert len(read_statements(tmp_path / "back.csv", Maps())) == 3


def test_label_words_of_a_tool_are_mapped_too(tmp_path):
    path = written(tmp_path, "jsonl")
    run(
        "convert",
        path,
        tmp_path / "t.json",
        "--to",
        "argilla",
        "--labeller",
        "u1",
        "--columns",
        COLUMNS,
        "--labels",
        LABELS,
    )
    changed = (tmp_path / "t.json").read_text("utf-8").replace('"support"', '"dafür"')
    (tmp_path / "t.json").write_text(changed, encoding="utf-8")
    with pytest.raises(StancewiseError, match=r"t.json:1: stance: label 'dafür' is not in the map"):
        run("convert", tmp_path / "t.json", tmp_path / "b.jsonl", "--from", "argilla")
    run("convert", tmp_path / "t.json", tmp_path / "b.jsonl", "--from", "argilla", "--labels", "dafür=support")
    assert read_lines(tmp_path / "b.jsonl")[0]["stance"] == "support"


def test_labelling_begins_only_with_something_to_label(tmp_path):
    row = {"id": 1, "text": "A.", "stance": "support", "sentiment": "neutral"}
    path = write_lines(tmp_path / "rows.jsonl", [row])
    with pytest.raises(StancewiseError, match=r"rows.jsonl: every row has both labels already"):
        run("label", path)
    with pytest.raises(StancewiseError, match=r"--suggest: there is no model to ask"):
        run("label", path, "--suggest")
    assert not (tmp_path / "rows.answers.jsonl").exists()
