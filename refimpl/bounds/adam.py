"""Steps of Adam and AdamW with their errors."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from refimpl import adam
from refimpl.adam import Moments
from refimpl.bounds.common import product, rounded_constant, with_error_of
from refimpl.rounding import Computed


def adam_step(
    parameter: Computed,
    gradient: Computed,
    moments: Moments | None = None,
    *,
    lr: float,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
    weight_decay: float = 0.0,
    amsgrad: bool = False,
    maximize: bool = False,
    decoupled: bool = False,
) -> tuple[Computed, Moments]:
    """:func:`refimpl.adam.adam_step`, each line of it stored: w' and the moments.

    Constants may be rounded to the storage first. The corrections ``1 − β₁ᵗ`` and ``√(1 − β₂ᵗ)`` are such constants:
    torch forms them, and ``lr/(1 − β₁ᵗ)``, of Python's numbers. In what order w' is multiplied and divided is free.
    """
    before = moments or Moments(0, *[_zeros(parameter)] * 3)
    t, m, v = before.step + 1, before.exp_avg, before.exp_avg_sq

    def constant(value: float) -> Computed:
        return rounded_constant(value, parameter)

    w, g = parameter, -gradient if maximize else gradient
    if weight_decay and decoupled:
        w = (constant(1.0 - lr * weight_decay) * w).stored()
    elif weight_decay:
        g = (g + (constant(weight_decay) * w).stored()).stored()
    m = _average(m, g, constant(betas[0]), constant(1.0 - betas[0]))
    v = ((constant(betas[1]) * v).stored() + product(constant(1.0 - betas[1]), g, g)).stored()
    largest = _larger(before.max_exp_avg_sq, v) if amsgrad else None
    correction = np.sqrt(1.0 - betas[1] ** t)
    root = (v if largest is None else largest).pow(0.5).stored()
    denominator = ((root / constant(correction)).stored() + constant(eps)).stored()
    size = constant(lr / (1.0 - betas[0] ** t))
    least = eps * (1.0 - 4.0 * parameter.format.storage.unit_roundoff)
    taken = _either(
        _quotient((size * m).stored(), denominator, least),
        (size * _quotient(m, denominator, least).stored()).stored(),
    )
    values, kept = adam.adam_step(
        parameter.value, gradient.value, _values(before, amsgrad), lr=lr, betas=betas, eps=eps,
        weight_decay=weight_decay, amsgrad=amsgrad, maximize=maximize, decoupled=decoupled,
    )  # fmt: skip
    averages = with_error_of(kept.exp_avg, m), with_error_of(kept.exp_avg_sq, v)
    return with_error_of(values, w - taken), Moments(t, *averages, largest)


def adam_steps(
    parameters: Sequence[Computed], gradients: Iterable[Sequence[Computed | None]], **options: Any
) -> tuple[list[Computed], list[Moments | None]]:
    """:func:`refimpl.adam.adam_steps`: each step begins with the errors of those before it."""
    return adam.adam_steps(parameters, gradients, adam_step, **options)


def _zeros(like: Computed) -> Computed:
    return Computed.operand(np.zeros(like.shape), like.format)


def _values(moments: Moments, amsgrad: bool) -> Moments:
    largest = moments.max_exp_avg_sq.value if amsgrad else None
    return Moments(moments.step, moments.exp_avg.value, moments.exp_avg_sq.value, largest)


def _average(m: Computed, g: Computed, beta: Computed, fresh: Computed) -> Computed:
    """``βm + (1 − β)g``, or as torch.lerp may form it: ``m + (1 − β)(g − m)``, or ``g − β(g − m)``."""
    apart = (g - m).stored()
    return _either(
        ((beta * m).stored() + (fresh * g).stored()).stored(),
        (m + (fresh * apart).stored()).stored(),
        (g - (beta * apart).stored()).stored(),
    )


def _quotient(a: Computed, denominator: Computed, least: float) -> Computed:
    """``a/(√v̂ + ε)``. No root is negative, so what is computed for the denominator is at least ε with its roundings."""
    value = a.value / denominator.value
    off = (a.off + np.abs(value) * denominator.off) / np.maximum(denominator.value - denominator.off, least)
    off = off + a.precision.unit_roundoff * (np.abs(value) + off) + a.precision.underflow
    return Computed(value, a.format, off)


def _either(*ways: Computed) -> Computed:
    """One value, computed in one of several ways: off by the most of any."""
    return Computed(ways[0].value, ways[0].format, np.maximum.reduce([way.off for way in ways]))


def _larger(a: Computed, b: Computed) -> Computed:
    """The maximum: ``|max(â, b̂) − max(a, b)| ≤ max(e_a, e_b)``."""
    return Computed(np.maximum(a.value, b.value), a.format, np.maximum(a.off, b.off))
