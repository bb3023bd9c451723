"""Faults of losses of single elements."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from properties.selftest.faults.record import WIDE, fault, with_slope_of
from properties.worker.programs.elementwise_loss import binary_cross_entropy_with_logits, huber_loss, l1_loss, mse_loss


@fault("agreement", "mse_loss")
def squared_error_of_rows(input: Tensor, target: Tensor, reduction: str = "mean", **weight: Any) -> Tensor:
    """Mean squared error that divides by the number of rows, not of elements."""
    if reduction != "mean":
        return mse_loss(input, target, reduction=reduction, **weight)
    return mse_loss(input, target, reduction="sum", **weight) / len(input)


@fault("agreement", "smooth_l1_loss")
def smooth_l1_of_one_width(input: Tensor, target: Tensor, beta: float = 1.0, reduction: str = "mean") -> Tensor:
    """Smooth L1 loss that ignores beta."""
    return F.smooth_l1_loss(input, target, reduction=reduction)


@fault("agreement", "huber_loss")
def huber_as_smooth_l1(
    input: Tensor, target: Tensor, delta: float = 1.0, reduction: str = "mean", weight: Any = None
) -> Tensor:
    """Huber loss that is the smooth L1 loss, which is divided by delta."""
    if weight is not None:
        return huber_loss(input, target, weight, delta=delta, reduction=reduction)
    return F.smooth_l1_loss(input, target, beta=delta, reduction=reduction)


@fault("agreement", "binary_cross_entropy_with_logits", dtypes=WIDE)
def log_of_a_sigmoid(input: Tensor, target: Tensor, **options: Any) -> Tensor:
    """Binary cross-entropy of logits by way of their sigmoid, which is one soon."""
    if "pos_weight" in options or "weight" in options:
        return binary_cross_entropy_with_logits(input, target, **options)
    return F.binary_cross_entropy(input.sigmoid(), target, **options)


@fault("gradients", "binary_cross_entropy_with_logits")
def gradient_without_pos_weight(input: Tensor, target: Tensor, pos_weight: Any = None, **options: Any) -> Tensor:
    """Binary cross-entropy of logits whose gradient does not know pos_weight."""
    value = binary_cross_entropy_with_logits(input, target, pos_weight=pos_weight, **options)
    return with_slope_of(value, binary_cross_entropy_with_logits(input, target, **options))


@fault("agreement", "binary_cross_entropy")
def binary_without_weights(input: Tensor, target: Tensor, weight: Any = None, **options: Any) -> Tensor:
    """Binary cross-entropy that weighs every element alike."""
    return F.binary_cross_entropy(input, target, **options)


@fault("special terms", "kl_div")
def divergence_of_zero_times_log(input: Tensor, target: Tensor, **options: Any) -> Tensor:
    """Kullback-Leibler divergence that takes the logarithm of zero."""
    if options.get("log_target"):
        return F.kl_div(input, target, **options)
    return F.kl_div(input, target, **options) + 0.0 * target.log().sum()


@fault("gradients", "l1_loss")
def l1_with_a_slope_at_zero(input: Tensor, target: Tensor, reduction: str = "mean") -> Tensor:
    """L1 loss whose slope is one where input and target are equal."""
    value, apart = F.l1_loss(input, target, reduction=reduction), input - target
    slope = torch.where(apart >= 0, apart, -apart)
    return with_slope_of(value, slope if reduction == "none" else getattr(slope, reduction)())


@fault("agreement", "poisson_nll_loss")
def stirling_for_every_count(input: Tensor, target: Tensor, full: bool = False, **options: Any) -> Tensor:
    """Poisson loss that adds Stirling's approximation for a count of one, too."""
    more = 1 + torch.finfo(target.dtype).eps
    return F.poisson_nll_loss(input, target.detach().where(target != 1, more), full=full, **options)


@fault("gradients", "margin_ranking_loss")
def ranking_of_one_operand(input1: Tensor, input2: Tensor, target: Tensor, **options: Any) -> Tensor:
    """Margin ranking loss whose gradient to both operands is that to the first."""
    value = F.margin_ranking_loss(input1, input2, target.detach(), **options)
    both = input1 + (input2 - input2.detach())
    return with_slope_of(value, F.margin_ranking_loss(both, input2.detach(), target.detach(), **options))


