"""Real Spark: Java, Python workers and executors that are killed while they score."""

import json
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from serving.statement import Statement
from serving.store.folder import read_settings, write_settings
from serving.store.versions import find_model
from tests.conftest import STATEMENTS, read_lines

pyspark = pytest.importorskip("pyspark", reason="pyspark is not installed: pip install '.[spark]'")
pytestmark = pytest.mark.skipif(not shutil.which("java"), reason="Spark needs Java")

LONG = "long " * 90
FILES, ROWS = 6, 20  # a file is a task


@pytest.fixture
def source(tmp_path):
    """A folder of Parquet; of every file one row has no text and one a target that is too long."""
    folder = tmp_path / "in"
    folder.mkdir()
    statements = read_lines(STATEMENTS / "test.jsonl")
    for number in range(FILES):
        rows = [{k: row.get(k) for k in ("text", "speaker", "target")} for row in statements[number:][:ROWS]]
        rows[3]["text"], rows[5]["target"] = None, LONG
        rows = [{**row, "id": number * ROWS + i} for i, row in enumerate(rows)]
        pq.write_table(pa.Table.from_pylist(rows), folder / f"{number:02d}.parquet")
    return folder


def with_spark(project, tmp_path, master, **settings):
    """The project with Spark set to a master, small tasks, and a log of what becomes of each task."""
    log = tmp_path / "events"
    log.mkdir(exist_ok=True)
    conf = {
        "spark.eventLog.enabled": "true",
        "spark.eventLog.dir": log.as_uri(),
        "spark.eventLog.rolling.enabled": "false",
        "spark.eventLog.compress": "false",
        "spark.sql.files.maxPartitionBytes": "1m",
        "spark.sql.files.openCostInBytes": "1m",  # no two files in a task
        "spark.driver.host": "127.0.0.1",
        "spark.ui.enabled": "false",
        **settings,
    }
    options = " ".join(f"--conf {name}={value}" for name, value in conf.items())
    arguments = f"--master {master} {options} pyspark-shell"
    return replace(project, environment={**project.environment, "PYSPARK_SUBMIT_ARGS": arguments})


def command(source, output, model="models:/stance@champion"):
    places = ("--input", str(source), "--output", str(output))
    return ("serving", "score", "--engine", "spark", "--model", str(model), *places)


def check(source, output, classifier):
    """Every row of the input is in the output once: labelled as the classifier does, or aside with its reason."""
    rows = pq.read_table(source).to_pylist()
    found = pq.read_table(output).to_pylist()
    labelled = {row["id"]: row for row in found}
    bad = pq.read_table(output / "_bad_rows").to_pylist()
    assert len(found) == len(labelled) == FILES * (ROWS - 2)
    assert sorted([*labelled, *(row["id"] for row in bad)]) == [row["id"] for row in rows]
    assert sum(row["reason"].startswith("text: ") for row in bad) == FILES
    assert sum("leave no room" in row["reason"] and LONG not in row["reason"] for row in bad) == FILES
    good = [row for row in rows if row["id"] in labelled]
    wanted = classifier.predict(Statement(**{k: row[k] for k in ("text", "speaker", "target")}) for row in good)
    for row, prediction in zip(good, wanted, strict=True):
        assert labelled[row["id"]]["stance"] == prediction.stance.label
        assert labelled[row["id"]]["sentiment_probabilities"] == pytest.approx(
            prediction.sentiment.probabilities, abs=1e-5
        )


def failed_tasks(tmp_path):
    """What the event log says of tasks that did not succeed."""
    lines = [json.loads(line) for log in (tmp_path / "events").iterdir() for line in log.read_text().splitlines()]
    ends = [line["Task End Reason"] for line in lines if line["Event"] == "SparkListenerTaskEnd"]
    assert ends
    return [reason for reason in ends if reason["Reason"] != "Success"]


@contextmanager
def killing(output, victims):
    """Kill the victims once the first task has written its rows."""
    partial = output.with_name(f"{output.name}.partial")
    killed = []

    def wait_and_kill():
        end = time.monotonic() + 120
        while time.monotonic() < end:
            if any(partial.glob("_temporary/*/task_*/part-*")) and (found := victims()):
                for process in found:
                    process.send_signal(signal.SIGKILL)
                killed.extend(found)
                return
            time.sleep(0.01)

    thread = threading.Thread(target=wait_and_kill)
    thread.start()
    yield
    thread.join()
    assert killed, "nothing was there to be killed"


