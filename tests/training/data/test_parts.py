"""Sets joined into parts: weights, draws, and no story on both sides of a split."""

from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from serving import StancewiseError
from tests.conftest import write_lines
from training.config import Data
from training.data.check import check
from training.data.corpus import Corpus, LabelledStatement, draw, join
from training.data.leaks import find_leaks
from training.data.parts import read_data

STORIES = {
    "ferry": "The island council cheered the second ferry before it had sailed once.",
    "ferry2": "The island council cheered the second ferry before it had sailed twice.",
    "dam": "Farmers below the dam cursed the engineers who had promised them water.",
    "radar": "Pilots at the northern airfield mocked a radar older than their fathers.",
    "donor": "Nurses on the night shift thanked a donor whom none of them had ever met.",
}
LABELS = ("support", "neutrality", "criticism")


def corpus(*rows: tuple[str, str, str | None]) -> Corpus:
    made = [LabelledStatement(id=i, text=STORIES[t], stance="support", group=g) for i, t, g in rows]
    return Corpus(Path("here.jsonl"), made, list(range(1, len(made) + 1)))


def test_a_leak_is_a_shared_story_text_or_near_copy():
    held_out = corpus(("a", "ferry", "g1"), ("b", "dam", "g2"))
    train = corpus(("c", "donor", "g1"), ("d", "dam", "g9"), ("e", "ferry2", None), ("f", "radar", "g3"))
    leaks = find_leaks(train, [held_out])
    assert sorted(leaks) == [0, 1, 2]
    assert leaks[0] == "group: 'g1' is also at here.jsonl:1"
    assert leaks[1] == "text: the same as at here.jsonl:2"
    assert "alike with here.jsonl:1" in leaks[2]


def test_nothing_leaks_from_nothing():
    assert find_leaks(corpus(("a", "dam", None)), []) == {}


def test_a_draw_holds_whole_groups_and_smaller_draws_are_part_of_larger_ones():
    rows = [LabelledStatement(id=str(i), text=f"text {i}", stance="support", group=f"g{i // 3}") for i in range(60)]
    whole = Corpus(Path("x"), rows, list(range(1, 61)))
    small, large = draw(whole, 12), draw(whole, 30)
    assert len(small.rows) == 12
    assert {row.id for row in small.rows} < {row.id for row in large.rows}
    assert set(np.bincount(large.groups()).tolist()) == {3}
    assert small.place(0) == f"x:{int(small.rows[0].id) + 1}"


def test_a_joined_corpus_keeps_each_sets_weight():
    one, two = corpus(("a", "dam", None)), corpus(("b", "ferry", None), ("c", "donor", None))
    both = join([one, Corpus(two.path, two.rows, weight=0.5)])
    assert both.weights().tolist() == [1, 0.5, 0.5]
    assert both.digest != join([one, two]).digest


def own_table(folder: Path, name: str, stories: list[str]) -> dict:
    rows = [
        {"satz": STORIES[story], "wer": "council", "haltung": LABELS[i % 3], "thema": story}
        for i, story in enumerate(stories)
    ]
    path = write_lines(folder / f"{name}.jsonl", rows)
    columns = {"text": "satz", "speaker": "wer", "stance": "haltung", "group": "thema"}
    return {"source": "table", "path": str(path), "columns": columns, "labels": {"stance": {x: x for x in LABELS}}}


@pytest.fixture
def shown() -> Console:
    return Console(record=True, width=400)


def own_file(folder: Path, name: str, stories: list[str], **values) -> str:
    rows = [
        {"id": f"{name}{i}", "text": STORIES[story], "stance": LABELS[i % 3], "group": story} | values
        for i, story in enumerate(stories)
    ]
    return str(write_lines(folder / f"{name}.jsonl", rows))


def leaky(folder: Path, kind: str) -> dict:
    """Train holds two sets; `one.jsonl:1` is nearly the same text as `held.jsonl:1`, the only row of validation."""
    own, table = own_file, own_table
    one, two, held = {"own": (own, own, own), "table": (table, table, table), "mix": (own, table, own)}[kind]
    train = [one(folder, "one", ["ferry", "radar"]), two(folder, "two", ["dam", "donor"])]
    return {"train": train, "validation": held(folder, "held", ["ferry2"])}


KINDS = ("own", "table", "mix")


@pytest.mark.parametrize("kind", KINDS)
def test_leaks_are_refused_with_place_and_fix(tmp_path, shown, kind):
    with pytest.raises(StancewiseError) as error:
        read_data(Data.model_validate(leaky(tmp_path, kind)), shown)
    [problem, fix] = str(error.value).splitlines()
    assert problem.startswith(f"{tmp_path}/one.jsonl:1: text: ")
    assert problem.endswith(f"% alike with {tmp_path}/held.jsonl:1, which is in a later part")
    assert fix.startswith("correct the files, or set data.leaks to drop")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("leaks", "rows", "said"), [("drop", 3, "left out"), ("allow", 4, "kept")])
def test_leaks_are_left_out_or_counted_as_asked(tmp_path, shown, kind, leaks, rows, said):
    corpora = read_data(Data.model_validate(leaky(tmp_path, kind) | {"leaks": leaks}), shown)
    assert len(corpora["train"].rows) == rows
    assert len(corpora["validation"].rows) == 1
    assert f"data.train: one: 1 of 2 rows share a story or a text with a later part: {said}" in shown.export_text()


def three_parts(folder: Path) -> dict:
    """The ferry is in all three parts, the dam in train and validation, as rows copied with their ids."""
    parts = {"train": ["ferry", "dam", "radar"], "validation": ["ferry", "dam"], "test": ["ferry2"]}
    return {part: own_file(folder, part, stories) for part, stories in parts.items()}


