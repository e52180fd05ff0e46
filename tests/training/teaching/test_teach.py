"""`teach` with a language model, as a user runs it: asked, confirmed, stopped, gone on with, checked, trained with."""

import json
import re
import signal
import subprocess
import sys
import time

import pytest
import typer
import yaml

from serving import StancewiseError, Statement
from tests.conftest import make_project, read_lines
from tests.training.teaching.conftest import FIELDS, files
from training.commands import app
from training.data.sources.teacher import question_id
from training.teaching.ask import open_answers

KEY = "sk-Secret-0123456789"
PRICES = ("--price-in", "0.5", "--price-out", "2")


def command(llm, folder, *more, name="large"):
    where = ["--endpoint", llm.url, "--llm", name, "--input", str(folder / "own.jsonl")]
    return ["training", "teach", *where, "--output", str(folder / "answers.jsonl"), *more]


def teach(desk, llm, folder, *more, code=0, stdin=None, **settings):
    done = desk.run(*command(llm, folder, *more, **settings), check=False, stdin=stdin)
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    return done


def test_answers_are_a_teacher_file(desk, llm, folder):
    done = teach(desk, llm, folder, "--yes", *PRICES)
    rows = read_lines(folder / "answers.jsonl")
    asked = read_lines(folder / "own.jsonl")
    assert {row["id"] for row in rows} == {question_id(Statement(**{n: row[n] for n in FIELDS})) for row in asked}
    assert {row["group"] for row in rows} == {row["group"] for row in asked}
    assert rows[0].keys() == {
        *("id", *FIELDS, "group", "stance_probabilities", "sentiment_probabilities"),
        *("probabilities_from", "llm", "prompt"),
    }
    assert {row["probabilities_from"] for row in rows} == {"logprobs"}
    assert llm.most_at_once > 1
    host = f"127.0.0.1:{llm.port}"
    printed = done.stdout
    assert re.search(r"own\.jsonl: 40 statements, about [\d,]+ tokens and 1,000 in answers, cost 0\.0\d+", printed)
    assert (
        f"their texts, holders and targets go to {host}, a server on this machine, which may pass them on\n" in printed
    )
    assert re.search(r"used: [\d,]+ tokens and 640 in answers, cost 0\.0\d+", printed)
    assert f"40 of 40 statements answered: {folder / 'answers.jsonl'}" in printed
    assert files(folder) == ["answers.jsonl", "labelled.jsonl", "own.jsonl"]


def test_a_model_learns_from_them(encoder, llm, folder):
    project, llm.key = make_project(folder, encoder), KEY
    project.environment["OPENAI_API_KEY"] = KEY
    teach(project, llm, folder, "--yes")
    answers = str(folder / "answers.jsonl")
    values = yaml.safe_load((folder / "tiny.yaml").read_text(encoding="utf-8"))
    train = ["statements/train.jsonl", {"source": "table", "path": answers, "teacher": answers}]
    data = {**values["data"], "train": train, "leaks": "drop"}
    done = project.run("training", "train", project.config("taught", data=data, epochs=1, register=None))
    assert "200 training statements" in done.stdout  # those that only the language model labelled are among them
    for path in folder.rglob("*"):
        assert not path.is_file() or KEY.encode() not in path.read_bytes(), path  # nor in MLflow's store


def test_nothing_is_sent_without_a_yes(desk, llm, folder):
    done = teach(desk, llm, folder, *PRICES, code=1, stdin="n\n")
    host = f"127.0.0.1:{llm.port}"
    assert f"send 40 statements to {host}? [y/N]" in done.stdout
    assert f"not confirmed: nothing was sent to {host}" in done.stderr
    done = teach(desk, llm, folder, code=1, stdin="")
    assert "nobody there to confirm it: nothing was sent; add --yes" in done.stderr
    assert llm.asked == []
    assert files(folder) == ["labelled.jsonl", "own.jsonl"]


