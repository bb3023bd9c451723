"""Max pooling by a Triton kernel with a mask that is subtly wrong: see whether the laws notice.

pip install triton
pytest properties --kernels examples/triton_wrong_mask.py --hypothesis-profile=quick --call-timeout=100

Each program computes a block of columns of outputs. Only a last block that is not full is masked at the image's right
edge. In a full one, windows that reach past that edge take in what begins the next row. Without padding and ceil_mode
no window does.
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

BLOCK, ROWS, LARGEST = 2, 256, 7


@triton.jit
def largest(  # type: ignore[no-untyped-def]
    image, output, elements, outputs, height, width, rows, columns, k_h: tl.constexpr, k_w: tl.constexpr, s_h, s_w, p_h,
    p_w, d_h, d_w, block: tl.constexpr, block_of_rows: tl.constexpr,
):  # fmt: skip
    """A block of columns of a block of rows, which are counted through all planes."""
    row = tl.program_id(1) * block_of_rows + tl.arange(0, block_of_rows)[:, None]
    column = tl.program_id(0) * block + tl.arange(0, block)[None, :]
    best = tl.full([block_of_rows, block], float("-inf"), tl.float32)
    for i in range(k_h):
        y = row % rows * s_h - p_h + i * d_h
        within = (y >= 0) & (y < height)
        for j in range(k_w):
            x = column * s_w - p_w + j * d_w
            at = (row // rows * height + y) * width + x
            inside = within & (x >= 0) & (at < elements)
            if (tl.program_id(0) + 1) * block > columns:
                inside = inside & (x < width)
            value = tl.load(image + at, mask=inside, other=float("-inf"))
            best = tl.where(inside & ((value > best) | (value != value)), value, best)
    at = row * columns + column
    tl.store(output + at, best, mask=(column < columns) & (at < outputs))


def max_pool2d(
    input: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1, ceil_mode: bool = False,
    return_indices: bool = False,
) -> Tensor:  # fmt: skip
    """torch.nn.functional.max_pool2d, forward in float32."""
    if input.dtype != torch.float32 or input.requires_grad or return_indices:
        raise NotImplementedError("values in float32, without gradients and indices")
    if max(pair(kernel_size)) > LARGEST:  # the loops over a window are written out
        raise NotImplementedError(f"windows of more than {LARGEST} rows or columns")
    steps = pair(kernel_size), pair(kernel_size if stride is None else stride), pair(padding), pair(dilation)
    rows, columns = (outputs(*axis, ceil_mode) for axis in zip(input.shape[-2:], *steps, strict=True))
    output = input.new_empty((*input.shape[:-2], rows, columns))
    if output.numel():
        grid = triton.cdiv(columns, BLOCK), triton.cdiv(output.numel() // columns, ROWS)
        sizes = input.numel(), output.numel(), *input.shape[-2:], rows, columns
        largest[grid](input.contiguous(), output, *sizes, *(n for step in steps for n in step), BLOCK, ROWS)
    return output


def outputs(size: int, kernel: int, stride: int, padding: int, dilation: int, ceil_mode: bool) -> int:
    """How many windows an axis has. The last must not start in the padding after it."""
    room = size + 2 * padding - dilation * (kernel - 1) - 1
    number = (-(-room // stride) if ceil_mode else room // stride) + 1
    return number - (ceil_mode and (number - 1) * stride >= size + padding)


def pair(value: int | tuple[int, ...]) -> tuple[int, ...]:
    """One number for both axes, or one for each."""
    return (value, value) if isinstance(value, int) else tuple(value)
