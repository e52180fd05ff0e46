"""Public sets and tables, in files invented here in the authors' formats; the real files where they are at hand."""

import copy
import hashlib
import json
import os
import re
from collections import Counter
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

import pandas as pd
import pytest
import yaml
from rich.console import Console

from serving.errors import StancewiseError
from tests.conftest import write_lines
from training.config import DataSet
from training.data.corpus import LabelledStatement, identifier
from training.data.sources import PUBLIC, read_set
from training.data.sources.drawn import with_drawn
from training.data.summary import summary

REAL = os.environ.get("STANCE_BENCHMARKS", "")

NEWS = [
    ("allsides_12_7_3_Minister Oduya_4_9", "Ms. Oduya was cheered at the café.", "Oduya", 4, 9, 1),
    ("allsides_12_8_1_Brandt_0_8", "Brandt’s plan failed;\n“a mess”, said one.", "Brandt", 0, 6, -1),
    ("polusa_v1_991_-1_2_mayor_Quill_4_9", "The mayor\u2028spoke.", "mayor", 4, 9, 0),
    ("polusa_v1_991_-1_5_\nHer_0_3", "Her aides left.", "Her", 0, 3, 0),
]
DIRECTED = [
    ("[Oduya] met [Brandt] in the café.", "Oduya", "Brandt", "0"),
    (" The [Brandt’]s camp praised [the Oduya] team. ", "Brandt’", "the Oduya", "1"),
    ("[Verdane]s leader was lauded by [Ostric]s mayor.", "Verdane", "Ostric", "2"),
    ('[Quill] called "the [Oduya] plan" a joke.', "Quill", "Oduya", "3"),
    ("[Quill] was scolded by [Brandt]'s aide.", "Quill", "Brandt", "4"),
    ("[Oduya] met [Brandt] in the café.", "Oduya", "Brandt", "3"),  # repeats the first
    ("The group[’]s head met [Quill].", "’", "Quill", "3"),  # the first entity is nobody
]
PLOVER = [
    ("4", "Verdane praised the café pact with Ostric.", "Verdane", "Ostric", "SUPPORT"),
    ("4", "Verdane praised the café pact with Ostric.", "Ostric", "Verdane", "AGREE"),
    ("9", "Verdane sent grain to Ostric.", "Verdane", "Ostric", "AID"),
    ("11", 'Ostric called the "grain deal" a trap.', "Ostric", "grain deal", "REJECT"),
    ("15", "Ostric met Verdane.", "Ostric", "Verdane", "CONSULT"),
]
TWEETS = {
    "abortion": [("A café #SemST ", "1")],
    "atheism": [("I doubt it\u2028all ", "2"), ("Hm. ", "0")],
    "climate": [("It is warm ", "2")],
    "feminist": [("No\x85thanks ", "1")],
    "hillary": [("Who knows ", "0")],
}
WARMING = [
    ("1_0_s0", "A screening café sentence.", ["agrees"] * 8, ("", "", ""), "False"),
    ("1_0_t0", "The ice is going fast.", ["agrees"] * 6 + ["neutral", ""], ("0.1", "0.2", "0.7"), "False"),
    ("1_0_t1", "Thermometers exist in cafés.", ["neutral"] * 7 + ["disagrees"], ("0.2", "0.7", "0.1"), "False"),
    ("1_0_t2", "Nothing is melting.", ["disagrees"] * 8, ("0.9", "0.05", "0.05"), "True"),
]
ENTITIES = [
    ("Мэр Озёрска Ветрова поблагодарила «Союз рыбаков».", "Союз рыбаков", "ORGANIZATION", 1),
    ("Мэр Озёрска Ветрова поблагодарила «Союз рыбаков».", "Мэр Озёрска", "PROFESSION", 0),
    ('Газета "Маяк" назвала Крылова лжецом.', "Крылова", "PERSON", -1),
    ("Газета вышла во вторник.", "Газета", "ORGANIZATION", 0),
]
PRAISE = "Мэр Озёрска Ольга Ветрова поддержала «Союз рыбаков» и осудила министра Крылова."
MIXED = "Газета хвалит и ругает Ветрову: «Союз рыбаков» доволен."
RAIN = "В городе прошёл дождь."
HELD_OUT = "Крылов недоволен «Союзом рыбаков»."
OPINIONS: list[tuple[str, list[tuple[str, str, str]]]] = [
    (
        PRAISE,
        [
            ("Ольга Ветрова", "Союз рыбаков", "POS"),
            ("Ольга Ветрова", "Крылова", "NEG"),
            ("Ольга Ветрова", "Крылова", "NEG"),  # another expression of the same
            ("AUTHOR", "Ветрова", "POS"),
            ("NULL", "Крылова", "NEG"),  # nobody whom the text names
        ],
    ),
    (RAIN, []),
    (MIXED, [("Газета", "Ветрову", "POS"), ("Газета", "Ветрову", "NEG"), ("Союз рыбаков", "Газета", "POS")]),
    (HELD_OUT, [("Крылов", "Союзом рыбаков", "NEG")]),
]
VOTE = {"agrees": "support", "neutral": "neutrality", "disagrees": "criticism"}


def write_table(path: Path, rows: list[dict], header: bool = True) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pd.DataFrame(rows).to_csv(path, sep="\t", index=False, header=header)
    return path


@dataclass(frozen=True)
class Example:
    """The authors' files of one set, and what to write elsewhere so that it reads the same."""

    part: str
    file: str  # the one that the tests break
    labels: str  # where its labels stand
    rows: dict[str, list[dict]]  # as the Hub has them, by config
    split: str = "train"


def _news() -> list[dict]:
    names = ("id", "sentence", "mention", "from", "to", "polarity")
    return [dict(zip(names, row, strict=True)) for row in NEWS]


def _directed() -> list[dict]:
    return [dict(zip(("sentence", "p", "q", "label"), row, strict=True)) for row in DIRECTED]


def _plover() -> list[dict]:
    names = ("sentence_id", "sentence", "source", "target", "gold_root")
    return [{"": "", **dict(zip(names, row, strict=True)), "modality": "past"} for row in PLOVER]


def _warming() -> list[dict]:
    return [
        {"sentence": text}
        | {f"worker_{i}": vote for i, vote in enumerate(votes)}
        | dict(zip(("disagree", "neutral", "agree"), shares, strict=True))
        | {"guid": guid, "in_held_out_test": held_out}
        for guid, text, votes, shares, held_out in WARMING
    ]


def _entities() -> list[dict]:
    return [
        {"sentence": text, "entity": entity, "entity_tag": tag}
        | {"entity_pos_start_rel": text.find(entity), "entity_pos_end_rel": text.find(entity) + len(entity)}
        | {"label": label}
        for text, entity, tag, label in ENTITIES
    ]


def _opinions() -> list[dict]:
    def named(name: str, text: str) -> list[list[str]]:
        nobody = {"AUTHOR": "NULL", "NULL": "0:0"}
        return [[name], [nobody.get(name) or f"{text.find(name)}:{text.find(name) + len(name)}"]]

    return [
        {"sent_id": number, "text": text}
        | {
            "opinions": [
                {"Source": named(holder, text), "Target": named(target, text)}
                | {"Polar_expression": [[text[:3]], ["0:3"]], "Polarity": polarity}
                for holder, target, polarity in opinions
            ]
        }
        for number, (text, opinions) in enumerate(OPINIONS)
    ]