def test_validation_gives_way_to_test_and_train_to_both(tmp_path, shown):
    corpora = read_data(Data.model_validate(three_parts(tmp_path) | {"leaks": "drop"}), shown)
    stories = {part: [row.group for row in corpus.rows] for part, corpus in corpora.items()}
    assert stories == {"train": ["radar"], "validation": ["dam"], "test": ["ferry2"]}


def test_the_leaks_of_all_parts_come_at_once(tmp_path, shown):
    with pytest.raises(StancewiseError) as error:
        read_data(Data.model_validate(three_parts(tmp_path)), shown)
    places = [line.partition(": ")[0] for line in str(error.value).splitlines()[:-1]]
    assert places == [f"{tmp_path}/{place}" for place in ("validation.jsonl:1", "train.jsonl:1", "train.jsonl:2")]


def test_a_part_of_which_nothing_is_left_is_refused(tmp_path, shown):
    data = {"train": own_file(tmp_path, "train", ["ferry"]), "validation": own_file(tmp_path, "held", ["ferry2"])}
    with pytest.raises(StancewiseError, match=r"data\.train: .*train\.jsonl: every row shares .* none is left"):
        read_data(Data.model_validate(data | {"leaks": "drop"}), shown)


def test_the_same_row_in_two_parts_is_a_leak_and_not_a_repeated_id(tmp_path, shown):
    path = own_file(tmp_path, "same", ["ferry", "dam"])
    corpora = read_data(Data.model_validate({"train": path, "validation": path, "leaks": "allow"}), shown)
    assert corpora["train"].rows == corpora["validation"].rows


@pytest.mark.parametrize(
    ("second", "message"),
    [
        ({"stories": ["radar"], "id": "one0"}, r"two\.jsonl:1: id: 'one0' stands at .*one\.jsonl:1 already"),
        ({"stories": ["ferry"]}, r"two\.jsonl:1: repeats the statement at .*one\.jsonl:1"),
        ({"stories": ["ferry2"]}, r"two\.jsonl:1: text: .* alike with .*one\.jsonl:1, give both the same group"),
    ],
)
def test_files_of_one_part_are_checked_together_whatever_leaks_may_do(tmp_path, shown, second, message):
    train = [own_file(tmp_path, "one", ["ferry", "dam"]), own_file(tmp_path, "two", **second)]
    data = {"train": train, "validation": own_file(tmp_path, "held", ["donor"]), "leaks": "allow"}
    with pytest.raises(StancewiseError, match=message):
        read_data(Data.model_validate(data), shown)


def numbered(folder: Path, name: str, criticism: int, rows: int = 50) -> Path:
    """A file of our own in which so many rows criticise; each row tells a story of its own."""
    rng = np.random.default_rng(len(name))
    made = []
    for i in range(rows):
        text = " ".join("".join(rng.choice(list("abcdefghijklmnop"), 7)) for _ in range(6))
        stance = "criticism" if i < criticism else LABELS[i % 2]
        made.append({"id": f"{name}{i}", "text": text, "stance": stance, "group": f"{name}{i}"})
    return write_lines(folder / f"{name}.jsonl", made)


@pytest.mark.parametrize("source", ["statements", "table"])
def test_a_rare_label_warns_in_training_and_is_refused_by_check(tmp_path, shown, source):
    files = {"train": numbered(tmp_path, "train", 1), "validation": numbered(tmp_path, "held", 10)}
    data = {part: {"source": source, "path": str(path)} for part, path in files.items()}
    assert len(read_data(Data.model_validate(data), shown)["train"].rows) == 50
    [warning] = [line for line in shown.export_text().splitlines() if "labels under 5%" in line]
    assert "train stance criticism 2.0% (1 of 50)" in warning
    assert "loss.class_weights=balanced" in warning
    assert "validation" not in warning
    [problem] = check(list(files.values()))
    assert str(problem) == f"{files['train']}:1: stance: 2.0% of 50 rows are criticism, 5% to 95% wanted"
    assert check(list(files.values()), least_share=0.01) == []


def test_balanced_files_of_our_own_are_read_in_silence(tmp_path, shown):
    data = {"train": numbered(tmp_path, "train", 10), "validation": numbered(tmp_path, "held", 10)}
    read_data(Data.model_validate(data), shown)
    assert shown.export_text() == ""


def test_several_test_sets_are_measured_each_by_itself(tmp_path, shown):
    sets = {name: own_table(tmp_path, name, [story]) for name, story in (("x", "dam"), ("y", "radar"), ("z", "donor"))}
    data = Data.model_validate({"train": sets["x"], "validation": sets["y"], "test": [sets["z"]]})
    assert list(read_data(data, shown)) == ["train", "validation", "test"]
    sets["w"] = own_table(tmp_path, "w", ["ferry"])
    data = Data.model_validate({"train": sets["x"], "validation": sets["y"], "test": [sets["z"], sets["w"]]})
    assert list(read_data(data, shown)) == ["train", "validation", "test_z", "test_w"]
    with pytest.raises(ValueError, match="two sets are called z"):
        Data.model_validate({"train": sets["x"], "validation": sets["y"], "test": [sets["z"], sets["z"]]})


def test_the_scheme_of_a_set_reaches_its_statements(tmp_path, shown):
    sets = {name: own_table(tmp_path, name, [story]) for name, story in (("x", "dam"), ("y", "radar"), ("z", "donor"))}
    data = {"train": [sets["x"] | {"scheme": "own"}, sets["y"] | {"scheme": "wire"}], "validation": sets["z"]}
    corpus = read_data(Data.model_validate(data), shown)["train"]
    assert corpus.schemes() == ("own", "wire")
    assert [statement.scheme for statement in corpus.statements()] == ["own", "wire"]
