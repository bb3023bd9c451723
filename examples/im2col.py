"""A convolution as one matrix product (im2col), right in every case.

pytest properties --kernels examples/im2col.py
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import pad


def conv2d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: int | tuple[int, ...] = 1,
    padding: int | str | tuple[int, ...] = 0,
    dilation: int | tuple[int, ...] = 1,
    groups: int = 1,
) -> Tensor:
    """torch.nn.functional.conv2d: every window of the padded image is a row, and every kernel a column.

    input: ([N,] C_in, H, W); weight: (C_out, C_in/groups, K_h, K_w); bias: (C_out,). Returns
    ([N,] C_out, H_out, W_out). In 16 bits it computes in float32 and rounds once. Raises NotImplementedError for
    padding by name.
    """
    if isinstance(padding, str):
        raise NotImplementedError(f"padding={padding!r}")
    x, w = widened(input), widened(weight)
    (top, left), strides, dilations = pair(padding), pair(stride), pair(dilation)
    windows = pad(x, (left, left, top, top))
    for size, step, gap in zip(w.shape[2:], strides, dilations, strict=True):
        # Axis -2 is each time the first of the image's axes that are left; the window's goes to the end.
        windows = windows.unfold(-2, gap * (size - 1) + 1, step)[..., ::gap]
    rows, columns = windows.shape[-4:-2]
    # ([N,] groups, H_out·W_out, C_in/groups·K_h·K_w) @ (groups, C_in/groups·K_h·K_w, C_out/groups)
    patches = windows.unflatten(-5, (groups, w.shape[1])).movedim((-4, -3), (-5, -4)).flatten(-3).flatten(-3, -2)
    product = patches @ w.flatten(1).unflatten(0, (groups, -1)).mT
    output = product.mT.flatten(-3, -2).unflatten(-1, (rows, columns))
    if bias is not None:
        output = output + widened(bias)[:, None, None]
    return output.to(input.dtype)


def pair(value: int | tuple[int, ...]) -> tuple[int, int]:
    """One number for both axes, or one for each."""
    rows, columns = (value, value) if isinstance(value, int) else value
    return rows, columns


def widened(tensor: Tensor) -> Tensor:
    """float32 for 16 bits, so that sums are formed in float32; what is wider stays as it is."""
    return tensor.to(torch.float32) if tensor.element_size() == 2 else tensor
