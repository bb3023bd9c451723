"""Losses with their errors.

A classification loss is ``−Σ_n Σ_c a[n,c]·y[n,c] / D`` (:mod:`refimpl.loss`). How its terms are formed differs: a may
be formed before or after the sum, and each part stored. Every term meets at most

- one rounding for the class weight, five for mixing the target (1 − s, s/C, two products, a sum), and two for the
  division, each of them where the option asks for it, and as many storings;
- one for the product with y and as many additions as there are other terms;

and D, where it is a sum of weights, as many additions as there are rows and one storing. Where D is zero a mean is NaN,
and so is everything here.
"""

from __future__ import annotations

import numpy as np

from refimpl import loss
from refimpl.arrays import Array
from refimpl.bounds.activation import log_softmax
from refimpl.bounds.common import covered, product, smallest, with_error_of
from refimpl.rounding import Computed, Format, gamma
from refimpl.targets import divisor, is_probabilities, losses_shape, rows_of, unrowed, weighted_target


def cross_entropy(
    logits: Computed,
    target: Array,
    weight: Array | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Computed:
    """:func:`refimpl.loss.cross_entropy`: the weighted sum of the computed log-softmax."""
    options = (target, weight, ignore_index)
    value = loss.cross_entropy(logits.value, *options, reduction, label_smoothing)
    return _weighted(value, log_softmax(logits.map(rows_of)), logits.shape, *options, reduction, label_smoothing)


def cross_entropy_gradients(
    cotangent: Computed,
    logits: Computed,
    target: Array,
    weight: Array | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> tuple[Computed, ...]:
    """``P_i·Σ_c f_c − f_i`` with ``f = a·(g/D)`` and P = e^y from the computed log-softmax y, as autograd keeps it."""
    options = (target, weight, ignore_index)
    value = loss.cross_entropy_gradient(logits.value, target, cotangent.value, *options[1:], reduction, label_smoothing)
    f = _to_log_probabilities(cotangent, logits.shape, *options, reduction, label_smoothing)
    softmaxed = log_softmax(logits.map(rows_of)).exp().stored()
    computed = (softmaxed * f.sum(axis=-1, keepdims=True).stored()).stored() - f
    return (covered(with_error_of(value, computed.map(lambda rows: unrowed(rows, logits.shape)))),)


def cross_entropy_second(
    h: Computed,
    g: Computed,
    logits: Computed,
    target: Array,
    weight: Array | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> tuple[Computed, Computed]:
    """:func:`refimpl.loss.cross_entropy_second`, step by step and stored: first back through the log-softmax.

    With ``v = h − Σ_c h_c·P_c`` and f as in :func:`cross_entropy_gradients`, ``∂g`` is the weighted sum of v, and
    ``∂logits`` is ``∂y − P·Σ_c ∂y_c`` with ``∂y = (Σ_c f_c)·P·h``.
    """
    options = (target, weight, ignore_index)
    values = loss.cross_entropy_second(h.value, g.value, logits.value, *options, reduction, label_smoothing)
    softmaxed, rows = log_softmax(logits.map(rows_of)).exp().stored(), h.map(rows_of)
    weighted = (rows * softmaxed).stored()
    v = (rows - weighted.sum(axis=-1, keepdims=True).stored()).stored()
    to_g = _weighted(values[0], v, logits.shape, *options, reduction, label_smoothing)
    f = _to_log_probabilities(g, logits.shape, *options, reduction, label_smoothing)
    to_y = product(rows, softmaxed, f.sum(axis=-1, keepdims=True).stored())
    to_logits = to_y - (softmaxed * to_y.sum(axis=-1, keepdims=True).stored()).stored()
    return to_g, covered(with_error_of(values[1], to_logits.map(lambda a: unrowed(a, logits.shape))))


def nll_loss(
    x: Computed, target: Array, weight: Array | None = None, ignore_index: int = -100, reduction: str = "mean"
) -> Computed:
    """:func:`refimpl.loss.nll_loss`: the weighted sum of x."""
    options = (target, weight, ignore_index, reduction)
    return _weighted(loss.nll_loss(x.value, *options), x.map(rows_of), x.shape, *options)


def nll_loss_gradients(
    cotangent: Computed,
    x: Computed,
    target: Array,
    weight: Array | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> tuple[Computed, ...]:
    """``−a·(g/D)``."""
    options = (weight, ignore_index, reduction)
    value = loss.nll_loss_gradient(x.value, target, cotangent.value, *options)
    computed = _to_log_probabilities(cotangent, x.shape, target, *options)
    return (covered(with_error_of(value, computed.map(lambda rows: unrowed(rows, x.shape)))),)


def _weighted(
    value: Array,
    y: Computed,
    x: tuple[int, ...],
    target: Array,
    weight: Array | None,
    ignore_index: int,
    reduction: str,
    label_smoothing: float = 0.0,
) -> Computed:
    """``−Σ a·y / D``, which is ``value``, from a y with its own error; for its terms see the head of this file."""
    a = np.abs(weighted_target(x, target, weight, ignore_index, label_smoothing))
    axis = -1 if reduction == "none" else None
    terms = (a > 0.0).sum(axis=axis)
    scale = np.float64(divisor(x, target, weight, ignore_index) or np.nan if reduction == "mean" else 1.0)
    roundings = _roundings(x, target, weight, reduction, label_smoothing)
    relative = _relative(y.format, terms + roundings + _additions(x, target, weight, reduction), roundings)
    with np.errstate(invalid="ignore", divide="ignore"):  # 0·∞, where a class that does not count has no bound
        magnitude, off = (np.where(a > 0.0, a * part, 0.0).sum(axis=axis) for part in (y.reach, y.off))
        error = (magnitude * relative + off * (1.0 + relative)) / abs(np.float64(scale))
        error = error + (terms / min(abs(scale), 1.0) + roundings) * smallest(y)
    return covered(Computed(value, y.format, np.asarray(error).reshape(value.shape)).stored())


def _to_log_probabilities(
    cotangent: Computed,
    x: tuple[int, ...],
    target: Array,
    weight: Array | None,
    ignore_index: int,
    reduction: str,
    label_smoothing: float = 0.0,
) -> Computed:
    """``f = a·(g/D)``, the gradient to the log-probabilities but for its sign: (rows, classes)."""
    a = weighted_target(x, target, weight, ignore_index, label_smoothing)
    scale = np.float64(divisor(x, target, weight, ignore_index) or np.nan if reduction == "mean" else 1.0)
    roundings = _roundings(x, target, weight, reduction, label_smoothing)
    relative = _relative(cotangent.format, 1 + roundings + _additions(x, target, weight, reduction), roundings)
    g = cotangent.map(lambda v: np.broadcast_to(v, losses_shape(x)).reshape(-1, 1))
    share = np.where(a == 0.0, 0.0, a / scale)
    value = share * g.value
    error = np.abs(share) * (g.off + g.reach * relative)
    around = (1.0 + np.abs(a)) * (1.0 + g.reach) * (1.0 + 1.0 / abs(scale))
    underflow = np.where(a != 0.0, (1 + roundings) * smallest(cotangent) * around, 0.0)
    return Computed(value, cotangent.format, error + underflow).stored()


def _roundings(x: tuple[int, ...], target: Array, weight: Array | None, reduction: str, label_smoothing: float) -> int:
    """Roundings that one term meets beside the product with y and the additions."""
    mixed = 5 if label_smoothing else 0
    return mixed + (weight is not None) + 2 * (reduction == "mean") + is_probabilities(x, target)


def _additions(x: tuple[int, ...], target: Array, weight: Array | None, reduction: str) -> int:
    """Additions that make D."""
    summed = reduction == "mean" and weight is not None and not is_probabilities(x, target)
    return int(np.prod(losses_shape(x))) if summed else 0


def _relative(format: Format, roundings: Array | int, storings: int) -> Array:
    """``(1 + γ)(1 + γ_storage) − 1``, the latter where a storing rounds at all."""
    computed = gamma(roundings, format.accumulator)
    if format.storage is format.accumulator:
        return computed
    return computed + gamma(storings, format.storage) * (1.0 + computed)


def squared_error(y: Computed, target: Computed) -> Computed:
    """``Σ (y − target)²``."""
    off = y - target
    value = np.asarray(loss.squared_error(y.value, target.value))
    return with_error_of(value, (off * off).sum())


def squared_error_gradient(y: Computed, target: Computed) -> Computed:
    """``2·(y − target)``."""
    off = (y - target) * Computed.operand(2.0, y.format)
    return with_error_of(loss.squared_error_gradient(y.value, target.value), off)
