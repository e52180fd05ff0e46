import pickle
import subprocess
import sys

import pytest
from pydantic import ValidationError

from serving import StanceClassifier, StancewiseError, Statement
from serving.store.folder import read_settings, write_settings
from tests.conftest import STATEMENTS, read_lines


def statements(count):
    rows = read_lines(STATEMENTS / "validation.jsonl")[:count]
    return [Statement(text=row["text"], speaker=row["speaker"], target=row["target"]) for row in rows]


def test_order_is_kept_and_neighbours_do_not_matter(classifier):
    rows = statements(40)
    together = classifier.predict(rows)
    for i in (0, 7, 39):
        [alone] = classifier.predict([rows[i]])
        for head in ("stance", "sentiment"):
            ours, theirs = getattr(together[i], head), getattr(alone, head)
            assert ours.probabilities == pytest.approx(theirs.probabilities, abs=1e-5)
    backwards = classifier.predict(rows[::-1])[::-1]
    assert [p.stance.label for p in backwards] == [p.stance.label for p in together]


def test_a_prediction_is_typed_and_sums_to_one(classifier):
    [prediction] = classifier.predict(statements(1))
    assert set(prediction.stance.probabilities) == {"support", "neutrality", "criticism"}
    assert sum(prediction.sentiment.probabilities.values()) == pytest.approx(1)
    assert prediction.stance.probability == max(prediction.stance.probabilities.values())
    assert prediction.abstained == (prediction.stance.abstained or prediction.sentiment.abstained)


def test_holder_and_target_reach_the_model(classifier):
    text = "Oslo hailed the accord, which Rome rejected."
    pairs = [("Oslo", "the accord"), ("Rome", "the accord"), (None, "Rome")]
    answers = classifier.predict([Statement(text=text, speaker=s, target=t) for s, t in pairs])
    assert len({str(answer.stance.probabilities) for answer in answers}) == 3


def test_the_threshold_decides_who_abstains(classifier):
    strict = classifier.settings.model_copy(update={"abstain_below": {"stance": 1.0, "sentiment": 0.0}})
    [prediction] = StanceClassifier(strict, classifier.runtime).predict(statements(1))
    assert prediction.stance.abstained
    assert not prediction.sentiment.abstained
    assert prediction.abstained


RUSSIAN = Statement(text="Профсоюз докеров отверг предложение порта и объявил забастовку.", target="предложение")


def test_the_model_abstains_on_a_language_that_it_does_not_read_and_names_it(classifier):
    [other, english] = classifier.predict([RUSSIAN, *statements(1)])
    assert (other.language, other.foreign, english.language, english.foreign) == ("ru", True, "en", False)
    assert (other.stance.abstained, other.sentiment.abstained, other.abstained) == (True, True, True)
    assert other.row()["language"] == "ru"
    [named] = StanceClassifier(
        classifier.settings.model_copy(update={"languages": ("ru",)}), classifier.runtime
    ).predict(statements(1))
    assert (named.language, named.foreign, named.abstained) == ("en", True, True)


def test_any_language_is_answered_if_asked_for_and_english_is_the_same(champion, classifier):
    every = StanceClassifier.load(champion, device="cpu", any_language=True)
    rows = [RUSSIAN, *statements(20)]
    [other, *rest], [refused, *wanted] = every.predict(rows), classifier.predict(rows)
    least = classifier.settings.abstain_below
    assert rest == wanted
    assert (other.language, other.foreign) == ("ru", False)
    assert other.stance.probabilities == refused.stance.probabilities
    assert other.stance.abstained == (other.stance.probability < least["stance"])
    assert pickle.loads(pickle.dumps(every)).languages is None


def test_a_text_of_no_language_that_can_be_told_is_answered(classifier):
    [answer] = StanceClassifier(
        classifier.settings.model_copy(update={"abstain_below": {"stance": 0.0, "sentiment": 0.0}}), classifier.runtime
    ).predict([Statement(text="OK!", target="OK")])
    assert (answer.language, answer.foreign, answer.abstained) == ("unknown", False, False)


