"""Losses of rows of scores as torch computes them."""

from __future__ import annotations

from typing import Any

import torch.nn.functional as F
from torch import Tensor

from properties.worker.programs.elementwise_loss import Weights, as_tensor


def multi_margin_loss(input: Tensor, target: Tensor, weight: Weights = None, **options: Any) -> Tensor:
    """torch.nn.MultiMarginLoss."""
    return F.multi_margin_loss(input, target, weight=as_tensor(weight, input), **options)


def multilabel_margin_loss(input: Tensor, target: Tensor, **options: Any) -> Tensor:
    """torch.nn.MultiLabelMarginLoss."""
    return F.multilabel_margin_loss(input, target, **options)


def multilabel_soft_margin_loss(input: Tensor, target: Tensor, weight: Weights = None, **options: Any) -> Tensor:
    """torch.nn.MultiLabelSoftMarginLoss."""
    return F.multilabel_soft_margin_loss(input, target.detach(), as_tensor(weight, input), **options)
