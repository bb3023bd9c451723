"""Convolutions of einconv as kernels: contractions of tensors with index patterns, with autograd's gradients.

pip install einconv
pytest properties --kernels examples/by_einconv.py
"""

from __future__ import annotations

from typing import Any

from einconv.functionals import convNd, unfoldNd
from torch import Tensor

WITHOUT = ("own-work",)
"""Index patterns are made by torch's conv1d."""


def conv1d(input: Tensor, weight: Tensor, bias: Tensor | None = None, *window: Any, **arguments: Any) -> Tensor:
    """torch.nn.functional.conv1d, conv2d and conv3d by one contraction."""
    if input.ndim != weight.ndim:
        raise NotImplementedError("input without a batch")
    return convNd(input, weight, bias, *window, **arguments)


conv2d = conv3d = conv1d


def unfold(input: Tensor, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1) -> Tensor:
    """torch.nn.functional.unfold."""
    if input.ndim != 4:
        raise NotImplementedError("an image without a batch")
    return unfoldNd(input, kernel_size, dilation=dilation, padding=padding, stride=stride)
