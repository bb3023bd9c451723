"""Convolution and pooling of tinygrad as kernels, with the gradients that tinygrad gives.

apt install clang
pip install "tinygrad<0.14"
pytest properties --kernels examples/by_tinygrad.py

tinygrad compiles with clang; where there is none, its interpreter in Python computes, too slowly for convolutions.
Each shape is scheduled and compiled anew, which takes half a second, and as long again for its gradients.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from typing import Any

import torch

if not shutil.which(os.environ.get("CC", "clang")):
    os.environ |= {"DEV": "PYTHON", "PYTHON": "1", "NOOPT": "1"}

import tinygrad

Function = Callable[..., tinygrad.Tensor]


class ByTinygrad(torch.autograd.Function):
    """A function of tinygrad's tensors as one of torch's, with its vector-Jacobian product."""

    @staticmethod
    def forward(ctx: Any, function: Function, *operands: torch.Tensor) -> torch.Tensor:
        """The function's value."""
        ctx.operands = [tinygrad.Tensor(t.detach().contiguous().numpy()) for t in operands]
        ctx.value = function(*ctx.operands)
        return torch.from_numpy(ctx.value.numpy())

    @staticmethod
    def backward(ctx: Any, cotangent: torch.Tensor) -> tuple[torch.Tensor | None, ...]:  # type: ignore[override]
        """The gradients to the operands. Raises NotImplementedError where gradients of these are asked for."""
        if torch.is_grad_enabled():
            raise NotImplementedError("gradients of gradients")
        found = ctx.value.gradient(*ctx.operands, gradient=tinygrad.Tensor(cotangent.contiguous().numpy()))
        return None, *(torch.from_numpy(gradient.numpy()) for gradient in found)


def computed(function: Function, *operands: torch.Tensor) -> torch.Tensor:
    """Raises NotImplementedError for operands that the adapter does not take."""
    if operands[0].ndim != 4 or any(t.dtype not in (torch.float32, torch.float64) for t in operands):
        raise NotImplementedError("batches of images, in float32 and float64")
    return ByTinygrad.apply(function, *operands)


def conv2d(
    input: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None = None, stride: Any = 1, padding: Any = 0,
    dilation: Any = 1, groups: int = 1,
) -> torch.Tensor:  # fmt: skip
    """torch.nn.functional.conv2d by Tensor.conv2d."""
    if isinstance(padding, str):
        raise NotImplementedError(f"padding={padding!r}")

    def convolved(x: tinygrad.Tensor, *weights: tinygrad.Tensor) -> tinygrad.Tensor:
        return x.conv2d(*weights, groups=groups, stride=stride, dilation=dilation, padding=padding)

    return computed(convolved, input, weight, *([] if bias is None else [bias]))


def max_pool2d(
    input: torch.Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1,
    ceil_mode: bool = False, return_indices: bool = False,
) -> torch.Tensor:  # fmt: skip
    """torch.nn.functional.max_pool2d by Tensor.max_pool2d."""
    if return_indices:
        raise NotImplementedError("indices")
    window = {"kernel_size": pair(kernel_size), "stride": stride, "padding": padding, "dilation": dilation}
    return computed(lambda x: x.max_pool2d(**window, ceil_mode=ceil_mode), input)


def avg_pool2d(
    input: torch.Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0, ceil_mode: bool = False,
    count_include_pad: bool = True, divisor_override: int | None = None,
) -> torch.Tensor:  # fmt: skip
    """torch.nn.functional.avg_pool2d by Tensor.avg_pool2d."""
    if divisor_override is not None:
        raise NotImplementedError("divisor_override")
    window = {"kernel_size": pair(kernel_size), "stride": stride, "padding": padding}
    own = {"ceil_mode": ceil_mode, "count_include_pad": count_include_pad}
    return computed(lambda x: x.avg_pool2d(**window, **own), input)


def pair(value: int | tuple[int, ...]) -> tuple[int, ...]:
    """One number for both axes, or one for each."""
    return (value, value) if isinstance(value, int) else tuple(value)
