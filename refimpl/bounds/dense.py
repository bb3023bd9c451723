"""Fully connected layers with their errors."""

from __future__ import annotations

import numpy as np

from refimpl import dense
from refimpl.bounds.common import bilinear
from refimpl.rounding import Computed


def linear(x: Computed, weight: Computed, bias: Computed | None = None) -> Computed:
    """:func:`refimpl.dense.linear`: n = in features."""
    return bilinear(dense.linear, x, weight, bias)


def linear_gradients(
    cotangent: Computed, x: Computed, weight: Computed, bias: Computed | None = None
) -> tuple[Computed, ...]:
    """Gradients of a linear layer to x (n = out features), weight and bias (n = rows)."""
    gradients = (
        bilinear(dense.linear_input_gradient, cotangent, weight),
        bilinear(dense.linear_weight_gradient, cotangent, x),
    )
    if bias is None:
        return gradients
    rows = int(np.prod(cotangent.shape[:-1]))
    return (*gradients, cotangent.scattered(dense.linear_bias_gradient, rows).stored())


def flatten(x: Computed, start_dim: int = 1) -> Computed:
    """:func:`refimpl.dense.flatten` moves elements and computes nothing."""
    return x.map(lambda a: dense.flatten(a, start_dim))


def flatten_gradients(cotangent: Computed, x: Computed, start_dim: int = 1) -> tuple[Computed, ...]:
    """The cotangent in the shape of x."""
    return (cotangent.map(lambda g: g.reshape(x.shape)),)
