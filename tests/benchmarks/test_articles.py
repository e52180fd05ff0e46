"""How positions found in reports are compared with those that readers list."""

import sys

import pytest

from benchmarks import articles
from serving.errors import StancewiseError
from tests.conftest import REPOSITORY, ran
from training.evaluation.positions import Shown, tally


def test_a_list_agrees_with_itself():
    for report in articles.read_part("validation"):
        numbers, wrong, missed = tally(articles.certain(report), report, articles.TAKEN)
        assert not missed, report.id
        assert numbers.right == numbers.listed, (report.id, wrong)


def test_the_texts_of_real_articles_are_looked_for_where_they_are(monkeypatch, tmp_path):
    monkeypatch.delenv("STANCE_BENCHMARKS", raising=False)
    with pytest.raises(StancewiseError, match="set STANCE_BENCHMARKS"):
        articles.read_part("real-validation")


def test_the_loose_rule_takes_half_of_the_words():
    assert articles.is_close("rice", ["rice accord"])
    assert articles.is_close("her bridge", ["the bridge"])
    assert not articles.is_close("bridge", ["the bridge toll ruling"])


def test_a_model_is_scored_by_command(project):
    program = str(REPOSITORY / "benchmarks" / "articles.py")
    done = ran([sys.executable, program, "score", "--part", "validation"], project.folder, project.environment)
    assert "30 texts" in done.stdout
    assert "declared neutrality" in done.stdout


def test_shown_leaves_out_what_the_model_is_unsure_of(classifier):
    article = classifier.read_article("The mayor hailed the tram plan. Ada Lund rejected the toll.", everything=True)
    assert set(articles.shown(article)) == {
        Shown(one.speaker, one.target, one.stance.label) for one in article.statements if not one.stance.abstained
    }
