"""Max pooling by Triton kernels, with its gradient: right wherever it answers.

pip install triton
pytest properties --kernels examples/triton_max_pool.py --hypothesis-profile=quick --call-timeout=100

Without a GPU, Triton's interpreter runs them: slowly, and for its results only. Triton reads TRITON_INTERPRET when it
is imported. For a file that does not set it, as this one does, set it before the command. The interpreter compares
bfloat16 by its bits, so that negative numbers pass for the largest, which the laws tell: compare in float32.
"""

from __future__ import annotations

import os
from typing import Any

import torch
from torch import Tensor

if not torch.cuda.is_available():
    os.environ.setdefault("TRITON_INTERPRET", "1")

import triton
import triton.language as tl

BLOCK = 1024
MOST = 2**31
SIXTEEN_BITS = torch.bfloat16, torch.float16


class ByTriton(torch.autograd.Function):
    """The kernels below as one function of tensors."""

    @staticmethod
    def forward(ctx: Any, input: Tensor, *arguments: Any) -> tuple[Tensor, Tensor]:  # type: ignore[override]
        """Values and indices; arguments: the output's size, and window, stride, padding and dilation of both axes."""
        shape, (k, s, p, d) = arguments[0], arguments[1:]
        output = input.new_empty(input.shape[:-2] + shape)
        places = torch.empty_like(output, dtype=torch.int64)
        lowest = float("-inf") if input.is_floating_point() else torch.iinfo(input.dtype).min
        sizes = output.numel(), *input.shape[-2:], *shape
        if output.numel():
            wide = tl.float32 if input.dtype in SIXTEEN_BITS else None
            largest[grid(output)](input.contiguous(), output, places, *sizes, lowest, wide, *k, *s, *p, *d, BLOCK)
        ctx.save_for_backward(places)
        ctx.mark_non_differentiable(places)
        ctx.like = input.shape, input.dtype
        return output, places

    @staticmethod
    def backward(ctx: Any, cotangent: Tensor, _: Any) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        """The gradient to the input. Raises NotImplementedError where a gradient of it is asked for."""
        if torch.is_grad_enabled():
            raise NotImplementedError("gradients of gradients")
        (places,), (shape, dtype) = ctx.saved_tensors, ctx.like
        wide = torch.float64 if dtype == torch.float64 else torch.float32
        gradient = torch.zeros(shape, dtype=wide, device=cotangent.device)
        planes = places.shape[-2] * places.shape[-1], shape[-2] * shape[-1]
        if places.numel():
            spread[grid(places)](cotangent.to(wide).contiguous(), places, gradient, places.numel(), *planes, BLOCK)
        return gradient.to(dtype), *[None] * 5


@triton.jit
def largest(  # type: ignore[no-untyped-def]
    image, output, places, outputs, height, width, rows, columns, lowest: tl.constexpr, wide: tl.constexpr,
    k_h: tl.constexpr, k_w: tl.constexpr, s_h, s_w, p_h, p_w, d_h, d_w, block: tl.constexpr,
):  # fmt: skip
    """A block of outputs, counted through all planes, and where in its plane each largest element is."""
    at = tl.program_id(0).to(tl.int64) * block + tl.arange(0, block)
    there = at < outputs
    plane, top, left = at // (rows * columns), at // columns % rows * s_h - p_h, at % columns * s_w - p_w
    best = tl.full([block], lowest, wide or image.dtype.element_ty)
    place = tl.full([block], -1, tl.int64)
    for i in range(k_h):
        row = top + i * d_h
        within = there & (row >= 0) & (row < height)
        for j in range(k_w):
            column = left + j * d_w
            inside = within & (column >= 0) & (column < width)
            x = tl.load(image + (plane * height + row) * width + column, mask=inside, other=lowest).to(best.dtype)
            better = inside & ((place < 0) | (x > best) | (x != x))  # the last NaN wins, else the first of equals
            best, place = tl.where(better, x, best), tl.where(better, row * width + column, place)
    tl.store(output + at, best, mask=there)
    tl.store(places + at, place, mask=there)


@triton.jit
def spread(cotangent, places, gradient, outputs, outputs_of_plane, plane, block: tl.constexpr):  # type: ignore[no-untyped-def]
    """Each output hands its cotangent to the element that it was taken from."""
    at = tl.program_id(0).to(tl.int64) * block + tl.arange(0, block)
    place = tl.load(places + at, mask=at < outputs, other=-1)
    given = tl.load(cotangent + at, mask=at < outputs, other=0)
    tl.atomic_add(gradient + at // outputs_of_plane * plane + place, given, mask=place >= 0)


def max_pool2d(
    input: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1, ceil_mode: bool = False,
    return_indices: bool = False,
) -> Tensor | tuple[Tensor, Tensor]:  # fmt: skip
    """torch.nn.functional.max_pool2d. input: ([N,] C, H, W); returns ([N,] C, H_out, W_out), perhaps with indices."""
    steps = pair(kernel_size), pair(kernel_size if stride is None else stride), pair(padding), pair(dilation)
    shape = tuple(map(outputs, input.shape[-2:], *steps, (ceil_mode, ceil_mode)))
    if max(*input.shape, *(number for step in steps for number in step)) >= MOST:
        raise NotImplementedError("sizes of 2^31 and more")
    output, places = ByTriton.apply(input, shape, *steps)
    return (output, places) if return_indices else output


def outputs(size: int, kernel: int, stride: int, padding: int, dilation: int, ceil_mode: bool) -> int:
    """How many windows an axis has. The last must not start in the padding after it. Raises ValueError for none."""
    if kernel < 1 or stride < 1 or dilation < 1 or not 0 <= 2 * padding <= kernel:
        raise ValueError(f"no window: {kernel=}, {stride=}, {padding=}, {dilation=}")
    room = size + 2 * padding - dilation * (kernel - 1) - 1
    number = (-(-room // stride) if ceil_mode else room // stride) + 1
    number -= ceil_mode and (number - 1) * stride >= size + padding
    if number < 1:
        raise ValueError(f"no window of {kernel} fits into {size}")
    return number


def grid(results: Tensor) -> tuple[int]:
    """So many programs that each computes a block of results."""
    return (triton.cdiv(results.numel(), BLOCK),)


def pair(value: int | tuple[int, ...]) -> tuple[int, ...]:
    """One number for both axes, or one for each."""
    return (value, value) if isinstance(value, int) else tuple(value)
