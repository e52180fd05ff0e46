"""Drift in /metrics: found where rows have shifted, not where they are the same; with few rows there is silence."""

import re
import shutil
import time

import mlflow
import psutil
import pytest

from serving.store.folder import SETTINGS_FILE, read_settings, write_settings
from serving.watch.reference import REFERENCE_FILE, read_reference
from tests.conftest import STATEMENTS, read_lines
from tests.serving.server.servers import Server, served
from tests.serving.server.test_life import workers

SAMPLE = re.compile(r'(stancewise_\w+)\{head="(\w*)",measure="(\w+)"\} (\S+)')
ROWS = [{k: row[k] for k in ("text", "speaker", "target")} for row in read_lines(STATEMENTS / "validation.jsonl")]


def texts(rows: list[dict]) -> int:
    return len({row["text"] for row in rows})


def distances(server: Server, name: str = "stancewise_drift_distance") -> dict[tuple[str, str], float]:
    text = server.ask("/metrics").body.decode()
    return {(head, measure): float(value) for found, head, measure, value in SAMPLE.findall(text) if found == name}


def ask(server: Server, rows: list[dict], counted: int) -> None:
    """Ask in requests of some rows, and wait until so many statements are counted in all."""
    for start in range(0, len(rows), 60):
        assert server.predict(rows[start : start + 60]).status == 200
    until = time.monotonic() + 60
    while server.metric("stancewise_drift_statements") < counted:
        assert time.monotonic() < until, server.metric("stancewise_drift_statements")
        time.sleep(0.05)
    assert server.metric("stancewise_drift_statements") == counted


@pytest.fixture
def one(watched, tmp_path):
    with served(watched, tmp_path / "log") as server:
        yield server


def different(server: Server) -> set[tuple[str, str]]:
    found, chance = distances(server), distances(server, "stancewise_drift_chance")
    assert found.keys() == chance.keys()
    return {key for key, value in found.items() if value >= 0.2 and value > chance[key]}


def test_few_rows_say_nothing_and_the_same_rows_show_no_drift(one, watched):
    assert one.metric("stancewise_drift_watched") == 1
    assert one.metric("stancewise_drift_hours") == 24
    ask(one, ROWS[:20], 20)
    text = one.ask("/metrics").body.decode()
    assert distances(one) == {}
    for silent in ("stancewise_estimated_accuracy{", "stancewise_abstained_share{"):
        assert silent not in text
    assert 'stancewise_validation_accuracy{head="stance"}' in text
    ask(one, ROWS[20:200], 200)
    assert one.metric("stancewise_drift_texts") >= 100
    reference = read_reference(watched)
    keys = {histogram.key for histogram in reference.histograms} - {("", "distance")}
    assert distances(one).keys() == keys
    assert different(one) == set()
    text = one.ask("/metrics").body.decode()
    share = float(re.search(r'stancewise_estimated_accuracy\{head="stance"\} (\S+)', text)[1])
    assert abs(share - reference.accuracy["stance"].measured) < 0.15
    assert ROWS[0]["text"][:20] not in text


def test_shifted_rows_are_found(one):
    rows = [{"text": f"{row['text']} {row['text']} It was said {i} times."} for i, row in enumerate(ROWS[:150])]
    ask(one, rows, 150)
    assert {("", "length"), ("", "holder"), ("", "target")} <= different(one)


def test_versions_of_a_statement_that_explain_it_are_not_counted(one):
    ask(one, ROWS[:5], 5)
    assert one.ask("/v1/explain", {**ROWS[0], "head": "stance"}).status == 200
    article = "The mayor hailed the tram plan. Shopkeepers called the tram plan a waste."
    asked = {"text": article, "targets": ["the tram plan"], "all": True}
    statements = len(one.ask("/v1/article", asked).json["article"]["statements"])
    ask(one, ROWS[:5], 10 + statements)


def test_a_model_without_a_reference_is_served_as_before_and_that_is_said(watched, tmp_path):
    folder = tmp_path / "model"
    shutil.copytree(watched, folder)
    (folder / REFERENCE_FILE).unlink()
    write_settings(folder, read_settings(folder))
    with served(folder, tmp_path / "log") as server:
        assert server.predict(ROWS[:3]).status == 200
        assert server.metric("stancewise_drift_watched") == 0
        assert "stancewise_drift_statements" not in server.ask("/metrics").body.decode()
        assert "train it again" in server.wait_for("drift is not watched")["cause"]


def test_workers_count_together_and_a_lost_one_stays_counted(watched, tmp_path):
    with served(watched, tmp_path / "log", "--workers", "2") as server:
        until = time.monotonic() + 120
        while len([line for line in server.lines() if line["message"] == "ready"]) < 2:
            assert time.monotonic() < until
            time.sleep(0.1)
        ask(server, ROWS[:190], 190)
        psutil.Process(workers(server)[0]).kill()
        while len([line for line in server.lines() if line["message"] == "ready"]) < 3:
            assert time.monotonic() < until
            time.sleep(0.1)
        for _ in range(4):  # whichever worker answers
            assert server.metric("stancewise_drift_statements") == 190
        assert different(server) == set()
        assert server.ask("/metrics").body.decode().count("\nstancewise_drift_watched 1.0") == 1


def test_a_new_version_begins_a_window_of_its_own(project, watched, tmp_path):
    mlflow.set_tracking_uri(project.store)
    client, name = mlflow.MlflowClient(), f"watched-{tmp_path.name}"
    client.create_registered_model(name)
    run = client.get_model_version("stance", "1").run_id
    for version in ("first", "second"):
        folder = tmp_path / version
        shutil.copytree(watched, folder)
        if version == "second":
            path = folder / REFERENCE_FILE
            path.write_text(path.read_text().replace('"texts":', '"texts":1'), encoding="utf-8")
            write_settings(folder, read_settings(folder))
        assert (folder / SETTINGS_FILE).is_file()
        client.create_model_version(name, str(folder), run)
    client.set_registered_model_alias(name, "champion", "1")
    environment = {"MLFLOW_TRACKING_URI": project.store, "STANCEWISE_CACHE": str(tmp_path / "cache")}
    with served(f"models:/{name}@champion", tmp_path / "log", "--watch", "0.3", **environment) as server:
        ask(server, ROWS[:30], 30)
        client.set_registered_model_alias(name, "champion", "2")
        server.wait_for("the alias was moved; the new version is served")
        until = time.monotonic() + 30
        while server.metric("stancewise_model_version") != 2:
            assert time.monotonic() < until
            time.sleep(0.05)
        assert server.metric("stancewise_drift_statements") == 0
        ask(server, ROWS[:7], 7)
