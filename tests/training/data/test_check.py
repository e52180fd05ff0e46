import json

import pytest

from serving import StancewiseError
from tests.conftest import write_lines
from training.data.check import check, corpus_files
from training.data.similar import similar_pairs, similar_texts

LABELS = [("support", "positive"), ("neutrality", "neutral"), ("criticism", "negative")]
TEXTS = {
    "train": ["The guild cheered the new ferry.", "Lima counted the votes slowly.", "Farmers cursed the dam again."],
    "test": ["Nurses thanked the donor warmly.", "The court will sit in March.", "Pilots mocked the old radar."],
}


def rows(part):
    return [
        {
            "id": f"{part}-{i}",
            "text": text,
            "speaker": None,
            "target": None,
            "stance": s,
            "sentiment": m,
            "group": f"{part}{i}",
        }
        for i, (text, (s, m)) in enumerate(zip(TEXTS[part], LABELS, strict=True))
    ]


def problems(tmp_path, **changes):
    """Problems of a clean two-split corpus with some rows changed: `train0={...}` updates that row."""
    for part in TEXTS:
        lines = rows(part)
        for name, change in changes.items():
            if name.startswith(part):
                lines[int(name[len(part) :])] |= change
        write_lines(tmp_path / f"{part}.jsonl", lines)
    return [str(problem) for problem in check(corpus_files(tmp_path))]


def test_a_clean_corpus_has_no_problems(tmp_path):
    assert problems(tmp_path) == []


@pytest.mark.parametrize(
    ("changes", "line", "message"),
    [
        ({"train1": {"stance": "favour"}}, "train.jsonl:2", "stance: Input should be 'support'"),
        ({"train1": {"language": "english"}}, "train.jsonl:2", "language: no code of a language that is known"),
        ({"train1": {"mood": "x"}}, "train.jsonl:2", "mood: Extra inputs"),
        ({"train1": {"text": " "}}, "train.jsonl:2", "text: empty"),
        ({"train1": {"text": "long " * 500}}, "train.jsonl:2", "2,500 characters"),
        ({"train1": {"text": "broken \ufffd here and there"}}, "train.jsonl:2", "U+FFFD"),
        ({"train1": {"text": "nul \0 inside a text"}}, "train.jsonl:2", "U+0000"),
        ({"train1": {"stance": None, "sentiment": None}}, "train.jsonl:2", "both missing"),
        ({"train1": {"target": "votes", "target_start": 17}}, "train.jsonl:2", "target_end"),
        ({"train1": {"target": "votes", "target_start": 90, "target_end": 95}}, "train.jsonl:2", "outside the text"),
        ({"train1": {"target": "votes", "target_start": 0, "target_end": 4}}, "train.jsonl:2", "not the target"),
        ({"train1": {"id": "train-0"}}, "train.jsonl:2", "'train-0' stands at {train}:1 already"),
        (
            {"train1": {"group": "test0"}},
            "train.jsonl:2",
            "group: 'test0' is also at {test}:1, which is in another split",
        ),
        (
            {"train1": {"text": TEXTS["test"][0]}},
            "train.jsonl:2",
            "text: the same as at {test}:1, which is in another split",
        ),
        (
            {"train1": {"text": TEXTS["test"][0].replace("warmly", "today")}},
            "train.jsonl:2",
            "alike with {test}:1, which is in another split",
        ),
        (
            {"train1": {"text": TEXTS["train"][0], "target": "ferry"}},
            "train.jsonl:2",
            "the same as at {train}:1, give both",
        ),
        (
            {"train1": {"text": TEXTS["train"][0] + "!"}},
            "train.jsonl:2",
            "alike with {train}:1, give both the same group",
        ),
    ],
)
def test_each_defect_is_found_at_its_place(tmp_path, changes, line, message):
    found = problems(tmp_path, **changes)
    message = message.format(train=tmp_path / "train.jsonl", test=tmp_path / "test.jsonl")
    assert any(f"{line}: " in problem and message in problem for problem in found), found


def test_repeated_and_contradictory_statements(tmp_path):
    same = {"text": TEXTS["train"][0], "group": "train0"}
    found = problems(tmp_path, train1=same)
    assert any("train.jsonl:2" in p and "stance and sentiment: contradicts" in p for p in found)
    found = problems(tmp_path, train1={**same, "stance": "support", "sentiment": "positive"})
    assert any("train.jsonl:2" in p and f"repeats the statement at {tmp_path}/train.jsonl:1" in p for p in found)


