"""deploy/'s alerts and dashboard: every query against a real Prometheus that scrapes a real server."""

import json
import re
import shutil
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
import yaml

from tests.conftest import REPOSITORY, STATEMENTS, read_lines
from tests.end_to_end.stores import answering, free_port
from tests.serving.server.servers import Server, served

DEPLOY = REPOSITORY / "deploy"
DASHBOARD = json.loads((DEPLOY / "grafana" / "stancewise.json").read_text(encoding="utf-8"))
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
QUERIES = [(panel["title"], target["expr"]) for panel in PANELS for target in panel["targets"]]
RULES = [rule for group in yaml.safe_load((DEPLOY / "alerts.yml").read_text())["groups"] for rule in group["rules"]]
KEY = "of the servers, long enough"

needs_prometheus = pytest.mark.skipif(
    not (shutil.which("prometheus") and shutil.which("promtool")),
    reason="Prometheus is not installed (Debian: apt-get install prometheus)",
)


def promtool(*arguments: object) -> str:
    done = subprocess.run(["promtool", *map(str, arguments)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@needs_prometheus
def test_promtool_accepts_configuration_and_rules():
    assert "SUCCESS" in promtool("check", "config", DEPLOY / "prometheus.yml")
    assert f"{len(RULES)} rules found" in promtool("check", "rules", DEPLOY / "alerts.yml")
    assert len({rule["alert"] for rule in RULES}) == len(RULES)


def series(metric: str, values: str, **labels: str) -> dict[str, str]:
    """A series of one server, as promtool writes it: 0+5x600 grows by 5 a minute, 3x600 stays."""
    every = {"job": "stancewise", "instance": "a:8000", **labels}
    return {f"stancewise_{metric}{{{','.join(f'{k}={json.dumps(v)}' for k, v in every.items())}}}": values}


def requests(**by_status: int) -> dict[str, str]:
    return {
        key: values
        for status, count in by_status.items()
        for key, values in series("requests_total", f"0+{count}x600", status=status.removeprefix("s")).items()
    }


def seconds(within_2: int, within_5: int) -> dict[str, str]:
    counts = {"2": within_2, "5": within_5, "+Inf": within_5}
    made = [series("request_seconds_bucket", f"0+{count}x600", le=le) for le, count in counts.items()]
    return {key: values for one in made for key, values in one.items()}


def head(name: str, value: float, **labels: str) -> dict[str, str]:
    return series(name, f"{value}x600", head="stance", **labels)


def foreign(statements: int) -> dict[str, str]:
    found = series("foreign_texts_total", "0+5x600", kind="statement", language="it")
    return {**found, **series("statements_total", f"0+{statements}x600")}


# Of every alert: when to look, what makes it fire, and what does not.
CASES = {
    "StancewiseDown": ("3m", {'up{job="stancewise"}': "0x600"}, {'up{job="stancewise"}': "1x600"}),
    "StancewiseErrors": ("20m", requests(s200=90, s500=9), requests(s200=90, s422=9)),
    "StancewiseRefusals": ("20m", requests(s200=90, s429=9), requests(s200=99, s429=2)),
    "StancewiseSlow": ("20m", seconds(9, 10), seconds(10, 10)),
    "StancewiseQueue": ("10m", series("queue_statements", "3000x600"), series("queue_statements", "1000x600")),
    "StancewiseModelNotLoaded": (
        "10m",
        series("model_swaps_total", "0 0 1x600", outcome="refused"),
        series("model_swaps_total", "0 0 1x600", outcome="swapped"),
    ),
    "StancewiseNotWatched": ("2h", series("drift_watched", "0x600"), series("drift_watched", "1x600")),
    "StancewiseDrift": (
        "2h",
        {**head("drift_distance", 0.3, measure="label"), **head("drift_chance", 0.1, measure="label")},
        {**head("drift_distance", 0.3, measure="label"), **head("drift_chance", 0.4, measure="label")},
    ),
    "StancewiseAccuracy": (
        "2h",
        {**head("validation_accuracy", 0.8), **head("estimated_accuracy", 0.6)},
        {**head("validation_accuracy", 0.8), **head("estimated_accuracy", 0.75)},
    ),
    "StancewiseAbstention": (
        "2h",
        {**head("abstained_share", 0.3), **head("validation_abstained_share", 0.1)},
        head("validation_abstained_share", 0.1),
    ),
    "StancewiseForeign": ("3h", foreign(10), foreign(1000)),
}


@needs_prometheus
@pytest.mark.parametrize("name", [rule["alert"] for rule in RULES])
def test_an_alert_fires_when_it_should_and_is_silent_when_not(tmp_path, name):
    after, loud, quiet = CASES[name]
    fires = f'count(ALERTS{{alertname="{name}",alertstate="firing"}})'
    tests = [
        {
            "interval": "1m",
            "input_series": [{"series": key, "values": values} for key, values in given.items()],
            "promql_expr_test": [{"expr": fires, "eval_time": after, "exp_samples": expected}],
        }
        for given, expected in ((loud, [{"labels": "{}", "value": 1}]), (quiet, []))
    ]
    path = tmp_path / "test.yml"
    path.write_text(yaml.safe_dump({"rule_files": [str(DEPLOY / "alerts.yml")], "tests": tests}), encoding="utf-8")
    promtool("test", "rules", path)


@dataclass(frozen=True)
class Prometheus:
    """A running Prometheus."""

    url: str

    def get(self, path: str, **query: str) -> object:
        try:
            with urllib.request.urlopen(f"{self.url}{path}?{urllib.parse.urlencode(query)}", timeout=30) as response:
                return json.load(response)["data"]
        except urllib.error.HTTPError as error:
            raise AssertionError(error.read().decode()) from None

    def query(self, expression: str) -> list[dict]:
        return self.get("/api/v1/query", query=expression)["result"]


def wait_for(found: Callable[[], object], seconds: float = 120) -> object:
    until = time.monotonic() + seconds
    while not (result := found()):
        assert time.monotonic() < until
        time.sleep(0.5)
    return result


@pytest.fixture(scope="module")
def stack(watched, tmp_path_factory) -> Iterator[tuple[Server, Prometheus]]:
    """A server with a key, and a Prometheus that has the files of deploy/ but for the address and shorter times."""
    folder = tmp_path_factory.mktemp("prometheus")
    (folder / "stancewise-key").write_text(KEY, encoding="utf-8")
    config = (DEPLOY / "prometheus.yml").read_text(encoding="utf-8")
    assert "# authorization: {credentials_file: stancewise-key}" in config
    config = config.replace("# authorization:", "authorization:").replace("15s", "2s")
    shutil.copy(DEPLOY / "alerts.yml", folder)
    with served(watched, folder / "log", STANCEWISE_API_KEY=KEY) as server:
        (folder / "prometheus.yml").write_text(config.replace("127.0.0.1:8000", server.url.removeprefix("http://")))
        port = free_port()
        command = ["prometheus", f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data"]
        command.append(f"--web.listen-address=127.0.0.1:{port}")
        with answering(command, f"http://127.0.0.1:{port}/-/ready", folder / "prometheus.log"):
            yield server, Prometheus(f"http://127.0.0.1:{port}")


def asked(server: Server) -> None:
    """Long texts without names, one in another language, one wrong request: everything that a panel shows."""
    headers = {"Authorization": f"Bearer {KEY}"}
    rows = [{"text": f"{row['text']} {row['text']} Number {i}."} for i, row in enumerate(ROWS)]
    assert server.predict(rows, **headers).status == 200
    italian = "Il consorzio accusa i supermercati di pagare i pomodori meno di quanto costi raccoglierli."
    assert server.predict({"text": italian}, **headers).status == 200
    assert server.predict({"text": 5}, **headers).status == 422


ROWS = read_lines(STATEMENTS / "validation.jsonl")[:150]
RANGE = re.compile(r"\$__rate_interval")


@needs_prometheus
def test_every_query_of_the_dashboard_has_an_answer(stack):
    server, prometheus = stack
    wait_for(lambda: prometheus.query('up{job="stancewise"} == 1'))
    for _ in range(3):  # a rate needs two samples that differ
        asked(server)
        time.sleep(3)
    wait_for(lambda: prometheus.query("stancewise_drift_distance"))
    for title, expression in QUERIES:
        told = RANGE.sub("1m", expression).replace("$instance", ".*")
        assert "$" not in told, title
        found = wait_for(lambda told=told: prometheus.query(told), 30)
        assert all(value["value"][1] != "NaN" for value in found), (title, found)
    [variable] = [one for one in DASHBOARD["templating"]["list"] if one["type"] == "query"]
    metric = re.fullmatch(r"label_values\((\w+), instance\)", variable["query"])[1]
    assert prometheus.query(metric)[0]["metric"]["instance"] == server.url.removeprefix("http://")


@needs_prometheus
def test_every_rule_is_loaded_and_drift_is_pending(stack):
    server, prometheus = stack
    asked(server)

    def loaded() -> dict[str, dict]:
        groups = prometheus.get("/api/v1/rules")["groups"]
        rules = {rule["name"]: rule for group in groups for rule in group["rules"]}
        return rules if all(rule["health"] == "ok" for rule in rules.values()) else {}

    rules = wait_for(loaded)
    assert rules.keys() == {rule["alert"] for rule in RULES}
    for rule in RULES:
        prometheus.query(rule["expr"])
    drift = wait_for(lambda: loaded().get("StancewiseDrift", {}).get("alerts"))
    found = {(one["labels"].get("head", ""), one["labels"]["measure"]) for one in drift}
    assert {("", "length"), ("", "target")} <= found
    assert all(one["state"] == "pending" for one in drift), "it takes an hour"
    assert not loaded()["StancewiseDown"]["alerts"]


def test_the_dashboard_is_one_that_grafana_reads():
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(set(ids)) == len(ids)
    for panel in PANELS:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        assert panel["title"]
        assert panel["datasource"]["uid"] == "${datasource}"
        assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"])
    spots = [(p["gridPos"]["x"], p["gridPos"]["y"]) for p in PANELS]
    assert len(set(spots)) == len(spots)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_every_alert_is_explained(rule):
    page = (REPOSITORY / "docs" / "watch.md").read_text(encoding="utf-8")
    assert f"`{rule['alert']}`" in page
    assert rule["annotations"]["summary"]
