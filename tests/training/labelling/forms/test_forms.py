"""Files of other tools: each form as its makers document it, there and back, and what goes wrong."""

import json
from pathlib import Path

import pytest

from serving.errors import StancewiseError
from serving.rows.read import Row
from tests.conftest import write_lines
from training.labelling.forms import FORMS, of_one
from training.labelling.tables import Maps, statements_from

TEXT = "🚋 The tenants hailed the rent cap, and the landlords sued the city."
AUTHOR = "Nobody has seen a worse rent cap."
PERSON = "4f0c2a5e-8a55-4c5f-9d3a-2f6a34c1a001"


def rows(tmp_path, form, labeller=None, path=None):
    path = path or tmp_path / "export.json"
    return statements_from(of_one(FORMS[form].read(path), path, labeller), path, Maps())


def table() -> list:
    given = [
        {"id": "a1", "text": TEXT, "speaker": "The tenants", "target": "the rent cap", "stance": "support"},
        {
            "id": "a2",
            "text": TEXT,
            "speaker": "the landlords",
            "target": "the city",
            "target_start": 58,
            "target_end": 66,
        },
        {
            "id": "a3",
            "text": AUTHOR,
            "target": "rent cap",
            "stance": "criticism",
            "sentiment": "negative",
            "note": "ironic?",
        },
        {"id": "a4", "text": "النقابة رحّبت بالقرار.", "speaker": "النقابة", "sentiment": "neutral", "group": "g"},
        {"id": "a5", "text": AUTHOR},
    ]
    given[1] |= {
        "target_start": TEXT.index("the city"),
        "target_end": TEXT.index("the city") + 8,
        "sentiment": "neutral",
    }
    return statements_from([Row(i, one) for i, one in enumerate(given, 1)], Path("table.jsonl"), Maps())


@pytest.mark.parametrize("form", FORMS)
def test_there_and_back_nothing_is_lost(tmp_path, form):
    path = tmp_path / "export.json"
    before = table()
    FORMS[form].write(before, path, PERSON if form == "argilla" else None)
    after = {one.id: one for one in rows(tmp_path, form)}
    for one in before:
        got, kept = after[one.id], ("text", "speaker", "target", "stance", "sentiment", "note", "group")
        assert {name: getattr(got, name) for name in kept} == {name: getattr(one, name) for name in kept}
        if got.target_start is not None:
            assert got.text[got.target_start : got.target_end] == one.target
    assert after["a2"].target_start == TEXT.index("the city")


def annotation(who, *result, **more):
    return {
        "id": 1001,
        "completed_by": who,
        "result": list(result),
        "was_cancelled": False,
        "ground_truth": False,
        "created_at": "2026-05-02T09:14:52.513742Z",
        "updated_at": "2026-05-02T09:15:08.746926Z",
        "draft_created_at": None,
        "lead_time": 16.2,
        "prediction": {},
        "result_count": 1,
        "task": 1,
        "parent_prediction": None,
        "parent_annotation": None,
        **more,
    }


def choice(head, *labels):
    value = {"choices": list(labels)}
    return {"value": value, "id": "Dx1", "from_name": head, "to_name": "text", "type": "choices", "origin": "manual"}


def marked(label, start, end, words):
    value = {"start": start, "end": end, "text": words, "labels": [label]}
    return {
        "value": value,
        "id": "Sp1",
        "from_name": "mentions",
        "to_name": "text",
        "type": "labels",
        "origin": "manual",
    }


def studio(tmp_path, *annotations, data=None):
    task = {
        "id": 17,
        "annotations": list(annotations),
        "file_upload": "1-tasks.json",
        "drafts": [],
        "predictions": [],
        "data": data or {"text": TEXT, "speaker": "The tenants", "target": "the rent cap"},
        "meta": {},
        "created_at": "2026-05-02T09:10:00.000000Z",
        "updated_at": "2026-05-02T09:15:08.746926Z",
        "inner_id": 1,
        "total_annotations": len(annotations),
        "cancelled_annotations": 0,
        "total_predictions": 0,
        "comment_count": 0,
        "unresolved_comment_count": 0,
        "last_comment_updated_at": None,
        "project": 3,
        "updated_by": 1,
        "comment_authors": [],
    }
    (tmp_path / "export.json").write_text(json.dumps([task]), encoding="utf-8")


def test_label_studio_gives_choices_and_spans(tmp_path):
    place = TEXT.index("the landlords")
    note = {"value": {"text": ["they", "sued"]}, "from_name": "note", "to_name": "text", "type": "textarea", "id": "N"}
    result = [choice("stance", "Criticism"), marked("holder", place, place + 13, "the landlords"), note]
    studio(tmp_path, annotation(4, *result))
    [row] = rows(tmp_path, "label-studio")
    assert (row.id, row.stance, row.sentiment, row.note) == ("17", "criticism", None, "they sued")
    assert (row.speaker, row.speaker_start, row.target) == ("the landlords", place, "the rent cap")


