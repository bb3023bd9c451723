"""Gradients of cross-entropy to class probabilities, with their errors, step by step as autograd forms them.

With ``y = log softmax(logits)`` and the smoothed target ``t' = (1 − s)·t + s/C`` a row's loss is ``−Σ w·t'·y / D``.
Autograd takes the steps of this formula back, and once more for gradients of gradients. Each step is stored, so its
bound is the running error (Higham, *Accuracy and Stability of Numerical Algorithms*, 2nd ed., §3.3): what the errors of
its operands become, its own roundings in the accumulator, and one rounding to the storage. The kinds of steps:

- y: the computed log-softmax, as autograd keeps it (:func:`refimpl.bounds.activation.log_softmax`); P: its exponential,
  a library's exp (:meth:`refimpl.rounding.Computed.exp`);
- a product of n factors: n − 1 roundings and n − 1 storings, whatever the order. By Lemma 3.1 of Higham it is off by
  ``γ_{n−1}`` of itself in the accumulator and by as much in the storage, beside what the factors are off by; partial
  products underflow by at most ``η·Π(1 + |factor|)`` (:func:`refimpl.bounds.common.product`). The order is left open:
  autograd's depends on which of weight, smoothing and mean there are;
- a sum of n terms in any order: ``γ_{n−1}·Σ|term|`` (Higham, eq. 4.4), and one storing;
- 1/D, D a count of rows: a division is one rounding, a product with the rounded reciprocal two. Two are counted, the
  quotient's and the product's;
- the constants 1 − s and s/C: rounded to the storage first, or not. w is given in the storage, and so has no error;
- a sign: none.
"""

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
    """To logits as for a target that is given; to the target ``−y·g·(1/D)·w·(1 − s)``.

    That is one product, of the factors that there are: five where losses are averaged, weighted and smoothed, two where
    they are neither.
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
    """:func:`refimpl.soft_targets.cross_entropy_soft_second`: the steps of the two gradients, differentiated.

    These are ``∂logits = −(f·t' − P·Σ_j f_j·t'_j)`` and ``∂t = −f·(1 − s)·y`` with ``f = g·(1/D)·w``, a product. h and
    k are the directions of logits and target.

    1. To ``f·t'`` goes ``v = h − Σ_j h_j·P_j``: a product, a sum of C terms, a difference.
    2. To ``f·y`` goes ``k·(1 − s)``, a product.
    3. To f goes ``v·t' + k·(1 − s)·y``: two products and a sum; from there to g goes that times w, a product, added up
       for the row or for all rows, a sum, times 1/D, a product.
    4. To the target goes ``−v·f·(1 − s)``, a product.
    5. To y goes ``∂y = P·h·(Σ_j f_j·t'_j) − k·(1 − s)·f``: two products, of which the first has a sum of C products for
       a factor, and a difference.
    6. To logits goes ``∂y − P·Σ_j ∂y_j``: a sum, a product, a difference.
    """
    options: dict[str, Any] = {"weight": weight, "reduction": reduction, "label_smoothing": label_smoothing}
    operands = (h.value, k.value, g.value, logits.value, target.value)
    values = soft_targets.cross_entropy_soft_second(*operands, **options)
    shape, (h, k, logits, target) = logits.shape, [v.map(rows_of) for v in (h, k, logits, target)]
    y, of_weight = log_softmax(logits).stored(), _weights(logits, weight)
    softmaxed, kept = y.exp().stored(), _kept(y, label_smoothing)
    f = product(*_shares(g, shape, reduction), *of_weight)
    smoothed = _smoothed(target, label_smoothing)
    v = (h - _total((h * softmaxed).stored())).stored()
    to_fy = product(k, *kept)
    to_f = ((v * smoothed).stored() + (to_fy * y).stored()).stored()
    to_g = product(_reduced(product(to_f, *of_weight), shape, reduction), *_divisor(g, shape, reduction))
    to_y = (product(softmaxed, h, _total((f * smoothed).stored())) - product(to_fy, f)).stored()
    to_logits = to_y - (softmaxed * _total(to_y)).stored()
    to_target = product(v, f, *kept)
    computed = (to_g, *(c.map(lambda a: unrowed(a, shape)) for c in (to_logits, to_target)))
    return tuple(with_error_of(value, c) for value, c in zip(values, computed, strict=True))  # type: ignore[return-value]


def _weights(y: Computed, weight: Array | None) -> list[Computed]:
    """The weight of each class, where there are weights: numbers of the storage."""
    return [] if weight is None else [Computed.operand(weight, y.format)]


def _kept(y: Computed, label_smoothing: float) -> list[Computed]:
    """``1 − s``, where labels are smoothed."""
    return [rounded_constant(1.0 - label_smoothing, y)] if label_smoothing else []


def _smoothed(target: Computed, label_smoothing: float) -> Computed:
    """``t' = (1 − s)·t + s/C``: a product and a sum, where labels are smoothed."""
    if not label_smoothing:
        return target
    share = rounded_constant(label_smoothing / target.shape[1], target)
    return (product(target, *_kept(target, label_smoothing)) + share).stored()


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
    """The sum of each row."""
    return x.sum(axis=-1, keepdims=True).stored()


def _reduced(terms: Computed, shape: tuple[int, ...], reduction: str) -> Computed:
    """The sum of each row's terms, or of all."""
    if reduction != "none":
        return terms.sum().stored()
    return terms.sum(axis=-1).stored().map(lambda v: v.reshape(losses_shape(shape)))