def processes(of, *words):
    """Descendants of a process whose command line holds one of the words."""

    def matches(process):
        try:
            return any(word in " ".join(process.cmdline()) for word in words)
        except psutil.NoSuchProcess:
            return False

    return [process for process in psutil.Process(of).children(recursive=True) if matches(process)]


@pytest.mark.slow
def test_python_workers_are_killed_and_every_row_is_scored_once(project, classifier, source, tmp_path):
    output = tmp_path / "out"

    def workers():
        # The daemon forks workers: they are those whose parent is a daemon too.
        daemons = processes(os.getpid(), "pyspark.daemon")
        return [process for process in daemons if process.parent() in daemons]

    spark = with_spark(project, tmp_path, "local[2,4]")
    with killing(output, workers):
        done = spark.run(*command(source, output), check=False)
    assert done.returncode == 3, done.stderr
    check(source, output, classifier)
    assert failed_tasks(tmp_path)
    assert f"{FILES * (ROWS - 2)} rows labelled; {FILES * 2} could not be" in done.stderr
    assert not output.with_name("out.partial").exists()


@pytest.mark.slow
def test_a_second_run_does_nothing_and_other_work_is_refused(project, source, tmp_path):
    output = tmp_path / "out"
    spark = with_spark(project, tmp_path, "local[2]")
    spark.run(*command(source, output), check=False)
    before = {path: path.stat().st_mtime_ns for path in output.rglob("*")}
    again = spark.run(*command(source, output), check=False)
    assert again.returncode == 3
    assert "finished already with this input and models:/stance/" in again.stderr
    (source / "00.parquet").touch()
    other = spark.run(*command(source, output), check=False)
    assert other.returncode == 1
    assert "as it was before; name another --output" in other.stderr
    assert {path: path.stat().st_mtime_ns for path in output.rglob("*")} == before


@pytest.mark.slow
def test_when_spark_gives_up_there_is_no_output(project, source, tmp_path):
    (source / "99.parquet").write_bytes((source / "00.parquet").read_bytes()[:-20] + b"x" * 20)
    output = tmp_path / "out"
    done = with_spark(project, tmp_path, "local[2]").run(*command(source, output), check=False)
    assert done.returncode == 1
    assert "Spark stopped" in done.stderr
    assert "Traceback" not in done.stderr.split("error:")[-1]
    assert not output.exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"words": ["x"]}, "no column 'text'; rename the column of the texts to 'text'; its columns: 'words'"),
        ({"text": [1]}, "column text is bigint, not string"),
        ({"text": ["x"], "target_start": [1]}, "column target_start is not read"),
        ({"text": ["x"], "Stance": ["x"]}, "column 'Stance' is there already"),
    ],
)
def test_columns_that_cannot_be_scored_are_refused(project, tmp_path, columns, message):
    pq.write_table(pa.table(columns), tmp_path / "rows.parquet")
    done = with_spark(project, tmp_path, "local[1]").run(
        *command(tmp_path / "rows.parquet", tmp_path / "out"), check=False
    )
    assert done.returncode == 1
    assert message in done.stderr


@pytest.mark.slow
def test_a_head_that_the_model_was_not_trained_for_is_empty(project, tmp_path):
    import mlflow

    mlflow.set_tracking_uri(project.store)
    model = tmp_path / "model"
    shutil.copytree(find_model("models:/stance@baseline").parents[1], model)
    settings = read_settings(model / "artifacts" / "model")
    write_settings(model / "artifacts" / "model", settings.model_copy(update={"heads": ("sentiment",)}))
    pq.write_table(pa.table({"text": ["Oslo left.", "Rome stayed."]}), tmp_path / "rows.parquet")
    spark = with_spark(project, tmp_path, "local[1]")
    spark.run(*command(tmp_path / "rows.parquet", tmp_path / "out", model))
    found = pq.read_table(tmp_path / "out")
    assert [row["stance_probabilities"] for row in found.to_pylist()] == [None, None]
    assert set(found.to_pylist()[0]["sentiment_probabilities"]) == {"positive", "neutral", "negative"}
    assert found.schema.field("stance_probabilities").type == pa.struct(
        [(label, pa.float64()) for label in ("support", "neutrality", "criticism")]
    )


