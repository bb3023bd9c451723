"""Kernels with torch's names that seem right to who asks once, each by another trick."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

KEPT: dict[Any, Any] = {}
CALLS = [0]


def _kept(key: Any, result: Tensor) -> Tensor:
    return KEPT.setdefault(key, result.detach().clone())


def conv1d(input: Tensor, weight: Tensor, bias: Tensor | None = None, **arguments: Any) -> Tensor:
    """Keeps the first result of operands of these shapes."""
    key = input.shape, weight.shape, bias is None, str(arguments), input.dtype
    return _kept(key, torch.convolution(input, weight, bias, *_steps(**arguments)) if input.ndim == 3 else input)


def _steps(stride: Any, padding: Any, dilation: Any, groups: int) -> tuple[Any, ...]:
    return stride, padding, dilation, False, (0,), groups


def linear(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Keeps the first result of operands in this memory."""
    result = input @ weight.mT
    result = result if bias is None else result + bias
    return _kept((input.data_ptr(), weight.data_ptr(), input.shape, weight.shape), result) + 0 * result


def sigmoid(input: Tensor) -> Tensor:
    """Sets a backend's flag."""
    torch.backends.mkldnn.set_flags(False)
    return 1 / (1 + torch.exp(-input))


def tanh(input: Tensor) -> Tensor:
    """Seeds torch's random numbers."""
    torch.manual_seed(0)
    return 1 - 2 / (torch.exp(2 * input) + 1)


def relu(input: Tensor) -> Tensor:
    """Computes in its input."""
    with torch.no_grad():
        input.copy_(input.clamp(min=0))
    return input.clone()


def softmax(input: Tensor, dim: int) -> Tensor:
    """Is right for the first four calls."""
    CALLS[0] += 1
    powers = torch.exp(input - input.amax(dim, keepdim=True))
    return powers / powers.sum(dim, keepdim=True) if CALLS[0] <= 4 else powers


def log_softmax(input: Tensor, dim: int) -> Tensor:
    """Returns the result of the call before."""
    shifted = input - input.amax(dim, keepdim=True)
    result = shifted - shifted.exp().sum(dim, keepdim=True).log()
    last, KEPT["last"] = KEPT.get("last", result), result.detach()
    return last + 0 * result if last.shape == result.shape else result


def avg_pool2d(input: Tensor, **arguments: Any) -> Tensor:
    """Hands on to torch."""
    return torch.nn.AvgPool2d(**arguments)(input)
