"""The wrong labels that the audit's measurement plants."""

from benchmarks.audit import COPY, plant
from serving.labels import HEADS
from tests.conftest import REPOSITORY, STATEMENTS, read_lines


def test_planted_labels_are_as_many_as_asked_and_nothing_else_changes(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").symlink_to(REPOSITORY / "data")
    planted = plant(0.05, seed=1)
    changed = {head: set() for head in HEADS}
    count = 0
    for part in ("train", "validation"):
        for before, after in zip(
            read_lines(STATEMENTS / f"{part}.jsonl"), read_lines(COPY / f"{part}.jsonl"), strict=True
        ):
            count += 1
            for head, labels in HEADS.items():
                if before[head] != after[head]:
                    changed[head].add(after["id"])
                    assert after[head] in labels
            assert {k: v for k, v in before.items() if k not in HEADS} == {
                k: v for k, v in after.items() if k not in HEADS
            }
    assert changed == planted
    assert all(len(ids) == round(0.05 * count) for ids in planted.values())
    assert plant(0.05, seed=1) == planted != plant(0.05, seed=2)
