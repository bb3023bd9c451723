"""Faults of gradients of gradients, behind outputs and gradients that are right."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from properties.selftest.faults.record import EVERY, WIDE, fault, with_slope_of
from properties.worker.programs import normalization


class _WeightOnceOnly(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, input: Tensor, weight: Tensor) -> Tensor:
        context.save_for_backward(input, weight)
        return input @ weight.T

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor, Tensor]:
        input, weight = context.saved_tensors
        rows, outputs = input.reshape(-1, input.shape[-1]), gradient.reshape(-1, gradient.shape[-1])
        return gradient @ weight.detach(), outputs.T @ rows


@fault("gradients of gradients", "linear")
def second_gradient_forgets_weight(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Linear layer whose gradient is differentiated as if it did not depend on the weight."""
    output: Tensor = _WeightOnceOnly.apply(input, weight)
    return output if bias is None else output + bias


class _Sigmoid(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, input: Tensor) -> Tensor:
        context.save_for_backward(input)
        return torch.sigmoid(input)

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> Tensor:
        (input,) = context.saved_tensors
        output = torch.sigmoid(input)
        return gradient * with_slope_of(output * (1 - output), output)


@fault("gradients of gradients", "sigmoid")
def sigmoid_second_gradient(input: Tensor) -> Tensor:
    """Sigmoid whose second derivative is its first."""
    return _Sigmoid.apply(input)


class _CotangentOnce(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, output: Tensor) -> Tensor:
        return output.clone()

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> Tensor:
        halves = torch.ones_like(gradient.detach())
        halves[..., -1:] = 0.5
        return with_slope_of(gradient, gradient * halves)


@fault("gradients of gradients", "avg_pool2d")
def half_a_column(input: Tensor, **arguments: Any) -> Tensor:
    """Average pooling whose second gradient is halved in the last column."""
    return _CotangentOnce.apply(F.avg_pool2d(input, **arguments))


@fault("gradients of gradients", "conv1d", dtypes=EVERY[:3])
def half_a_column_of_convolution(input: Tensor, weight: Tensor, bias: Tensor | None = None, **arguments: Any) -> Tensor:
    """Convolution whose second gradient is halved in the last column."""
    return _CotangentOnce.apply(F.conv1d(input, weight, bias, **arguments))


class _RootOnce(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, sums: Tensor, power: float) -> Tensor:
        context.save_for_backward(sums)
        context.power = power
        return sums.pow(1.0 / power)

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor, None]:
        (sums,) = context.saved_tensors
        slope = (sums.pow(1.0 / context.power - 1.0) / context.power).detach()
        return torch.where(sums == 0, 0.0, gradient * slope), None


@fault("gradients of gradients", "lp_pool1d", dtypes=WIDE)
def root_with_a_constant_slope(
    input: Tensor, norm_type: float, kernel_size: tuple[int], stride: tuple[int] | None = None, ceil_mode: bool = False
) -> Tensor:
    """Power-average pooling whose root is differentiated once more as if its slope were constant."""
    step = (kernel_size if stride is None else stride)[0]
    if norm_type != 2 or input.ndim != 3:
        return F.lp_pool1d(input, norm_type, kernel_size[0], step, ceil_mode)
    sums = F.avg_pool1d(input.pow(2), kernel_size[0], step, 0, ceil_mode) * kernel_size[0]
    return _RootOnce.apply(sums, 2.0)


class _SignForgotten(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, input: Tensor) -> Tensor:
        context.save_for_backward(input)
        return input.abs()

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> Tensor:
        (input,) = context.saved_tensors
        return with_slope_of(gradient * input.detach().sign(), gradient)


@fault("gradients of gradients", "lp_pool2d")
def second_gradient_without_sign(input: Tensor, norm_type: float, **arguments: Any) -> Tensor:
    """Power-average pooling of infinite power whose second gradient forgets the sign of what it took."""
    taken = _SignForgotten.apply(input) if norm_type == float("inf") else input
    return F.lp_pool2d(taken, norm_type, **arguments)


