"""Unfold and fold of unfoldNd as kernels: an unfold is a convolution with one-hot kernels.

pip install unfoldNd
pytest properties --kernels examples/by_unfoldnd.py
"""

from __future__ import annotations

from typing import Any

from torch import Tensor
from unfoldNd import foldNd, unfoldNd


def unfold(input: Tensor, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1) -> Tensor:
    """torch.nn.functional.unfold."""
    if input.ndim != 4:
        raise NotImplementedError("an image without a batch")
    return unfoldNd(input, kernel_size, dilation, padding, stride)


def fold(
    input: Tensor, output_size: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1
) -> Tensor:
    """torch.nn.functional.fold."""
    if input.ndim != 3:
        raise NotImplementedError("columns without a batch")
    return foldNd(input, output_size, kernel_size, dilation, padding, stride)
