import copy

import pytest
import torch
from torch import nn
from transformers import BertConfig, BertForSequenceClassification

from training.fitting.dropout import ByteDropout, drop, with_byte_dropout

IDS = torch.tensor([[2, 7, 8, 9, 3], [2, 11, 3, 0, 0]])
MASK = (IDS != 0).long()


def bert(dropout):
    torch.manual_seed(0)
    size = {"vocab_size": 50, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4}
    shares = {"hidden_dropout_prob": dropout, "attention_probs_dropout_prob": dropout}
    return BertForSequenceClassification(BertConfig(**size, intermediate_size=64, **shares))


@pytest.mark.parametrize("share", [0.1, 0.5])
def test_so_many_are_dropped_and_the_mean_stays(share):
    torch.manual_seed(1)
    values = torch.ones(1000, 1001, requires_grad=True)
    dropped = drop(values, share)
    kept = dropped != 0
    assert kept.float().mean().item() == pytest.approx(1 - share, abs=0.003)
    assert dropped.mean().item() == pytest.approx(1, abs=0.003)
    assert dropped[kept].unique().numel() == 1
    # No column and no place among the eight of a draw is favoured.
    assert kept.float().mean(dim=0).std().item() == pytest.approx((share * (1 - share) / 1000) ** 0.5, rel=0.1)
    dropped.sum().backward()
    torch.testing.assert_close(values.grad, dropped.detach())


def test_the_seed_decides_and_the_next_mask_is_another():
    values = torch.ones(37)
    torch.manual_seed(3)
    first, second = drop(values, 0.5), drop(values, 0.5)
    torch.manual_seed(3)
    torch.testing.assert_close(drop(values, 0.5), first)
    assert not first.equal(second)


def test_a_model_keeps_its_weights_and_its_answers():
    model = bert(0.1)
    other = copy.deepcopy(model)
    with_byte_dropout(other)
    assert other.state_dict().keys() == model.state_dict().keys()
    assert not any(type(module) is nn.Dropout for module in other.modules())
    assert any(isinstance(module, ByteDropout) for module in other.modules())
    for one in (model, other):
        one.eval()
    given = {"input_ids": IDS, "attention_mask": MASK}
    torch.testing.assert_close(other(**given).logits, model(**given).logits)


def test_in_training_nothing_but_dropout_differs():
    model = bert(0.0)
    other = copy.deepcopy(model)
    with_byte_dropout(other)
    for attention in (layer.attention.self for layer in other.bert.encoder.layer):
        attention.dropout.p = 1e-9  # our attention, without a value dropped
    given = {"input_ids": IDS, "attention_mask": MASK}
    for one in (model, other):
        one.train()(**given).logits.square().sum().backward()
    for (name, one), (_, same) in zip(model.named_parameters(), other.named_parameters(), strict=True):
        torch.testing.assert_close(same.grad, one.grad, msg=name)


def test_attention_drops_in_training_alone():
    model = bert(0.5)
    with_byte_dropout(model)
    given = {"input_ids": IDS, "attention_mask": MASK}
    model.eval()
    torch.testing.assert_close(model(**given).logits, model(**given).logits)
    model.train()
    assert not model(**given).logits.equal(model(**given).logits)
