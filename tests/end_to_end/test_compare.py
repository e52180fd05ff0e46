"""Compare finished runs of a real store: the same rows, figures that agree with scikit-learn, a report in every run."""

import mlflow
import pytest
from sklearn.metrics import f1_score

from tests.conftest import STATEMENTS, read_lines, write_lines
from training.evaluation.compare import LEAST_ROWS, compare, differing_params, read_sides
from training.evaluation.compare_report import html_report


@pytest.fixture(scope="module")
def runs(project):
    """Names to compare: the champion, the baseline, and two seeds of a blind one."""
    project.run("training", "train", project.config("blind", template="blind", seeds=[1, 2], epochs=1, register=None))
    mlflow.set_tracking_uri(project.store)
    filter_string = "attributes.run_name = 'blind' and tags.kind = 'seeds'"
    [parent] = mlflow.search_runs(experiment_names=["stance"], filter_string=filter_string, output_format="list")
    return ["models:/stance@champion", "models:/stance@baseline", parent.info.run_id]


@pytest.fixture(scope="module")
def sides(runs):
    return read_sides(runs)


def test_figures_are_those_of_scikit_learn(sides):
    comparisons = compare(sides)
    assert [(one.head, one.second.name) for one in comparisons] == [
        ("stance", "tfidf"),
        ("stance", "blind"),
        ("sentiment", "tfidf"),
        ("sentiment", "blind"),
    ]
    one = comparisons[0]
    tables = [side.tables[0] for side in sides]
    scores = [f1_score(table["stance_true"], table["stance_predicted"], average="macro") for table in tables]
    assert one.first_f1.value == pytest.approx(scores[0])
    assert one.difference.value == pytest.approx(scores[1] - scores[0])
    assert one.difference.low <= one.difference.value <= one.difference.high
    apart = tables[0]["stance_predicted"] != tables[1]["stance_predicted"]
    assert set(one.flips["id"]) == set(tables[0]["id"][apart])
    assert sum((one.agreement.both, one.agreement.first_only, one.agreement.second_only, one.agreement.neither)) == 60
    assert one.flips["gain"].sum() == one.agreement.second_only - one.agreement.first_only
    assert all(one.adjusted_p >= one.p for one in comparisons)
    assert {"label support", "texts with several labels"} <= {row.name for row in one.slices}
    assert all(row.rows >= LEAST_ROWS for row in one.slices if not row.name.startswith("label "))
    blind = [
        f1_score(table["stance_true"], table["stance_predicted"], average="macro", zero_division=0)
        for table in sides[2].tables
    ]
    assert comparisons[1].difference.value == pytest.approx(sum(blind) / 2 - scores[0], abs=1e-9)


def test_what_differs_is_named(sides):
    params = differing_params(sides)
    assert params["template"] == ["marked", "marked", "blind"]
    assert params["epochs"] == ["2.0", "-", "1.0"]
    assert not {"seed", "data.test"} & params.keys()
    assert set(sides[0].costs) == {"minutes", "parameters", "ms_per_statement"}
    assert "parameters" not in sides[1].costs


def test_the_command_prints_a_verdict_and_logs_the_report_to_every_run(project, runs, sides):
    done = project.run("training", "compare", *runs, "--output", "report.html")
    assert "60 rows of test" in done.stdout
    assert done.stdout.count("McNemar p") == 4
    assert "seeds" in done.stdout
    page = (project.folder / "report.html").read_text()
    assert page.count("<svg") == 4
    assert "http://" not in page.replace("http://www.w3.org/", "").replace("http://purl.org/", "").replace(
        "http://creativecommons.org/", ""
    )
    for side in sides:
        kept = mlflow.MlflowClient().list_artifacts(side.run_id, "comparisons")
        assert any(one.path in done.stdout for one in kept)  # other tests compare the champion too
    assert not list(project.folder.glob(".*.partial"))


def test_a_text_from_the_data_is_escaped(sides):
    comparisons = compare(sides[:2])
    comparisons[0].flips.loc[0, "text"] = "<script>alert(1)</script>"
    page = html_report(comparisons, sides[:2])
    assert "<script>" not in page
    assert "&lt;script&gt;" in page


def test_mistakes_are_named(project, runs):
    champion, baseline, _ = runs
    refused = {
        (champion,): "name two or more different runs",
        (champion, champion): "name two or more different runs",
        (champion, "0f3c"): "0f3c: no such run",
        (champion, "models:/stance@best"): "models:/stance@best: no such run",
        (champion, baseline, "--part", "exam"): "no tables/exam_predictions.json; parts it was given: test, validation",
        (champion, baseline, "--output", "no/report.html"): "the folder no does not exist",
    }
    for arguments, message in refused.items():
        done = project.run("training", "compare", *arguments, check=False)
        assert done.returncode == 1
        assert message in done.stderr.replace("\n", " ")
        assert "Traceback" not in done.stderr


def test_other_rows_are_refused_and_counted(project, runs, tmp_path):
    rows = read_lines(STATEMENTS / "test.jsonl")[10:70]
    other = write_lines(tmp_path / "other.jsonl", rows)
    data = {part: f"statements/{part}.jsonl" for part in ("train", "validation")} | {"test": str(other)}
    project.run("training", "train", project.config("shifted", data=data, epochs=0.2, register=None))
    [run] = mlflow.search_runs(
        experiment_names=["stance"], filter_string="attributes.run_name = 'shifted'", output_format="list"
    )
    done = project.run("training", "compare", runs[0], run.info.run_id, check=False)
    assert done.returncode == 1
    assert "measured on different test rows (10 only in tiny, 10 only in shifted)" in done.stderr.replace("\n", " ")
