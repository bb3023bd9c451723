"""Faults of activations, forward."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from properties.selftest.faults.record import WIDE, fault


@fault("agreement", "softmax")
def softmax_unshifted(input: Tensor, dim: int) -> Tensor:
    """Softmax without its shift."""
    powers = input.exp()
    return powers / powers.sum(dim, keepdim=True)


@fault("agreement", "softmax")
def softmax_over_the_first_axis(input: Tensor, dim: int) -> Tensor:
    """Softmax over the first axis."""
    return F.softmax(input, dim=0)


@fault("agreement", "log_softmax", dtypes=WIDE)
def log_of_softmax(input: Tensor, dim: int) -> Tensor:
    """Log of a softmax."""
    return F.softmax(input, dim=dim).log()


# In float32 it takes large values that nearly tie, which the search meets only after some 300 cases.
@fault("agreement", "log_softmax", dtypes=("float64",))
def log_softmax_by_difference(input: Tensor, dim: int) -> Tensor:
    """Log-softmax as the difference of large numbers."""
    return input - torch.logsumexp(input, dim=dim, keepdim=True)


@fault("agreement", "sigmoid")
def sigmoid_by_tanh(input: Tensor) -> Tensor:
    """Sigmoid by tanh, which loses the small values."""
    return (torch.tanh(input / 2) + 1) / 2


@fault("agreement", "sigmoid")
def sigmoid_cut_off(input: Tensor) -> Tensor:
    """Sigmoid that takes anything below −6 for −6."""
    return torch.sigmoid(input.clamp(min=-6.0))


@fault("agreement", "sigmoid")
def overwritten_input(input: Tensor) -> Tensor:
    """Sigmoid that overwrites its input."""
    return input.detach().sigmoid_()


@fault("agreement", "tanh")
def tanh_by_sigmoid(input: Tensor) -> Tensor:
    """Tanh by way of sigmoid, which loses the small values."""
    return 2 * torch.sigmoid(2 * input) - 1


@fault("agreement", "relu")
def relu_of_integers(input: Tensor) -> Tensor:
    """ReLU that cuts off what lies between zero and a half."""
    return torch.where(input > 0.5, input, torch.zeros_like(input))


@fault("strides", "sigmoid", dtypes=("float32",))
def sigmoid_in_another_order(input: Tensor) -> Tensor:
    """Sigmoid whose result lies in memory with its last axes swapped."""
    return input.sigmoid().mT.contiguous().mT if input.ndim > 1 else input.sigmoid()
