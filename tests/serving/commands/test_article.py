"""`python -m serving article`, in processes of their own."""

import csv
import json
import subprocess
import sys
from io import StringIO

import pytest
from rich.console import Console

from serving import StancewiseError
from serving.article.output.rows import PAIR_COLUMNS, STATEMENT_COLUMNS
from serving.article.statements import Article
from serving.commands import article
from tests.conftest import read_lines

TARN = '"The Harbour Accord is a disgrace," said Mayor Ilse Tarn, who had fought it for a year.\n'
HOLM = "According to Peter Holm, the Ferry Accord protects every island.\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("articles")
    (made / "tarn.txt").write_text(TARN, encoding="utf-8")
    (made / "holm.md").write_text(HOLM, encoding="utf-8")
    (made / "notes.csv").write_text("a,b\n")
    return made


def test_an_article_is_shown_as_a_table_by_the_champion(project, folder):
    done = project.run("serving", "article", str(folder / "tarn.txt"), "--all")
    assert "Ilse Tarn (said) →" in done.stdout
    assert "Who supports or criticises whom" in done.stdout
    assert "1 article, " in done.stderr
    text = "Oslo hailed the accord, while Marta Lindqvist stood beside the minister in the harbour."
    shown, every = (project.run("serving", "article", "-", *more, stdin=text).stdout for more in ((), ("--all",)))
    assert len(shown) < len(every)


def test_a_folder_with_a_bad_file_among_others(project, folder, tmp_path):
    (tmp_path / "old.txt").write_bytes("Secret café.".encode("latin-1"))
    output = tmp_path / "out.jsonl"
    paths = (str(tmp_path / "old.txt"), str(folder), str(folder / "tarn.txt"), "missing.txt")
    done = project.run("serving", "article", *paths, "--output", str(output), "--explain", "--all", check=False)
    assert done.returncode == 3
    rows = read_lines(output)
    assert list(dict.fromkeys(row["article"] for row in rows)) == [str(folder / "holm.md"), str(folder / "tarn.txt")]
    assert {"Ilse Tarn", "Peter Holm"} <= {row["speaker"] for row in rows}
    texts = {str(folder / "holm.md"): HOLM, str(folder / "tarn.txt"): TARN}
    for row in rows:
        assert list(row) == [*STATEMENT_COLUMNS, "explanation"]
        text = texts[row["article"]]
        assert text[row["sentence_start"] : row["sentence_end"]] == row["sentence"]
        assert all(text[one["start"] : one["end"]] == one["text"] for one in row["explanation"]["words"])
    assert "old.txt: byte 10 (line 1) is not UTF-8" in done.stderr
    assert "missing.txt: no such file or folder" in done.stderr
    assert "2 articles" in done.stderr
    assert "2 could not be read" in done.stderr
    assert "Secret" not in done.stderr


def test_a_text_in_another_language_is_noted_and_read_if_asked_for(project, tmp_path):
    file = tmp_path / "ru.txt"
    file.write_text("Губернатор назвал мост успехом года, но жители города им недовольны.", encoding="utf-8")
    done = project.run("serving", "article", str(file))
    assert "nothing labelled: in ru, which the model does not read" in done.stdout
    assert "ru.txt: the text is in ru, and the model reads en: nothing was labelled" in done.stderr
    asked = ("--any-language", "--all", "--target", "мост", "--format", "jsonl")
    done = project.run("serving", "article", str(file), *asked)
    assert "nothing was labelled" not in done.stderr
    assert "read by names and the model alone, without a parser for ru" in done.stderr
    assert "1 article, " in done.stderr


def test_standard_input_to_pairs_in_csv(project):
    options = ("--target", "the accord=Harbour Accord,the deal", "--summary", "--format", "csv", "--all")
    done = project.run("serving", "article", "-", *options, stdin=TARN)
    [row] = csv.DictReader(StringIO(done.stdout, newline=""))
    assert tuple(row) == PAIR_COLUMNS
    assert (row["speaker"], row["target"], row["statements"]) == ("Ilse Tarn", "the accord", "1")
    [evidence] = json.loads(row["evidence"])
    assert TARN[evidence["sentence_start"] : evidence["sentence_end"]] == evidence["sentence"]


def test_a_page_is_extracted_and_a_page_is_made(project, tmp_path):
    source = tmp_path / "page.html"
    article = f"<article><p>{TARN * 3}</p><p>{HOLM * 3}</p></article>"
    page = f"<!doctype html><html><body><nav>Menu</nav>{article}</body></html>"
    source.write_text(page, encoding="utf-8")
    output = tmp_path / "labelled.html"
    project.run("serving", "article", str(source), "--extract", "html", "--output", str(output))
    made = output.read_text(encoding="utf-8")
    assert made.startswith("<!doctype html>")
    assert "The Harbour Accord is a disgrace" in made
    assert "Menu" not in made


