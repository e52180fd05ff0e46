"""The MLflow UI in a real browser: what a user sees of three runs. Screenshots go to SCREENSHOTS, if it is set."""

import json
import os
import subprocess
import sys
from io import BytesIO
from pathlib import Path
from urllib.parse import quote

import mlflow
import psutil
import pytest
from PIL import Image

from tests.conftest import REPOSITORY, make_project
from tests.end_to_end.stores import answering, free_port

SIZE = {"width": 1360, "height": 860}


@pytest.fixture(scope="module")
def served(tmp_path_factory, encoder):
    """Three runs behind `make ui`: its address, the experiment's id, the runs by name, the process."""
    folder = tmp_path_factory.mktemp("ui")
    project = make_project(folder, encoder)
    optimiser = {"learning_rate": 3e-3}
    project.run("training", "train", project.config("marked", epochs=4, optimiser=optimiser))
    for template in ("pair", "blind"):
        config = project.config(template, template=template, epochs=4, optimiser=optimiser, register=None)
        project.run("training", "train", config)
    mlflow.set_tracking_uri(project.store)
    runs = mlflow.search_runs(experiment_names=["stance"], output_format="list")
    address = f"http://127.0.0.1:{(port := free_port())}"
    with answering(["sh", "-c", make_ui(project.store, port)], f"{address}/health", folder / "server.log") as server:
        yield address, runs[0].info.experiment_id, {run.info.run_name: run.info.run_id for run in runs}, server


def make_ui(store, port):
    """What `make ui` runs, in the environment of this test."""
    command = ["make", "--dry-run", "--no-print-directory", "ui", f"VENV={sys.prefix}", f"PORT={port}"]
    environment = os.environ | {"MLFLOW_TRACKING_URI": store}
    done = subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()[-1]


@pytest.fixture
def page(browser, served):
    """A page of the UI, with what is about language models put away."""
    page = browser.new_page(viewport=SIZE)
    page.set_default_timeout(60_000)
    page.goto(served[0])
    page.get_by_text("Model training", exact=True).click()
    buttons = page.locator("xpath=//*[text()='MLflow Assistant']/ancestor::*[count(.//button) >= 3][1]//button[last()]")
    if buttons.count():
        buttons.last.click()
    yield page
    page.close()


def visit(page, address, wanted):
    page.goto(address)
    page.get_by_text(wanted).first.wait_for()


def keep(page, name):
    if folder := os.environ.get("SCREENSHOTS"):
        page.wait_for_timeout(1500)  # charts are drawn with a transition
        shot = Image.open(BytesIO(page.screenshot()))
        shot.quantize(128).save(Path(folder) / f"{name}.png", optimize=True)


def test_one_worker_serves_the_ui_and_nothing_runs_beside_it(served):
    commands = [" ".join(one.cmdline()) for one in psutil.Process(served[-1].pid).children(recursive=True)]
    servers = [one for one in commands if "uvicorn" in one or "multiprocessing" in one]
    assert len(servers) == 1, commands
    assert not [one for one in commands if "mlflow.server.jobs" in one]


def test_the_experiment_opens_at_its_runs_and_is_filtered_by_tag_and_parameter(served, page):
    address, experiment, runs, _ = served
    visit(page, f"{address}/#/experiments/{experiment}/runs", "3 matching runs")
    for name in runs:
        page.get_by_text(name, exact=True).first.wait_for()
    keep(page, "runs")
    search = page.get_by_placeholder("metrics.rmse < 1")
    search.fill("tags.template = 'blind' and params.epochs = '4.0'")
    search.press("Enter")
    page.get_by_text("1 matching run").wait_for()
    assert page.get_by_text("blind", exact=True).count()
    assert not page.get_by_text("pair", exact=True).count()


def test_charts_line_up_by_group_and_step(served, page):
    address, experiment, *_ = served
    visit(page, f"{address}/#/experiments/{experiment}/runs?compareRunsMode=CHART", "3 matching runs")
    search = page.get_by_placeholder("Search metric charts")
    search.wait_for()
    search.fill("test/.*/macro_f1$")
    page.get_by_text("test/stance").first.wait_for()
    page.locator(".js-plotly-plot .bars").first.wait_for()
    keep(page, "charts")
    search.fill("curve/validation_loss")
    page.locator(".js-plotly-plot .scatterlayer .trace").nth(2).wait_for(state="attached")
    legend = page.locator(".js-plotly-plot").first.locator("xpath=ancestor::div[contains(., 'marked')][1]")
    assert all(name in legend.inner_text() for name in ("marked", "pair", "blind")), "one line per run"
    keep(page, "curves")


def test_the_compare_view_shows_metrics_a_chart_and_images(served, page):
    address, experiment, runs, _ = served
    ids = quote(json.dumps(list(runs.values())))
    visit(
        page, f"{address}/#/compare-runs?runs={ids}&experiments={quote(json.dumps([experiment]))}", "Comparing 3 Runs"
    )
    page.locator(".js-plotly-plot").first.wait_for()
    keep(page, "compare")
    for name in runs:
        assert page.get_by_text(name, exact=True).count(), name
    # The table draws only the rows near its top; a run of more than ten seconds has `system/` metrics before `test/`.
    page.get_by_text("cost/minutes", exact=True).first.wait_for(state="attached")
    shown = page.inner_text("body")
    assert "template\t" in shown
    assert "optimiser.learning_rate\t0.003\t0.003\t0.003" in shown
    assert "register" not in shown.partition("Metrics")[0], "parameters are those that matter"


def test_plots_tables_and_the_card_render(served, page):
    address, experiment, runs, _ = served
    artifacts = f"{address}/#/experiments/{experiment}/runs/{runs['marked']}/artifacts"
    visit(page, f"{artifacts}/plots/confusion_matrices.png", "confusion_matrices.png")
    image = page.locator("img[src^='blob:'], img[src*='confusion_matrices']").first
    image.wait_for()
    assert image.evaluate("image => image.decode().then(() => image.naturalWidth)") > 300
    keep(page, "plot")
    page.get_by_text("tables", exact=True).click()
    page.get_by_text("test_worst_errors.json").click()
    page.get_by_text("probability").first.wait_for()
    keep(page, "table")
    page.get_by_text("model_card.md").click()
    page.get_by_text("Use and limits").wait_for()


def test_the_registered_version_shows_its_card(served, page):
    address, *_ = served
    visit(page, f"{address}/#/models/stance/versions/1", "Use and limits")
    page.get_by_text("champion").first.wait_for()
    assert page.locator("table", has_text="macro-F1").count(), "the figures are a table"
    keep(page, "version")
