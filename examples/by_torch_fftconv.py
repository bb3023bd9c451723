"""Convolutions of torch-fftconv as kernels: by Fourier transforms, forward and backward.

pip install torch-fftconv
pytest properties --kernels examples/by_torch_fftconv.py
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor
from torch_fftconv import functional


def batched(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """A function of torch_fftconv, which takes batches and padding by numbers alone."""

    def convolution(input: Tensor, weight: Tensor, *operands: Any, **arguments: Any) -> Tensor:
        if input.ndim != weight.ndim or isinstance(arguments.get("padding"), str):
            raise NotImplementedError("input without a batch, or padding by a word")
        return function(input, weight, *operands, **arguments)

    return convolution


conv1d, conv2d, conv3d = (batched(getattr(functional, f"fft_conv{axes}d")) for axes in (1, 2, 3))
conv_transpose1d, conv_transpose2d, conv_transpose3d = (
    batched(getattr(functional, f"fft_conv_transpose{axes}d")) for axes in (1, 2, 3)
)
