import json

import pyarrow.parquet as pq
import pytest
from rich.console import Console

from serving.commands import predict
from serving.rows.read import Row
from tests.conftest import read_lines, write_lines

MODEL = ("--model", "models:/stance@champion")
ADDED = ["stance", "stance_probabilities", "sentiment", "sentiment_probabilities", "abstained", "language"]


def test_one_statement_is_shown_as_a_table(project):
    options = ("--text", "Oslo hailed the accord.", "--speaker", "Oslo", "--target", "the accord")
    done = project.run("serving", "predict", *MODEL, *options)
    assert "Oslo → the accord" in done.stdout
    assert "%" in done.stdout


def test_another_language_is_noted_and_answered_if_asked_for(project, tmp_path):
    texts = ["工会拒绝了港口方面的提议,并宣布从星期一开始罢工。", "The union rejected the port's offer on Monday."]
    done = project.run("serving", "predict", *MODEL, "--text", texts[0])
    assert "does not read, so it abstains: zh 1 (" in done.stderr
    source = write_lines(tmp_path / "rows.jsonl", [{"text": text} for text in texts])
    output = tmp_path / "out.jsonl"
    files = ("--input", str(source), "--output", str(output))
    done = project.run("serving", "predict", *MODEL, *files)
    assert "rows in a language that the model does not read, so it abstains: zh 1 (" in done.stderr
    rows = read_lines(output)
    assert [row["language"] for row in rows] == ["zh", "en"]
    assert rows[0]["abstained"]
    done = project.run("serving", "predict", *MODEL, *files, "--any-language")
    assert "does not read" not in done.stderr
    again = read_lines(output)
    assert [row["language"] for row in again] == ["zh", "en"]
    assert again[1] == rows[1]


@pytest.mark.parametrize("extension", [".jsonl", ".csv", ".parquet"])
def test_a_file_keeps_its_columns_and_gains_the_labels(project, tmp_path, extension):
    rows = [{"text": f"Oslo hailed accord {i}.", "speaker": "Oslo", "source": f"s{i}"} for i in range(5)]
    source = write_lines(tmp_path / "rows.jsonl", rows)
    output = tmp_path / f"out{extension}"
    project.run("serving", "predict", *MODEL, "--input", str(source), "--output", str(output))
    from serving.rows.read import read_rows

    found = [row.values for row in read_rows(output)]
    assert list(found[0]) == ["text", "speaker", "source", *ADDED]
    assert [row["source"] for row in found] == [row["source"] for row in rows]
    if extension == ".parquet":
        assert pq.read_schema(output).field("abstained").type == "bool"


def test_bad_rows_go_aside_with_line_and_reason_and_the_exit_code_says_so(project, tmp_path):
    source = tmp_path / "rows.jsonl"
    secret = "the secret words"
    lines = [
        b'{"text": "good one"}',
        b"{broken",
        b'{"speaker": "Oslo"}',
        b'{"text": 2024}',
        b'{"text": "\xff\xfe not utf-8"}',
        json.dumps({"text": secret, "target": "x" * 501}).encode(),
        json.dumps({"text": secret, "target": "long " * 90}).encode(),
        b'{"text": "good two"}',
    ]
    source.write_bytes(b"\n".join(lines))
    output = tmp_path / "out.jsonl"
    done = project.run("serving", "predict", *MODEL, "--input", str(source), "--output", str(output), check=False)
    assert done.returncode == 3
    assert [row["text"] for row in read_lines(output)] == ["good one", "good two"]
    bad = read_lines(tmp_path / "out.jsonl.bad.jsonl")
    assert [row["line"] for row in bad] == [2, 3, 4, 5, 6, 7]
    assert "not JSON" in bad[0]["reason"]
    assert bad[1]["reason"].startswith("text: empty")
    assert "leave no room" in bad[5]["reason"]
    assert secret not in json.dumps(bad) + done.stderr
    assert "2 rows labelled, 6 could not be" in done.stderr


def test_standard_input_to_standard_output(project, tmp_path):
    done = project.run("serving", "predict", *MODEL, stdin='{"text": "Oslo left.", "id": 7}\n\n{"text": "x"}\n')
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert [list(answer) for answer in answers] == [["text", "id", *ADDED], ["text", *ADDED]]


def test_an_empty_csv_cell_is_a_missing_value(project, tmp_path):
    source = tmp_path / "rows.csv"
    source.write_text("text,speaker,target,target_start,target_end\nOslo left.,,,,\n", encoding="utf-8")
    done = project.run("serving", "predict", *MODEL, "--input", str(source))
    assert json.loads(done.stdout)["speaker"] == ""


def test_rows_stream_through_in_pieces(classifier):
    taken = 0

    def endless():
        nonlocal taken
        while True:
            taken += 1
            yield Row(taken, {"text": "Oslo left."})

    with predict.progress(Console(stderr=True)) as bar:
        answers = predict.predictions(classifier, endless(), bar, bar.add_task("x"))
        for _ in range(predict.CHUNK + 1):
            next(answers)
    assert taken == 2 * predict.CHUNK


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--input", "rows.xls"), "unknown extension '.xls'; use one of .jsonl, .csv, .tsv, .xlsx, .parquet; save the"),
        (("--input", "missing.xlsx"), "missing.xlsx: no such file"),
        (("--output", "rows.xlsx"), "unknown extension '.xlsx'; use one of .jsonl, .csv, .parquet"),
        (("--input", "missing.jsonl"), "missing.jsonl: no such file"),
        (("--text", "a", "--input", "rows.jsonl"), "leave out"),
        (("--speaker", "Oslo"), "go with --text"),
        (("--text", "a", "--model", "models:/stance@nobody"), "nobody"),
        (("--text", "a", "--device", "abacus"), "use auto, cpu or cuda"),
        (("--input", "statements/test.jsonl"), "column 'sentiment' is in the input already"),
        (("--input", "tiny.yaml", "--output", "nowhere/out.jsonl"), "unknown extension"),
    ],
)
def test_a_mistake_is_one_line_without_a_traceback(project, options, message):
    done = project.run("serving", "predict", *MODEL, *options, check=False)
    assert done.returncode == 1
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_help_has_examples(project):
    assert "--text" in project.run("serving", "predict", "--help").stdout