EXAMPLES = {
    "newsmtsc": Example("mt_test", "newsmtsc-mt-hf/test.jsonl", "newsmtsc-mt-hf/test.jsonl", {"mt": _news()}, "test"),
    "directed_sentiment": Example("train", "train.txt", "train.txt", {"": _directed()}),
    "plv": Example("train", "PLV_train.tsv", "PLV_train.tsv", {"": _plover()}),
    "semeval2016_stance": Example(
        "validation",
        "abortion/val_text.txt",
        "abortion/val_labels.txt",
        {f"stance_{t}": [{"text": x, "label": int(y)} for x, y in rows] for t, rows in TWEETS.items()},
        "validation",
    ),
    "gwsd": Example("train", "GWSD.tsv", "GWSD.tsv", {"": _warming()}),
    "rusentne": Example("train", "train_data.csv", "train_data.csv", {"": _entities()}),
    "ruopinionne": Example("train", "train.jsonl", "train.jsonl", {"": _opinions()}),
}
each_set = pytest.mark.parametrize("source", EXAMPLES)


def write_authors(source: str, folder: Path) -> Path:
    example = EXAMPLES[source]
    path = folder / example.file
    path.parent.mkdir(parents=True, exist_ok=True)
    if source in ("newsmtsc", "ruopinionne"):
        write_lines(path, *example.rows.values())
    elif source == "semeval2016_stance":
        for topic, rows in TWEETS.items():
            (folder / topic).mkdir(exist_ok=True)
            for name, column in (("text", 0), ("labels", 1)):
                content = "".join(f"{row[column]}\n" for row in rows)
                (folder / topic / f"val_{name}.txt").write_text(content, encoding="utf-8", newline="")
    else:
        write_table(path, example.rows[""], header=source != "directed_sentiment")
    return folder


def write_hub(source: str, folder: Path, kind: str) -> str:
    """A local folder that `load_dataset` takes like a Hub id."""
    example = EXAMPLES[source]
    configs = []
    for name, rows in example.rows.items():
        path = folder / (name or "data") / f"{example.split}.{kind}"
        path.parent.mkdir(parents=True)
        if kind == "parquet":
            pd.DataFrame(rows).to_parquet(path)
        else:
            write_lines(path, rows)
        files = [{"split": example.split, "path": str(path.relative_to(folder))}]
        configs.append({"config_name": name or "default", "data_files": files})
    (folder / "README.md").write_text(f"---\n{yaml.safe_dump({'configs': configs})}---\n", encoding="utf-8")
    return str(folder)


def write_benchmark(source: str, folder: Path) -> Path:
    """The rows that the authors' files should give, in the form of STANCE_BENCHMARKS."""
    rows = []
    if source == "newsmtsc":
        for name, text, mention, start, end, polarity in NEWS:
            offsets = {"target_start": start, "target_end": end}
            sentiment = {1: "positive", 0: "neutral", -1: "negative"}[polarity]
            row = {"id": f"newsmtsc:devtest_mt:{name}", "text": text, "target": mention, **offsets}
            rows.append({**row, "sentiment": sentiment, "group": name, "n_targets": 1})
    elif source == "directed_sentiment":
        rows = [
            _pair("0:p->q", "Oduya met Brandt in the café.", "Oduya", "Brandt", "neutrality"),
            _pair("1:p->q", "The Brandt’s camp praised the Oduya team.", "Brandt", "the Oduya", "support"),
            _pair("2:q->p", "Verdanes leader was lauded by Ostrics mayor.", "Ostrics", "Verdanes", "support"),
            _pair("3:p->q", 'Quill called "the Oduya plan" a joke.', "Quill", "Oduya", "criticism"),
            _pair("4:q->p", "Quill was scolded by Brandt's aide.", "Brandt", "Quill", "criticism"),
            _pair("6:p->q", "The group’s head met Quill.", "", "Quill", "criticism"),
        ]
    elif source == "plv":
        stance = {"SUPPORT": "support", "AGREE": "support", "REJECT": "criticism", "CONSULT": "neutrality"}
        for number, (sentence, text, speaker, target, code) in enumerate(PLOVER):
            row = {"id": f"plv:train:{number}", "text": text, "speaker": speaker, "target": target}
            rows.append({**row, "stance": stance.get(code), "label_raw": code, "group": f"train:{sentence}"})
    elif source == "semeval2016_stance":
        targets = ("Legalization of Abortion", "Atheism", "Climate Change is a Real Concern", "Feminist Movement")
        for (topic, tweets), target in zip(TWEETS.items(), (*targets, "Hillary Clinton"), strict=True):
            for number, (text, label) in enumerate(tweets):
                stance = ("neutrality", "criticism", "support")[int(label)]
                row = {"id": f"se16:{topic}:val:{number}", "text": text.strip(), "target": target, "stance": stance}
                rows.append(row)
    elif source in ("rusentne", "ruopinionne"):
        rows = _entity_rows() if source == "rusentne" else _opinion_rows()
    else:
        for guid, text, votes, _, held_out in WARMING:
            if held_out == "False" and "_t" in guid:
                stance = VOTE[Counter(votes).most_common(1)[0][0]]
                row = {"id": f"gwsd:{guid}", "text": text, "stance": stance, "votes": [vote for vote in votes if vote]}
                rows.append({**row, "target": "climate change/global warming is a serious concern"})
    (folder / source).mkdir(parents=True)
    write_lines(folder / source / f"{EXAMPLES[source].part}.jsonl", rows)
    return folder


def _entity_rows() -> list[dict]:
    return [
        {"id": f"ru_train-{number}", "text": text, "speaker": None, **_placed("target", entity, text)}
        | {"sentiment": ("neutral", "positive", "negative")[label], "group": _sentence(text), "domain": tag}
        for number, (text, entity, tag, label) in enumerate(ENTITIES)
    ]


def _opinion_rows() -> list[dict]:
    opinions = [
        (PRAISE, "Ольга Ветрова", "Союз рыбаков", "support"),
        (PRAISE, "Ольга Ветрова", "Крылова", "criticism"),
        (PRAISE, None, "Ветрова", "support"),
        (MIXED, "Газета", "Ветрову", None),
        (MIXED, "Союз рыбаков", "Газета", "support"),
        (HELD_OUT, "Крылов", "Союзом рыбаков", "criticism"),
    ]
    return [
        {"id": f"ruop_train-{number}", "text": text, "stance": stance, "group": _sentence(text)}
        | (_placed("speaker", speaker, text) if speaker else {"speaker": None})
        | _placed("target", target, text)
        for number, (text, speaker, target, stance) in enumerate(opinions)
    ]


def _placed(field: str, name: str, text: str) -> dict:
    return {field: name, f"{field}_start": text.find(name), f"{field}_end": text.find(name) + len(name)}


def _sentence(text: str) -> str:
    return f"ru-{hashlib.sha1(text.encode()).hexdigest()[:12]}"


def _pair(number: str, text: str, speaker: str, target: str, stance: str) -> dict:
    start, other = text.find(speaker) if speaker else 9, text.find(target)
    row = {"id": f"dse:train:{number}", "text": text, "speaker": speaker, "speaker_start": start}
    row |= {"speaker_end": start + len(speaker), "target": target, "target_start": other}
    return {**row, "target_end": other + len(target), "stance": stance}


