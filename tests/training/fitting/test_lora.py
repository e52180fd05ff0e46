"""Adapters: what is trained, what is left, and that the checkpoint is an ordinary one."""

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForSequenceClassification, AutoTokenizer, TrainerCallback

from serving import StancewiseError
from serving.inputs import MARKS
from tests.conftest import STATEMENTS
from training.config import EncoderSource, Lora, Optimiser, TrainConfig
from training.data.corpus import read_corpus
from training.fitting.encoders import add_lora, load_encoder
from training.fitting.fit import Workspace, fit, last_checkpoint, parameter_groups

TEXTS = ["[H] Ada [/H] praised [T] the bridge [/T].", "Nobody asked [T] Oslo [/T]."]


@pytest.fixture(scope="module")
def small(encoder):
    train, validation = (read_corpus(STATEMENTS / f"{part}.jsonl") for part in ("train", "validation"))
    config = TrainConfig.model_validate(
        {
            "name": "small",
            "data": {"train": "x", "validation": "x"},
            "encoder": {"folder": encoder},
            "batch": {"rows": 16},
            "lora": {"rank": 4},
            "epochs": 3,
            "optimiser": {"learning_rate": 1e-2},
            "device": "cpu",
        }
    )
    return config, 1, train.keep(range(64)), validation.keep(range(32))


def logits(model, tokenizer):
    model.eval()
    with torch.no_grad():
        return model(**tokenizer(TEXTS, return_tensors="pt", padding=True)).logits


class Watch(TrainerCallback):
    """Keeps the logits of the best adapters, which the Trainer has loaded by then."""

    def on_train_end(self, args, state, control, model, processing_class=None, **kwargs):
        self.names = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
        self.logits = logits(model, self.tokenizer)


class Break(TrainerCallback):
    """Ends the training at the start of an epoch, as a kill would."""

    def on_epoch_begin(self, args, state, control, **kwargs):
        if state.global_step == 8:
            raise RuntimeError("ended")


@pytest.fixture(scope="module")
def trained(small, encoder, tmp_path_factory):
    watch = Watch()
    watch.tokenizer, start = load_encoder(small[0].encoder, "marked")
    folder = fit(*small, Workspace(tmp_path_factory.mktemp("lora"), [watch]))
    return folder, watch, start


def test_the_checkpoint_is_an_ordinary_one_that_answers_like_the_adapted_model(trained):
    folder, watch, _ = trained
    assert not list(folder.glob("adapter*"))
    model = AutoModelForSequenceClassification.from_pretrained(folder)
    torch.testing.assert_close(logits(model, AutoTokenizer.from_pretrained(folder)), watch.logits, atol=1e-5, rtol=1e-4)


def test_heads_and_marks_are_trained_in_full_and_the_rest_of_the_embeddings_not_at_all(trained):
    folder, watch, start = trained
    weights, before = load_file(folder / "model.safetensors"), start.state_dict()
    assert weights.keys() == before.keys()
    table = "bert.embeddings.word_embeddings.weight"
    moved = (weights[table] != before[table]).any(dim=1)
    assert moved.nonzero().flatten().tolist() == sorted(watch.tokenizer.convert_tokens_to_ids(list(MARKS)))
    changed = {name for name in weights if not torch.equal(weights[name], before[name])}
    assert {"classifier.weight", "classifier.bias", "bert.pooler.dense.bias"} <= changed
    assert {name for name in changed if ".layer." in name} == {
        name for name in weights if ".layer." in name and name.endswith("weight") and "LayerNorm" not in name
    }
    difference = (
        weights["bert.encoder.layer.0.output.dense.weight"] - before["bert.encoder.layer.0.output.dense.weight"]
    )
    assert torch.linalg.matrix_rank(difference, rtol=1e-4) <= 4


def test_a_broken_training_goes_on_to_the_same_weights(small, trained, tmp_path):
    with pytest.raises(RuntimeError, match="ended"):
        fit(*small, Workspace(tmp_path, [Break()]))
    saved = load_file(last_checkpoint(tmp_path) / "adapter_model.safetensors")
    assert max(len(tensor) for tensor in saved.values()) < 100, "adapters and four rows, not the table of embeddings"
    folder = fit(*small, Workspace(tmp_path, [], resume=True))
    whole, resumed = (load_file(one / "model.safetensors") for one in (trained[0], folder))
    for name in whole:
        torch.testing.assert_close(resumed[name], whole[name])


def test_layers_can_be_chosen_and_a_wrong_name_is_an_error(encoder):
    def adapted(**settings):
        tokenizer, model = load_encoder(EncoderSource(folder=encoder), "blind")
        return add_lora(model, tokenizer, Lora(**settings))

    model = adapted(modules=("query", "output.dense"))
    trained = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    assert len(trained) == sum(len(group["params"]) for group in parameter_groups(model, Optimiser()))
    layers = {name.split(".lora_")[0].split(".layer.")[1] for name in trained if "lora_" in name}
    ends = ("attention.self.query", "attention.output.dense", "output.dense")
    assert layers == {f"{i}.{end}" for i in (0, 1) for end in ends}
    with pytest.raises(StancewiseError, match=r"lora\.modules: .* no linear layer q_proj; it has dense, key"):
        adapted(modules=("query", "q_proj"))


def test_the_model_card_says_it(small):
    from serving.store.folder import ModelSettings
    from training.evaluation.card import model_card

    config, _, train, _ = small
    both = dict.fromkeys(config.heads, 1.0)
    settings = ModelSettings(
        kind="encoder", heads=config.heads, temperatures=both, abstain_below=both, template="marked", max_length=96
    )
    card = model_card(config, settings, {"train": train}, {}, 1.0)
    assert "adapters of rank 4" in card
    assert "`lora.alpha` 16.0" in card
