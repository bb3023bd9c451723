"""Faults of normalisation."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from properties.selftest.faults.record import WIDE, fault, with_slope_of


@fault("agreement", "layer_norm")
def layer_norm_of_the_last_axis(
    input: Tensor, normalized_shape: tuple[int, ...], weight: Tensor | None = None, bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:  # fmt: skip
    """Layer normalisation over the last axis alone."""
    y = F.layer_norm(input, normalized_shape[-1:], eps=eps)
    return y if weight is None or bias is None else y * weight + bias


@fault("shift and scale", "layer_norm", dtypes=WIDE)
def layer_norm_by_a_difference_of_squares(
    input: Tensor, normalized_shape: tuple[int, ...], weight: Tensor | None = None, bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:  # fmt: skip
    """Layer normalisation whose variance is the mean of squares less the square of the mean."""
    axes = tuple(range(-len(normalized_shape), 0))
    mean, square = input.mean(axes, keepdim=True), input.square().mean(axes, keepdim=True)
    y = (input - mean) / ((square - mean.square()).clamp(min=0.0) + eps).sqrt()
    return y if weight is None or bias is None else y * weight + bias


@fault("agreement", "group_norm")
def group_norm_of_the_sample_variance(
    input: Tensor, num_groups: int, weight: Tensor | None = None, bias: Tensor | None = None, eps: float = 1e-5
) -> Tensor:
    """Group normalisation by the variance that divides by n − 1."""
    grouped = input.reshape(len(input), num_groups, -1).double()
    hat = (grouped - grouped.mean(2, keepdim=True)) / (grouped.var(2, keepdim=True) + eps).sqrt()
    y, shape = hat.reshape(input.shape), (-1, *(1,) * (input.ndim - 2))
    return (y if weight is None or bias is None else y * weight.view(shape) + bias.view(shape)).to(input.dtype)


@fault("agreement", "rms_norm")
def rms_norm_with_epsilon_outside(
    input: Tensor, normalized_shape: tuple[int, ...], weight: Tensor | None = None, eps: float = 1e-5
) -> Tensor:
    """RMS normalisation that adds ε to the root, not to the mean of squares."""
    axes = tuple(range(-len(normalized_shape), 0))
    y = input / (input.square().mean(axes, keepdim=True).sqrt() + eps)
    return y if weight is None else y * weight


@fault("agreement", "batch_norm")
def batch_norm_of_the_old_share(input: Tensor, momentum: float = 0.1, **arguments: Any) -> dict[str, Tensor]:
    """Batch normalisation whose momentum is the share of the old statistics."""
    kept = {name: arguments.pop(name).detach().clone() for name in ("running_mean", "running_var")}
    return {"output": F.batch_norm(input, **kept, momentum=1.0 - momentum, **arguments), **kept}


@fault("gradients", "instance_norm")
def instance_norm_of_constant_statistics(
    input: Tensor, weight: Tensor | None = None, bias: Tensor | None = None, eps: float = 1e-5
) -> Tensor:
    """Gradient of instance normalisation that takes mean and variance for constants."""
    axes, shape = tuple(range(2, input.ndim)), (-1, *(1,) * (input.ndim - 2))
    fixed = input.detach()
    mean, variance = fixed.mean(axes, keepdim=True), fixed.var(axes, keepdim=True, unbiased=False)
    y = (input - mean) / (variance + eps).sqrt()
    y = y if weight is None or bias is None else y * weight.view(shape) + bias.view(shape)
    return with_slope_of(F.instance_norm(input.detach(), weight=weight, bias=bias, eps=eps), y)


@fault("layouts", "batch_norm")
def batch_norm_of_memory(input: Tensor, **arguments: Any) -> dict[str, Tensor]:
    """Batch normalisation that reads the memory of its input in order, whatever its strides."""
    kept = {name: arguments.pop(name).detach().clone() for name in ("running_mean", "running_var")}
    given = input.mT if input.ndim > 2 and not input.is_contiguous() else input
    return {"output": F.batch_norm(given.reshape(input.shape), **kept, **arguments), **kept}


@fault("folded normalisation", "conv2d", dtypes=WIDE)
def convolution_without_a_folded_shift(input: Tensor, weight: Tensor, bias: Tensor | None = None, **how: Any) -> Tensor:
    """Convolution that leaves out its bias, as if nothing had been folded into it."""
    return F.conv2d(input, weight, None, **how)


@fault("agreement", "local_response_norm")
def response_of_channels_there_are(input: Tensor, size: int, alpha: float, beta: float, k: float) -> Tensor:
    """Local response normalisation that divides a sum by the number of channels that there are in it."""
    squares, ones = input.double().square(), torch.ones_like(input, dtype=torch.double)
    padded = [F.pad(t.flatten(2), (0, 0, size // 2, (size - 1) // 2)).unfold(1, size, 1) for t in (squares, ones)]
    mean = (padded[0].sum(-1) / padded[1].sum(-1)).reshape(input.shape)
    return (input / (k + alpha * mean) ** beta).to(input.dtype)


@fault("agreement", "local_response_norm")
def response_of_the_channels_behind(input: Tensor, size: int, **arguments: Any) -> Tensor:
    """Local response normalisation that takes of an even window the channel behind more, not the one before."""
    return F.local_response_norm(input.flip(1), size, **arguments).flip(1)


@fault("gradients", "local_response_norm")
def response_of_a_constant(input: Tensor, size: int, **arguments: Any) -> Tensor:
    """Gradient of local response normalisation that takes its divisor for a constant."""
    y = F.local_response_norm(input, size, **arguments)
    scale = torch.where(input == 0, 1.0, y / input).detach()
    return with_slope_of(y, input * scale)


@fault("agreement", "batch_norm")
def batch_norm_of_a_biased_variance(input: Tensor, training: bool, momentum: float, **arguments: Any) -> Any:
    """Batch normalisation whose running variance is divided by all elements, not by one fewer."""
    kept = {name: arguments.pop(name).detach().clone() for name in ("running_mean", "running_var")}
    old, n = (1.0 - momentum) * kept["running_var"], input.numel() // input.shape[1]
    y = F.batch_norm(input, **kept, training=training, momentum=momentum, **arguments)
    biased = old + (kept["running_var"] - old) * (n - 1) / n if training else kept["running_var"]
    return {"output": y, **kept, "running_var": biased}


@fault("agreement", "batch_norm")
def batch_norm_always_in_training(input: Tensor, training: bool, **arguments: Any) -> dict[str, Tensor]:
    """Batch normalisation that takes the batch's own statistics in evaluation, too."""
    kept = {name: arguments.pop(name).detach().clone() for name in ("running_mean", "running_var")}
    used = {name: values.clone() for name, values in kept.items()}
    y = F.batch_norm(input, **used, training=True, **arguments)
    return {"output": y, **(used if training else kept)}


@fault("agreement", "group_norm")
def group_norm_of_strided_groups(
    input: Tensor, num_groups: int, weight: Tensor | None = None, bias: Tensor | None = None, eps: float = 1e-5
) -> Tensor:
    """Group normalisation whose groups are every n-th channel, not those that follow one another."""
    order = torch.arange(input.shape[1]).reshape(-1, num_groups).T.reshape(-1)
    y = F.group_norm(input[:, order], num_groups, eps=eps)[:, order.argsort()]
    shape = (-1, *(1,) * (input.ndim - 2))
    return y if weight is None or bias is None else y * weight.reshape(shape) + bias.reshape(shape)
