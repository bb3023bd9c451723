"""Power-average (Lp) pooling with its errors."""

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
    """:func:`refimpl.power_pooling.lp_pool`: the powers, their sum, the root, each step stored; exact for p = ±∞.

    The sum may be formed as an average times k, k the window's elements: ``γ_{k+2}·Σ|x|^p`` for k − 1 additions,
    up to two roundings of the division and one of the product, with one storing more. The root has the exponent 1/p.
    Powers of negative elements and of negative sums are covered for integer p only.
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
    """Gradient of power-average pooling: ``(Σ g·((1/p)·S^{1/p−1})·k/k) · (p·x^{p−1})``, each factor stored.

    A window whose sum is exactly zero adds exactly nothing. The sum over the windows that hold an element is that of
    an average's gradient, ``γ_{m+1}``. For p = ±∞ it is that of max pooling.
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
    """:func:`refimpl.power_pooling.lp_pool_second`, the gradient's own steps differentiated and each stored.

    With ``q = (1/p)·S^{1/p−1}`` and ``r = p·x^{p−1}`` the gradient is ``r·Σ g·q·k/k``. To g goes ``u·q``, with
    ``u = k·Σ h·r/k`` over the window; to x ``r·Σ (u·g·(1/p))·((1/p−1)·S^{1/p−2})·k/k`` through S, and
    ``(h·p·Σ g·q·k/k)·((p−1)·x^{p−2})`` through the power. A window whose sum is exactly zero adds exactly nothing, and
    nothing comes near the largest number on the way (:func:`largest_on_the_way`).
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
    p, k = rounded_constant(norm_type, x), Computed.operand(float(math.prod(window["kernel_size"])), x.format)
    of_root, of_slope = (rounded_constant(c, x) for c in (1.0 / norm_type, 1.0 / norm_type - 1.0))
    root, again = (_root_power(x, norm_type, less, window) for less in (1.0, 2.0))
    q, r = (root * of_root).stored(), _slope_of_power(x, norm_type)
    hr, gq = (h * r).stored(), (g * q).stored()
    u = (_averages(hr, window) * k).stored()
    to_g = (u * q).stored()
    ug = ((u * g).stored() * of_root).stored()
    slope = (again * of_slope).stored()
    bent, shares = (ug * slope).stored(), (gq * k).stored()
    through_root = (_spread_shares((bent * k).stored(), x.shape, window) * r).stored()
    hs = ((h * _spread_shares(shares, x.shape, window)).stored() * p).stored()
    power = x.pow(norm_type - 2.0).stored()
    bend = (power * rounded_constant(norm_type - 1.0, x)).stored()
    before = (root, again, q, r, hr, gq, u, ug, slope, bent, shares, hs, power, bend)
    return to_g, through_root, (hs * bend).stored(), *before


def _root_power(x: Computed, norm_type: float, less: float, window: dict[str, Any]) -> Computed:
    """``|S|^{1/p−less}`` of each window, stored; zero where its sum is exactly that."""
    sums = power_sums(x, norm_type, **window)
    return sums.map(np.abs).pow(1.0 / norm_type - less).stored().map(lambda a: np.where(sums.reach == 0.0, 0.0, a))


def _slope_of_power(x: Computed, norm_type: float) -> Computed:
    """``p·x^{p−1}``, the power and the product stored."""
    return (x.pow(norm_type - 1.0).stored() * rounded_constant(norm_type, x)).stored()


def _spread_shares(shares: Computed, shape: tuple[int, ...], window: dict[str, Any]) -> Computed:
    """The gradient of an average over k elements, k the window's: ``γ_{m+1}``, m the windows that hold an element."""
    size = math.prod(window["kernel_size"])

    def spread(g: Array) -> Array:
        return pooling.average_pool_gradient(g, shape, divisor_override=size, **window)

    windows = int(spread(np.ones(shares.shape)).max(initial=0.0) * size + 0.5)
    return averaged(shares, spread, windows + 1)


def power_sums(x: Computed, norm_type: float, **window: Any) -> Computed:
    """S of each window, as an average times the window's elements; that of zeros alone is exactly zero."""
    averages = _averages(x.pow(norm_type).stored(), window)
    sums = (averages * Computed.operand(float(math.prod(window["kernel_size"])), x.format)).stored()
    something = pooling.average_pool(x.reach, **window) > 0.0
    return Computed(sums.value, x.format, np.where(something, sums.off, 0.0))


def _averages(x: Computed, window: dict[str, Any]) -> Computed:
    """The sum of each window divided by its elements, all of them."""
    elements = math.prod(window["kernel_size"])

    def average(a: Array) -> Array:
        return pooling.average_pool(a, divisor_override=elements, **window)

    return averaged(x, average, elements + 1)
