"""Faults of fractional max pooling."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from properties.selftest.faults.record import fault


@fault("agreement", "fractional_max_pool2d")
def last_window_misplaced(
    input: Tensor, samples: Tensor, kernel_size: tuple[int, int], output_size: tuple[int, int]
) -> tuple[Tensor, Tensor]:
    """Fractional max pooling whose last column of windows starts one element early."""
    random = samples.detach() if samples.ndim == 3 else samples.detach()[None]

    def pooled(image: Tensor) -> tuple[Tensor, Tensor]:
        return F.fractional_max_pool2d(image, kernel_size, output_size, return_indices=True, _random_samples=random)

    values, indices = pooled(input)
    width = input.shape[-1]
    if kernel_size[1] + output_size[1] > width:
        return values, indices
    early, at = pooled(input[..., :-1])
    at = at // (width - 1) * width + at % (width - 1)
    return tuple(torch.cat([a[..., :-1], b[..., -1:]], -1) for a, b in ((values, early), (indices, at)))  # type: ignore[return-value]
