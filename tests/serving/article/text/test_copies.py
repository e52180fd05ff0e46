"""Copies of a text, exact and near."""

import datetime

import numpy as np
import pytest

from serving.article.text.copies import NEAR_DUPLICATE, find_copies, ngrams, outline
from tests.conftest import REPOSITORY, read_lines

DAY = datetime.date(2026, 3, 14)
LATER = DAY + datetime.timedelta(days=1)
STORY = (
    "The harbour council of Orland met on Friday and put off its vote on the night ferry for the third time this year. "
    "Chairwoman Ilse Tarn said she would not sign a contract that left the outer islands without a boat in winter. "
    "The operator, Holm Line, called the delay a disgrace and said that two crews would be laid off before the summer. "
    "A spokesman for the ministry in the capital declined to take a side and pointed to the hearing in May."
)
# Another outlet's title, a word or two changed, the last sentence cut off.
REPRINT = "ORLAND - " + STORY.replace("on Friday", "yesterday").replace("a disgrace", "shameful")[:-101]


def copies(*texts, days=None):
    return find_copies([outline(text) for text in texts], days or [DAY] * len(texts))


def test_the_same_words_are_a_copy_whatever_stands_around_them():
    other = f"---\nsource: B\n---\n{STORY.upper()}".replace(" ", "\n")
    assert copies(STORY, other) == {1: 0}
    assert copies("Ilse Tarn left.", "ilse  tarn left.", "Ilse Tarn left. Again.") == {1: 0}


def test_the_first_by_day_stays_however_late_the_copy_is():
    year = datetime.timedelta(days=365)
    assert copies(STORY, STORY, STORY, days=[None, DAY + year, DAY]) == {0: 2, 1: 2}
    assert copies(STORY, STORY, days=[None, None]) == {1: 0}


def test_a_few_changed_words_are_a_copy_within_a_week_only():
    assert copies(STORY, REPRINT, days=[LATER, DAY]) == {0: 1}
    assert copies(STORY, REPRINT, days=[DAY, DAY + datetime.timedelta(days=7)]) == {1: 0}
    assert copies(STORY, REPRINT, days=[DAY, DAY + datetime.timedelta(days=8)]) == {}
    assert copies(STORY, REPRINT, days=[DAY, None]) == {}


def test_a_copy_of_a_near_copy_is_one_of_the_first():
    assert copies(REPRINT, REPRINT, STORY, days=[LATER, LATER, DAY]) == {0: 2, 1: 2}


def test_a_short_text_with_another_word_is_news_of_its_own():
    assert copies("Ilse Tarn backs the night ferry.", "Ilse Tarn backs the night train.") == {}


def test_the_estimate_is_near_the_similarity():
    one, two = ngrams(STORY.casefold()), ngrams(REPRINT.casefold())
    exact = len(one & two) / len(one | two)
    estimate = (outline(STORY).hashes == outline(REPRINT).hashes).mean()
    assert estimate == pytest.approx(exact, abs=0.1)  # three standard errors
    assert exact > NEAR_DUPLICATE


def test_texts_written_without_blanks_are_compared_by_shorter_pieces():
    assert ngrams("港口委员会") == {"港口", "口委", "委员", "员会"}


def test_our_reports_of_one_dispute_are_no_copies_but_for_those_that_were_planted():
    files = sorted((REPOSITORY / "data" / "archive").glob("2026-*.md"))
    days = [datetime.date.fromisoformat(path.name[:10]) for path in files]
    found = copies(*[path.read_text(encoding="utf-8") for path in files], days=days)
    assert {files[one].name: files[other].name for one, other in found.items()} == {
        "2026-03-12-wire-environment-group-sues.md": "2026-03-12-ledger-court-challenge-to-port.md",
        "2026-09-04-gazette-first-bucket.md": "2026-09-03-wire-dredging-begins.md",
    }
    texts = [row["text"] for row in read_lines(REPOSITORY / "data" / "reports" / "train.jsonl")]
    assert copies(*texts) == {}


def test_many_texts_of_one_day_are_compared_without_a_table_of_all_pairs():
    random = np.random.default_rng(1)
    words = np.array(STORY.split())
    texts = [" ".join(random.permutation(words)) for _ in range(300)]
    assert copies(*texts, texts[7] + " Again.") == {300: 7}
