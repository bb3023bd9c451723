"""Activations with exponentials, softmin and GLU, with their errors. Operands are exact.

A function of single values gives three results with their errors: value, slope and curvature, formed in the precision
of its operand (:mod:`refimpl.bounds.piecewise_activation`).
"""

from __future__ import annotations

import math

import numpy as np

from refimpl import piecewise_activation
from refimpl import smooth_activation as loops
from refimpl.arrays import Array
from refimpl.bounds import activation
from refimpl.bounds.common import exact, formed_constant, product, softened, with_error_of
from refimpl.bounds.piecewise_activation import Jet, wide
from refimpl.rounding import Computed


def elu(x: Computed, alpha: float = 1.0) -> Jet:
    """``α·(e^x − 1)`` where x ≤ 0: near zero the difference is off by u."""
    return _exponential(x, loops.elu(x.value, alpha), alpha, 1.0, 1.0)


def selu(x: Computed) -> Jet:
    """The same, and all of it times the rounded scale."""
    return _exponential(x, loops.selu(x.value), loops.SELU_ALPHA, loops.SELU_SCALE, 1.0)


def celu(x: Computed, alpha: float = 1.0) -> Jet:
    """The same of ``x/α``, perhaps a product with the rounded reciprocal."""
    return _exponential(x, loops.celu(x.value, alpha), alpha, 1.0, alpha)


def gelu(x: Computed, approximate: str = "none") -> Jet:
    """``x·(1 + erf(x/√2))/2``, whose sum is off by u where erf is near −1; the slope is ``Φ + x·φ``."""
    jet = loops.gelu(x.value, approximate)
    if approximate == "tanh":
        return _gelu_by_tanh(x, jet)
    below = (exact(1.0, x) + _erf(x * formed_constant(math.sqrt(0.5), x))) * exact(0.5, x)
    density = _density(x)
    return _kept(x, jet, x * below, below + x * density, density + density - density * x * x)


def silu(x: Computed) -> Jet:
    """``x·s`` and ``s·(1 + x·(1 − s))``; its derivative is that of each factor."""
    s = activation.sigmoid(x)
    rest = exact(1.0, x) - s
    inner, steep = exact(1.0, x) + x * rest, s * rest
    curvature = s * rest + (inner * steep - product(x, s, steep))
    return _kept(x, loops.silu(x.value), x * s, s * inner, curvature)


def mish(x: Computed) -> Jet:
    """``x·t`` and ``t + x·s·(1 − t²)`` with t = tanh(log(1 + e^x)); its derivative is that of each factor."""
    s, t = activation.sigmoid(x), activation.tanh(softened(x))
    flat = exact(1.0, x) - t * t
    through = flat * s
    curvature = through + through + product(x, s, exact(1.0, x) - s, flat) - product(exact(2.0, x), x, s, t, through)
    return _kept(x, loops.mish(x.value), x * t, t + x * (s * flat), curvature)


def softplus(x: Computed, beta: float = 1.0, threshold: float = 20.0) -> Jet:
    """``log(1 + e^{β·x})/β``: far below zero the sum is off by u; the slope ``e^{β·x}/(1 + e^{β·x})``."""
    above, width = beta * x.value > threshold, exact(beta, x)
    scaled = (x * width).map(lambda values: np.where(above, 0.0, values))
    s = activation.sigmoid(scaled)
    parts = (softened(scaled) / width, s, product(s, exact(1.0, x) - s, width))
    return _kept(x, loops.softplus(x.value, beta, threshold), *(_zeroed(part, above) for part in parts))


def softsign(x: Computed) -> Jet:
    """``x/(1 + |x|)``; by the rule of quotients the slope is ``1/d − |x|/d²`` with d = 1 + |x|, and the curvature
    ``sgn x·(2|x|/d³ − 2/d²)``.
    """
    size, one = x.map(np.abs), exact(1.0, x)
    d = one + size
    twice = (one / d + one / d) / d
    return _kept(x, loops.softsign(x.value), x / d, one / d - (size / d) / d, twice * size / d - twice)


def tanhshrink(x: Computed) -> Jet:
    """``x − t``, a difference that cancels near zero; autograd's slope is ``1 − (1 − t²)``, and its product with a
    cotangent g formed as ``g − g·(1 − t²)``: one product more.
    """
    t, one = activation.tanh(x), exact(1.0, x)
    flat = one - t * t
    curvature = product(exact(2.0, x), t, flat)
    return _kept(x, loops.tanhshrink(x.value), x - t, one - flat * one, curvature)


def logsigmoid(x: Computed) -> Jet:
    """``min(x, 0) − log(1 + e^{−|x|})``; the slope is ``z/(1 + z)``, where x < 0 one less that, with ``z = e^{−|x|}``,
    which autograd may keep in the storage.
    """
    lower, power = x.map(lambda values: np.minimum(values, 0.0)), (-x.map(np.abs)).exp()
    storage = x.format.in_gradients or x.precision
    kept = Computed(power.value, x.format, power.off + storage.unit_roundoff * power.reach + storage.underflow)
    share, s = kept / (exact(1.0, x) + kept), activation.sigmoid(x)
    slope = _either(x.value < 0.0, exact(1.0, x) - share, share)
    value = lower - softened(-x.map(np.abs))
    return _kept(x, loops.logsigmoid(x.value), value, slope, (s - exact(1.0, x)) * s)


def softmin(x: Computed) -> Computed:
    """The softmax of −x, which is no rounding."""
    return activation.softmax(-x)


def softmin_gradients(cotangent: Computed, x: Computed) -> tuple[Computed, ...]:
    """The softmax's at −x with the other sign."""
    return (-activation.softmax_gradients(cotangent, -x)[0],)


