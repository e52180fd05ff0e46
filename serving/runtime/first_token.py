"""The last layer of an encoder, worked out for the first token alone: the six logits are read from nothing else.

Of a six-layer encoder this saves an eighth of the work, of a twelve-layer one a sixteenth; the logits stay the same but
for rounding. Keys and values still come from every token.
"""

from types import MethodType
from typing import Any

# Layers after Devlin et al. 2019 (BERT) that keep its names, and whose classifier reads the first token.
BERT_LIKE = ("BertLayer", "RobertaLayer", "XLMRobertaLayer", "CamembertLayer", "ElectraLayer")


def first_token_only(model: Any) -> None:
    """Let the model's last layer work on the first token only; a model of an unknown kind stays as it is.

    Args:
        model: a transformers model for sequence classification; it is changed in place, its weights are not.
    """
    layers: Any = getattr(getattr(getattr(model, model.base_model_prefix, None), "encoder", None), "layer", ())
    last: Any = layers[-1] if layers else None
    kind = type(last).__name__
    if kind in BERT_LIKE and not model.config.is_decoder:
        last.forward = MethodType(_bert, last)
    elif kind == "MPNetLayer":
        last.forward = MethodType(_mpnet, last)


def _bert(layer: Any, hidden_states: Any, attention_mask: Any = None, *_: Any, **__: Any) -> Any:
    """(rows, tokens, width) -> (rows, 1, width)."""
    own = layer.attention.self
    first = hidden_states[:, :1]
    attended = _attend(own, own.query(first), own.key(hidden_states), own.value(hidden_states), attention_mask)
    attended = layer.attention.output(attended, first)
    return layer.output(layer.intermediate(attended), attended)


def _mpnet(layer: Any, hidden_states: Any, attention_mask: Any = None, position_bias: Any = None, **_: Any) -> Any:
    own, first = layer.attention.attn, hidden_states[:, :1]
    mask = position_bias[:, :, :1]
    if attention_mask is not None:
        mask = mask + attention_mask[:, :, :1]
    attended = own.o(_attend(own, own.q(first), own.k(hidden_states), own.v(hidden_states), mask))
    attended = layer.attention.LayerNorm(layer.attention.dropout(attended) + first)
    return (layer.output(layer.intermediate(attended), attended),)


def _attend(own: Any, query: Any, key: Any, value: Any, mask: Any) -> Any:
    """What the first token takes from all, (rows, 1, width); `own` is the layer's attention, with heads and dropout."""
    from torch.nn.functional import scaled_dot_product_attention

    rows, heads = key.shape[0], own.num_attention_heads
    query, key, value = (
        one.view(rows, -1, heads, own.attention_head_size).transpose(1, 2) for one in (query, key, value)
    )
    if mask is not None:
        mask = mask[:, :, :1]
    dropped = own.dropout.p if own.training else 0.0
    found = scaled_dot_product_attention(query, key, value, attn_mask=mask, dropout_p=dropped)
    return found.transpose(1, 2).reshape(rows, 1, heads * own.attention_head_size)
