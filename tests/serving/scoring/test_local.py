import fcntl
import json
import random
import subprocess
import sys
import time
from io import StringIO

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rich.console import Console

from serving.errors import StancewiseError
from serving.scoring import local
from serving.statement import Statement
from serving.tables import open_writer
from tests.conftest import STATEMENTS, read_lines, write_lines

ADDED = ["stance", "stance_probabilities", "sentiment", "sentiment_probabilities", "abstained", "language"]
COLUMNS = ("text", "speaker", "target")
SOURCE = [{k: row[k] for k in COLUMNS if k in row} for row in read_lines(STATEMENTS / "test.jsonl")]


def score(model, source, output, shard_rows=8):
    """What the command does for this folder of a model; returns the number of bad rows and what was said."""
    said = StringIO()
    bad = local.score(str(model), source, output, shard_rows, "cpu", "auto", Console(file=said, width=400))
    return bad, said.getvalue()


def scored(output):
    """All rows of an output folder, shard after shard, as a user reads them."""
    return pq.read_table(output).to_pylist()


def manifest(folder):
    return json.loads((folder / "_manifest.json").read_text(encoding="utf-8"))


def test_other_languages_are_counted_over_all_shards_and_belong_to_the_work(champion, tmp_path):
    french = "Les dockers ont rejeté l'offre du port et cesseront le travail dès lundi."
    rows = [{"text": french if i % 4 == 0 else row["text"]} for i, row in enumerate(SOURCE[:20])]
    source = write_lines(tmp_path / "rows.jsonl", rows)
    _, said = score(champion, source, tmp_path / "out")
    note = "rows in a language that the model does not read, so it abstains: fr 5 ("
    assert note in said
    found = scored(tmp_path / "out")
    assert [row["language"] == "fr" for row in found] == [row["text"] == french for row in found]
    assert all(row["abstained"] for row in found if row["language"] == "fr")
    assert note in score(champion, source, tmp_path / "out")[1]
    with pytest.raises(StancewiseError, match="holds answers without --any-language"):
        local.score(str(champion), source, tmp_path / "out", 8, "cpu", "auto", Console(file=StringIO()), True)
    local.score(str(champion), source, tmp_path / "any", 8, "cpu", "auto", Console(file=StringIO()), True)
    answered = scored(tmp_path / "any")
    assert [row["language"] for row in answered] == [row["language"] for row in found]
    assert [row for row in answered if row["language"] == "en"] == [row for row in found if row["language"] == "en"]


@pytest.mark.parametrize("extension", [".jsonl", ".csv", ".parquet"])
def test_rows_keep_their_order_and_columns_and_get_the_classifiers_labels(champion, classifier, tmp_path, extension):
    rows = [{"speaker": None, "target": None, **row, "id": i} for i, row in enumerate(SOURCE[:30])]
    source = tmp_path / f"rows{extension}"
    with open_writer(source) as writer:
        for row in rows:
            writer.write(row)
    score(champion, source, tmp_path / "out")
    found = scored(tmp_path / "out")
    assert list(found[0]) == [*rows[0], *ADDED]
    assert [str(row["id"]) for row in found] == [str(i) for i in range(30)]
    wanted = classifier.predict(Statement(**{k: row[k] for k in COLUMNS}) for row in rows)
    assert [row["stance"] for row in found] == [prediction.stance.label for prediction in wanted]
    for row, prediction in zip(found, wanted, strict=True):
        assert row["sentiment_probabilities"] == pytest.approx(prediction.sentiment.probabilities, abs=1e-5)
    assert [shard["rows"] for shard in manifest(tmp_path / "out")["shards"]] == [8, 8, 8, 6]
    assert not (tmp_path / "out.partial").exists()


