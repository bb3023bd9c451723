"""Losses of single elements as torch computes them."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

Weights = tuple[Any, ...] | None
"""One number for each element of the last axis, or one for each element, in tuples of tuples."""


def mse_loss(input: Tensor, target: Tensor, weight: Weights = None, **options: Any) -> Tensor:
    """torch.nn.MSELoss."""
    return F.mse_loss(input, target, **_of_rows(weight, input), **options)


def l1_loss(input: Tensor, target: Tensor, weight: Weights = None, **options: Any) -> Tensor:
    """torch.nn.L1Loss."""
    return F.l1_loss(input, target, **_of_rows(weight, input), **options)


def smooth_l1_loss(input: Tensor, target: Tensor, **options: Any) -> Tensor:
    """torch.nn.SmoothL1Loss."""
    return F.smooth_l1_loss(input, target, **options)


def huber_loss(input: Tensor, target: Tensor, weight: Weights = None, **options: Any) -> Tensor:
    """torch.nn.HuberLoss."""
    return F.huber_loss(input, target, **_of_rows(weight, input), **options)


def margin_ranking_loss(input1: Tensor, input2: Tensor, target: Tensor, **options: Any) -> Tensor:
    """torch.nn.MarginRankingLoss."""
    return F.margin_ranking_loss(input1, input2, target.detach(), **options)


def hinge_embedding_loss(input: Tensor, target: Tensor, **options: Any) -> Tensor:
    """torch.nn.HingeEmbeddingLoss."""
    return F.hinge_embedding_loss(input, target.detach(), **options)


def soft_margin_loss(input: Tensor, target: Tensor, **options: Any) -> Tensor:
    """torch.nn.SoftMarginLoss."""
    return F.soft_margin_loss(input, target.detach(), **options)


def binary_cross_entropy(input: Tensor, target: Tensor, weight: Weights = None, **options: Any) -> Tensor:
    """torch.nn.BCELoss."""
    return F.binary_cross_entropy(input, target, as_tensor(weight, input), **options)


def binary_cross_entropy_with_logits(
    input: Tensor, target: Tensor, weight: Weights = None, pos_weight: Weights = None, **options: Any
) -> Tensor:
    """torch.nn.BCEWithLogitsLoss."""
    positive = as_tensor(pos_weight, input)
    return F.binary_cross_entropy_with_logits(input, target, as_tensor(weight, input), pos_weight=positive, **options)


def kl_div(input: Tensor, target: Tensor, **options: Any) -> Tensor:
    """torch.nn.KLDivLoss."""
    return F.kl_div(input, target, **options)


def poisson_nll_loss(input: Tensor, target: Tensor, **options: Any) -> Tensor:
    """torch.nn.PoissonNLLLoss."""
    return F.poisson_nll_loss(input, target.detach(), **options)


def gaussian_nll_loss(input: Tensor, target: Tensor, var: Tensor, **options: Any) -> Tensor:
    """torch.nn.GaussianNLLLoss."""
    return F.gaussian_nll_loss(input, target, var, **options)


def as_tensor(weights: Weights, like: Tensor) -> Tensor | None:
    return None if weights is None else torch.tensor(weights, dtype=torch.float64).to(like)


def _of_rows(weights: Weights, like: Tensor) -> dict[str, Any]:
    """Weights, if there are any: those of a row for each row, since these losses broadcast none."""
    given = as_tensor(weights, like)
    if given is None:
        return {}
    return {"weight": given.expand_as(like) if given.shape == like.shape[-1:] else given}