def softmin_second(h: Computed, g: Computed, x: Computed) -> tuple[Computed, Computed]:
    """Those of the softmax at −x, to the cotangent with the other sign."""
    to_cotangent, to_input = activation.softmax_second(h, g, -x)
    return -to_cotangent, to_input


def glu(x: Computed) -> Computed:
    """``a·σ(b)``, σ formed in the accumulator."""
    a, b = _halves(wide(x))
    return Computed(loops.glu(x.value), x.format, (a * activation.sigmoid(b)).off).stored()


def glu_gradients(cotangent: Computed, x: Computed) -> tuple[Computed, ...]:
    """``g·σ`` and ``g·a·σ·(1 − σ)`` from the computed σ, which may be stored: it is a result of its own."""
    a, b = _halves(x)
    s = activation.sigmoid(b)
    first, second = product(cotangent, s), product(cotangent, a, s, (exact(1.0, b) - s).stored())
    off = np.concatenate([first.off, second.off], axis=-1)
    return (Computed(loops.glu_gradient(cotangent.value, x.value), x.format, off),)


def glu_second(h: Computed, g: Computed, x: Computed) -> tuple[Computed, Computed]:
    """``h_a·σ + h_b·a·σ'``, ``h_b·g·σ'`` and ``h_a·g·σ' + h_b·g·a·σ'·(1 − 2σ)``, σ' = σ·(1 − σ), all stored.

    The last factor is formed of two terms, ``(1 − σ)`` and ``−σ``.
    """
    (a, b), (ha, hb) = _halves(x), _halves(h)
    s = activation.sigmoid(b)
    rest = (exact(1.0, b) - s).stored()
    steep = (s, rest)
    to_cotangent = _added(product(ha, s), product(hb, a, *steep))
    second = _added(product(ha, g, *steep), product(hb, g, a, *steep, rest), -product(hb, g, a, *steep, s))
    off = np.concatenate([product(hb, g, *steep).off, second.off], axis=-1)
    values = loops.glu_second(h.value, g.value, x.value)
    return with_error_of(values[0], to_cotangent), Computed(values[1], x.format, off)


def _exponential(x: Computed, jet: piecewise_activation.Jet, alpha: float, scale: float, width: float) -> Jet:
    """``scale·x``, or ``scale·α·(e^{x/width} − 1)`` where x ≤ 0, by rounded constants in any order."""
    above, low = x.value > 0.0, x.map(lambda values: np.minimum(values, 0.0))
    share = [] if width == 1.0 else [formed_constant(1.0 / width, x)]
    power = product(low, *share).exp()
    factors = [formed_constant(alpha, x), formed_constant(scale, x)]
    value = _either(above, product(x, factors[1]), product(power - exact(1.0, x), *factors))
    straight = factors[1].map(lambda c: np.broadcast_to(c, x.shape))
    slope = _either(above, straight, product(power, *factors, *share))
    return _kept(x, jet, value, slope, _zeroed(product(power, *factors, *share, *share), above))


def _gelu_by_tanh(x: Computed, jet: piecewise_activation.Jet) -> Jet:
    """``x·(1 + t)/2`` with t = tanh z; the slope is ``(1 + t)/2 + x·(1 − t²)·z'/2``, the curvature
    ``(1 − t²)·z' + x·((1 − t²)·z'' − 2·t·(1 − t²)·z'²)/2``.
    """
    half, root = exact(0.5, x), formed_constant(loops.ROOT, x)
    t = activation.tanh((x + product(x, x, x, formed_constant(loops.CUBIC, x))) * root)
    flat, below = exact(1.0, x) - t * t, (exact(1.0, x) + t) * half
    first = (exact(1.0, x) + product(x, x, formed_constant(3.0 * loops.CUBIC, x))) * root
    bend = x * formed_constant(6.0 * loops.ROOT * loops.CUBIC, x)
    curvature = flat * first + product(x, half, flat, bend) - product(x, t, flat, first, first)
    return _kept(x, jet, x * below, below + product(x, half, flat, first), curvature)


def _kept(x: Computed, jet: piecewise_activation.Jet, value: Computed, slope: Computed, curvature: Computed) -> Jet:
    """The loops' results with the errors of formulas."""
    first, second, third = (
        Computed(y, x.format, part.off) for y, part in zip(jet, (value, slope, curvature), strict=True)
    )
    return first, second, third


def _erf(z: Computed) -> Computed:
    """``|erf ẑ − erf z| ≤ 2/√π·e_z``; a library's erf is taken to be within ε = 4u (2 ulp)."""
    values = np.vectorize(math.erf, otypes=[np.float64])(z.value)
    return z._library(values, 2.0 / math.sqrt(math.pi) * z.off)


def _density(x: Computed) -> Computed:
    """``φ(x) = e^{−x²/2}/√(2π)``."""
    return (-(x * x) * exact(0.5, x)).exp() * formed_constant(1.0 / math.sqrt(2.0 * math.pi), x)


def _added(*terms: Computed) -> Computed:
    """Stored terms added up, each sum stored."""
    total = terms[0]
    for term in terms[1:]:
        total = (total + term).stored()
    return total


def _either(which: Array, one: Computed, other: Computed) -> Computed:
    return Computed(np.where(which, one.value, other.value), one.format, np.where(which, one.off, other.off))


def _zeroed(part: Computed, where: Array) -> Computed:
    """No error where there is no rounding."""
    return Computed(part.value, part.format, np.where(where, 0.0, part.off))


def _halves(x: Computed) -> tuple[Computed, Computed]:
    half = x.shape[-1] // 2
    return x.map(lambda values: values[..., :half]), x.map(lambda values: values[..., half:])