def test_a_killed_command_goes_on_where_it_was(desk, llm, folder):
    llm.seconds = 0.15
    output = folder / "answers.jsonl"
    process = subprocess.Popen(
        [sys.executable, "-m", *command(llm, folder, "--yes", "--at-once", "2")],
        cwd=desk.folder,
        env=desk.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    until = time.monotonic() + 120
    while not output.exists() or output.read_bytes().count(b"\n") < 10:
        assert process.poll() is None
        assert time.monotonic() < until
        time.sleep(0.02)
    with pytest.raises(StancewiseError, match="another process writes to it"), open_answers(output, "large"):
        pass
    process.send_signal(signal.SIGKILL)
    process.wait(20)
    kept = read_lines(output)  # every line is whole
    assert 10 <= len(kept) < 40
    before = len(llm.asked)
    assert before - len(kept) <= 2  # what was under way
    with output.open("a", encoding="utf-8") as file:
        file.write('{"id": "5f5e')  # as a full disk leaves it
    llm.seconds = 0.0
    done = teach(desk, llm, folder, "--yes")
    assert f"{40 - len(kept)} statements ({len(kept)} of 40 are answered already)" in done.stdout
    assert len(llm.asked) - before == 40 - len(kept)
    rows = read_lines(output)
    assert rows[: len(kept)] == kept
    assert len({row["id"] for row in rows}) == len(rows) == 40


def test_ctrl_c_stops_at_once_and_loses_nothing(desk, llm, folder):
    llm.seconds = 0.2
    output = folder / "answers.jsonl"
    # A job in the background hands down that the signal is ignored.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    process = subprocess.Popen(
        [sys.executable, "-m", *command(llm, folder, "--yes", "--at-once", "2")],
        cwd=desk.folder,
        env=desk.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    signal.signal(signal.SIGINT, before)
    until = time.monotonic() + 120
    while not output.exists() or output.read_bytes().count(b"\n") < 3:
        assert process.poll() is None
        assert time.monotonic() < until
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    printed, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in printed
    assert re.search(r"used: [\d,]+ tokens", printed)
    assert len(read_lines(output)) >= 3


def test_the_key_is_nowhere(desk, llm, folder):
    llm.key = KEY  # the server repeats it, and the text, in every error
    llm.faults = ["", "400", "refusal", "429"]
    printed = ""
    for key, code, said in (
        (f"{KEY}-old", 1, "the key in STANCE_KEY is not accepted"),
        (KEY, 3, "with the key in STANCE_KEY"),
    ):
        desk.environment["STANCE_KEY"] = key
        done = teach(desk, llm, folder, "--key-env", "STANCE_KEY", "--yes", code=code)
        assert said in done.stdout + done.stderr
        printed += done.stdout + done.stderr
    assert KEY not in printed
    assert not [row["text"] for row in read_lines(folder / "own.jsonl") if row["text"] in printed]
    for path in folder.rglob("*"):
        assert not path.is_file() or KEY.encode() not in path.read_bytes(), path


def test_what_gets_no_answer_is_named_and_asked_again(desk, llm, folder):
    rows = read_lines(folder / "own.jsonl")
    several = dict(zip((4, 11, 30), ("prose", "refusal", "400"), strict=True))
    llm.faulty = {rows[place]["text"]: fault for place, fault in several.items()}
    lost = [i for i, row in enumerate(rows) if row["text"] in llm.faulty]  # some texts stand in several rows
    done = teach(desk, llm, folder, "--yes", code=3)
    assert f"own.jsonl:{5}: the model's answer is not JSON, twice" in done.stdout
    assert f"own.jsonl:{12}: the model refused" in done.stdout
    assert f"own.jsonl:{31}: the endpoint refused it (HTTP 400, context_length_exceeded)" in done.stdout
    assert f"{len(lost)} without an answer: the same command asks them again" in done.stdout
    assert len(read_lines(folder / "answers.jsonl")) == 40 - len(lost)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "give MODEL and CONFIG, or for a language model --endpoint, --llm, --input"),
        (["models:/stance@champion"], "give CONFIG"),
        (["--endpoint", "http://127.0.0.1/v1"], "give --llm, --input"),
        (["models:/stance@champion", "tiny.yaml", "--samples", "3"], "MODEL together with --samples"),
    ],
)
def test_one_of_the_two_forms(tmp_path, arguments, message):
    output = tmp_path / "taught.jsonl"
    with pytest.raises(StancewiseError, match=message):
        typer.main.get_command(app)(["teach", *arguments, "--output", str(output)], standalone_mode=False)
    assert not output.exists()


def test_a_tracked_model_teaches_as_before(project):
    project.run("training", "teach", "models:/stance@champion", "tiny.yaml", "--output", "tracked.jsonl")
    rows = [json.loads(line) for line in (project.folder / "tracked.jsonl").read_text().splitlines()]
    assert len(rows) == 160
    assert set(rows[0]) == {"id", "stance_probabilities", "sentiment_probabilities"}