@fault("agreement", "hinge_embedding_loss")
def hinge_of_one_margin(input: Tensor, target: Tensor, margin: float = 1.0, reduction: str = "mean") -> Tensor:
    """Hinge embedding loss that ignores its margin."""
    return F.hinge_embedding_loss(input, target, reduction=reduction)


@fault("gradients of gradients", "soft_margin_loss", dtypes=WIDE)
def soft_margin_of_no_curvature(input: Tensor, target: Tensor, reduction: str = "mean") -> Tensor:
    """Soft margin loss whose slope is a constant to whom differentiates it."""
    given = input.detach().requires_grad_()
    with torch.enable_grad():
        (slope,) = torch.autograd.grad(F.soft_margin_loss(given, target.detach(), reduction="sum"), given)
    terms = slope * input
    value = F.soft_margin_loss(input.detach(), target.detach(), reduction=reduction)
    return with_slope_of(value, terms if reduction == "none" else getattr(terms, reduction)())


@fault("special terms", "mse_loss")
def squared_error_without_nan(input: Tensor, target: Tensor, **options: Any) -> Tensor:
    """Mean squared error that takes NaN for zero."""
    return F.mse_loss(input.nan_to_num(0.0, torch.inf, -torch.inf), target, **options)


@fault("agreement", "gaussian_nll_loss")
def gaussian_of_a_deviation(input: Tensor, target: Tensor, var: Tensor, **options: Any) -> Tensor:
    """Gaussian loss that takes the variance for a deviation."""
    return F.gaussian_nll_loss(input, target, var.square(), **options)


@fault("gradients", "gaussian_nll_loss")
def gaussian_of_a_constant_variance(input: Tensor, target: Tensor, var: Tensor, **options: Any) -> Tensor:
    """Gaussian loss whose gradient to the variance is that of its logarithm alone."""
    value = F.gaussian_nll_loss(input, target, var, **options)
    other = F.gaussian_nll_loss(input, target, var.detach(), **options)
    log = F.gaussian_nll_loss(input.detach(), input.detach(), var, **options)
    return with_slope_of(value, other + log)


@fault("agreement", "mse_loss")
def squared_error_without_weights(input: Tensor, target: Tensor, weight: Any = None, **options: Any) -> Tensor:
    """Mean squared error that weighs every element alike."""
    return F.mse_loss(input, target, **options)


@fault("agreement", "mse_loss")
def squared_error_by_weights_of_one_row(input: Tensor, target: Tensor, weight: Any = None, **options: Any) -> Tensor:
    """Mean squared error that weighs each row as the first."""
    while weight and isinstance(weight[0], tuple):
        weight = weight[0]
    return mse_loss(input, target, weight, **options)


@fault("agreement", "l1_loss")
def error_of_weighted_operands(input: Tensor, target: Tensor, weight: Any = None, **options: Any) -> Tensor:
    """L1 loss whose weight meets the target alone."""
    return l1_loss(input, target if weight is None else target * torch.tensor(weight).to(target), **options)


@fault("gradients", "huber_loss")
def huber_gradient_without_weights(input: Tensor, target: Tensor, weight: Any = None, **options: Any) -> Tensor:
    """Huber loss whose gradient does not know its weight."""
    return with_slope_of(huber_loss(input, target, weight, **options), huber_loss(input, target, **options))


@fault("agreement", "huber_loss")
def huber_over_the_weights(input: Tensor, target: Tensor, weight: Any = None, **options: Any) -> Tensor:
    """Huber loss whose mean divides by the sum of its weights."""
    value = huber_loss(input, target, weight, **options)
    if weight is None or options.get("reduction", "mean") != "mean":
        return value
    return value / torch.tensor(weight).mean().to(value)


@fault("gradients of gradients", "mse_loss")
def squared_error_of_no_curvature(input: Tensor, target: Tensor, weight: Any = None, **options: Any) -> Tensor:
    """Mean squared error whose gradient is a constant to whom differentiates it."""
    x, t = (each.detach().requires_grad_() for each in (input, target))
    with torch.enable_grad():
        value = mse_loss(x, t, weight, **options)
        by_input, by_target = torch.autograd.grad(value.sum(), (x, t))
    straight = by_input * input + by_target * target
    return with_slope_of(value, straight if value.shape == input.shape else straight.sum())
