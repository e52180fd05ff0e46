"""What data/README.md promises of the project's own statements."""

from collections import Counter

import numpy as np
import pytest

from tests.conftest import REPOSITORY, STATEMENTS, read_lines
from training.data.check import check, corpus_files
from training.evaluation.metrics import contrast_rows

PARTS = {part: read_lines(STATEMENTS / f"{part}.jsonl") for part in ("train", "validation", "test")}
ROWS = [row for rows in PARTS.values() for row in rows]
EVERY_PAIR = corpus_files(REPOSITORY / "data" / "every-pair")
ARTICLES = sorted((REPOSITORY / "data" / "articles").glob("*.jsonl"))


def test_the_statements_pass_their_own_check_with_the_narrow_balance():
    assert check(corpus_files(STATEMENTS), least_share=0.22, most_share=0.47) == []


def test_size_domains_targets_and_split():
    assert len(ROWS) >= 1000
    assert len({row["domain"] for row in ROWS}) >= 12
    assert len({row["target"] for row in ROWS}) >= 300
    shares = {part: len(rows) / len(ROWS) for part, rows in PARTS.items()}
    assert shares == pytest.approx({"train": 0.70, "validation": 0.12, "test": 0.18}, abs=0.015)


def test_every_domain_is_in_every_part():
    for rows in PARTS.values():
        assert {row["domain"] for row in rows} == {row["domain"] for row in ROWS}


def test_a_quarter_and_more_are_contrasts():
    labels = np.array([["support", "neutrality", "criticism"].index(row["stance"]) for row in ROWS])
    assert contrast_rows([row["text"] for row in ROWS], labels).mean() >= 0.25


def test_fields_and_lengths():
    for row in ROWS:
        assert list(row) == ["id", "text", "speaker", "target", "stance", "sentiment", "domain", "group", "note"]
        assert 5 <= len(row["text"].split()) <= 60
        for name in ("speaker", "target"):
            assert row[name] is None or row[name].lower() in row["text"].lower()


@pytest.mark.parametrize("path", ARTICLES, ids=lambda path: path.stem)
def test_the_articles_hold_their_statements(path):
    article = path.with_suffix(".txt").read_text(encoding="utf-8")
    assert 300 <= len(article.split()) <= 500
    rows = read_lines(path)
    assert all(row["text"] in article for row in rows)
    assert len(rows) >= 10
    assert set(Counter(row["stance"] for row in rows)) == {"support", "neutrality", "criticism"}
    assert check([path]) == []


def test_the_articles_stand_apart_from_the_statements():
    assert len(ARTICLES) >= 2
    texts = {row["text"] for row in ROWS}
    assert not texts & {row["text"] for path in ARTICLES for row in read_lines(path)}


def test_the_taught_pairs_stand_on_training_texts_and_nobody_labelled_them():
    stories = {row["text"]: row["group"] for row in PARTS["train"]}
    labelled = {(row["text"], row["speaker"], row["target"]) for row in ROWS}
    pairs, answers = (read_lines(REPOSITORY / "data" / name) for name in ("pairs.jsonl", "pairs-taught.jsonl"))
    assert [row["id"] for row in pairs] == [row["id"] for row in answers]
    for row in pairs:
        assert stories[row["text"]] == row["group"]
        assert row["speaker"] in row["text"]
        assert row["target"] in row["text"]
        assert (row["text"], row["speaker"], row["target"]) not in labelled
    for row in answers:
        assert sum(row["stance_probabilities"].values()) == pytest.approx(1, abs=2e-4)
        assert sum(row["sentiment_probabilities"].values()) == pytest.approx(1, abs=2e-4)


def test_the_pairs_of_plain_news_stand_in_its_texts_and_have_answers():
    texts = {row["text"] for row in read_lines(REPOSITORY / "data/reports/news.jsonl")}
    pairs, answers = (read_lines(REPOSITORY / "data/news" / name) for name in ("pairs.jsonl", "pairs-taught.jsonl"))
    assert [row["id"] for row in pairs] == [row["id"] for row in answers]
    sentences = {row["text"] for row in pairs}
    assert not [one for one in sentences if not any(one in text for text in texts)]
    for row in pairs:
        for name in ("speaker", "target"):
            if name in row:
                assert row["text"][row[f"{name}_start"] : row[f"{name}_end"]] == row[name]


def test_every_pair_stands_apart_from_the_statements_and_passes_the_check():
    assert [path.stem for path in EVERY_PAIR] == ["train", "validation"]
    assert check([*EVERY_PAIR, *corpus_files(STATEMENTS)]) == []
    parts = [read_lines(path) for path in EVERY_PAIR]
    assert len(parts[1]) / sum(len(rows) for rows in parts) == pytest.approx(0.1, abs=0.015)


def test_every_pair_labels_several_names_of_a_text_as_the_text_writes_them():
    rows = [row for path in EVERY_PAIR for row in read_lines(path)]
    texts = Counter(row["text"] for row in rows)
    assert len(texts) >= 1500
    assert min(texts.values()) >= 2
    assert len(rows) / len(texts) >= 4
    for row in rows:
        assert list(row) == list(ROWS[0])
        assert 6 <= len(row["text"].split()) <= 60
        assert row["target"] in row["text"]
        assert row["speaker"] is None or row["speaker"] in row["text"]
    assert {row["domain"] for row in rows} == {row["domain"] for row in ROWS}
