"""Faults of losses of rows of scores."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from properties.selftest.faults.record import WIDE, fault, with_slope_of
from properties.worker.programs import margin_loss as programs


@fault("agreement", "multi_margin_loss", dtypes=WIDE)
def margin_of_other_classes(input: Tensor, target: Tensor, reduction: str = "mean", **how: Any) -> Tensor:
    """Multi-class margin loss that divides by the number of the other classes."""
    classes = input.shape[-1]
    return programs.multi_margin_loss(input, target, reduction=reduction, **how) * classes / max(classes - 1, 1)


@fault("gradients", "multi_margin_loss", dtypes=WIDE)
def margin_of_a_constant_class(input: Tensor, target: Tensor, **how: Any) -> Tensor:
    """Multi-class margin loss whose gradient leaves out the score of the right class."""
    value = programs.multi_margin_loss(input, target, **how)
    kept = F.one_hot(target, input.shape[-1]).bool()
    return with_slope_of(value, programs.multi_margin_loss(torch.where(kept, input.detach(), input), target, **how))


@fault("agreement", "multilabel_margin_loss", dtypes=WIDE)
def margin_of_labels_behind_the_end(input: Tensor, target: Tensor, **how: Any) -> Tensor:
    """Multi-label margin loss that takes the labels behind the first −1, too."""
    moved = target.gather(-1, (target < 0).long().argsort(dim=-1, stable=True)) if target.ndim else target
    return F.multilabel_margin_loss(input, moved, **how)


@fault("agreement", "multilabel_soft_margin_loss")
def soft_margin_of_sums(input: Tensor, target: Tensor, reduction: str = "mean", **how: Any) -> Tensor:
    """Multi-label soft margin loss that adds classes up."""
    return programs.multilabel_soft_margin_loss(input, target, reduction=reduction, **how) * input.shape[-1]


@fault("gradients of gradients", "multilabel_soft_margin_loss")
def soft_labels_of_no_curvature(input: Tensor, target: Tensor, **options: Any) -> Tensor:
    """Multi-label soft margin loss whose gradient is a constant to whom differentiates it."""
    given = input.detach().requires_grad_()
    with torch.enable_grad():
        value = programs.multilabel_soft_margin_loss(given, target, **options)
        (slope,) = torch.autograd.grad(value.sum(), given)
    rows = (slope * input).sum(-1)
    return with_slope_of(value, rows if options.get("reduction") == "none" else rows.sum())
