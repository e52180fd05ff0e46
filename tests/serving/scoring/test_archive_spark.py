"""Archives labelled on real Spark: as on one machine, and added to."""

import csv
import shutil

import pyarrow.parquet as pq
import pytest

from serving.article.kept import Kept, parts
from serving.article.text.archive import digest_of
from tests.serving.scoring.test_archive import run, write_report
from tests.serving.scoring.test_spark import with_spark

pytest.importorskip("pyspark", reason="pyspark is not installed: pip install '.[spark]'")
pytestmark = pytest.mark.skipif(not shutil.which("java"), reason="Spark needs Java")


@pytest.mark.slow
def test_reports_are_labelled_as_on_one_machine_and_added_to(project, baseline, tmp_path):
    folder, keep, output = tmp_path / "reports", tmp_path / "labelled", tmp_path / "trend.csv"
    folder.mkdir()
    for number in range(20):
        write_report(folder, number)
    (folder / "broken.md").write_bytes(b"\xff\xfe\xff")
    spark = with_spark(project, tmp_path, "local[2]")
    options = ("--model", str(baseline), "--trend", "month", "--all", "--output", str(output))
    command = ("serving", "article", str(folder), *options, "--keep", str(keep), "--engine", "spark")
    done = spark.run(*command, check=False)
    assert done.returncode == 3, done.stderr
    assert "20 articles" in done.stderr
    run(baseline, folder, tmp_path / "local")
    found, wanted = ({one.name: article for one, article in Kept(tmp_path / name)} for name in ("labelled", "local"))
    assert found == wanted
    assert list(csv.DictReader(output.open(encoding="utf-8", newline="")))
    new = write_report(folder, 100)
    done = spark.run(*command, check=False)
    assert "20 of 21 texts are labelled already" in done.stderr
    _, part = parts(keep)
    assert set(pq.read_table(part)["digest"].to_pylist()) == {digest_of(new.read_text(encoding="utf-8"))}
    local = spark.run(*command[:-2], check=False)
    assert local.returncode == 3, local.stderr  # nothing is left to label: no engine is asked for
    new.write_text("It rained.\n", encoding="utf-8")
    other = spark.run(*command[:-2], check=False)
    assert other.returncode == 1
    assert "was labelled on spark, not on" in other.stderr
