"""Faults of gradients of gradients, behind outputs and gradients that are right."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from properties.selftest.faults.record import EVERY, fault, with_slope_of


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
