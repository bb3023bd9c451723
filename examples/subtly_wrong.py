"""A convolution that passes a glance, a few shapes and a training run, and is wrong: see whether the laws notice.

    pytest properties --kernels examples/subtly_wrong.py

It stands for a kernel that writes rows in vectors of eight. Where the width of the output is no multiple of eight, a
tail is left, and the pointer to it is never moved on to the next image: every image gets the first one's tail.
"""

from __future__ import annotations

import torch
from torch import Tensor

VECTOR = 8
WITHOUT = "own-work"  # it hands on to torch.conv2d, which stands for its loops


def conv2d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: int | tuple[int, ...] = 1,
    padding: int | tuple[int, ...] = 0,
    dilation: int | tuple[int, ...] = 1,
    groups: int = 1,
) -> Tensor:
    """torch.nn.functional.conv2d, but for the tails of all images after the first."""
    output = torch.conv2d(input, weight, bias, stride, padding, dilation, groups)
    tail = output.shape[-1] % VECTOR
    if output.ndim < 4 or tail == 0:
        return output
    whole = output.shape[-1] - tail
    return torch.cat([output[..., :whole], output[:1, ..., whole:].expand(len(output), -1, -1, -1)], dim=-1)