def test_a_folder_by_command_with_bad_rows_aside(project, tmp_path):
    secret = "the secret words"
    source = tmp_path / "in"
    source.mkdir()
    write_lines(source / "a.jsonl", [{"text": "Oslo left."}, {"speaker": "Oslo"}, {"text": "Rome stayed."}])
    long = json.dumps({"text": secret, "target": "long " * 90})
    (source / "b.jsonl").write_bytes(b'{broken\n{"text": "\xff\xfe"}\n' + long.encode() + b'\n{"text": "Oslo left."}\n')
    (source / "_ignored.jsonl").write_text("{}")
    options = ("--model", "models:/stance@champion", "--input", str(source), "--output", "scored", "--shard-rows", "2")
    done = project.run("serving", "score", *options, check=False)
    assert done.returncode == 3
    output = project.folder / "scored"
    assert [row["text"] for row in scored(output)] == ["Oslo left.", "Rome stayed.", "Oslo left."]
    bad = read_lines(output / "_bad_rows.jsonl")
    assert [(row["file"], row["line"]) for row in bad] == [
        ("a.jsonl", 2),
        ("b.jsonl", 1),
        ("b.jsonl", 2),
        ("b.jsonl", 3),
    ]
    assert "leave no room" in bad[-1]["reason"]
    assert secret not in json.dumps(bad) + done.stderr
    assert "3 rows labelled in 4 shards, 2 statements scored; 4 could not be" in done.stderr
    again = project.run("serving", "score", *options, check=False)
    assert again.returncode == 3
    assert "finished already with this input and models:/stance/" in again.stderr


def test_all_shards_have_the_same_columns_whatever_a_row_leaves_out(baseline, tmp_path):
    rows = [{"text": f"Oslo left {i}."} for i in range(6)]
    rows[1]["share"] = 1
    rows[3]["share"] = 0.5
    rows[4] |= {"tags": ["a", "b"], "note": "\ud800 half"}
    rows[5] |= {"tags": "plain", "big": 2**70}
    source = write_lines(tmp_path / "rows.jsonl", [])
    source.write_text("".join(json.dumps(row) + "\n" for row in rows))
    score(baseline, source, tmp_path / "out", shard_rows=2)
    found = scored(tmp_path / "out")
    assert [row["share"] for row in found] == [None, 1.0, None, 0.5, None, None]
    assert [row["tags"] for row in found][-2:] == ['["a", "b"]', "plain"]
    assert found[4]["note"] == "\\ud800 half"
    assert found[5]["big"] == str(2**70)


def test_parquet_columns_keep_their_types(baseline, tmp_path):
    columns = {"text": ["Oslo left.", "Rome left."], "tags": [["a"], []], "n": pa.array([1, None], pa.int8())}
    pq.write_table(pa.table(columns), tmp_path / "rows.parquet")
    score(baseline, tmp_path / "rows.parquet", tmp_path / "out")
    found = pq.read_schema(tmp_path / "out" / "part-00000.parquet")
    assert found.field("n").type == pa.int8()
    assert pa.types.is_list(found.field("tags").type)


def test_duplicates_are_scored_once_within_and_across_shards(baseline, tmp_path):
    rows = [
        {"text": "Oslo hailed Rome.", "target": name, "id": i} for i, name in enumerate(["Rome", "Oslo", None] * 10)
    ]
    rows += [{"text": "Oslo hailed Rome.", "target": " Rome ", "id": 30}, {"text": "Oslo hailed Rome", "id": 31}]
    rows += [{"text": "Oslo hailed Rome.", "target": "Rome", "target_start": 12, "target_end": 16, "id": 32}]
    _, said = score(baseline, write_lines(tmp_path / "rows.jsonl", rows), tmp_path / "out", shard_rows=7)
    assert "33 rows labelled in 5 shards, 5 statements scored" in said
    found = scored(tmp_path / "out")
    assert [row["id"] for row in found] == list(range(33))
    assert all(row["stance_probabilities"] == found[0]["stance_probabilities"] for row in found[0:30:3])


def test_an_input_without_rows_is_an_output_without_rows(baseline, tmp_path):
    (tmp_path / "rows.csv").write_text("text,speaker\n")
    score(baseline, tmp_path / "rows.csv", tmp_path / "out")
    assert pq.read_table(tmp_path / "out").num_rows == 0


def test_a_finished_output_is_left_alone_and_holds_for_its_input_and_model_only(baseline, champion, tmp_path):
    source = write_lines(tmp_path / "rows.jsonl", SOURCE[:10])
    output = tmp_path / "out"
    score(baseline, source, output)
    before = {path: path.stat().st_mtime_ns for path in output.iterdir()}
    assert "nothing to do" in score(baseline, source, output, shard_rows=99)[1]
    with pytest.raises(StancewiseError, match=r"holds answers of .*name another --output"):
        score(champion, source, output)
    write_lines(source, SOURCE[:11])
    with pytest.raises(StancewiseError, match=r"rows.jsonl as it was before; name another --output"):
        score(baseline, source, output)
    assert {path: path.stat().st_mtime_ns for path in output.iterdir()} == before


