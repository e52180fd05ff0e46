"""The program that draws rows for large models to label, on made-up sets."""

import os
import shutil
import subprocess
import sys
from collections import Counter

import pytest

from tests.conftest import REPOSITORY, STATEMENTS, ran, read_lines, write_lines
from training.config import DataSet
from training.data.sources import read_set

NEAR = "Senator Maria Keller praised Thomas Brandt for the harbour plan on Monday evening in Lisbon."
SEEN = "Thomas Brandt told reporters in Paris that Maria Keller had not read the harbour plan at all."
FAR = "On Friday the mayor of Porto, Anna Weiss, met Michael Stone and Laura Hill at the old customs house."


def row(number: int, text: str, target: str, **more: str) -> dict[str, object]:
    start = text.index(target)
    shown: dict[str, object] = {"id": f"r{number}", "text": text, "target": target, "group": f"g{number}", **more}
    if holder := more.get("speaker"):
        shown |= {"speaker_start": text.index(holder), "speaker_end": text.index(holder) + len(holder)}
    return {**shown, "target_start": start, "target_end": start + len(target)}


def test_other_names_are_drawn_and_nothing_near_an_evaluation_row(tmp_path, champion):
    sets = tmp_path / "sets"
    for name in ("newsmtsc", "directed_sentiment", "polnear"):
        (sets / name).mkdir(parents=True)
    write_lines(sets / "newsmtsc/train.jsonl", [row(1, SEEN, "Thomas Brandt", sentiment="negative")])
    for i, part in enumerate(("rw_validation", "mt_validation", "rw_test", "mt_test")):
        text = NEAR if part == "rw_test" else f"Nothing of note was said about John Miller in district {i}."
        name = "Thomas Brandt" if part == "rw_test" else "John Miller"
        write_lines(sets / f"newsmtsc/{part}.jsonl", [row(10 + i, text, name, sentiment="neutral")])
    ask = {"stance": "support", "speaker": "Anna Weiss"}
    near = row(21, NEAR, "Thomas Brandt", stance="support", speaker="Maria Keller")
    seen = row(22, SEEN, "Maria Keller", stance="criticism", speaker="Thomas Brandt")
    # 1,150 rows are drawn to validate, and this many of one story fill them: the second row is left to train on.
    story = [{**seen, "id": f"r{100 + i}", "group": "story"} for i in range(1149)]
    directed = [near, row(20, FAR, "Laura Hill", **ask), *story]
    write_lines(sets / "directed_sentiment/train.jsonl", directed)
    write_lines(
        sets / "directed_sentiment/validation.jsonl",
        [row(30, NEAR, "Maria Keller", stance="neutrality", speaker="Thomas Brandt")],
    )
    write_lines(sets / "polnear/train.jsonl", [{"text": NEAR}, {"text": SEEN}, {"text": "Too short."}])
    own = read_lines(STATEMENTS / "train.jsonl")[:40]
    other = read_lines(REPOSITORY / "data/every-pair/train.jsonl")[:40]
    for name, rows in (("statements", own), ("every-pair", other)):
        (tmp_path / "data" / name).mkdir(parents=True)
        write_lines(tmp_path / f"data/{name}/train.jsonl", rows)
    for name in ("news", "reports"):
        (tmp_path / "data" / name).mkdir()
    write_lines(tmp_path / "data/reports/news.jsonl", read_lines(REPOSITORY / "data/reports/news.jsonl")[:10])
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "STANCE_BENCHMARKS": str(sets)}
    command = [sys.executable, str(REPOSITORY / "benchmarks/transfer.py")]

    def run(*teachers: str) -> subprocess.CompletedProcess:
        arguments = [word for teacher in teachers for word in (f"--{teacher}teacher", str(champion))]
        return ran([*command, *arguments], tmp_path, environment, check=False)

    done = run("", "directed-", "pairs-", "own-", "news-")
    assert done.returncode == 0, done.stderr
    drawn = read_lines(tmp_path / "build/transfer.jsonl")
    assert {one["target"] for one in drawn if one["text"] == FAR} == {"Laura Hill", "Anna Weiss"}
    assert "Maria Keller" in {one["target"] for one in drawn if one["text"] == SEEN}
    pairs = read_lines(tmp_path / "build/pairs.jsonl")
    assert NEAR not in {one["text"] for one in (*drawn, *pairs)}
    for one in drawn:
        assert one["text"][one["target_start"] : one["target_end"]] == one["target"]
        assert not {"stance", "sentiment", "speaker"} & set(one)
    labelled = {(one["text"], one["speaker"], one["target"]) for one in (*own, *other)}
    assert not labelled & {(one["text"], one.get("speaker"), one["target"]) for one in pairs}
    alone = {one["text"] for one in pairs if "speaker" not in one}
    assert alone & {one["text"] for one in own}
    assert alone & {one["text"] for one in other}
    turned = {(one["text"], one["speaker"], one["target"]) for one in read_lines(tmp_path / "build/directed.jsonl")}
    assert (FAR, "Laura Hill", "Anna Weiss") in turned
    assert not {NEAR, SEEN} & {text for text, *_ in turned}
    shipped = read_lines(tmp_path / "data/pairs.jsonl")
    assert shipped == [one for one in pairs if "speaker" in one and one["text"] != SEEN]
    assert max(Counter(one["text"] for one in shipped).values()) == 3
    for name in ("transfer", "directed", "pairs"):
        rows = read_set(
            DataSet(
                source="table",
                path=tmp_path / f"build/{name}.jsonl",
                teacher=tmp_path / f"benchmarks/teachers/{name}.parquet",
            )
        ).rows
        assert all(sum(one.taught["sentiment"]) == pytest.approx(1, abs=2e-4) for one in rows)
    assert [one["id"] for one in shipped] == [one["id"] for one in read_lines(tmp_path / "data/pairs-taught.jsonl")]
    news = read_lines(tmp_path / "data/news/pairs.jsonl")
    assert [one["id"] for one in news] == [one["id"] for one in read_lines(tmp_path / "data/news/pairs-taught.jsonl")]
    assert any("speaker" in one for one in news)
    assert any("speaker" not in one for one in news)
    for one in news:
        assert one["text"][one["target_start"] : one["target_end"]] == one["target"]
    assert len({one["id"] for one in news}) == len(news)

    # The same rows are found again without a teacher, and nothing but build/ is written.
    written = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    shutil.rmtree(tmp_path / "build")
    done = run()
    assert done.returncode == 0, done.stderr
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == written

    # Draws of one set depend on nothing but the set.
    done = run("own-", "news-")
    assert done.returncode == 0, done.stderr
    assert read_lines(tmp_path / "data/pairs.jsonl") == shipped
    assert read_lines(tmp_path / "data/news/pairs.jsonl") == news

    write_lines(tmp_path / "data/every-pair/train.jsonl", [{**one, "text": f"{one['text']} So."} for one in other])
    done = run()
    assert done.returncode == 1
    assert "benchmarks/teachers/pairs.parquet: the texts of" in done.stderr
    assert "rows are not in data/ and STANCE_BENCHMARKS" in done.stderr
    (sets / "polnear/train.jsonl").unlink()
    done = run()
    assert done.returncode == 1
    assert "polnear/train.jsonl: no such file" in done.stderr
    assert "Traceback" not in done.stderr