def test_without_a_parser_quotes_are_read_and_the_fix_is_said(project, folder):
    code = "import runpy, sys; sys.modules['spacy'] = None; runpy.run_module('serving', run_name='__main__')"
    done = subprocess.run(
        [sys.executable, "-c", code, "article", str(folder), "--format", "jsonl", "--all"],
        cwd=project.folder,
        env=project.environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
    )
    speakers = {json.loads(line)["speaker"] for line in done.stdout.splitlines()}
    assert any("Ilse Tarn" in name for name in speakers if name)
    assert "holm.md and 1 more: no English pipeline" in done.stderr
    assert "pip install '.[article]'" in done.stderr


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("missing.txt",), "missing.txt: no such file or folder"),
        (("tiny.yaml", "--sure", "--all"), "--sure and --all: give one of them"),
        (("tiny.yaml", "--output", "out.docx"), "unknown extension '.docx'"),
        (("tiny.yaml", "--output", "nowhere/out.csv"), "does not exist"),
        (("tiny.yaml", "--summary", "--format", "html"), "leave out --summary"),
        (("tiny.yaml", "--trend", "day", "--summary"), "--trend: it is a summary without words"),
        (("tiny.yaml", "--dates", "day-first"), "--by-source, --dates, --copies, --keep and --entities go with"),
        (("tiny.yaml", "--keep", "labelled"), "--by-source, --dates, --copies, --keep and --entities go with --trend"),
        (("tiny.yaml", "--trend", "day", "--engine", "spark"), "--engine spark: give --keep"),
        (("tiny.yaml", "--explain"), "--format jsonl and html"),
        (("tiny.yaml", "--target", "=Oslo"), "write NAME, or NAME=ALIAS,ALIAS"),
        (("tiny.yaml", "--model", "models:/stance@nobody"), "nobody"),
    ],
)
def test_a_mistake_is_one_line_without_a_traceback(project, options, message):
    done = project.run("serving", "article", *options, check=False)
    assert done.returncode == 1
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


@pytest.fixture
def dated(tmp_path):
    """Five reports of which one is bad, one a copy and one without a date; and a table of two, one of them bad."""
    for name, front, text in (
        ("2026-03-02-tarn.md", "source: The Quay\n", TARN),
        ("copy.md", "date: 2026-03-05\nsource: The Post\n", TARN.replace(" ", "  ")),
        ("holm.md", "date: 9 April 2026\nsource: The Post\n", HOLM),
        ("letter.md", "source: The Post\n", f"{HOLM}Again.\n"),
        ("wrong.md", "date: 2026-02-30\n", TARN),
    ):
        (tmp_path / name).write_text(f"---\n{front}---\n{text}", encoding="utf-8")
    table = tmp_path / "more.csv"
    with table.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("text", "date", "id"), (f"{TARN}{HOLM}", "2026-04-10", "m1"), ("", "", "m2")])
    return tmp_path


def test_a_folder_and_a_table_become_a_trend(project, dated):
    output = dated / "trend.csv"
    paths = (str(dated), str(dated / "more.csv"))
    target = ("--target", "the accord=Harbour Accord,Ferry Accord")
    options = (*target, "--trend", "month", "--all", "--output", str(output))
    done = project.run("serving", "article", *paths, *options, check=False)
    assert done.returncode == 3
    assert "wrong.md: date: there is no day 30 of month 2 in 2026" in done.stderr
    assert "more.csv:5: text: empty" in done.stderr
    assert f"reports without a date, left out: 1 ({dated / 'letter.md'})" in done.stderr
    copied = f"counted once: 1 ({dated / 'copy.md'} of {dated / '2026-03-02-tarn.md'}; --copies counts them all)"
    assert copied in done.stderr
    assert "3 articles" in done.stderr
    assert "2 could not be read" in done.stderr
    rows = list(csv.DictReader(output.open(encoding="utf-8", newline="")))
    found = {(row["speaker"], row["period"]): row for row in rows}
    assert found[("Ilse Tarn", "2026-03")]["reports"] == "1"
    assert found[("Peter Holm", "2026-04")]["reports"] == "2"
    assert {row["enough"] for row in rows} == {"False"}
    sums = [sum(float(row[label]) for label in ("support", "neutrality", "criticism")) for row in rows]
    assert sums == pytest.approx([1] * len(rows))
    assert f"also written: {dated / 'trend.changes.csv'}" in done.stderr
    changes = list(csv.DictReader((dated / "trend.changes.csv").open(encoding="utf-8", newline="")))
    assert {row["speaker"] for row in changes} == {row["speaker"] for row in rows}
    assert {(row["changed"], row["since"]) for row in changes} == {("False", "")}
    assert not (dated / "trend.differences.csv").exists()


