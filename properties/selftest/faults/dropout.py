"""Faults of dropout."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from properties.selftest.faults.record import fault, with_slope_of
from properties.worker.programs import dropout as programs


@fault("dropout", "dropout")
def dropout_without_a_scale(input: Tensor, p: float, training: bool, seed: int | None = None) -> Tensor:
    """Dropout that does not scale what is kept."""
    y = programs.dropout(input, p=p, training=training, seed=seed)
    return y * (1.0 - p) if training and p < 1.0 else y


@fault("dropout", "feature_dropout")
def feature_dropout_of_elements(input: Tensor, seed: int | None = None, **how: Any) -> Tensor:
    """Dropout of channels that drops elements."""
    return programs.dropout(input, seed=seed, **how)


@fault("dropout", "dropout")
def dropout_of_two_masks(input: Tensor, p: float, training: bool, seed: int | None = None) -> Tensor:
    """Dropout whose gradient is that of another mask."""
    y, other = (
        programs.dropout(x, p=p, training=training, seed=s)
        for x, s in ((input.detach(), seed), (input, (seed or 0) + 1))
    )
    return with_slope_of(y, other)


@fault("dropout", "alpha_dropout")
def alpha_dropout_to_zero(input: Tensor, p: float, training: bool, seed: int | None = None) -> Tensor:
    """Alpha dropout that drops to zero, not to α."""
    kept = programs.dropout(torch.ones_like(input), p=p, training=training, seed=seed) != 0
    return torch.where(kept, programs.alpha_dropout(input, p=p, training=training, seed=seed), 0.0)


@fault("dropped share", "dropout")
def dropout_of_the_kept_share(input: Tensor, p: float, training: bool, seed: int | None = None) -> Tensor:
    """Dropout that drops with a probability of p + 2⁻⁴."""
    if not training or p in (0.0, 1.0):
        return programs.dropout(input, p=p, training=training, seed=seed)
    return programs.dropout(input, p=p + 2.0**-4, training=True, seed=seed)


@fault("dropped share", "dropout")
def dropout_by_vectors(input: Tensor, p: float, training: bool, seed: int | None = None) -> Tensor:
    """Dropout that draws one random number for each two elements."""
    flat = input.reshape(-1)
    half = programs.dropout(torch.ones_like(flat[::2]), p=p, training=training, seed=seed)
    return (flat * half.repeat_interleave(2)[: len(flat)]).view(input.shape)


@fault("dropped share", "alpha_dropout")
def alpha_dropout_of_one_seed(input: Tensor, p: float, training: bool, seed: int | None = None) -> Tensor:
    """Alpha dropout whose mask is the same in each call."""
    return programs.alpha_dropout(input, p=p, training=training, seed=seed and 1)


@fault("agreement", "feature_alpha_dropout")
def feature_alpha_dropout_in_evaluation(input: Tensor, p: float, training: bool, seed: int | None = None) -> Tensor:
    """Dropout of channels that scales in evaluation, too."""
    y = F.feature_alpha_dropout(input, p, training)
    return y if training else y * (1.0 - p)
