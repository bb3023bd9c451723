"""Convolution and average pooling of JAX as kernels, with the gradients that JAX gives.

pip install jax
pytest properties --kernels examples/by_jax.py --call-memory 16

JAX keeps all that it compiles, which takes memory. XLA divides by some constants by a product with their reciprocal,
as kernels may; ``--bound elementwise`` tells where.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import torch
from jax import lax
from torch import Tensor

jax.config.update("jax_enable_x64", True)


class ByJax(torch.autograd.Function):
    """A function of JAX arrays as one of tensors, with its vector-Jacobian product."""

    @staticmethod
    def forward(ctx: Any, function: Callable[..., jax.Array], *operands: Tensor) -> Tensor:
        """The function's value."""
        value, ctx.product = jax.vjp(function, *map(array, operands))
        return tensor(value)

    @staticmethod
    def backward(ctx: Any, cotangent: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        """The gradients to the operands. Raises NotImplementedError where gradients of these are asked for."""
        if torch.is_grad_enabled():
            raise NotImplementedError("gradients of gradients")
        return None, *map(tensor, ctx.product(array(cotangent)))


def array(values: Tensor) -> jax.Array:
    """A copy: JAX takes what it is given for constant."""
    return jnp.array(jnp.from_dlpack(values.detach().contiguous()), copy=True)


def tensor(values: jax.Array) -> Tensor:
    """A copy, to which torch may write."""
    return torch.from_dlpack(values).clone()


def conv2d(
    input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: Any = 1, padding: Any = 0, dilation: Any = 1,
    groups: int = 1,
) -> Tensor:  # fmt: skip
    """torch.nn.functional.conv2d by lax.conv_general_dilated."""
    if input.ndim != 4:
        raise NotImplementedError("an image without a batch")
    pads = padding.upper() if isinstance(padding, str) else [(size, size) for size in pair(padding)]

    def convolved(x: jax.Array, w: jax.Array, *b: jax.Array) -> jax.Array:
        strides, dilations = pair(stride), pair(dilation)
        y = lax.conv_general_dilated(x, w, strides, pads, rhs_dilation=dilations, feature_group_count=groups)
        return y + b[0][:, None, None] if b else y

    return ByJax.apply(convolved, input, weight, *([] if bias is None else [bias]))


def avg_pool2d(
    input: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0, ceil_mode: bool = False,
    count_include_pad: bool = True, divisor_override: int | None = None,
) -> Tensor:  # fmt: skip
    """torch.nn.functional.avg_pool2d by lax.reduce_window."""
    if ceil_mode:
        raise NotImplementedError("ceil_mode")
    lead = (1,) * (input.ndim - 2)
    window, strides = lead + pair(kernel_size), lead + pair(kernel_size if stride is None else stride)
    pads = [(0, 0)] * len(lead) + [(size, size) for size in pair(padding)]

    def averaged(x: jax.Array) -> jax.Array:
        summed = partial(
            lax.reduce_window, init_value=0.0, computation=lax.add, window_dimensions=window, window_strides=strides,
            padding=pads,
        )  # fmt: skip
        elements = window[-2] * window[-1] if count_include_pad else summed(jnp.ones_like(x))
        return summed(x) / (divisor_override or elements)

    return ByJax.apply(averaged, input)


def pair(value: int | tuple[int, ...]) -> tuple[int, ...]:
    """One number for both axes, or one for each."""
    return (value, value) if isinstance(value, int) else tuple(value)
