"""Dropout: elements, or whole channels, are dropped at random, and what is kept is scaled. Which, a mask says.

With the probability p of being dropped and a mask m, 1 for what is kept and 0 for what is not,

- dropout: ``y = x·m/(1 − p)``, whose mean over the masks is x;
- alpha dropout: ``y = a·(x·m + α(1 − m)) + b`` with ``a = 1/√((1 − p)(1 + p·α²))`` and ``b = −a·p·α``, so that a mean
  of 0 and a variance of 1 stay: the mean is ``a(1 − p)·0 + a·p·α + b = 0``, the variance ``a²(1 − p)(1 + p·α²)``. α
  is what SELU tends to for −∞ (Klambauer et al., Self-Normalizing Neural Networks, 2017).

Gradients are ``m/(1 − p)`` and ``a·m`` of the cotangent. Where p is 1, all is 0. In evaluation all is kept as it is.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from refimpl.arrays import Array, float64
from refimpl.smooth_activation import SELU_ALPHA, SELU_SCALE

SATURATED = -SELU_ALPHA * SELU_SCALE
"""α: what SELU gives for −∞."""


def dropout(x: Array, kept: Array, p: float) -> Array:
    """``y = x·m/(1 − p)``, and 0 for p = 1. kept: m, of the shape of x. Source: torch.nn.Dropout.

    >>> dropout(np.array([1.0, 2.0, 3.0]), np.array([1, 0, 1]), 0.5)
    array([2., 0., 6.])
    """
    return _chosen(x, kept, *scales(p, alpha=False))


def alpha_dropout(x: Array, kept: Array, p: float) -> Array:
    """``y = a·(x·m + α(1 − m)) + b``, and 0 for p = 1. kept: m, of the shape of x. Source: torch.nn.AlphaDropout.

    >>> y = alpha_dropout(np.array([0.0, 0.0]), np.array([1, 0]), 0.5)
    >>> bool(abs(y.mean()) < 1e-15), round(float(y[0]), 4)
    (True, 0.7792)
    """
    return _chosen(x, kept, *scales(p, alpha=True))


def scales(p: float, alpha: bool) -> tuple[float, float, float]:
    """What kept elements are multiplied by, what is added to them, and what stands for a dropped one.

    >>> scales(0.5, False), scales(0.0, True)
    ((2.0, 0.0, 0.0), (1.0, 0.0, -1.7580993408473766))
    """
    if p >= 1.0:
        return 0.0, 0.0, 0.0
    if not alpha:
        return 1.0 / (1.0 - p), 0.0, 0.0
    a = 1.0 / math.sqrt((1.0 - p) * (1.0 + p * SATURATED**2))
    return a, -a * p * SATURATED if p else 0.0, a * SATURATED * (1.0 - p)


def _chosen(x: Array, kept: Array, scale: float, shift: float, dropped: float) -> Array:
    y = np.empty(np.shape(x))
    _choose(y.reshape(-1), float64(x).reshape(-1), float64(kept).reshape(-1), scale, shift, dropped)
    return y


@njit(cache=True)
def _choose(y, x, kept, scale, shift, dropped):  # type: ignore[no-untyped-def]
    for i in range(x.shape[0]):
        y[i] = x[i] * scale + shift if kept[i] else dropped
