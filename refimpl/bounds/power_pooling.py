"""Power-average (Lp) pooling with its errors, step by step as torch forms it from other operators.

With the power ``π(x) = x^r`` and the root ``ρ(S) = S^{1/r}`` a window of k elements gives ``ρ(k·avg π(x))``; autograd
takes the same steps back, and once more for gradients of gradients. Each step is stored, so its bound is the running
error (Higham, *Accuracy and Stability of Numerical Algorithms*, 2nd ed., §3.3): what the errors of its operands become,
its own roundings in the accumulator, and one rounding to the storage. The kinds of steps, with their roundings:

- a power, ``x^r`` or ``S^{1/r}``: a library's pow (:meth:`refimpl.rounding.Computed.pow`), which allows for an exponent
  that is rounded to the storage first;
- a product: one rounding. A constant factor, such as r or 1/r, may be rounded to the storage first; k, a small integer,
  is a number of every format;
- an average of a window: k − 1 additions and a division, or a product with the rounded 1/k, which is one rounding more.
  A term meets at most ``(k − 1) + 2`` of them, so by Lemma 3.1 of Higham the average of terms z is off by
  ``γ_{k+1}·avg(|z|)``;
- the gradient of an average: each of the m windows that hold an element gives it a share, divided by k. A share meets
  one or two roundings as before, and at most m − 1 additions: ``γ_{m+1}·Σ|share|/k``;
- a modulus, a sign and the choice of an element: none.

A power, a product and a quotient may underflow by η each. An average has one quotient, its gradient has m; k + 1 and
m + 1 times η are allowed. A subject that leaves steps out, or keeps what is between them in the accumulator, meets some
of these roundings and no others: a sum of powers that is not divided and multiplied by k has k − 1 of them.

In a window of zeros alone the sum S is exactly zero, and so is the root; backwards it adds exactly nothing. Powers of
negative elements, and roots of negative sums, are covered for integer r alone.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from refimpl import pooling, power_pooling
from refimpl.arrays import Array, Axes
from refimpl.bounds.common import covered, rounded_constant, with_error_of
from refimpl.bounds.pooling import averaged, to_indices
from refimpl.rounding import Computed


def lp_pool(
    x: Computed,
    norm_type: float,
    kernel_size: Sequence[int],
    stride: Axes | None = None,
    ceil_mode: bool = False,
) -> Computed:
    """:func:`refimpl.power_pooling.lp_pool`: ``z = π(x)``, ``S = k·avg(z)``, ``ρ(|S|)``; exact for r = ±∞.

    1. z: a power.
    2. ``avg(z)``: an average, ``γ_{k+1}·avg(|z|)``; times k, one rounding more. Together ``γ_{k+2}·Σ|z|`` (Higham,
       Lemma 3.3), with a storing after either.
    3. ``ρ(|S|)``: a power with the exponent 1/r.
    """
    window: dict[str, Any] = {"kernel_size": kernel_size, "stride": stride, "ceil_mode": ceil_mode}
    if math.isinf(norm_type):
        return x.map(lambda a: power_pooling.lp_pool(a, norm_type, **window))
    roots = power_sums(x, norm_type, **window).map(np.abs).pow(1.0 / norm_type)
    return covered(with_error_of(power_pooling.lp_pool(x.value, norm_type, **window), roots))


def lp_pool_gradients(
    cotangent: Computed,
    x: Computed,
    norm_type: float,
    kernel_size: Sequence[int],
    stride: Axes | None = None,
    ceil_mode: bool = False,
) -> tuple[Computed, ...]:
    """Gradient of power-average pooling, ``(Σ g·ρ'(S)·k/k) · π'(x)``; for r = ±∞ that of max pooling.

    1. ``ρ' = (1/r)·S^{1/r−1}``: a power of the computed S, with its error, and a product.
    2. ``g·ρ'`` and ``(g·ρ')·k``: two products.
    3. ``Σ g·ρ'·k/k``: the gradient of an average, ``γ_{m+1}``.
    4. ``π' = r·x^{r−1}``: a power and a product. Times the sum of 3: a product.

    For r = ±∞ a window hands its cotangent to one element, with an exact sign: ``γ_{m−1}`` for m − 1 additions.
    """
    window: dict[str, Any] = {"kernel_size": kernel_size, "stride": stride, "ceil_mode": ceil_mode}
    value = power_pooling.lp_pool_gradient(cotangent.value, x.value, norm_type, **window)
    if math.isinf(norm_type):
        indices = power_pooling.extreme(x.value, norm_type, **window)[1]
        taken = to_indices(cotangent, indices, x.shape, len(kernel_size))
        error = None if taken.error is None else taken.error * np.abs(np.sign(x.value))
        return (Computed(value, x.format, error),)
    size = Computed.operand(float(math.prod(kernel_size)), x.format)
    with np.errstate(invalid="ignore"):  # a power of zero may be infinite, and nothing covers it times zero
        slopes = (_root_power(x, norm_type, 1.0, window) * rounded_constant(1.0 / norm_type, x)).stored()
        shares = ((cotangent * slopes).stored() * size).stored()
        spread = _spread_shares(shares, x.shape, window)
        return (covered(with_error_of(value, spread * _slope_of_power(x, norm_type))),)


def lp_pool_second(
    g: Computed,
    x: Computed,
    h: Computed,
    norm_type: float,
    kernel_size: Sequence[int],
    stride: Axes | None = None,
    ceil_mode: bool = False,
) -> tuple[Computed, Computed]:
    """:func:`refimpl.power_pooling.lp_pool_second`: the steps of the gradient ``(Σ g·ρ'·k/k) · π'``, differentiated.

    1. To ``Σ g·ρ'·k/k`` goes ``h·π'``, a product; from there to ``g·ρ'`` goes ``T = k·avg(h·π')``, an average and a
       product.
    2. To g goes ``T·ρ'``, a product.
    3. To x, through S, goes ``π'·Σ f·k/k`` with ``f = ((T·g)·(1/r)) · ((1/r − 1)·S^{1/r−2})``: a power and the products
       that the brackets say, a product with k, the gradient of an average, a product.
    4. To x, through the power, goes ``((h·Σ g·ρ'·k/k)·r) · ((r − 1)·x^{r−2})``: a power and the products that the
       brackets say.
    5. The two that go to x are added: one rounding. For r = 1 both slopes are constant, and exactly nothing goes to x.

    Nothing comes near the largest number on the way (:func:`largest_on_the_way`).
    """
    window: dict[str, Any] = {"kernel_size": kernel_size, "stride": stride, "ceil_mode": ceil_mode}
    values = power_pooling.lp_pool_second(h.value, g.value, x.value, norm_type, **window)
    if math.isinf(norm_type):
        return Computed.operand(values[0], x.format), Computed.operand(values[1], x.format)
    with np.errstate(invalid="ignore"):  # zero times an infinite power, which nothing covers
        to_g, *to_x = _second_steps(g, x, h, norm_type, window)[:3]
        to_input = Computed.operand(values[1], x.format)
        if norm_type != 1:
            to_input = covered(with_error_of(values[1], (to_x[0] + to_x[1]).stored()))
        return covered(with_error_of(values[0], to_g)), to_input


def largest_on_the_way(g: Computed, x: Computed, h: Computed, norm_type: float, **window: Any) -> float:
    """The largest magnitude that a step of :func:`lp_pool_second` may have, but for those that are infinite."""
    with np.errstate(invalid="ignore"):
        steps = _second_steps(g, x, h, norm_type, window) if not math.isinf(norm_type) else ()
    sizes = [np.where(np.isfinite(step.value), covered(step).reach, 0.0) for step in steps]
    return max((float(size.max(initial=0.0)) for size in sizes), default=0.0)


def _second_steps(
    g: Computed, x: Computed, h: Computed, norm_type: float, window: dict[str, Any]
) -> tuple[Computed, ...]:
    """What goes to g, what to x through S, what to x through the power, and every step before."""
    r, k = rounded_constant(norm_type, x), Computed.operand(float(math.prod(window["kernel_size"])), x.format)
    inverse, inverse_less_one = (rounded_constant(c, x) for c in (1.0 / norm_type, 1.0 / norm_type - 1.0))
    root_less_one, root_less_two = (_root_power(x, norm_type, less, window) for less in (1.0, 2.0))
    root_slope, power_slope = (root_less_one * inverse).stored(), _slope_of_power(x, norm_type)
    directed, shares = (h * power_slope).stored(), (g * root_slope).stored()
    total = (_averages(directed, window) * k).stored()
    to_g = (total * root_slope).stored()
    scaled = ((total * g).stored() * inverse).stored()
    root_bend = (root_less_two * inverse_less_one).stored()
    bent, times_k = (scaled * root_bend).stored(), (shares * k).stored()
    through_root = (_spread_shares((bent * k).stored(), x.shape, window) * power_slope).stored()
    of_power = ((h * _spread_shares(times_k, x.shape, window)).stored() * r).stored()
    power_less_two = x.pow(norm_type - 2.0).stored()
    power_bend = (power_less_two * rounded_constant(norm_type - 1.0, x)).stored()
    before = (root_less_one, root_less_two, root_slope, power_slope, directed, shares, total, scaled, root_bend, bent)
    return to_g, through_root, (of_power * power_bend).stored(), *before, times_k, of_power, power_less_two, power_bend


def _root_power(x: Computed, norm_type: float, less: float, window: dict[str, Any]) -> Computed:
    """``|S|^{1/r−less}`` of each window, stored; zero where S is exactly zero."""
    sums = power_sums(x, norm_type, **window)
    return sums.map(np.abs).pow(1.0 / norm_type - less).stored().map(lambda a: np.where(sums.reach == 0.0, 0.0, a))


def _slope_of_power(x: Computed, norm_type: float) -> Computed:
    """``π' = r·x^{r−1}``, the power and the product stored."""
    return (x.pow(norm_type - 1.0).stored() * rounded_constant(norm_type, x)).stored()


def _spread_shares(shares: Computed, shape: tuple[int, ...], window: dict[str, Any]) -> Computed:
    """The gradient of an average of k elements: ``γ_{m+1}``, m the windows that hold an element."""
    size = math.prod(window["kernel_size"])

    def spread(g: Array) -> Array:
        return pooling.average_pool_gradient(g, shape, divisor_override=size, **window)

    windows = int(spread(np.ones(shares.shape)).max(initial=0.0) * size + 0.5)
    return averaged(shares, spread, windows + 1)


def power_sums(x: Computed, norm_type: float, **window: Any) -> Computed:
    """S of each window, as an average times k; that of zeros alone is exactly zero."""
    averages = _averages(x.pow(norm_type).stored(), window)
    sums = (averages * Computed.operand(float(math.prod(window["kernel_size"])), x.format)).stored()
    something = pooling.average_pool(x.reach, **window) > 0.0
    return Computed(sums.value, x.format, np.where(something, sums.off, 0.0))


def _averages(x: Computed, window: dict[str, Any]) -> Computed:
    """The sum of each window divided by k, even where the window reaches past the input: ``γ_{k+1}``."""
    elements = math.prod(window["kernel_size"])

    def average(a: Array) -> Array:
        return pooling.average_pool(a, divisor_override=elements, **window)

    return averaged(x, average, elements + 1)