def test_work_that_was_begun_goes_on_with_the_same_input_and_model_only(baseline, champion, tmp_path):
    source, other = (write_lines(tmp_path / f"{name}.jsonl", SOURCE) for name in ("rows", "other"))
    output, partial = tmp_path / "out", tmp_path / "out.partial"
    kill(start(baseline, source, output, 2), partial, shards=1)
    for model, changed, shard_rows, message in (
        (baseline, other, 2, "another input"),
        (champion, source, 2, "holds answers of"),
        (baseline, source, 3, "was started with --shard-rows 2, not 3"),
    ):
        with pytest.raises(StancewiseError, match=f"{message}.*remove .*out.partial"):
            score(model, changed, output, shard_rows)
    with (partial / "_lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(StancewiseError, match="another run is writing to it"):
            score(baseline, source, output, 2)
    _, said = score(baseline, source, output, 2)
    assert "resumed after" in said
    assert len(scored(output)) == len(SOURCE)


def start(model, source, output, shard_rows):
    """A run in a process of its own, with the baseline, which is up fast."""
    command = [sys.executable, "-m", "serving", "score", "--model", str(model), "--input", str(source)]
    command += ["--output", str(output), "--shard-rows", str(shard_rows)]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True)


def kill(process, partial, shards, later=0.0):
    """Kill a run once so many shards are finished, and a little later."""
    while process.poll() is None and finished(partial) < shards:
        time.sleep(0.001)
    time.sleep(later)
    process.kill()
    process.communicate()
    assert process.returncode == -9


def finished(partial):
    try:
        return len(manifest(partial)["shards"])
    except FileNotFoundError:
        return 0


@pytest.mark.parametrize("kills", [3, pytest.param(20, marks=pytest.mark.slow)])
def test_killed_at_random_points_no_row_is_lost_or_doubled(baseline, tmp_path, kills):
    rows = [{**SOURCE[i % 150], "id": i} for i in range(900)]
    for i in range(0, 900, 7):
        rows[i] = {"speaker": "Oslo", "id": i}
    source = write_lines(tmp_path / "rows.jsonl", rows)
    chance = random.Random(kills)
    output, partial = tmp_path / "out", tmp_path / "out.partial"
    for _ in range(kills):
        shards = finished(partial) + chance.randrange(4)
        kill(start(baseline, source, output, 3), partial, shards, later=chance.random() / 100)
        assert not output.exists()
    last = start(baseline, source, output, 3)
    said = last.communicate()[1]
    assert last.returncode == 3, said
    bad, _ = score(baseline, source, tmp_path / "unbroken", 3)
    assert bad == len(range(0, 900, 7))
    assert scored(output) == scored(tmp_path / "unbroken")
    for name in ("_manifest.json", "_bad_rows.jsonl"):
        assert (output / name).read_text() == (tmp_path / "unbroken" / name).read_text()
    assert sorted(p.name for p in output.iterdir()) == sorted(p.name for p in (tmp_path / "unbroken").iterdir())


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, "no .jsonl, .csv, .tsv, .xlsx, .parquet in this folder"),
        ({"~$rows.xlsx": "Ana"}, "no .jsonl, .csv, .tsv, .xlsx, .parquet in this folder"),  # Excel has it open
        ({"a.csv": "text\nx\n", "b.jsonl": '{"text": "x"}\n'}, "each format into a folder of its own"),
        ({"a.csv": "text,stance\nx,y\n"}, "column 'stance' is there already"),
        ({"a.parquet": "text"}, "not a Parquet file"),
    ],
)
def test_a_mistake_in_the_input_is_said_before_anything_is_scored(baseline, tmp_path, files, message):
    source = tmp_path / "in"
    source.mkdir()
    for name, text in files.items():
        (source / name).write_text(text)
    with pytest.raises(StancewiseError, match=message):
        score(baseline, source, tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


def test_a_folder_of_something_else_is_not_touched(baseline, tmp_path):
    source = write_lines(tmp_path / "rows.jsonl", SOURCE[:3])
    for name in ("out", "other.partial"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "mine.txt").write_text("mine")
    for output in ("out", "other"):
        with pytest.raises(StancewiseError, match=r"holds no _manifest.json"):
            score(baseline, source, tmp_path / output)
    assert (tmp_path / "other.partial" / "mine.txt").read_text() == "mine"


def test_help_has_examples(project):
    assert "--engine spark" in project.run("serving", "score", "--help").stdout
