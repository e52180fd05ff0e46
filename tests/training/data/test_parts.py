"""Sets joined into parts: weights, draws, and no story on both sides of a split."""

from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from serving import StancewiseError
from tests.conftest import write_lines
from training.config import Data
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
    return Console(record=True, width=200)


def parts(tmp_path, leaks: str) -> Data:
    train = [own_table(tmp_path, "one", ["ferry", "radar"]), own_table(tmp_path, "two", ["dam", "donor"])]
    validation = own_table(tmp_path, "held", ["ferry2"])
    return Data.model_validate({"train": train, "validation": validation, "leaks": leaks})


def test_leaks_between_sets_are_refused_with_place_and_fix(tmp_path, shown):
    with pytest.raises(StancewiseError) as error:
        read_data(parts(tmp_path, "error"), shown)
    assert "one.jsonl:1: text: " in str(error.value)
    assert "held.jsonl:1" in str(error.value)
    assert "data.leaks" in str(error.value)


@pytest.mark.parametrize(("leaks", "rows", "said"), [("drop", 3, "left out"), ("allow", 4, "kept")])
def test_leaks_are_left_out_or_counted_as_asked(tmp_path, shown, leaks, rows, said):
    corpora = read_data(parts(tmp_path, leaks), shown)
    assert len(corpora["train"].rows) == rows
    printed = shown.export_text()
    assert "1 of 2 rows share a story or a text" in printed
    assert said in printed


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
