"""Words that stay as they were pretrained, and marks that learn."""

import pytest
import torch
from pydantic import ValidationError
from safetensors.torch import load_file
from transformers import AutoModelForSequenceClassification

from serving.inputs import MARKS
from tests.conftest import STATEMENTS
from training.config import EncoderSource, TrainConfig
from training.data.corpus import read_corpus
from training.fitting.encoders import load_encoder
from training.fitting.fit import Workspace, fit
from training.fitting.frozen_words import FrozenWords, freeze_words, thaw_words


def config_of(encoder, **more):
    return TrainConfig.model_validate(
        {
            "name": "frozen",
            "data": {"train": "x", "validation": "x"},
            "encoder": {"folder": encoder},
            "batch": {"rows": 16},
            "epochs": 2,
            "optimiser": {"learning_rate": 1e-2},
            "device": "cpu",
            "freeze": ["words"],
            **more,
        }
    )


@pytest.mark.parametrize("template", ["marked", "blind"])
def test_only_the_marks_of_the_embeddings_learn(encoder, tmp_path, template):
    train, validation = (read_corpus(STATEMENTS / f"{part}.jsonl") for part in ("train", "validation"))
    config = config_of(encoder, template=template)
    tokenizer, start = load_encoder(config.encoder, template)
    folder = fit(config, 1, train.keep(range(64)), validation.keep(range(32)), Workspace(tmp_path, []))
    weights, before = load_file(folder / "model.safetensors"), start.state_dict()
    assert weights.keys() == before.keys()
    table = "bert.embeddings.word_embeddings.weight"
    moved = (weights[table] != before[table]).any(dim=1).nonzero().flatten().tolist()
    assert moved == (sorted(tokenizer.convert_tokens_to_ids(list(MARKS))) if template == "marked" else [])
    assert not torch.equal(weights["classifier.weight"], before["classifier.weight"])
    AutoModelForSequenceClassification.from_pretrained(folder)


def test_frozen_and_thawed_words_answer_as_before(encoder):
    tokenizer, model = load_encoder(EncoderSource(folder=encoder), "marked")
    model.eval()
    asked = tokenizer(["[H] Ada [/H] praised [T] the bridge [/T].", "Nobody asked [T] Oslo [/T]."], padding=True)
    asked = {name: torch.tensor(values) for name, values in asked.items()}
    with torch.no_grad():
        first = model(**asked).logits
        freeze_words(model, tokenizer)
        assert isinstance(model.get_input_embeddings(), FrozenWords)
        torch.testing.assert_close(model(**asked).logits, first)
        thaw_words(model)
        torch.testing.assert_close(model(**asked).logits, first)
    assert isinstance(model.get_input_embeddings(), torch.nn.Embedding)


def test_adapters_freeze_the_words_already(encoder):
    with pytest.raises(ValidationError, match="freeze and lora: lora leaves the words as they were already"):
        config_of(encoder, lora={"rank": 4})
