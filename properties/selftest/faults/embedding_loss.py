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


class _CosineOnce(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, x: Tensor, y: Tensor) -> Tensor:
        context.save_for_backward(x, y)
        return F.cosine_similarity(x, y, dim=-1, eps=1e-12)

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor, Tensor]:
        x, y = context.saved_tensors
        xx, yy = ((v * v).sum(-1, keepdim=True).detach() for v in (x, y))
        size, along = (xx * yy).sqrt(), (x * y).sum(-1, keepdim=True)
        s = gradient[..., None] / size
        return s * (y - along / xx * x), s * (x - along / yy * y)


@fault("gradients of gradients", "cosine_embedding_loss")
def cosine_of_norms_that_are_constant_once_more(
    input1: Tensor, input2: Tensor, target: Tensor, margin: float = 0.0, reduction: str = "mean"
) -> Tensor:
    """Cosine embedding loss whose gradient is differentiated as if norms were constants."""
    value = F.cosine_embedding_loss(input1, input2, target, margin=margin, reduction=reduction)
    cosine = _CosineOnce.apply(input1, input2)
    terms = torch.where(target == 1, 1 - cosine, (cosine - margin).clamp(min=0))
    return with_slope_of(value, terms if reduction == "none" else getattr(terms, reduction)())


class _DistanceOnce(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, e: Tensor) -> Tensor:
        context.save_for_backward(e)
        return e.norm(dim=-1)

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> Tensor:
        (e,) = context.saved_tensors
        return gradient[..., None] * (e / e.detach().norm(dim=-1, keepdim=True))


@fault("gradients of gradients", "triplet_margin_loss")
def triplet_of_distances_that_are_constant_once_more(
    anchor: Tensor, positive: Tensor, negative: Tensor, margin: float = 1.0, p: float = 2.0, eps: float = 1e-6,
    swap: bool = False, reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """Triplet loss whose gradient is differentiated as if distances were constants."""
    how: dict[str, Any] = {"margin": margin, "p": p, "eps": eps, "swap": swap, "reduction": reduction}
    value = F.triplet_margin_loss(anchor, positive, negative, **how)
    if p != 2.0 or swap:
        return value
    near, far = (_DistanceOnce.apply(anchor - other + eps) for other in (positive, negative))
    terms = (margin + near - far).clamp(min=0)
    return with_slope_of(value, terms if reduction == "none" else getattr(terms, reduction)())


@fault("gradients of gradients", "triplet_margin_loss")
def triplet_of_a_constant_cube(anchor: Tensor, positive: Tensor, negative: Tensor, **how: Any) -> Tensor:
    """Triplet loss of p = 3 whose gradient is a constant to whom differentiates it."""
    value = F.triplet_margin_loss(anchor, positive, negative, **how)
    if how.get("p") != 3.0:
        return value
    given = [each.detach().requires_grad_() for each in (anchor, positive, negative)]
    with torch.enable_grad():
        again = F.triplet_margin_loss(given[0], given[1], given[2], **how)
        slopes = torch.autograd.grad(again.sum(), given)
    parts = [(slope * each).sum(-1) for slope, each in zip(slopes, (anchor, positive, negative), strict=True)]
    rows = parts[0] + parts[1] + parts[2]
    return with_slope_of(value, rows if how.get("reduction") == "none" else rows.sum())