def wanted(source: str, **settings) -> DataSet:
    return DataSet(source=source, **{"part": EXAMPLES[source].part, **settings})


@pytest.fixture
def own_cache(tmp_path, monkeypatch):
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")


def assert_no_text(message: str, source: str):
    """Errors never show what a text says."""
    texts = [str(row.get("sentence") or row.get("text")) for rows in EXAMPLES[source].rows.values() for row in rows]
    shown = {word for text in texts for word in re.findall(r"\w{5,}", text)}
    known = {"Brandt", "Verdane", "label", "Climate", "sentence"}
    assert not [word for word in shown - known if re.search(rf"\b{word}\b", message)], message


@each_set
def test_authors_files_and_benchmark_rows_are_the_same(source, tmp_path, monkeypatch):
    monkeypatch.setenv("STANCE_BENCHMARKS", str(write_benchmark(source, tmp_path / "benchmarks")))
    ours = read_set(wanted(source))
    theirs = read_set(wanted(source, path=write_authors(source, tmp_path / "authors")))
    assert theirs.rows == ours.rows
    assert len(ours.rows) >= 2
    assert ours.provenance == theirs.provenance == PUBLIC[source].PROVENANCE
    for row in ours.rows:
        assert row.stance or row.sentiment
        for name in ("speaker", "target"):
            start, end = getattr(row, f"{name}_start"), getattr(row, f"{name}_end")
            assert start is None or row.text[start:end] == getattr(row, name)


@pytest.mark.parametrize("kind", ["jsonl", "parquet"])
@each_set
def test_hub_rows_are_those_of_the_authors_files(source, kind, tmp_path, own_cache):
    hub = write_hub(source, tmp_path / "hub", kind)
    theirs = read_set(wanted(source, path=write_authors(source, tmp_path / "authors")))
    assert read_set(wanted(source, hub=hub, revision="0" * 40)).rows == theirs.rows


def test_groups_are_stories(tmp_path):
    rows = {source: read_set(wanted(source, path=write_authors(source, tmp_path / source))).rows for source in EXAMPLES}
    assert [row.group for row in rows["newsmtsc"]] == ["newsmtsc:allsides_12"] * 2 + ["newsmtsc:polusa_v1_991"] * 2
    assert [row.group for row in rows["plv"]] == [f"plv:train:{sentence}" for sentence in (4, 4, 11, 15)]
    for source in ("directed_sentiment", "semeval2016_stance", "gwsd"):
        assert {row.group for row in rows[source]} == {None}
    for source in ("rusentne", "ruopinionne"):
        assert all(row.group == _sentence(row.text) for row in rows[source])


def test_votes_and_the_held_out_part_of_gwsd(tmp_path):
    folder = write_authors("gwsd", tmp_path)
    train, test = (read_set(wanted("gwsd", path=folder, part=part)).rows for part in ("train", "test"))
    assert [(row.id, row.stance) for row in train] == [("gwsd:1_0_t0", "support"), ("gwsd:1_0_t1", "neutrality")]
    assert train[0].stance_votes == ("support",) * 6 + ("neutrality",)
    assert [(row.id, row.stance) for row in test] == [("gwsd:1_0_t2", "criticism")]


def test_rows_of_rusentne_that_share_a_sentence_with_its_validation_part_are_left_out_and_counted(tmp_path):
    folder = write_authors("rusentne", tmp_path)
    assert read_set(wanted("rusentne", path=folder)).shared == 0  # there is no validation file beside
    row = {**_entities()[0], "entity": "рыбаков", "entity_pos_start_rel": 40, "entity_pos_end_rel": 47}
    write_table(folder / "validation_data_labeled.csv", [row])
    for path in (folder, folder / "train_data.csv"):
        train = read_set(wanted("rusentne", path=path))
        assert [row.id for row in train.rows] == ["ru_train-2", "ru_train-3"]
        assert (train.lines, train.shared) == ([4, 5], 2)
        assert [(row.sentiment, row.domain) for row in train.rows] == [
            ("negative", "PERSON"),
            ("neutral", "ORGANIZATION"),
        ]
    validation = read_set(wanted("rusentne", path=folder, part="validation"))
    assert [(row.id, row.target, row.sentiment) for row in validation.rows] == [("ru_val-0", "рыбаков", "positive")]
    out = StringIO()
    Console(file=out, width=100).print(summary({"train": [train], "validation": [validation]}))
    assert len(re.findall(r"left out: in another part +2\b", out.getvalue())) == 1


def _told(rows: list) -> list[tuple]:
    return [(row.id, row.speaker, row.target, row.stance, row.note) for row in rows]


def test_parts_and_drawn_pairs_of_ruopinionne(tmp_path):
    folder = write_authors("ruopinionne", tmp_path)
    train, held_out = (read_set(wanted("ruopinionne", path=folder, part=part)) for part in ("train", "held_out"))
    labelled = [row for row in _told(train.rows) if row[4] is None]
    assert labelled == [
        ("ruop_train-0", "Ольга Ветрова", "Союз рыбаков", "support", None),
        ("ruop_train-1", "Ольга Ветрова", "Крылова", "criticism", None),
        ("ruop_train-2", None, "Ветрова", "support", None),
        ("ruop_train-4", "Союз рыбаков", "Газета", "support", None),
    ]
    drawn = {row[0]: row[1:] for row in _told(train.rows) if row[4]}
    assert drawn.pop("ruop_train-2/drawn")[:2] in ((None, "Союз рыбаков"), (None, "Крылова"))  # the author's
    assert drawn == {
        "ruop_train-0/drawn": ("Союз рыбаков", "Ольга Ветрова", "neutrality", "drawn"),
        "ruop_train-1/drawn": ("Крылова", "Ольга Ветрова", "neutrality", "drawn"),
        "ruop_train-4/drawn": drawn["ruop_train-4/drawn"],
    }
    # Not Газета -> Ветрову, which is both supported and criticised.
    assert drawn["ruop_train-4/drawn"][:2] in (("Газета", "Союз рыбаков"), ("Союз рыбаков", "Ветрову"))
    assert train.lines == [1, 1, 1, 1, 1, 1, 3, 3]
    assert _told(held_out.rows) == [
        ("ruop_train-5", "Крылов", "Союзом рыбаков", "criticism", None),
        ("ruop_train-5/drawn", "Союзом рыбаков", "Крылов", "neutrality", "drawn"),
    ]
    assert held_out.lines == [4, 4]


def test_a_pair_is_not_drawn_under_another_form_of_a_name(tmp_path):
    text = "Ветрова поддержала рыбаков, а Крылов похвалил Ветрову."
    opinions = [("Ветрова", "рыбаков", "POS"), ("Крылов", "Ветрову", "POS")]
    named = [{**_placed("speaker", one, text), **_placed("target", other, text)} for one, other, _ in opinions]
    rows = [
        LabelledStatement(id=str(number), text=text, stance="support", **names) for number, names in enumerate(named)
    ]
    drawn = [row for _, row in with_drawn([(1, row) for row in rows]) if row.note]
    pairs = {(row.speaker, row.target) for row in drawn}
    assert len(drawn) == len(pairs) == 2
    assert not pairs & {("Ветрова", "Ветрову"), ("Крылов", "Ветрова"), *((one, other) for one, other, _ in opinions)}
    assert [row for _, row in with_drawn([(1, row) for row in rows]) if row.note] == drawn
    alone = LabelledStatement(id="a", text=text, stance="support", target="Ветрову")
    assert with_drawn([(1, alone)]) == [(1, alone)]