@pytest.mark.parametrize("text", ["", "   \n", "\0\0"])
def test_a_blank_text_is_no_statement(text):
    with pytest.raises(ValidationError, match="empty"):
        Statement(text=text, target="the accord")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["Oslo hailed the accord."], r"item 0 is no Statement but str; give a list such as \[Statement\(text="),
        ([*statements(1), {"text": "Oslo hailed it."}], r"item 1 is no Statement but dict"),
        ([None], r"item 0 is no Statement but NoneType"),
        ("Oslo hailed the accord.", r"a list of Statement is needed, not str"),
        (Statement(text="Oslo hailed it."), r"a list of Statement is needed, not Statement"),
        ({"text": "Oslo hailed it."}, r"a list of Statement is needed, not dict"),
        (None, r"a list of Statement is needed, not NoneType"),
    ],
)
@pytest.mark.parametrize("ask", ["predict", "explain"])
def test_what_is_no_statement_is_refused_without_its_text(classifier, ask, given, message):
    with pytest.raises(StancewiseError, match=message) as error:
        getattr(classifier, ask)(given)
    assert "Oslo" not in str(error.value)


def test_a_pickled_classifier_is_loaded_from_its_folder(champion, monkeypatch, tmp_path):
    monkeypatch.chdir(champion.parent)
    loaded = StanceClassifier.load(champion.name, device="cpu")
    content = pickle.dumps(loaded)
    assert len(content) < 1000
    monkeypatch.chdir(tmp_path)
    assert pickle.loads(content).predict(statements(3)) == loaded.predict(statements(3))


def test_a_classifier_without_a_folder_cannot_be_pickled(classifier):
    with pytest.raises(TypeError, match="loaded from a folder"):
        pickle.dumps(StanceClassifier(classifier.settings, classifier.runtime))


def test_nothing_in_nothing_out(classifier):
    assert classifier.predict([]) == []


def test_a_run_a_version_and_a_folder_load_the_same_model(classifier, project, champion):
    import mlflow

    mlflow.set_tracking_uri(project.store)
    run_id = classifier.settings.run_id
    row = statements(1)
    [expected] = classifier.predict(row)
    for uri in (f"runs:/{run_id}", f"runs:/{run_id}/model", "models:/stance/1", champion, champion.parent.parent):
        [found] = StanceClassifier.load(uri, device="cpu").predict(row)
        assert found.stance.probabilities == pytest.approx(expected.stance.probabilities)


@pytest.mark.parametrize(
    ("uri", "message"),
    [
        ("no/such/folder", "no such folder"),
        ("models:/stance@nobody", "nobody"),
        ("runs:/0123", "not found in the tracking store"),
        ("models:/unknown/1", "unknown"),
    ],
)
def test_a_wrong_uri_is_one_clear_error(project, uri, message):
    import mlflow

    mlflow.set_tracking_uri(project.store)
    with pytest.raises(StancewiseError, match=message):
        StanceClassifier.load(uri)


def test_damaged_files_are_named(champion, tmp_path):
    import shutil

    folder = tmp_path / "model"
    shutil.copytree(champion, folder)
    (folder / "model.safetensors").write_bytes(b"cut short")
    with pytest.raises(
        StancewiseError, match=r"model\.safetensors: damaged, its SHA-256 is [0-9a-f]{64}, not [0-9a-f]{64}"
    ):
        StanceClassifier.load(folder)
    write_settings(folder, read_settings(folder))
    with pytest.raises(StancewiseError, match="weights cannot be read"):
        StanceClassifier.load(folder)
    (folder / "model.safetensors").unlink()
    with pytest.raises(StancewiseError, match=r"model\.safetensors: missing"):
        StanceClassifier.load(folder)
    (folder / "stancewise.json").write_text('{"format": 1}')
    with pytest.raises(StancewiseError, match=r"stancewise\.json: .*kind: Field required"):
        StanceClassifier.load(folder)


def test_loading_stays_light(champion, project):
    script = f"""
import sys
from serving import StanceClassifier, Statement
heavy = {{"datasets", "sklearn", "matplotlib", "training"}}
assert not heavy & set(sys.modules), heavy & set(sys.modules)
StanceClassifier.load({str(champion)!r}).predict([Statement(text="Oslo left.")])
assert not heavy & set(sys.modules), heavy & set(sys.modules)
"""
    done = subprocess.run(
        [sys.executable, "-c", script], env=project.environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
