"""Labelled articles as rows, files and terminal tables."""

import csv
import json
from io import StringIO

import pytest
from rich.console import Console

from serving import StancewiseError
from serving.article.output.rows import (
    PAIR_COLUMNS,
    STATEMENT_COLUMNS,
    chosen_format,
    csv_table,
    json_lines,
    pair_rows,
    statement_rows,
    write,
)
from serving.article.output.summary import summarise
from serving.article.output.table import show
from serving.explain import Explanation, WordEffect
from tests.serving.article.made import Draft

TEXT = (
    "🚢 Ferries stop at Norra.\n\nMayor Ilse Tarn praised the\ncrews but rejected the timetable. "
    'She added: "=SUM(A1) is all they know."\n\nThe timetable is late [bold]again[/bold].'
)
SENTENCE = "Mayor Ilse Tarn praised the\ncrews but rejected the timetable."
QUOTED = 'She added: "=SUM(A1) is all they know."'
LAST = "The timetable is late [bold]again[/bold]."


def made(name="norra.txt", **options):
    tarn = {"cue": "rejected", "mentions": ("Mayor Ilse Tarn", "the timetable"), **options}
    return (
        Draft(TEXT, name, notes=("no parser",))
        .says("Ilse Tarn", "crews", SENTENCE, "support", cue="praised", sentiment="positive", sure=0.8)
        .says("Ilse Tarn", "timetable", SENTENCE, "criticism", sentiment="negative", **tarn)
        .says("Ilse Tarn", "=SUM(A1)", QUOTED, "?criticism", cue="added", mentions=("She", "=SUM(A1)"), kind="mixed")
        .says(None, "timetable", LAST, "neutrality", kind="author")
        .article()
    )


def table(articles, summary=False, width=80) -> str:
    out = StringIO()
    show(articles, Console(file=out, width=width), summary)
    return out.getvalue()


def test_a_row_a_statement_with_offsets_into_the_text():
    article = made()
    rows = list(statement_rows([article]))
    assert len(rows) == len(article.statements)
    for row, one in zip(rows, article.statements, strict=True):
        assert tuple(row) == STATEMENT_COLUMNS
        assert (row["article"], row["speaker"], row["target"]) == ("norra.txt", one.speaker, one.target)
        assert TEXT[row["sentence_start"] : row["sentence_end"]] == row["sentence"]
        assert TEXT[row["target_start"] : row["target_end"]] == one.target_mention.text
        assert [TEXT[start:end] for start, end in row["content"]] == [span.text for span in one.content]
        assert row["stance_probabilities"] == one.stance.probabilities
    assert TEXT[rows[1]["cue_start"] : rows[1]["cue_end"]] == rows[1]["cue"] == "rejected"
    assert TEXT[rows[1]["speaker_start"] : rows[1]["speaker_end"]] == "Mayor Ilse Tarn"
    assert [row["abstained"] for row in rows] == [False, False, True, False]
    assert (rows[3]["speaker"], rows[3]["speaker_start"], rows[3]["cue"]) == (None, None, None)


def test_json_lines_hold_the_rows_and_the_explanation_by_the_articles_offsets():
    start = SENTENCE.index("rejected")
    word = WordEffect(start=start, end=start + 8, text="rejected", effect=1.5)
    given = Explanation(head="stance", label="criticism", words=[word], total=1.5, whole=2)
    rows = [json.loads(line) for line in json_lines([made(explanation=given)]).splitlines()]
    assert ["explanation" in row for row in rows] == [False, True, False, False]
    [found] = rows[1]["explanation"]["words"]
    assert TEXT[found["start"] : found["end"]] == "rejected"
    assert (rows[1]["explanation"]["total"], rows[1]["explanation"]["whole"]) == (1.5, 2)


def test_csv_holds_the_same_rows_and_no_formulas():
    article = made()
    lines = list(csv.DictReader(StringIO(csv_table([article]), newline="")))
    assert tuple(lines[0]) == STATEMENT_COLUMNS
    assert [line["sentence"] for line in lines] == [one.sentence.text for one in article.statements]
    assert [line["target"] for line in lines] == ["crews", "timetable", "'=SUM(A1)", "timetable"]
    assert json.loads(lines[0]["stance_probabilities"]) == article.statements[0].stance.probabilities
    assert lines[3]["speaker"] == ""


def test_no_statements_are_no_lines_and_a_csv_of_its_header():
    empty = [Draft("Nothing.", "a.txt").article()]
    assert json_lines(empty) == json_lines(empty, summary=True) == ""
    assert csv_table(empty).strip() == ",".join(STATEMENT_COLUMNS)
    assert csv_table(empty, summary=True).strip() == ",".join(PAIR_COLUMNS)
    assert "no positions found" in table(empty)
    assert "no positions found" in table(empty, summary=True)


def test_pairs_are_counted_over_articles_with_their_sentences():
    rows = list(pair_rows([made("one.txt"), made("two.txt")]))
    assert all(tuple(row) == PAIR_COLUMNS for row in rows)
    by = {(row["speaker"], row["target"]): row for row in rows}
    tarn = by["Ilse Tarn", "timetable"]
    assert (tarn["statements"], tarn["criticism"], tarn["support"], tarn["negative"]) == (2, 2, 0, 2)
    assert (tarn["stance"], tarn["probability"]) == ("criticism", pytest.approx(0.9))
    assert [one["article"] for one in tarn["evidence"]] == ["one.txt", "two.txt"]
    assert all(TEXT[one["sentence_start"] : one["sentence_end"]] == SENTENCE for one in tarn["evidence"])
    unsure = by["Ilse Tarn", "=SUM(A1)"]
    assert (unsure["criticism"], unsure["abstained"]) == (0, 2)