@pytest.mark.parametrize("part", ["train", "held_out"])
def test_both_parts_of_ruopinionne_are_cut_from_one_benchmark_file(part, tmp_path, monkeypatch):
    monkeypatch.setenv("STANCE_BENCHMARKS", str(write_benchmark("ruopinionne", tmp_path / "benchmarks")))
    theirs = read_set(wanted("ruopinionne", part=part, path=write_authors("ruopinionne", tmp_path)))
    assert read_set(wanted("ruopinionne", part=part)).rows == theirs.rows


def test_a_name_in_several_pieces_has_no_place(tmp_path):
    opinion = {"Source": [["Мэр", "Ветрова"], ["0:3", "18:25"]], "Target": [["Крылова"], ["71:78"]], "Polarity": "NEG"}
    path = write_lines(tmp_path / "train.jsonl", [{"sent_id": 0, "text": PRAISE, "opinions": [opinion]}])
    row = read_set(wanted("ruopinionne", path=path)).rows[0]
    assert (row.speaker, row.speaker_start, row.target, row.target_start) == ("Мэр Ветрова", None, "Крылова", 71)


@pytest.mark.parametrize(
    ("opinions", "message"),
    [
        (None, "no opinions in it; use the set"),
        ("none", "opinions: a list of objects is needed"),
        (["none"], "opinions: a list of objects is needed"),
        ([{"Target": [["Крылова"], ["71:78"]]}], "no Source in it|no Polarity in it"),
        *(
            (
                [{"Source": source, "Target": [["Крылова"], ["71:78"]], "Polarity": "NEG"}],
                "Source: a name and its place",
            )
            for source in ("Ветрова", [], [["Ветрова"], []], [["Ветрова"], ["18"]], [["Ветрова"], ["18:400"]], [[], []])
        ),
    ],
)
def test_opinions_that_cannot_be_read(opinions, message, tmp_path):
    path = write_lines(tmp_path / "train.jsonl", [{"sent_id": 0, "text": PRAISE, "opinions": opinions}])
    with pytest.raises(StancewiseError, match=rf"train.jsonl:1: ({message}).*as its authors publish it") as error:
        read_set(wanted("ruopinionne", path=path))
    assert_no_text(str(error.value), "ruopinionne")


def test_places_of_rusentne_that_are_no_numbers(tmp_path):
    write_table(tmp_path / "train_data.csv", [{**_entities()[0], "entity_pos_end_rel": "end"}])
    with pytest.raises(StancewiseError, match=r"train_data.csv:2: entity_pos_end_rel: a whole number is needed"):
        read_set(wanted("rusentne", path=tmp_path))


@pytest.mark.parametrize("source", ["newsmtsc", "directed_sentiment", "plv", "gwsd", "rusentne", "ruopinionne"])
def test_a_file_a_folder_and_a_clone_are_the_same_path(source, tmp_path):
    inside = write_authors(source, tmp_path / PUBLIC[source].FOLDER)
    of_clone, of_folder, of_file = (
        read_set(wanted(source, path=path)) for path in (tmp_path, inside, inside / EXAMPLES[source].file)
    )
    assert of_clone.rows == of_folder.rows == of_file.rows
    assert of_clone.path == of_folder.path == of_file.path


def test_lines_are_those_of_the_file(tmp_path):
    folder = write_authors("directed_sentiment", tmp_path)
    directed = read_set(wanted("directed_sentiment", path=folder))
    assert (directed.lines, directed.place(2)) == ([1, 2, 3, 4, 5], f"{folder}/train.txt:3")
    assert read_set(wanted("plv", path=write_authors("plv", tmp_path))).lines == [2, 3, 5, 6]
    tweets = read_set(wanted("semeval2016_stance", path=write_authors("semeval2016_stance", tmp_path)))
    assert tweets.lines == []  # of five files


def test_a_quoted_field_may_go_over_lines(tmp_path):
    path = write_authors("plv", tmp_path) / "PLV_train.tsv"
    path.write_text(path.read_text(encoding="utf-8").replace("Verdane sent", '"Verdane\nsent'), encoding="utf-8")
    path.write_text(path.read_text(encoding="utf-8").replace("to Ostric.", 'to Ostric."'), encoding="utf-8")
    assert read_set(wanted("plv", path=tmp_path)).lines == [2, 3, 6, 7]


def test_weight_and_rows(tmp_path):
    path = write_authors("newsmtsc", tmp_path)
    corpus = read_set(wanted("newsmtsc", path=path, weight=0.5, rows=3))
    assert corpus.weights().tolist() == [0.5, 0.5]  # whole groups: the next one has two rows
    assert len(set(corpus.groups().tolist())) == 1
    assert len(corpus.lines) == 2
    with pytest.raises(StancewiseError, match="rows: 1 is less than its first group"):
        read_set(wanted("newsmtsc", path=path, rows=1))


def test_the_first_rows_of_every_text(tmp_path):
    rows = [{"id": f"{text}{i}", "text": text, "stance": "support"} for i in range(3) for text in ("Yes.", "No.")]
    path = write_lines(tmp_path / "own.jsonl", [*rows, {"id": "last", "text": "Perhaps.", "stance": "support"}])
    corpus = read_set(DataSet(path=path, rows_a_text=2))
    assert [row.id for row in corpus.rows] == ["Yes.0", "No.0", "Yes.1", "No.1", "last"]
    assert corpus.lines == [1, 2, 3, 4, 7]


def test_one_head_of_a_set(tmp_path):
    rows = [
        {"id": "a", "text": "Yes.", "stance": "support", "sentiment": "neutral"},
        {"id": "b", "text": "Yes, he said.", "sentiment": "neutral"},
        {"id": "c", "text": "No.", "stance": "criticism", "sentiment": "negative"},
    ]
    path = write_lines(tmp_path / "own.jsonl", rows)
    shares = {"stance_probabilities": {"support": 1, "neutrality": 0, "criticism": 0}}
    shares["sentiment_probabilities"] = {"positive": 0, "neutral": 1, "negative": 0}
    taught = write_lines(tmp_path / "taught.jsonl", [{"text": row["text"], **shares} for row in rows])
    corpus = read_set(DataSet(path=path, heads=("stance",)))
    assert [(row.id, row.stance, row.sentiment) for row in corpus.rows] == [
        ("a", "support", None),
        ("c", "criticism", None),
    ]
    assert corpus.lines == [1, 3]
    corpus = read_set(DataSet(path=path, heads=("sentiment",), teacher=taught))
    assert [row.sentiment for row in corpus.rows] == ["neutral", "neutral", "negative"]
    assert all(row.stance is None and row.taught == {"sentiment": (0, 1, 0)} for row in corpus.rows)
    votes = read_set(wanted("gwsd", path=write_authors("gwsd", tmp_path)))
    assert votes.rows[0].stance_votes
    with pytest.raises(StancewiseError, match="no row with a sentiment; correct heads"):
        read_set(wanted("gwsd", path=write_authors("gwsd", tmp_path), heads=("sentiment",)))


