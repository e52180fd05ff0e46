import json
from collections import Counter

import pytest

from serving.article.reading.candidates import LANGUAGES
from serving.errors import StancewiseError
from serving.language.detect import language_of
from tests.conftest import REPOSITORY
from training.data.sources.reports import read_reports

TEXT = "Oslo hails ferry plan\n\nOslo hailed the ferry plan, which Bergen rejected."
ROW = {
    "id": "r1",
    "text": TEXT,
    "entities": {"oslo": ["Oslo"], "bergen": ["Bergen"], "plan": ["the ferry plan", "ferry plan"]},
    "positions": [
        {
            "holder": "bergen",
            "target": "plan",
            "stance": "criticism",
            "sentence": [23, len(TEXT)],
            "holder_at": [TEXT.index("Bergen"), TEXT.index("Bergen") + 6],
            "target_at": [TEXT.index("the ferry"), TEXT.index("the ferry") + 14],
        }
    ],
}


def written(folder, *rows):
    path = folder / "reports.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def with_position(**changes):
    return {**ROW, "positions": [{**ROW["positions"][0], **changes}]}


def test_a_report_is_read(tmp_path):
    [report] = read_reports(written(tmp_path, ROW))
    [position] = report.positions
    assert report.text[slice(*position.holder_at)] == "Bergen"
    assert report.text[slice(*position.target_at)] == "the ferry plan"
    assert not position.optional


def test_texts_may_be_elsewhere(tmp_path):
    row = {key: value for key, value in ROW.items() if key != "text"}
    [report] = read_reports(written(tmp_path, row), {"r1": TEXT})
    assert report.text == TEXT
    with pytest.raises(StancewiseError, match=r"reports\.jsonl:1: text"):
        read_reports(written(tmp_path, row), {"r2": TEXT})


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({**ROW, "entities": {**ROW["entities"], "rome": ["Rome"]}}, "entities.rome: a name is not in the text"),
        (with_position(holder="rome"), "rome is no entity"),
        (with_position(holder_at=[0, 4]), "holder_at: not inside the sentence"),
        (with_position(sentence=[23, 900]), "sentence: not inside"),
        (with_position(stance="praise"), "stance"),
        (with_position(certain=True), "certain"),
    ],
)
def test_what_does_not_fit_is_named_with_its_line(tmp_path, row, message):
    with pytest.raises(StancewiseError, match=r"reports\.jsonl:2: ") as error:
        read_reports(written(tmp_path, {**ROW, "id": "r0"}, row))
    assert message in str(error.value)


def test_an_id_stands_once(tmp_path):
    with pytest.raises(StancewiseError, match="id r1 stands twice"):
        read_reports(written(tmp_path, ROW, ROW))


@pytest.mark.parametrize(("part", "count"), [("train", 2286), ("news", 3000), ("validation", 30), ("test", 50)])
def test_the_projects_own_reports_fit_their_form(part, count):
    assert len(read_reports(REPOSITORY / "data" / "reports" / f"{part}.jsonl")) == count


def test_the_reports_in_other_languages_are_apart_and_say_their_language():
    counts = {"train": 105, "validation": 3, "test": 5}
    parts = {part: read_reports(REPOSITORY / "data" / "reports" / f"languages-{part}.jsonl") for part in counts}
    assert sorted(map(len, parts.values())) == [28, 40, 630]
    texts = [one.text for reports in parts.values() for one in reports]
    assert len(set(texts)) == len(texts)
    for part, reports in parts.items():
        languages = Counter(one.language for one in reports)
        assert languages.keys() == LANGUAGES
        assert min(languages.values()) == counts[part]
        assert all(language_of(one.text, None) == one.language for one in reports)


def test_no_entity_name_of_a_real_article_is_a_sentence_of_it():
    for part in ("real-validation", "real-test"):
        for line in (REPOSITORY / "data" / "reports" / f"{part}.jsonl").read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            assert "text" not in row
            assert all(len(name.split()) <= 25 for names in row["entities"].values() for name in names)
