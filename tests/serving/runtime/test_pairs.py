"""The reader's model: tokens of a sentence, places of its pairs, one pass."""

import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from transformers import AutoModel

from serving import StancewiseError
from serving.runtime.load import load_reader
from serving.runtime.pair_net import SCORER_FILE, PairNet, load_net, save_net
from serving.runtime.pairs import ANSWERS, FEATURES, Mention, Pair, PairedSentence, locate
from serving.runtime.reader import READER_FOLDER, SETTINGS_FILE, PairReader

TEXT = "The mayor hailed the tram plan."


def at(words, text=TEXT):
    start = text.index(words)
    return start, start + len(words)


def asked(before="", text=TEXT):
    mayor = Mention(at("The mayor", text), at("mayor", text))
    plan = Mention(at("the tram plan", text), at("plan", text))
    numbers = tuple(float(place) for place in range(FEATURES))
    return PairedSentence(before, text, (Pair(mayor, plan, numbers), Pair(None, plan, numbers)))


@pytest.fixture(scope="module")
def tokenizer(encoder):
    return Tokenizer.from_file(str(encoder / "tokenizer.json"))


@pytest.fixture(scope="module")
def folder(encoder, tmp_path_factory):
    made = tmp_path_factory.mktemp("reader")
    torch.manual_seed(1)
    save_net(PairNet(AutoModel.from_pretrained(encoder)), made)
    (made / "tokenizer.json").write_bytes((encoder / "tokenizer.json").read_bytes())
    settings = {"max_length": 64, "shown_above": 0.4, "sure_above": 0.8}
    (made / SETTINGS_FILE).write_text(json.dumps(settings), encoding="utf-8")
    return made


@pytest.mark.parametrize("before", ["", "It rained on Monday."])
def test_a_pair_is_found_among_the_tokens(tokenizer, before):
    found = locate(asked(before), tokenizer, 64)

    def words(first, last):
        return tokenizer.decode(found.ids[first : last + 1])

    (first, second), author = found.places, (0, 0, 0, 0)
    assert [words(*first[place : place + 2]) for place in (0, 2, 4, 6)] == [
        "the mayor",
        "mayor",
        "the tram plan",
        "plan",
    ]
    assert second[:4] == author
    assert found.kept == [0, 1]
    assert ("monday" in tokenizer.decode(found.ids)) == bool(before)


def test_a_sentence_that_fills_the_model_comes_without_the_one_before(tokenizer):
    whole = locate(asked(), tokenizer, 64)
    found = locate(asked("It rained on Monday. " * 9), tokenizer, len(whole.ids))
    assert (found.ids, found.places) == (whole.ids, whole.places)


def test_pairs_beyond_the_tokens_that_are_read_are_left_out(tokenizer):
    found = locate(asked(text="Well, " * 40 + TEXT), tokenizer, 32)
    assert len(found.ids) == 32
    assert found.kept == []


def test_a_saved_net_answers_as_before(folder, encoder):
    torch.manual_seed(1)
    net = PairNet(AutoModel.from_pretrained(encoder))
    assert {name: value.tolist() for name, value in net.state_dict().items()} == {
        name: value.tolist() for name, value in load_net(folder).state_dict().items()
    }


def test_every_pair_gets_probabilities_whatever_stands_beside_it(folder):
    reader = PairReader(folder, "cpu")
    far = asked(text="Well, " * 80 + TEXT)
    [alone] = reader.scores([asked()])
    many = reader.scores([asked("It rained on Monday."), far, asked(), PairedSentence("", "Well.", ())])
    assert [one.shape for one in many] == [(2, len(ANSWERS))] * 3 + [(0, len(ANSWERS))]
    np.testing.assert_allclose(many[2], alone, atol=1e-6)
    np.testing.assert_allclose(np.concatenate(many).sum(axis=1), 1)
    assert many[1].tolist() == [[1, 0, 0, 0]] * 2  # beyond the tokens: nothing
    assert not np.allclose(many[0], alone)  # the sentence before is read


def test_a_reader_is_not_left_out_in_silence(folder, tmp_path, monkeypatch):
    assert load_reader(tmp_path) is None
    (tmp_path / READER_FOLDER).symlink_to(folder)
    assert load_reader(tmp_path, "cpu")
    monkeypatch.setattr("serving.runtime.load.find_spec", lambda name: None)  # as in an export for int8 alone
    with pytest.raises(StancewiseError, match="needs PyTorch"):
        load_reader(tmp_path)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("reader.json", b"{}"),
        ("reader.json", b"{"),
        ("scorer.safetensors", b"no weights"),
        ("config.json", b""),
    ],
)
def test_a_damaged_reader_is_named(folder, tmp_path, name, content):
    for path in folder.iterdir():
        (tmp_path / path.name).write_bytes(content if path.name == name else path.read_bytes())
    with pytest.raises(StancewiseError, match="fetch the model again"):
        PairReader(tmp_path, "cpu")


def test_a_scorer_that_lacks_weights_is_none(folder, tmp_path):
    for path in folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    weights = load_file(folder / SCORER_FILE)
    save_file({name: value for name, value in weights.items() if name != "author"}, tmp_path / SCORER_FILE)
    with pytest.raises(StancewiseError, match="fetch the model again"):
        PairReader(tmp_path, "cpu")
