"""Convolutions of fft-conv-pytorch as kernels: by Fourier transforms of the padded image, with autograd's gradients.

pip install fft-conv-pytorch
pytest properties --kernels examples/by_fft_conv.py
"""

from __future__ import annotations

from typing import Any

from fft_conv_pytorch import fft_conv
from torch import Tensor


def conv1d(
    input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: Any = 1, padding: Any = 0, dilation: Any = 1,
    groups: int = 1,
) -> Tensor:  # fmt: skip
    """torch.nn.functional.conv1d, conv2d and conv3d by one function."""
    if input.ndim != weight.ndim:
        raise NotImplementedError("input without a batch")
    return fft_conv(input, weight, bias, padding=padding, stride=stride, dilation=dilation, groups=groups)


conv2d = conv3d = conv1d