def test_label_studio_offsets_of_old_versions_count_utf16(tmp_path):
    place = TEXT.index("the city") + 1  # the tram before it has two units
    studio(tmp_path, annotation(4, choice("stance", "criticism"), marked("target", place, place + 8, "the city")))
    [row] = rows(tmp_path, "label-studio")
    assert (row.target, row.target_start) == ("the city", place - 1)


def test_a_cancelled_annotation_is_none_and_several_people_are_told_apart(tmp_path):
    ada = {"id": 8, "email": "ada@example.org", "first_name": "Ada"}
    cancelled = annotation(9, choice("stance", "neutrality"), was_cancelled=True)
    studio(
        tmp_path, annotation(7, choice("stance", "support")), annotation(ada, choice("stance", "criticism")), cancelled
    )
    with pytest.raises(
        StancewiseError, match=r"export.json: labelled by 2 people \(7, ada@example.org\); .*--labeller"
    ):
        rows(tmp_path, "label-studio")
    assert [one.stance for one in rows(tmp_path, "label-studio", "7")] == ["support"]
    assert [one.stance for one in rows(tmp_path, "label-studio", "ada@example.org")] == ["criticism"]
    with pytest.raises(StancewiseError, match=r"nobody of this name"):
        rows(tmp_path, "label-studio", "9")


def test_what_is_written_for_label_studio_has_the_documented_fields(tmp_path):
    FORMS["label-studio"].write(table(), tmp_path / "t.json", "ada@example.org")
    tasks = json.loads((tmp_path / "t.json").read_text("utf-8"))
    assert tasks[0]["data"]["text"] == TEXT
    [given] = tasks[0]["annotations"]
    assert given["completed_by"] == {"email": "ada@example.org"}
    for one in given["result"]:
        assert one.keys() == {"id", "from_name", "to_name", "type", "value"}
        if one["type"] == "labels":
            assert TEXT[one["value"]["start"] : one["value"]["end"]] == one["value"]["text"]
    assert "annotations" not in tasks[4], "no label, no annotation"


def argilla(tmp_path, responses, **more):
    record = {
        "id": "a1",
        "fields": {"text": TEXT, "speaker": "The tenants", "target": "the rent cap"},
        "metadata": {"group": "rent"},
        "suggestions": {"stance": {"value": "neutrality", "score": 0.4, "agent": "some-model"}},
        "responses": responses,
        "vectors": {},
        "_server_id": "0c4b6e1c-92b2-4f4d-9d68-5f3a1b1f8a10",
        **more,
    }
    (tmp_path / "export.json").write_text(json.dumps([record]), encoding="utf-8")


def test_argilla_gives_responses_and_no_suggestion(tmp_path):
    spans = [{"label": "target", "start": TEXT.index("the city"), "end": TEXT.index("the city") + 8}]
    said = {"stance": "criticism", "mentions": spans, "note": "they sue"}
    argilla(tmp_path, {question: [{"value": value, "user_id": PERSON}] for question, value in said.items()})
    [row] = rows(tmp_path, "argilla")
    assert (row.stance, row.sentiment, row.target, row.note, row.group) == (
        "criticism",
        None,
        "the city",
        "they sue",
        "rent",
    )
    argilla(tmp_path, {})
    assert [one.stance for one in rows(tmp_path, "argilla")] == [None]


def test_argilla_without_a_user_gets_suggestions_and_with_one_responses(tmp_path):
    for who, full, empty in ((None, "suggestions", "responses"), (PERSON, "responses", "suggestions")):
        FORMS["argilla"].write(table()[:1], tmp_path / "out.json", who)
        [record] = json.loads((tmp_path / "out.json").read_text("utf-8"))
        assert record.keys() == {"id", "fields", "metadata", "suggestions", "responses", "vectors", "_server_id"}
        assert record[full].keys() == {"stance", "mentions"}
        assert record[empty] == {}


DOCCANO = {
    "intents and slots": {"id": 5, "text": TEXT, "cats": ["support", "positive"], "entities": [[2, 13, "holder"]]},
    "categories": {"id": 5, "text": TEXT, "label": ["support", "Positive"], "Comments": ["sure"]},
    "spans": {"id": 5, "text": TEXT, "label": [[2, 13, "holder"]], "Comments": []},
    "relations": {
        "id": 5,
        "text": TEXT,
        "entities": [{"id": 1, "label": "holder", "start_offset": 2, "end_offset": 13}],
        "relations": [],
        "Comments": [],
    },
}


