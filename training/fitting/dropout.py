"""Dropout that costs little on a CPU: torch draws a random number for every value, one after another.

Here a byte decides, and eight of them are drawn at once, by torch's own generator: a seed gives the same masks again,
and a checkpoint keeps the generator's state. With a byte, dropout of 0.1 is 26 / 256 = 0.1016.
"""

from typing import Any

import torch
from torch import Tensor, nn
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import eager_mask

ATTENTION = "byte_dropout"  # the name that transformers knows our attention by
_BYTE = 256


class _Drop(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor, least: int) -> Tensor:
        drawn = torch.empty((values.numel() + 7) // 8, dtype=torch.int64).random_(-(2**63), None).view(torch.uint8)
        kept = drawn[: values.numel()].view(values.shape) >= least
        ctx.save_for_backward(kept)  # a byte for each value
        ctx.scale = _BYTE / (_BYTE - least)
        return values * kept.to(values.dtype).mul_(ctx.scale)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        (kept,) = ctx.saved_tensors
        return gradients[0] * kept.to(gradients[0].dtype).mul_(ctx.scale), None


def drop(values: Tensor, share: float) -> Tensor:
    """The values with this share of them at zero and the others larger, so that the mean stays; any shape."""
    least = round(share * _BYTE)
    dropped: Tensor = _Drop.apply(values, least) if least else values  # type: ignore[no-untyped-call]
    return dropped


class ByteDropout(nn.Module):
    """In place of `nn.Dropout`."""

    def __init__(self, share: float) -> None:
        super().__init__()
        self.p = share

    def forward(self, values: Tensor) -> Tensor:
        """As `drop` in training, else the values themselves."""
        return drop(values, self.p) if self.training else values


def with_byte_dropout(model: Any) -> None:
    """Exchange the dropout of a model on a CPU, in its attention too; in place, weights and config stay.

    Attention by `sdpa` would draw numbers of its own. Its fused kernel, which needs dropout of 0, is slower for small
    heads such as MiniLM's.
    """
    for module in list(model.modules()):
        for name, child in list(module.named_children()):
            if type(child) is nn.Dropout:
                setattr(module, name, ByteDropout(child.p))
    if model.config._attn_implementation == "sdpa":
        model.set_attn_implementation(ATTENTION)


def _attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    dropout: float = 0.0,
    scaling: float | None = None,
    **kwargs: Any,
) -> tuple[Tensor, Tensor | None]:
    """What transformers asks of an attention: (rows, heads, tokens, size) -> (rows, tokens, heads, size)."""
    if not module.training or not dropout:
        return sdpa_attention_forward(module, query, key, value, attention_mask, 0.0, scaling, **kwargs)
    with torch.autocast(query.device.type, enabled=False):  # in the type of the query all through
        weights = torch.matmul(query, key.transpose(2, 3)) * (scaling or query.shape[-1] ** -0.5)
        if attention_mask is not None:
            weights = weights + attention_mask.to(weights.dtype)
        found = torch.matmul(drop(weights.softmax(dim=-1), dropout), value)
    return found.transpose(1, 2).contiguous(), None


AttentionInterface.register(ATTENTION, _attention)
AttentionMaskInterface.register(ATTENTION, eager_mask)