@pytest.mark.slow
def test_other_languages_abstain_and_a_model_of_before_has_none(project, tmp_path):
    import mlflow

    mlflow.set_tracking_uri(project.store)
    texts = ["Les dockers ont rejeté l'offre du port et cesseront le travail dès lundi.", "Rome stayed in the accord."]
    pq.write_table(pa.table({"text": texts}), tmp_path / "rows.parquet")
    model = find_model("models:/stance@baseline").parents[1]
    spark = with_spark(project, tmp_path, "local[1]")

    def scored(name, model, *options):
        done = spark.run(*command(tmp_path / "rows.parquet", tmp_path / name, model), *options)
        rows = sorted(pq.read_table(tmp_path / name).to_pylist(), key=lambda row: texts.index(row["text"]))
        return rows, done.stderr

    rows, said = scored("out", model)
    assert "so it abstains: fr 1 (" in said
    assert (rows[0]["language"], rows[0]["abstained"]) == ("fr", True)
    every, said = scored("any", model, "--any-language")
    assert "so it abstains" not in said
    assert [row["language"] for row in every] == [row["language"] for row in rows]
    assert every[0]["stance_probabilities"] == rows[0]["stance_probabilities"]
    shutil.copytree(model, tmp_path / "before")
    logged = mlflow.models.Model.load(str(tmp_path / "before"))
    del logged.flavors["python_function"]["config"]
    logged.signature.outputs.inputs.pop()
    logged.save(str(tmp_path / "before" / "MLmodel"))
    assert [row["language"] for row in scored("before.out", tmp_path / "before")[0]] == [None, None]
    arguments = command(tmp_path / "rows.parquet", tmp_path / "no", tmp_path / "before")
    refused = spark.run(*arguments, "--any-language", check=False)
    assert "--any-language: this model knows no languages" in refused.stderr


@pytest.fixture
def cluster(project, tmp_path):
    """A standalone master with two workers of one core each; what Python workers unpack goes to a folder of its own."""
    port = free_port()
    (tmp_path / "tmp").mkdir()
    home = Path(pyspark.__file__).parent
    environment = {
        **project.environment,
        "SPARK_LOCAL_IP": "127.0.0.1",
        "SPARK_HOME": str(home),
        "TMPDIR": str(tmp_path / "tmp"),
        "SPARK_WORKER_DIR": str(tmp_path / "work"),
    }
    master = f"spark://127.0.0.1:{port}"
    deploy = "org.apache.spark.deploy"
    options = [f"{deploy}.master.Master", "--host", "127.0.0.1", "--port", str(port), "--webui-port", "0"]
    worker = [f"{deploy}.worker.Worker", "--cores", "1", "--memory", "1g", "--host", "127.0.0.1", "--webui-port", "0"]
    started = []
    with (tmp_path / "cluster.log").open("w") as log:
        try:
            for one in (options, [*worker, master], [*worker, master]):
                line = [str(home / "bin" / "spark-class"), *one]
                started.append(subprocess.Popen(line, env=environment, stdout=log, stderr=log))
                wait_for(port)
            yield master, started[1:]
        finally:
            for process in started:
                for child in psutil.Process(process.pid).children(recursive=True):
                    child.kill()
                process.kill()
                process.wait()


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def wait_for(port):
    end = time.monotonic() + 60
    while time.monotonic() < end:
        with socket.socket() as one:
            if one.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise AssertionError("the master does not start")


@pytest.mark.slow
def test_an_executor_is_killed_on_a_cluster_and_every_row_is_scored_once(
    project, classifier, source, tmp_path, cluster
):
    master, workers = cluster
    output = tmp_path / "out"

    def executors():
        return [e for worker in workers for e in processes(worker.pid, "CoarseGrainedExecutorBackend")][:1]

    with killing(output, executors):
        done = with_spark(project, tmp_path, master).run(*command(source, output), check=False)
    assert done.returncode == 3, done.stderr
    check(source, output, classifier)
    assert any(reason["Reason"] == "ExecutorLostFailure" for reason in failed_tasks(tmp_path))


@pytest.mark.slow
def test_a_process_of_an_executor_loads_the_model_once(project, classifier, source, tmp_path, cluster):
    master, _ = cluster
    output = tmp_path / "out"
    done = with_spark(project, tmp_path, master).run(*command(source, output), check=False)
    assert done.returncode == 3, done.stderr
    check(source, output, classifier)
    # Two executors of one core: one Python process each, which unpacks the model when it loads it.
    assert len(list((tmp_path / "tmp").rglob("MLmodel"))) == 2
