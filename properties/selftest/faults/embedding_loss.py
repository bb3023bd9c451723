"""Faults of losses of embeddings."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from properties.selftest.faults.record import fault, with_slope_of


@fault("agreement", "cosine_embedding_loss")
def cosine_of_one_margin(input1: Tensor, input2: Tensor, target: Tensor, margin: float = 0.0, **how: Any) -> Tensor:
    """Cosine embedding loss that ignores its margin."""
    return F.cosine_embedding_loss(input1, input2, target, **how)


@fault("gradients", "cosine_embedding_loss")
def cosine_of_constant_norms(
    input1: Tensor, input2: Tensor, target: Tensor, margin: float = 0.0, reduction: str = "mean"
) -> Tensor:
    """Cosine embedding loss whose gradient takes norms for constants."""
    value = F.cosine_embedding_loss(input1, input2, target, margin=margin, reduction=reduction)
    cosine = (input1 * input2).sum(-1) / (input1.norm(dim=-1) * input2.norm(dim=-1)).detach()
    terms = torch.where(target == 1, 1 - cosine, (cosine - margin).clamp(min=0))
    return with_slope_of(value, terms if reduction == "none" else getattr(terms, reduction)())


@fault("agreement", "triplet_margin_loss")
def triplet_that_never_swaps(
    anchor: Tensor, positive: Tensor, negative: Tensor, swap: bool = False, **how: Any
) -> Tensor:
    """Triplet loss that ignores swap."""
    return F.triplet_margin_loss(anchor, positive, negative, **how)


@fault("gradients", "triplet_margin_loss")
def triplet_of_a_constant_negative(anchor: Tensor, positive: Tensor, negative: Tensor, **how: Any) -> Tensor:
    """Triplet loss whose gradient to the anchor leaves out the distance to the negative example."""
    value = F.triplet_margin_loss(anchor, positive, negative, **how)
    return with_slope_of(value, F.triplet_margin_loss(anchor, positive, negative + anchor - anchor.detach(), **how))


@fault("agreement", "triplet_margin_loss")
def triplet_of_one_norm(anchor: Tensor, positive: Tensor, negative: Tensor, p: float = 2.0, **how: Any) -> Tensor:
    """Triplet loss that ignores its power."""
    return F.triplet_margin_loss(anchor, positive, negative, **how)
