"""Fractional max poolings as torch computes them, given their random samples."""

from __future__ import annotations

from typing import Any

import torch.nn.functional as F
from torch import Tensor


def fractional_max_pool2d(input: Tensor, samples: Tensor, **arguments: Any) -> tuple[Tensor, Tensor]:
    """torch.nn.FractionalMaxPool2d with its random samples: values and indices."""
    random = samples.detach() if samples.ndim == 3 else samples.detach()[None]
    return F.fractional_max_pool2d(input, return_indices=True, _random_samples=random, **arguments)


def fractional_max_pool3d(input: Tensor, samples: Tensor, **arguments: Any) -> tuple[Tensor, Tensor]:
    """torch.nn.FractionalMaxPool3d with its random samples: values and indices."""
    random = samples.detach() if samples.ndim == 3 else samples.detach()[None]
    return F.fractional_max_pool3d(input, return_indices=True, _random_samples=random, **arguments)
