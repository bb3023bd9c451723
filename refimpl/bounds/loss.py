"""Losses with their errors."""

from __future__ import annotations

import numpy as np

from refimpl import loss
from refimpl.arrays import Array
from refimpl.bounds.activation import log_softmax
from refimpl.bounds.common import with_error_of
from refimpl.rounding import Computed


def cross_entropy(logits: Computed, target: Array) -> Computed:
    """``−(1/N)·Σ_n y[n, target_n]`` with y the log-softmax."""
    picked = log_softmax(logits).map(lambda y: y[np.arange(len(target)), target])
    computed = picked.sum() / Computed.operand(float(len(target)), logits.format)
    return with_error_of(np.asarray(loss.cross_entropy(logits.value, target)), computed)


def cross_entropy_gradients(cotangent: Computed, logits: Computed, target: Array) -> tuple[Computed, ...]:
    """``e^{y_i}·(g/N) − [i = target]·(g/N)`` from the computed log-softmax y, as autograd keeps it."""
    rows, classes = logits.shape
    share = cotangent / Computed.operand(float(rows), logits.format)
    picked = Computed.operand(np.eye(classes)[target], logits.format)
    computed = log_softmax(logits).exp() * share - picked * share
    value = loss.cross_entropy_gradient(logits.value, target, float(cotangent.value))
    return (with_error_of(value, computed),)


def squared_error(y: Computed, target: Computed) -> Computed:
    """``Σ (y − target)²``."""
    off = y - target
    value = np.asarray(loss.squared_error(y.value, target.value))
    return with_error_of(value, (off * off).sum())


def squared_error_gradient(y: Computed, target: Computed) -> Computed:
    """``2·(y − target)``."""
    off = (y - target) * Computed.operand(2.0, y.format)
    return with_error_of(loss.squared_error_gradient(y.value, target.value), off)