@fault("gradients of gradients", "cumprod")
def half_of_the_last_product(input: Tensor, dim: int) -> Tensor:
    """Cumulative product whose second gradient is halved in the last column."""
    output: Tensor = _CotangentOnce.apply(torch.cumprod(input, dim))
    return output


class _InputOnce(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, input: Tensor, function: Callable[[Tensor], Tensor]) -> Tensor:
        context.save_for_backward(input)
        context.function = function
        return function(input)

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor, None]:
        given = context.saved_tensors[0].detach().requires_grad_()
        with torch.enable_grad():
            output = context.function(given)
        return torch.autograd.grad(output, given, gradient, create_graph=True)[0], None


@fault("gradients of gradients", "cumprod")
def products_of_constants(input: Tensor, dim: int) -> Tensor:
    """Cumulative product whose gradient is differentiated as if it did not depend on the input."""
    output: Tensor = _InputOnce.apply(input, partial(torch.cumprod, dim=dim))
    return output


@fault("gradients of gradients", "local_response_norm")
def half_of_the_last_response(input: Tensor, **arguments: Any) -> Tensor:
    """Local response norm whose second gradient is halved in the last column."""
    output: Tensor = _CotangentOnce.apply(F.local_response_norm(input, **arguments))
    return output


@fault("gradients of gradients", "local_response_norm", dtypes=WIDE)
def responses_of_constants(input: Tensor, **arguments: Any) -> Tensor:
    """Local response norm whose gradient is differentiated as if it did not depend on the input."""
    output: Tensor = _InputOnce.apply(input, partial(F.local_response_norm, **arguments))
    return output


@fault("gradients of gradients", "rms_norm")
def half_of_the_last_square(input: Tensor, weight: Tensor | None = None, **arguments: Any) -> Tensor:
    """RMS norm whose second gradient is halved in the last column."""
    output: Tensor = _CotangentOnce.apply(F.rms_norm(input, weight=weight, **arguments))
    return output


@fault("gradients of gradients", "layer_norm", dtypes=WIDE)
def statistics_of_constants(
    input: Tensor, weight: Tensor | None = None, bias: Tensor | None = None, **arguments: Any
) -> Tensor:
    """Layer norm whose gradient is differentiated as if it did not depend on the input."""
    output: Tensor = _InputOnce.apply(input, partial(F.layer_norm, **arguments))
    output = output if weight is None else output * weight
    return output if bias is None else output + bias


@fault("gradients of gradients", "batch_norm")
def half_of_the_last_of_a_batch(
    input: Tensor, weight: Tensor | None = None, bias: Tensor | None = None, **arguments: Any
) -> dict[str, Tensor]:
    """Batch norm whose second gradient is halved in the last column."""
    found = normalization.batch_norm(input, weight, bias, **arguments)
    return {**found, "output": _CotangentOnce.apply(found["output"])}


@fault("gradients of gradients", "instance_norm", dtypes=WIDE)
def constant_statistics_of_images(
    input: Tensor, weight: Tensor | None = None, bias: Tensor | None = None, **arguments: Any
) -> Tensor:
    """Instance norm whose gradient is differentiated as if it did not depend on the input."""
    output: Tensor = _InputOnce.apply(input, partial(F.instance_norm, **arguments))
    of_channels = (-1, *(1,) * (input.dim() - 2))
    output = output if weight is None else output * weight.reshape(of_channels)
    return output if bias is None else output + bias.reshape(of_channels)


@fault("gradients of gradients", "group_norm")
def half_of_the_last_of_a_group(input: Tensor, **arguments: Any) -> Tensor:
    """Group norm whose second gradient is halved in the last column."""
    output: Tensor = _CotangentOnce.apply(normalization.group_norm(input, **arguments))
    return output
