"""Gradients of cross-entropy to class probabilities, with their errors."""

from __future__ import annotations

from typing import Any

import numpy as np

from refimpl import soft_targets
from refimpl.arrays import Array
from refimpl.bounds.activation import log_softmax
from refimpl.bounds.common import product, rounded_constant, with_error_of
from refimpl.bounds.loss import cross_entropy_gradients
from refimpl.rounding import Computed
from refimpl.targets import losses_shape, rows_of, unrowed


def cross_entropy_soft_gradients(
    cotangent: Computed,
    logits: Computed,
    target: Computed,
    weight: Array | None = None,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> tuple[Computed, Computed]:
    """To logits as for a target that is given; to the target ``−(g/D)·w·(1 − s)·y``, in any order, each step stored.

    y is the computed log-softmax, as autograd keeps it.
    """
    options: dict[str, Any] = {"weight": weight, "reduction": reduction, "label_smoothing": label_smoothing}
    value = soft_targets.cross_entropy_target_gradient(logits.value, target.value, cotangent.value, **options)
    y = log_softmax(logits.map(rows_of)).stored()
    computed = product(y, *_shares(cotangent, logits.shape, reduction), *_of_classes(y, weight, label_smoothing))
    to_target = with_error_of(value, computed.map(lambda rows: unrowed(rows, logits.shape)))
    return cross_entropy_gradients(cotangent, logits, target.value, **options)[0], to_target


def cross_entropy_soft_second(
    g: Computed,
    logits: Computed,
    target: Computed,
    h: Computed,
    k: Computed,
    weight: Array | None = None,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> tuple[Computed, Computed, Computed]:
    """:func:`refimpl.soft_targets.cross_entropy_soft_second`, the gradients' own steps differentiated, each stored.

    With ``m = (1 − s)·t + s/C``, q the product of g/D and w, and ``v = h − Σ_j h_j·p_j``, to g goes
    ``−Σ (v·m + k·(1 − s)·y)·w / D``, to the target ``−v·q·(1 − s)``, and to logits ``r − p·Σ_j r_j`` with
    ``r = −(k·(1 − s)·q − p·h·Σ_j q_j·m_j)``.
    """
    options: dict[str, Any] = {"weight": weight, "reduction": reduction, "label_smoothing": label_smoothing}
    operands = (h.value, k.value, g.value, logits.value, target.value)
    values = soft_targets.cross_entropy_soft_second(*operands, **options)
    shape, rows = logits.shape, [v.map(rows_of) for v in (h, k, logits, target)]
    y = log_softmax(rows[2]).stored()
    p, of_weight, kept = y.exp().stored(), _weights(y, weight), _kept(y, label_smoothing)
    shares = _shares(g, shape, reduction)
    m = rows[3] if not kept else (product(rows[3], *kept) + rounded_constant(label_smoothing / y.shape[1], y)).stored()
    v = (rows[0] - _total((rows[0] * p).stored())).stored()
    bent = product(rows[1], *kept)
    terms = product(((v * m).stored() + (bent * y).stored()).stored(), *of_weight)
    to_g = product(_reduced(terms, shape, reduction), *_divisor(g, shape, reduction))
    q = product(*shares, *of_weight)
    r = (product(bent, q) - product(p, rows[0], _total((q * m).stored()))).stored()
    to_logits = r - (p * _total(r)).stored()
    to_target = product(v, q, *kept)
    computed = (to_g, *(c.map(lambda a: unrowed(a, shape)) for c in (to_logits, to_target)))
    return tuple(with_error_of(value, c) for value, c in zip(values, computed, strict=True))  # type: ignore[return-value]


def _weights(y: Computed, weight: Array | None) -> list[Computed]:
    """The weight of each class, where there are weights: numbers of the storage."""
    return [] if weight is None else [Computed.operand(weight, y.format)]


def _kept(y: Computed, label_smoothing: float) -> list[Computed]:
    """``1 − s``, where labels are smoothed."""
    return [rounded_constant(1.0 - label_smoothing, y)] if label_smoothing else []


def _of_classes(y: Computed, weight: Array | None, label_smoothing: float) -> list[Computed]:
    return _weights(y, weight) + _kept(y, label_smoothing)


def _divisor(like: Computed, shape: tuple[int, ...], reduction: str) -> list[Computed]:
    """``1/D`` where losses are averaged: a division, or a product with the rounded reciprocal."""
    rows = float(np.prod(losses_shape(shape)))
    one = Computed.operand(1.0, like.format)
    return [one / Computed.operand(rows, like.format)] if reduction == "mean" else []


def _shares(g: Computed, shape: tuple[int, ...], reduction: str) -> list[Computed]:
    """g, one for each row, and what it is divided by."""
    of_rows = g.map(lambda v: np.broadcast_to(v, losses_shape(shape)).reshape(-1, 1))
    return [of_rows, *_divisor(g, shape, reduction)]


def _total(x: Computed) -> Computed:
    return x.sum(axis=-1, keepdims=True).stored()


def _reduced(terms: Computed, shape: tuple[int, ...], reduction: str) -> Computed:
    """The sum of each row's terms, or of all."""
    if reduction != "none":
        return terms.sum().stored()
    return terms.sum(axis=-1).stored().map(lambda v: v.reshape(losses_shape(shape)))