@pytest.mark.parametrize("kind", DOCCANO)
def test_doccano_of_every_kind_of_project(tmp_path, kind):
    write_lines(tmp_path / "export.json", [DOCCANO[kind]])
    [row] = rows(tmp_path, "doccano")
    assert row.id == "5"
    assert row.stance == (None if kind in ("spans", "relations") else "support")
    assert row.speaker == (None if kind == "categories" else "The tenants")
    assert row.note == ("sure" if kind == "categories" else None)


def test_prodigy_accepts_rejects_and_ignores(tmp_path):
    task = {
        "text": TEXT,
        "_input_hash": -1234,
        "_task_hash": 998,
        "_view_id": "blocks",
        "_timestamp": 1777713302,
        "_annotator_id": "rent-ada",
        "_session_id": "rent-ada",
        "options": [{"id": "support", "text": "stance: support"}],
        "tokens": [{"text": "The", "start": 2, "end": 5, "id": 0, "ws": True}],
        "spans": [{"start": 2, "end": 13, "token_start": 1, "token_end": 2, "label": "holder"}],
        "meta": {"target": "the rent cap"},
    }
    tasks = [
        task | {"accept": ["support", "positive"], "answer": "accept"},
        task | {"accept": ["criticism"], "answer": "reject"},
        task | {"accept": [], "answer": "ignore"},
        {"text": AUTHOR, "label": "criticism", "answer": "accept", "_session_id": "rent-ada"},
    ]
    write_lines(tmp_path / "export.json", tasks)
    found = rows(tmp_path, "prodigy")
    assert [(one.stance, one.sentiment) for one in found] == [
        ("support", "positive"),
        (None, None),
        (None, None),
        ("criticism", None),
    ]
    assert (found[0].speaker, found[0].target) == ("The tenants", "the rent cap")


BAD = {
    "no JSON": ("label-studio", "[{", r"export.json: not JSON: .* at line 1"),
    "no list": ("argilla", '{"a": 1}', r"export.json: a JSON list of tasks is needed; export it again as Argilla"),
    "not UTF-8": ("label-studio", "[“]".encode("utf-16"), r"not JSON in UTF-8"),
    "JSON-MIN": (
        "label-studio",
        json.dumps([{"id": 1, "text": TEXT, "stance": "support"}]),
        r"export.json:1: .*JSON-MIN",
    ),
    "no fields": ("argilla", json.dumps([{"text": TEXT}]), r'export.json:1: no "fields"'),
    "outside": (
        "doccano",
        json.dumps({"text": AUTHOR, "entities": [[3, 99, "holder"]]}),
        r":1: the span of the holder is out",
    ),
    "two": (
        "doccano",
        json.dumps({"text": AUTHOR, "entities": [[0, 3, "target"], [4, 7, "target"]]}),
        r"two spans are a t",
    ),
    "odd span": (
        "doccano",
        json.dumps({"text": AUTHOR, "entities": [[0, 3]]}),
        r":1: a span is not \[start, end, label\]",
    ),
    "two labels": (
        "prodigy",
        json.dumps({"text": AUTHOR, "accept": ["support", "criticism"], "answer": "accept"}),
        r"two labels of stance",
    ),
    "odd label": (
        "prodigy",
        json.dumps({"text": AUTHOR, "accept": ["zebra"], "answer": "accept"}),
        r":1: a label is none of support",
    ),
    "no text": ("prodigy", json.dumps({"answer": "accept"}), r"export.json:1: text: empty"),
    "half a line": ("doccano", '{"text": "Ad', r"export.json:1: not JSON"),
    "empty": ("doccano", "", r"export.json: no rows in it"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_file_is_named_with_its_place_and_never_its_text(tmp_path, case):
    form, written, said = BAD[case]
    path = tmp_path / "export.json"
    path.write_bytes(written if isinstance(written, bytes) else written.encode())
    with pytest.raises(StancewiseError, match=said) as error:
        rows(tmp_path, form)
    assert "zebra" not in str(error.value)
    assert "rent cap" not in str(error.value)


def test_a_missing_file_is_named(tmp_path):
    for form in FORMS:
        with pytest.raises(StancewiseError, match=r"gone.json: .*check the path"):
            FORMS[form].read(tmp_path / "gone.json")


def test_words_that_are_not_at_their_place_are_refused(tmp_path):
    studio(tmp_path, annotation(4, choice("stance", "support"), marked("target", 3, 9, "elsewhere")))
    with pytest.raises(StancewiseError, match=r"export.json:1: a span's words are not at its place"):
        rows(tmp_path, "label-studio")
