import copy

import pytest
import torch
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    DistilBertConfig,
    DistilBertForSequenceClassification,
    MPNetConfig,
    MPNetForSequenceClassification,
    RobertaConfig,
    RobertaForSequenceClassification,
)

from serving.runtime.first_token import first_token_only

SIZE = {"vocab_size": 50, "hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 4, "intermediate_size": 64}
KINDS = {
    "bert": (BertForSequenceClassification, BertConfig),
    "roberta": (RobertaForSequenceClassification, RobertaConfig),
    "mpnet": (MPNetForSequenceClassification, MPNetConfig),
}
IDS = torch.tensor([[2, 7, 8, 9, 10, 3], [2, 11, 12, 3, 1, 1]])


def pair(kind):
    torch.manual_seed(0)
    model, config = KINDS[kind]
    whole = model(config(**SIZE, num_labels=6, pad_token_id=1)).eval()
    first = copy.deepcopy(whole)
    first_token_only(first)
    return whole, first


@pytest.mark.parametrize("mask", [None, (IDS != 1).long()], ids=["no padding", "padding"])
@pytest.mark.parametrize("kind", KINDS)
def test_logits_and_gradients_are_those_of_the_whole_layer(kind, mask):
    whole, first = pair(kind)
    given = {"input_ids": IDS} if mask is None else {"input_ids": IDS, "attention_mask": mask}
    torch.testing.assert_close(first(**given).logits, whole(**given).logits)
    for model in (whole, first):
        model(**given).logits.square().sum().backward()
    for (name, one), (_, other) in zip(whole.named_parameters(), first.named_parameters(), strict=True):
        torch.testing.assert_close(other.grad, one.grad, msg=name)


@pytest.mark.parametrize("kind", KINDS)
def test_the_last_layer_gives_one_token_and_the_weights_keep_their_names(kind):
    whole, first = pair(kind)
    assert first.base_model(input_ids=IDS).last_hidden_state.shape == (2, 1, 32)
    assert first.state_dict().keys() == whole.state_dict().keys()


def test_an_encoder_of_another_kind_stays_as_it_is():
    model = DistilBertForSequenceClassification(
        DistilBertConfig(vocab_size=50, dim=32, n_layers=1, n_heads=2, hidden_dim=8)
    )
    first_token_only(model)
    assert model.base_model(input_ids=IDS).last_hidden_state.shape == (2, 6, 32)