def test_a_text_that_stands_in_two_splits_is_reported_once_as_a_leak(tmp_path):
    same = {"text": TEXTS["test"][0], "target": "donor", "group": "test0"}
    found = [p for p in problems(tmp_path, train1=same) if "train.jsonl:2: " in p]
    assert found == [
        f"{tmp_path}/train.jsonl:2: text: the same as at {tmp_path}/test.jsonl:1, "
        "which is in another split: keep both in one split"
    ]


def test_rows_of_one_story_may_share_a_text(tmp_path):
    same = {"text": TEXTS["train"][0], "target": "ferry", "group": "train0"}
    assert problems(tmp_path, train1=same) == []


def test_balance_is_reported_per_split_and_label(tmp_path):
    found = problems(tmp_path, train1={"stance": "support"}, train2={"stance": "support"})
    assert any("train.jsonl:1: stance: 100.0% of 3 rows are support" in p for p in found)
    assert any("criticism" in p for p in found)
    assert not any("test.jsonl" in p for p in found)


def test_all_problems_come_at_once(tmp_path):
    found = problems(tmp_path, train0={"stance": "x"}, train1={"text": ""}, test2={"id": "test-0"})
    assert len([p for p in found if "train.jsonl:1:" in p and "favour" not in p]) >= 1
    assert any("train.jsonl:2" in p for p in found)
    assert any("test.jsonl:3" in p for p in found)


def test_bytes_that_are_not_json_or_utf8(tmp_path):
    good = [json.dumps(row).encode() for row in rows("train")]
    (tmp_path / "train.jsonl").write_bytes(
        b"\xef\xbb\xbf" + b"\r\n".join([*good, b'{"id": "x"', b'{"text": "\xe9t\xe9"}'])
    )
    found = [str(problem) for problem in check([tmp_path / "train.jsonl"])]
    assert not any(":1: not JSON" in p for p in found), "a byte order mark is no part of the first row"
    assert any(":4: not JSON" in p for p in found)
    assert any(":5: not UTF-8: byte 0xE9" in p for p in found)


def test_blank_texts_alone_are_problems_not_a_failure(tmp_path):
    path = write_lines(tmp_path / "train.jsonl", [row | {"text": " " * 6} for row in rows("train")])
    assert len([p for p in check([path]) if p.message == "text: empty"]) == 3


def test_an_empty_or_missing_corpus(tmp_path):
    with pytest.raises(StancewiseError, match="no such file"):
        corpus_files(tmp_path)
    (tmp_path / "train.jsonl").write_text("")
    assert "no statements" in str(check([tmp_path / "train.jsonl"])[0])


def test_similarity_is_the_jaccard_of_character_5_grams():
    texts = ["abcdefgh", "abcdefgx", "zzzzzzzz"]
    [(i, j, share)] = similar_texts(texts, 0.5)
    assert (i, j) == (0, 1)
    assert share == pytest.approx(3 / 5)
    assert (i, j, share) in similar_pairs(texts, texts, 0.5, rows_at_once=1)


def test_chinese_texts_are_compared_by_pairs_of_characters():
    original = "外交部发言人说，中方坚决反对任何单边制裁。"
    changed = "外交部发言人说，中方始终反对任何单边制裁。"
    [(_, _, share)] = similar_texts([original, changed, "渔业工会要求港口推迟扩建工程，并威胁罢工。"], 0.6)
    assert share == pytest.approx(17 / 23)


def test_the_command_exits_with_1_and_prints_file_and_line(project, tmp_path):
    assert problems(tmp_path, train1={"text": ""})
    done = project.run("training", "check", str(tmp_path), check=False)
    assert done.returncode == 1
    assert "train.jsonl:2: text: empty" in done.stdout
    assert project.run("training", "check", "statements").stdout.startswith("no problems")


def test_train_checks_first(project, tmp_path):
    write_lines(tmp_path / "bad.jsonl", [{"id": "a", "text": "", "stance": "support"}])
    done = project.run("training", "train", "tiny.yaml", "--set", f"data.train={tmp_path}/bad.jsonl", check=False)
    assert done.returncode == 1
    assert "bad.jsonl:1: text: empty" in done.stderr
    assert "Traceback" not in done.stderr