def test_a_model_without_a_stance_head_leaves_its_columns_empty():
    article = Draft("Oslo left.", "a.txt").says(None, "Oslo", "Oslo left.", None, sentiment="negative").article()
    [row] = statement_rows([article])
    assert (row["stance"], row["stance_probabilities"], row["sentiment"]) == (None, None, "negative")
    [pair] = pair_rows([article])
    assert (pair["stance"], pair["probability"], pair["negative"]) == (None, None, 1)
    assert "not trained" in table([article])


def test_the_table_has_each_sentence_once_and_its_statements_below():
    lines = table([made()]).splitlines()
    at = next(i for i, line in enumerate(lines) if line.startswith("Mayor Ilse Tarn praised the crews"))
    assert [line.split()[0] for line in lines[at + 1 : at + 3]] == ["Ilse", "Ilse"]
    assert "Ilse Tarn (praised) → crews" in lines[at + 1]
    assert "support 80%" in lines[at + 1]
    assert "criticism 90%" in lines[at + 2]
    assert "negative 90%" in lines[at + 2]
    assert sum(line.startswith("Mayor Ilse Tarn praised") for line in lines) == 1
    assert "criticism 90% ?" in next(line for line in lines if "(added)" in line)
    assert "(author) → timetable" in "\n".join(lines)


def test_the_table_ends_with_who_supports_or_criticises_whom():
    lines = table([made("one.txt"), made("two.txt")]).splitlines()
    pairs = lines[lines.index("Who supports or criticises whom") :]
    assert "→" in pairs[3]
    assert not any("author" in line for line in pairs[3:5])  # neutral pairs stand last
    tarn = next(line for line in pairs if "Ilse Tarn → timetable" in line)
    assert tarn.split()[4:] == ["·", "·", "2", "·", "criticism", "90%"]
    unsure = next(line for line in pairs if "=SUM" in line)
    assert unsure.split()[4:] == ["·", "·", "·", "2", "criticism", "90%", "?"]


def test_a_summary_table_gives_the_sentences_instead_of_the_statements():
    text = " ".join(table([made()], summary=True).split())
    assert text.startswith("Who supports")
    assert f"norra.txt: {' '.join(SENTENCE.split())}" in text


@pytest.mark.parametrize("width", [80, 120])
def test_the_table_fits_and_takes_nothing_for_markup(width):
    long = Draft(TEXT, "x" * 100).says("A" * 90, "the " * 30, LAST, "neutrality", mentions=(None, "timetable"))
    text = table([made(), long.article()], width=width)
    assert max(len(line.rstrip()) for line in text.splitlines()) <= width
    assert "[bold]again[/bold]" in text


def test_the_table_lets_no_text_give_orders_to_the_terminal():
    text = "Oslo \x1b[2J\x1b]0;title\x07 left \u202eback."
    article = Draft(text, "a\x1b[31m.txt").says("O\x1b[1mslo", "Oslo", text, "support").article()
    shown = table([article])
    assert not any(mark in shown for mark in "\x1b\x07\u202e")
    assert "left" in shown


def test_a_file_is_written_whole_or_not_at_all(tmp_path):
    path = tmp_path / "out.jsonl"
    write("Fähre\n", path)
    assert path.read_text(encoding="utf-8") == "Fähre\n"
    assert [one.name for one in tmp_path.iterdir()] == ["out.jsonl"]
    path.unlink()
    path.mkdir()
    with pytest.raises(StancewiseError, match="cannot be written"):
        write("more", path)
    assert [one.name for one in tmp_path.iterdir()] == ["out.jsonl"]


def test_a_files_name_that_is_no_text_can_be_written(tmp_path):
    write(json_lines([made("\udcff.txt")]), tmp_path / "out.jsonl")
    [line, *_] = (tmp_path / "out.jsonl").read_text(encoding="utf-8").splitlines()
    assert json.loads(line)["article"] == "\udcff.txt"
    assert ".txt" in table([made("\udcff.txt")])


def test_the_format_is_the_one_asked_for_else_the_extensions_else_a_table(tmp_path):
    assert chosen_format(None, None) == "table"
    assert chosen_format("csv", None) == "csv"
    assert chosen_format(None, tmp_path / "a.HTML") == "html"
    assert chosen_format("jsonl", tmp_path / "a.dat") == "jsonl"
    with pytest.raises(StancewiseError, match=r"unknown extension '\.dat'; use one of \.jsonl"):
        chosen_format(None, tmp_path / "a.dat")
    with pytest.raises(StancewiseError, match="does not exist"):
        chosen_format("csv", tmp_path / "nowhere" / "a.csv")


def test_the_whole_of_a_pair_is_as_sure_as_its_statements():
    article = made()
    several = [article.statements[0].model_copy(update={"sureness": sure}) for sure in (0.6, 0.8)]
    [pair] = summarise([article.model_copy(update={"statements": several})])
    assert (pair.stance, pair.probability) == ("support", pytest.approx(0.7))
    [plain] = [one for one in summarise([article]) if one.target == "crews"]
    assert plain.probability == pytest.approx(0.8)