def test_statements_are_read_as_they_stand(tmp_path):
    path = write_lines(tmp_path / "own.jsonl", [{"id": "a", "text": "Yes.", "stance": "support"}])
    corpus = read_set(DataSet(path=path, weight=2.0))
    assert (corpus.rows[0].id, corpus.lines, corpus.weight, corpus.provenance) == ("a", [1], 2.0, None)


# Bad input


def damage(path: Path, how: str) -> None:
    content = path.read_bytes()
    if how == "missing":
        path.unlink()
    elif how == "mark":
        path.write_bytes(b"\xef\xbb\xbf" + content)
    elif how == "windows":
        path.write_bytes(content.replace(b"\n", b"\r\n"))
    elif how == "latin":
        path.write_bytes(content.decode().encode("latin-1", "replace"))


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("missing", "no such file|cannot be read"),
        ("mark", ":1: starts with a byte order mark; save as UTF-8 without it"),
        ("windows", r":1: Windows line ends; save with Unix line ends"),
        ("latin", r":\d+: not UTF-8; save the file as UTF-8"),
    ],
)
@pytest.mark.parametrize("benchmark", [False, True], ids=["authors", "benchmark"])
@each_set
def test_a_file_that_is_not_plain_utf8(source, benchmark, how, message, tmp_path, monkeypatch):
    if benchmark:
        monkeypatch.setenv("STANCE_BENCHMARKS", str(write_benchmark(source, tmp_path)))
        path, one = tmp_path / source / f"{EXAMPLES[source].part}.jsonl", wanted(source)
    else:
        one = wanted(source, path=write_authors(source, tmp_path))
        path = tmp_path / EXAMPLES[source].file
    read_set(one)  # whole, it can be read
    damage(path, how)
    with pytest.raises(StancewiseError, match=message) as error:
        read_set(one)
    assert path.name in str(error.value)
    assert_no_text(str(error.value), source)


CUT = {
    "newsmtsc": (-9, r"test.jsonl:4: not JSON: .*cut short, fetch it again"),
    "directed_sentiment": (-3, r"train.txt:7: 3 fields, 4 are needed; the file may be cut short"),
    "plv": (-6, r"PLV_train.tsv:6: 6 fields, 7 are needed; the file may be cut short"),
    "semeval2016_stance": (-2, r"val_text.txt:1: 1 texts, but 0 labels in val_labels.txt; one of them is cut short"),
    "rusentne": (-3, r"train_data.csv:5: 5 fields, 6 are needed; the file may be cut short"),
    "ruopinionne": (-9, r"train.jsonl:4: not JSON: .*cut short, fetch it again"),
    "gwsd": (-6, r"GWSD.tsv:5: 13 fields, 14 are needed; the file may be cut short"),
}


@each_set
def test_a_file_cut_short(source, tmp_path):
    path = write_authors(source, tmp_path) / EXAMPLES[source].labels
    path.write_bytes(path.read_bytes()[: CUT[source][0]])
    if source in ("directed_sentiment", "plv", "gwsd"):
        path.write_bytes(path.read_bytes().rstrip(b"\t"))
    with pytest.raises(StancewiseError, match=CUT[source][1]) as error:
        read_set(wanted(source, path=tmp_path))
    assert_no_text(str(error.value), source)


def test_a_table_cut_inside_a_quoted_field(tmp_path):
    path = write_authors("plv", tmp_path) / "PLV_train.tsv"
    content = path.read_text(encoding="utf-8")
    path.write_text(content[: content.index("grain deal")], encoding="utf-8")
    with pytest.raises(StancewiseError, match=r"PLV_train.tsv:5: .*unexpected end of data.*fetch it again"):
        read_set(wanted("plv", path=tmp_path))


LABELS = {
    "newsmtsc": ('"polarity": -1', '"polarity": 7', r"test.jsonl:2: polarity: label '7' is unknown; known: -1, 0, 1"),
    "directed_sentiment": ("\t2\n", "\t5\n", r"train.txt:3: label: label '5' is unknown; known: 0, 1, 2, 3, 4"),
    "plv": ("AID", "HELP", r"PLV_train.tsv:4: gold_root: label 'HELP' is unknown; known: AGREE, "),
    "semeval2016_stance": ("1\n", "9\n", r"val_text.txt:1: label: label '9' is unknown; known: 0, 1, 2"),
    "rusentne": ("\t-1\n", "\t7\n", r"train_data.csv:4: label: label '7' is unknown; known: -1, 0, 1"),
    "ruopinionne": ("POS", "FOR", r"train.jsonl:1: Polarity: label 'FOR' is unknown; known: POS, NEG"),
    "gwsd": ("disagrees", "denies", r"GWSD.tsv:4: worker_7: label 'denies' is unknown; known: agrees, "),
}


@each_set
def test_an_unknown_label(source, tmp_path):
    path = write_authors(source, tmp_path) / EXAMPLES[source].labels
    old, new, message = LABELS[source]
    path.write_text(path.read_text(encoding="utf-8").replace(old, new, 1), encoding="utf-8", newline="")
    with pytest.raises(StancewiseError, match=message + ".*correct the row") as error:
        read_set(wanted(source, path=tmp_path))
    assert_no_text(str(error.value), source)


@each_set
def test_an_unknown_label_on_the_hub(source, tmp_path, own_cache, monkeypatch):
    rows = copy.deepcopy(EXAMPLES[source].rows)
    first = next(iter(rows.values()))[0]
    first = first["opinions"][0] if "opinions" in first else first
    column = next(name for name in ("polarity", "label", "gold_root", "worker_0", "Polarity") if name in first)
    first[column] = 7 if isinstance(first[column], int) else "7"
    example = EXAMPLES[source]
    monkeypatch.setitem(EXAMPLES, source, Example(example.part, example.file, example.labels, rows, example.split))
    hub = write_hub(source, tmp_path / "hub", "jsonl")
    with pytest.raises(StancewiseError, match=rf"hub \({example.split}\):1: {column}: label '7' is unknown"):
        read_set(wanted(source, hub=hub, revision="0" * 40))


@each_set
def test_an_unknown_label_of_a_benchmark_row(source, tmp_path, monkeypatch):
    monkeypatch.setenv("STANCE_BENCHMARKS", str(write_benchmark(source, tmp_path)))
    path = tmp_path / source / f"{EXAMPLES[source].part}.jsonl"
    path.write_text(re.sub('"(support|positive)"', '"applause"', path.read_text(encoding="utf-8")), encoding="utf-8")
    with pytest.raises(StancewiseError, match=rf"{path.name}:\d: (stance|sentiment): Input should be") as error:
        read_set(wanted(source))
    assert_no_text(str(error.value), source)


OFFSETS = {
    "past the text": (4, 400, r":1: target: offsets 4:400 are outside the text of 34 characters; correct them"),
    "empty": (9, 9, r":1: target: offsets 9:9 are outside the text"),
    "negative": (-2, 3, r":1: target: offsets -2:3 are outside the text"),
    "not on the mention": (5, 10, r":1: target: the text at 5:10 is not the target named; correct the offsets"),
    "no number": ("four", 9, r":1: target: give target and, as whole numbers, target_start and target_end"),
    "a fraction": (4.5, 9, r":1: target: give target and, as whole numbers, target_start and target_end"),
}