def test_names_are_one_by_a_table_that_a_user_edits(project, dated):
    table = dated / "entities.csv"
    options = ("--trend", "month", "--all", "--entities", str(table), "--format", "jsonl")
    paths = (str(dated / "2026-03-02-tarn.md"), str(dated / "holm.md"))
    done = project.run("serving", "article", *paths, *options)
    assert f"names added to {table}: " in done.stderr
    lines = table.read_text(encoding="utf-8-sig").splitlines()
    assert lines[0] == "name,entity,reports,reason"
    assert any(line.startswith("Peter Holm,Peter Holm,1") for line in lines)
    speakers = {json.loads(line)["speaker"] for line in done.stdout.splitlines()}
    assert "Peter Holm" in speakers
    table.write_text("\n".join(lines).replace("Peter Holm,Peter Holm", "Peter Holm,The Holms") + "\n", encoding="utf-8")
    done = project.run("serving", "article", *paths, *options)
    assert {json.loads(line)["speaker"] for line in done.stdout.splitlines()} == speakers - {"Peter Holm"} | {
        "The Holms"
    }
    assert "names added" not in done.stderr
    table.write_text("name,reports\n", encoding="utf-8")
    done = project.run("serving", "article", *paths, *options, "--model", "models:/stance@nobody", check=False)
    assert done.returncode == 1
    assert "entities.csv:1: no column 'entity'" in done.stderr


def test_a_trend_by_source_with_copies_on_the_terminal_and_as_a_page(project, dated):
    options = ("--trend", "week", "--by-source", "--copies", "--all")
    done = project.run("serving", "article", str(dated), *options, check=False)
    assert "Who stood where, by week" in done.stdout
    assert "Whose position changed" in done.stdout
    assert "is a copy" not in done.stderr
    assert "3 articles" in done.stderr
    assert "Where sources differ" in done.stdout
    output = dated / "trend.jsonl"
    project.run("serving", "article", str(dated), *options, "--output", str(output), check=False)
    assert {row["changed"] for row in read_lines(dated / "trend.changes.jsonl")} == {False}
    assert read_lines(dated / "trend.differences.jsonl") == []
    output = dated / "trend.html"
    project.run("serving", "article", str(dated), *options, "--output", str(output), check=False)
    page = output.read_text(encoding="utf-8")
    assert ">Who stood where, by week</h1>" in page
    assert "letter.md" in page
    assert "<script src" not in page


def test_what_is_labelled_is_kept_and_the_same_command_goes_on(project, dated):
    keep, output = dated / "labelled", dated / "trend.csv"
    paths = (str(dated), str(dated / "more.csv"))
    options = ("--trend", "month", "--all", "--keep", str(keep), "--output", str(output))
    done = project.run("serving", "article", *paths, *options, check=False)
    assert done.returncode == 3
    first = output.read_text(encoding="utf-8")
    again = project.run("serving", "article", *paths, *options, check=False)
    assert f"{keep}: 3 of 3 texts are labelled already" in again.stderr
    assert again.stderr.splitlines()[-1] == done.stderr.splitlines()[-1]
    assert output.read_text(encoding="utf-8") == first
    both = project.run("serving", "article", *paths, *options[:-2], "--copies", check=False)
    assert f"{keep}: 3 of 4 texts are labelled already" in both.stderr
    other = project.run("serving", "article", *paths, *options, "--target", "Oslo", check=False)
    assert other.returncode == 1
    assert f"{keep}: was begun with other --target options; give the same ones, or name another --keep" in other.stderr


def test_dates_with_two_meanings_stop_a_trend_until_their_order_is_said(project, tmp_path):
    (tmp_path / "a.txt").write_text(f"Title: A row\nDate: 03/04/2026\n\n{TARN}", encoding="utf-8")
    done = project.run("serving", "article", str(tmp_path), "--trend", "day", check=False)
    assert done.returncode == 1
    assert "a.txt: date: 03/04/2026 is 3 April or 4 March; say which: --dates day-first or" in done.stderr
    options = ("--trend", "day", "--dates", "month-first", "--all", "--format", "jsonl")
    done = project.run("serving", "article", str(tmp_path), *options)
    assert {json.loads(line)["period"] for line in done.stdout.splitlines()} == {"2026-03-04"}


def test_a_trend_without_any_date_says_how_to_give_one(project, folder):
    done = project.run("serving", "article", str(folder), "--trend", "day", check=False)
    assert done.returncode == 1
    assert "no report with a date; write date: YYYY-MM-DD into its front matter" in done.stderr


def test_help_has_examples(project):
    assert "--target" in project.run("serving", "article", "--help").stdout


def test_targets_are_names_with_or_without_aliases():
    given = ["Oslo", "the accord = the deal, the pact", "Oslo=Norway's capital"]
    assert article.parse_targets(given) == {"Oslo": ["Norway's capital"], "the accord": ["the deal", "the pact"]}
    for one in ("", " ", "=x", "Oslo=", "Oslo=a,,b"):
        with pytest.raises(StancewiseError, match="--target: a name is blank"):
            article.parse_targets([one])


def test_a_file_named_twice_is_read_once(folder):
    texts, bad = article.read_files([folder, folder / "tarn.txt", folder], pages=False, errors=Console(stderr=True))
    assert [path.name for path, _ in texts] == ["holm.md", "tarn.txt"]
    assert bad == 0


def test_a_note_of_many_articles_is_told_once():
    out = StringIO()
    articles = [Article(name=f"{i}.txt", text="x", statements=[], notes=["no [parser]"]) for i in range(3)]
    article.tell_notes(articles, Console(file=out, width=80))
    assert out.getvalue() == "note: 0.txt and 2 more: no [parser]\n"