@pytest.mark.parametrize("case", OFFSETS)
def test_offsets_of_newsmtsc(case, tmp_path, monkeypatch):
    start, end, message = OFFSETS[case]
    path = write_authors("newsmtsc", tmp_path) / "newsmtsc-mt-hf" / "test.jsonl"
    write_lines(path, [_news()[0] | {"from": start, "to": end}])
    with pytest.raises(StancewiseError, match=message) as error:
        read_set(wanted("newsmtsc", path=tmp_path))
    assert_no_text(str(error.value), "newsmtsc")
    monkeypatch.setenv("STANCE_BENCHMARKS", str(write_benchmark("newsmtsc", tmp_path)))
    path = tmp_path / "newsmtsc" / "mt_test.jsonl"
    row = json.loads(path.read_text(encoding="utf-8").split("\n")[0])
    write_lines(path, [row | {"target_start": start, "target_end": end}])
    with pytest.raises(StancewiseError, match=message):
        read_set(wanted("newsmtsc"))


@pytest.mark.parametrize(
    ("sentence", "message"),
    [
        ("Oduya met [Brandt].", "train.txt:1: sentence: 1 entities in square brackets, 2 are needed"),
        ("[Oduya] met [Brandt] [twice].", "train.txt:1: sentence: 3 entities in square brackets, 2 are needed"),
        ("[Brandt] met [Oduya].", "train.txt:1: sentence: the entities in square brackets are not p and q"),
    ],
)
def test_entities_that_are_not_marked(sentence, message, tmp_path):
    (tmp_path / "train.txt").write_text(f"{sentence}\tOduya\tBrandt\t0\n", encoding="utf-8")
    with pytest.raises(StancewiseError, match=re.escape(message)):
        read_set(wanted("directed_sentiment", path=tmp_path))


@pytest.mark.parametrize(
    ("source", "column"),
    [
        ("plv", "gold_root"),
        ("gwsd", "agree"),
        ("newsmtsc", "polarity"),
        ("rusentne", "label"),
        ("ruopinionne", "opinions"),
    ],
)
def test_a_column_that_is_missing(source, column, tmp_path):
    path = write_authors(source, tmp_path) / EXAMPLES[source].file
    rows = [{k: v for k, v in row.items() if k != column} for rows in EXAMPLES[source].rows.values() for row in rows]
    write_lines(path, rows) if path.suffix == ".jsonl" else write_table(path, rows)
    with pytest.raises(StancewiseError, match=rf"{path.name}:1: no {column} in") as error:
        read_set(wanted(source, path=tmp_path))
    assert_no_text(str(error.value), source)


def test_a_header_that_is_missing_shows_no_text(tmp_path):
    write_table(tmp_path / "PLV_train.tsv", _plover(), header=False)
    with pytest.raises(StancewiseError, match=r"PLV_train.tsv:1: no sentence_id, sentence, source") as error:
        read_set(wanted("plv", path=tmp_path))
    assert_no_text(str(error.value), "plv")


def test_a_text_in_the_place_of_a_label_is_not_shown(tmp_path):
    long = "A sentence that slipped into the column of the labels."
    (tmp_path / "train.txt").write_text(f"[Oduya] met [Brandt].\tOduya\tBrandt\t{long}\n", encoding="utf-8")
    with pytest.raises(StancewiseError, match=r"label \(of 54 characters\) is unknown") as error:
        read_set(wanted("directed_sentiment", path=tmp_path))
    assert "slipped" not in str(error.value)


def test_a_probability_that_is_none(tmp_path):
    rows = _warming()
    rows[1]["agree"] = "much"
    write_table(tmp_path / "GWSD.tsv", rows)
    with pytest.raises(StancewiseError, match=r"GWSD.tsv:3: agree: a probability is needed"):
        read_set(wanted("gwsd", path=tmp_path))


@each_set
def test_what_is_wanted_is_not_there(source, tmp_path, monkeypatch):
    monkeypatch.delenv("STANCE_BENCHMARKS", raising=False)
    with pytest.raises(StancewiseError, match=f"{source}: STANCE_BENCHMARKS is not set; set STANCE_BENCHMARKS to"):
        read_set(wanted(source))
    monkeypatch.setenv("STANCE_BENCHMARKS", str(tmp_path))
    with pytest.raises(
        StancewiseError, match=rf"no such file; set STANCE_BENCHMARKS to the folder that holds {source}/"
    ):
        read_set(wanted(source))
    write_benchmark(source, tmp_path)
    with pytest.raises(StancewiseError, match=rf"held.jsonl: no such file; its parts: {EXAMPLES[source].part}$"):
        read_set(wanted(source, part="held"))
    with pytest.raises(StancewiseError, match=f"{source} has no part 'held'; its parts: .*{EXAMPLES[source].part}"):
        read_set(wanted(source, part="held", path=tmp_path))
    with pytest.raises(StancewiseError, match=r"nowhere: no such file, or no .* in it; give the folder that holds"):
        read_set(wanted(source, path=tmp_path / "nowhere"))


@each_set
def test_a_hub_set_that_cannot_be_loaded(source, tmp_path, own_cache):
    with pytest.raises(StancewiseError, match=r"nowhere: \w+ cannot be loaded \(.+\); check hub, revision") as error:
        read_set(wanted(source, hub=str(tmp_path / "nowhere"), revision="0" * 40))
    assert "\n" not in str(error.value)


def test_a_part_without_labels(tmp_path):
    write_table(tmp_path / "PLV_train.tsv", [_plover()[2]])
    with pytest.raises(StancewiseError, match=r"PLV_train.tsv: no labelled rows in it"):
        read_set(wanted("plv", path=tmp_path))


# A user's own table

TABLE = [
    {"Body": "Oduya cheered at the café.", "Who": "Oduya", "Mood": "pos", "from": 0, "to": 5, "story": 7},
    {"Body": "The plan, as ever, failed.", "Who": "The plan", "Mood": "neg", "from": None, "to": None, "story": 7},
    {"Body": "It rained.", "Who": None, "Mood": None, "from": None, "to": None, "story": 8},
    {"Body": "Quill slept.", "Who": "Quill", "Mood": "0", "from": 0, "to": 5, "story": None},
]
COLUMNS = {
    "text": "Body",
    "target": "Who",
    "sentiment": "Mood",
    "target_start": "from",
    "target_end": "to",
    "group": "story",
}
MOODS = {"sentiment": {"pos": "positive", "neg": "negative", "0": "neutral"}}
each_kind = pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])


def write_own(path: Path, rows: list[dict]) -> Path:
    frame = pd.DataFrame(rows)
    if path.suffix == ".csv":
        frame.convert_dtypes().to_csv(path, index=False, lineterminator="\r\n")
    elif path.suffix == ".parquet":
        frame.to_parquet(path)
    else:
        write_lines(path, rows)
    return path


def read_own(path: Path, columns: dict = COLUMNS, labels: dict = MOODS):
    return read_set(DataSet(source="table", path=path, columns=columns, labels=labels))


@each_kind
def test_a_table_with_its_maps(kind, tmp_path):
    corpus = read_own(write_own(tmp_path / f"mine.{kind}", TABLE))
    first, second, last = corpus.rows
    assert (first.text, first.target, first.sentiment, first.stance) == (TABLE[0]["Body"], "Oduya", "positive", None)
    assert (first.target_start, first.target_end, second.target_start) == (0, 5, None)
    assert (second.sentiment, last.sentiment, last.group) == ("negative", "neutral", None)
    assert first.group is not None
    assert first.group == second.group
    lines = [2, 3, 5] if kind == "csv" else [1, 2, 4]  # the third row has no label
    assert corpus.lines == lines
    assert [row.id for row in corpus.rows] == [f"mine:{line}" for line in lines]


@each_kind
def test_a_table_in_our_own_words_needs_no_maps(kind, tmp_path):
    rows = [{"id": "x", "text": "Yes.", "stance": "support", "extra": 1}]
    [row] = read_own(write_own(tmp_path / f"mine.{kind}", rows), {}, {}).rows
    assert (row.id, row.stance) == ("x", "support")


def test_numbers_as_labels(tmp_path):
    rows = [{"text": "Yes.", "stance": 1.0}, {"text": "No.", "stance": float("nan")}]
    [row] = read_own(write_own(tmp_path / "mine.parquet", rows), {}, {"stance": {"1": "support"}}).rows
    assert row.stance == "support"


def sides(path: Path, labels: dict, *cells: object):
    rows = [{"text": f"Text {number}.", "target": "it", "side": cell} for number, cell in enumerate(cells)]
    return read_own(write_own(path, rows), {"stance": "side"}, {"stance": labels})


@pytest.mark.parametrize(
    ("kind", "word", "cell"),
    [
        *((kind, "-1", "-1") for kind in ("csv", "jsonl", "parquet")),
        *((kind, "-1", -1.0) for kind in ("jsonl", "parquet")),
        ("jsonl", "+2", 2),
        ("csv", "3", "3.0"),  # what pandas makes of whole numbers beside an empty cell
        ("parquet", "True", True),
        ("jsonl", "no", "no"),
        ("csv", "TRUE", "true"),
    ],
)
def test_numbers_and_booleans_are_labels_however_they_are_written(kind, word, cell, tmp_path):
    [row] = sides(tmp_path / f"mine.{kind}", {word: "criticism"}, cell).rows
    assert row.stance == "criticism"


@each_kind
def test_a_label_that_means_nothing_leaves_its_row_out_and_the_summary_counts_it(kind, tmp_path):
    corpus = sides(tmp_path / f"mine.{kind}", {"for": "support", "can't say": None}, "for", "can't say", "can't say")
    assert [row.text for row in corpus.rows] == ["Text 0."]
    out = StringIO()
    Console(file=out, width=100).print(summary({"train": [corpus]}))
    assert re.search(r"left out: no label +2\b", out.getvalue())


def test_a_map_may_give_a_missing_word_a_meaning(tmp_path):
    path = tmp_path / "mine.csv"
    path.write_text("text,target,side\nOne.,it,\nTwo.,it,NA\nThree.,it,for\n", encoding="utf-8")
    labels = {"stance": {"": "neutrality", "NA": "criticism", "for": "support"}}
    corpus = read_own(path, {"stance": "side"}, labels)
    assert [row.stance for row in corpus.rows] == ["neutrality", "criticism", "support"]


def test_a_vote_that_means_nothing_does_not_count(tmp_path):
    rows = [{"text": "Yes.", "stance": "y", "stance_votes": ["y", "y", "?"]}]
    path = write_own(tmp_path / "mine.jsonl", rows)
    [row] = read_own(path, {}, {"stance": {"y": "support", "?": None}}).rows
    assert row.stance_votes == ("support", "support")


@each_kind
def test_all_unknown_labels_of_a_table_are_said_at_once(kind, tmp_path):
    with pytest.raises(StancewiseError) as error:
        sides(tmp_path / f"mine.{kind}", {"for": "support"}, "for", "meh", "against", "meh", "1")
    first = 2 if kind == "csv" else 1
    lines = str(error.value).splitlines()
    assert [line.rpartition("/")[2] for line in lines[:3]] == [
        f"mine.{kind}:{first + 1}: stance: label 'meh' is not in the map (rows with it: 2)",
        f"mine.{kind}:{first + 2}: stance: label 'against' is not in the map (rows with it: 1)",
        f"mine.{kind}:{first + 4}: stance: label '1' is not in the map (rows with it: 1)",
    ]
    assert lines[3].startswith("stance: known: for; add the label to labels.stance in the config (null: ")


def test_a_column_of_texts_as_labels_is_cut_short(tmp_path):
    with pytest.raises(StancewiseError) as error:
        sides(tmp_path / "mine.csv", {"for": "support"}, *(f"{'long ' * 20}{number}" for number in range(50)))
    assert len(str(error.value).splitlines()) == 22
    assert "... and 30 more labels" in str(error.value)
    assert "long" not in str(error.value)


def test_a_map_for_a_head_that_has_no_column(tmp_path):
    path = write_own(tmp_path / "mine.csv", [{"text": "Yes.", "stance": "y", "mood": "p"}])
    labels = {"stance": {"y": "support"}, "sentiment": {"p": "positive"}}
    with pytest.raises(StancewiseError, match=r"mine.csv:1: labels.sentiment is given, but no column 'sentiment'"):
        read_own(path, {}, labels)
    assert read_own(path, {"sentiment": "mood"}, labels).rows[0].sentiment == "positive"


@each_kind
@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (
            {"text": "Bodi"},
            r"mine.\w+:1: no column 'Bodi' \(columns.text\); did you mean 'Body'\?; its columns: 'Body', 'Who'",
        ),
        ({"taget": "Who"}, r"columns: 'taget' is not a known field; did you mean 'target'\?: text, speaker"),
        ({"target": "Who"}, r"mine.\w+:1: no column 'text'; name it under columns.text; its columns: 'Body'"),
        ({"text": "Body"}, r"mine.\w+: no row with a stance or a sentiment; name their columns under columns"),
    ],
)
def test_columns_that_do_not_fit(kind, columns, message, tmp_path):
    with pytest.raises(StancewiseError, match=message):
        read_own(write_own(tmp_path / f"mine.{kind}", TABLE), columns, {})


@each_kind
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"Mood": "sour"}, "sentiment: label 'sour' is not in the map"),
        ({"from": 1.5}, "target_start: must be a whole number of characters; correct it"),
        ({"to": 99}, "target: offsets 0:99 are outside the text of 26 characters; correct them"),
        ({"from": 1, "to": 6}, "target: the text at 1:6 is not the target named; correct the offsets"),
        ({"to": None}, "target: give target and, as whole numbers, target_start and target_end"),
        ({"Body": " "}, "text: empty, or no text; correct the row"),
    ],
)
def test_rows_that_do_not_fit(kind, change, message, tmp_path):
    path = write_own(tmp_path / f"mine.{kind}", [TABLE[0] | change, *TABLE[1:]])
    with pytest.raises(StancewiseError, match=rf"mine.{kind}:{2 if kind == 'csv' else 1}: {message}") as error:
        read_own(path)
    assert "cheered" not in str(error.value)


@pytest.mark.parametrize("how", ["mark", "windows"])
@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_a_table_as_spreadsheets_save_it(kind, how, tmp_path):
    path = write_own(tmp_path / f"mine.{kind}", TABLE)
    rows = read_own(path).rows
    path.write_bytes(path.read_bytes().replace(b"\r\n", b"\n"))
    damage(path, how)
    assert read_own(path).rows == rows


@pytest.mark.parametrize(("how", "message"), [("missing", ": no such file"), ("latin", r":\d: not UTF-8: byte 0xE9")])
@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_a_table_that_cannot_be_read(kind, how, message, tmp_path):
    path = write_own(tmp_path / f"mine.{kind}", TABLE)
    damage(path, how)
    with pytest.raises(StancewiseError, match=rf"mine.{kind}{message}"):
        read_own(path)


def test_missing_words_of_a_csv_are_no_labels_names_or_groups(tmp_path):
    path = tmp_path / "mine.csv"
    path.write_text(
        'text,speaker,stance,sentiment,group\n"a",NA,NA,positive,NA\n"b","NA",support,NaN,1\n"c",x,NULL,NA,2\n',
        encoding="utf-8",
    )
    first, second = read_own(path, {}, {}).rows  # the third has no label left
    assert (first.speaker, first.stance, first.sentiment, first.group) == (None, None, "positive", None)
    assert (second.speaker, second.stance, second.sentiment, second.group) == ("NA", "support", None, "1")
    mapped = {"stance": {"NA": "neutrality", "support": "support"}}
    assert read_own(path, {}, mapped).rows[0].stance == "neutrality"


@pytest.mark.parametrize("column", ["Target", "holder", "Stance", "GROUP"])
def test_a_column_that_is_nearly_a_field_is_named_or_mapped(column, tmp_path):
    rows = [{"text": "Yes.", "sentiment": "positive", column: "x"}]
    path = write_own(tmp_path / "mine.jsonl", rows)
    with pytest.raises(StancewiseError, match=rf"mine.jsonl:1: .*{column}.* or name it under columns"):
        read_own(path, {}, {})
    assert read_own(path, {"note": column}, {}).rows[0].note == "x"


@pytest.mark.parametrize(
    ("one", "other"), [("7", "7.0"), ("7", 7.0), (7, "7.00"), ("100000", "1e+05"), (100000, "1E+05"), ("-3", "-3.0")]
)
def test_a_group_that_became_a_float_is_the_same_group(one, other, tmp_path):
    groups = []
    for place, group in enumerate((one, other)):
        row = {"id": str(place), "text": "Yes.", "stance": "support", "group": group}
        csv, lines = tmp_path / f"{place}.csv", write_lines(tmp_path / f"{place}.jsonl", [row])
        pd.DataFrame([row]).to_csv(csv, index=False)
        corpora = [read_own(csv, {}, {}), read_own(lines, {}, {}), read_set(DataSet(path=lines))]
        groups += [corpus.rows[0].group for corpus in corpora]
    assert len(set(groups)) == 1, groups


@pytest.mark.parametrize("value", ["7.5", "7.0.0", "1e5", "12e4ab", "v1.0", "007", ""])
def test_other_identifiers_stay_as_they_are(value):
    assert identifier(value) == value


@pytest.mark.parametrize(
    ("kind", "message"), [("csv", ":5: fewer fields"), ("jsonl", ":4: not JSON"), ("parquet", "Parq")]
)
def test_a_table_cut_short(kind, message, tmp_path):
    path = write_own(tmp_path / f"mine.{kind}", TABLE)
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(StancewiseError, match=rf"mine.{kind}.*{message}"):
        read_own(path)


def test_the_summary_says_what_was_found(tmp_path):
    parts = {
        "train": [read_set(wanted(source, path=write_authors(source, tmp_path / source))) for source in EXAMPLES],
        "validation": [read_own(write_own(tmp_path / "mine.csv", TABLE))],
    }
    console = Console(width=80, record=True)
    console.print(summary(parts))
    lines = [" ".join(line.split()) for line in console.export_text().splitlines()]
    assert "NewsMTSC (test): MIT text 4 2 sentiment 1 / 2 / 1" in lines
    assert "PLV (PLV_train): none stated 4 3 stance 2 / 1 / 1" in lines
    assert "GWSD (GWSD): none stated 2 2 stance 1 / 1 / 0" in lines
    assert "RuSentNE-2023 (train_data): MIT 4 3 sentiment 1 / 2 / 1" in lines
    assert "RuOpinionNE-2024 (train): MIT 8 2 stance 3 / 4 / 1" in lines
    assert "mine 3 2 sentiment 1 / 1 / 1" in lines
    assert lines.index("train") < lines.index("validation")


# The real files, where they are

COUNTS = {
    ("newsmtsc", "train"): 8739,
    ("newsmtsc", "rw_validation"): 343,
    ("newsmtsc", "rw_test"): 803,
    ("newsmtsc", "mt_validation"): 442,
    ("newsmtsc", "mt_test"): 1034,
    ("directed_sentiment", "train"): 11532 - 69,  # whose speaker or target names nobody
    ("directed_sentiment", "validation"): 1067 - 10,
    ("plv", "train"): 1050 - 523,
    ("semeval2016_stance", "train"): 2620,
    ("semeval2016_stance", "validation"): 294,
    ("semeval2016_stance", "test"): 1249,
    ("gwsd", "train"): 1850,
    ("gwsd", "test"): 200,
    ("rusentne", "train"): 3270,
    ("rusentne", "validation"): 2845,
    ("ruopinionne", "train"): 586 + 419,  # drawn
    ("ruopinionne", "held_out"): 157 + 112,
}


@pytest.mark.skipif(not REAL, reason="STANCE_BENCHMARKS is not set")
@pytest.mark.parametrize(("source", "part"), COUNTS)
def test_the_real_files(source, part):
    corpus = read_set(DataSet(source=source, part=part))
    assert len(corpus.rows) == len(corpus.lines) == COUNTS[source, part]
    assert len({row.id for row in corpus.rows}) == len(corpus.rows)
    labels = [row.sentiment if source in ("newsmtsc", "rusentne") else row.stance for row in corpus.rows]
    assert len(set(labels)) == 3
    assert None not in labels
    for row in corpus.rows:
        for name in ("speaker", "target"):
            start, end = getattr(row, f"{name}_start"), getattr(row, f"{name}_end")
            assert start is None or row.text[start:end] == getattr(row, name)
    if source == "gwsd":
        assert all(row.stance_votes and len(row.stance_votes) == 8 for row in corpus.rows)


@pytest.mark.skipif(not REAL, reason="STANCE_BENCHMARKS is not set")
def test_the_real_parts_of_ruopinionne_share_no_sentence_and_draw_only_pairs_without_a_label():
    train, held_out = (read_set(DataSet(source="ruopinionne", part=part)).rows for part in ("train", "held_out"))
    assert not {row.group for row in train} & {row.group for row in held_out}
    pairs = Counter((row.text, row.speaker, row.target) for row in (*train, *held_out))
    assert set(pairs.values()) == {1}
    assert all((row.note == "drawn") == (row.stance == "neutrality") for row in (*train, *held_out))


@pytest.mark.skipif(not REAL, reason="STANCE_BENCHMARKS is not set")
def test_the_real_stories_of_newsmtsc_show_what_its_parts_share():
    train, test = (read_set(DataSet(source="newsmtsc", part=part)).rows for part in ("train", "rw_test"))
    stories = {row.group for row in train}
    assert None not in stories
    assert sum(row.group in stories for row in test) == 389  # as the README beside the files counts
