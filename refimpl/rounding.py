"""Rounding errors: what an implementation in a given precision may be off by, derived and never tuned.

The model is the standard one (Higham, *Accuracy and Stability of Numerical Algorithms*, 2nd ed., §2.2 and §3.1):
``fl(x ∘ y) = (x ∘ y)(1 + δ)``, ``|δ| ≤ u``, with u the unit roundoff; a sum or product of n factors ``(1 + δ)``
is ``1 + θ_n`` with ``|θ_n| ≤ γ_n = n·u / (1 − n·u)``. A result below the smallest normal number η may be rounded
to a subnormal or flushed to zero, so a product or quotient is off by up to η more (ibid., eq. 2.8; flushing makes
it η and not half the smallest subnormal).

:class:`Computed` carries a value together with a bound on its error through a formula, operation by operation
(running error analysis, ibid., §3.3). The bounds of whole layers are in :mod:`refimpl.bounds`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import ml_dtypes
import numpy as np

from refimpl.arrays import Array, float64


@dataclass(frozen=True)
class Precision:
    """A floating-point format.

    bits: of its significand, the hidden one counted; underflow: η, the most that a result near zero may be off by:
    the smallest normal number where results below it may be flushed to zero, half the smallest subnormal in float16,
    which no hardware flushes.
    """

    name: str
    bits: int
    underflow: float
    largest_exponent: int

    @property
    def unit_roundoff(self) -> float:
        """``u = 2^−bits``: half the distance from 1 to the next larger number.

        >>> FLOAT32.unit_roundoff == 2**-24, BFLOAT16.unit_roundoff == 2**-8
        (True, True)
        """
        return 2.0**-self.bits

    @property
    def largest_exact_integer(self) -> int:
        """``2^bits``: every integer up to it is a number of this format, so their sums are exact."""
        return 2**self.bits

    @property
    def largest(self) -> float:
        """The largest finite number: ``(2 − 2·u)·2^e``, e the largest exponent.

        >>> FLOAT16.largest, FLOAT64.largest == float(np.finfo(np.float64).max)
        (65504.0, True)
        """
        return (2.0 - 2.0 * self.unit_roundoff) * 2.0**self.largest_exponent


FLOAT64 = Precision("float64", 53, 2.0**-1022, 1023)
FLOAT32 = Precision("float32", 24, 2.0**-126, 127)
FLOAT16 = Precision("float16", 11, 2.0**-25, 15)
BFLOAT16 = Precision("bfloat16", 8, 2.0**-126, 127)
TF32 = Precision("tf32", 11, 2.0**-126, 127)
INTEGERS = {
    name: Precision(name, bits, 0.0, bits)
    for name, bits in {"int64": 63, "int32": 31, "int16": 15, "int8": 7, "uint8": 8}.items()
}


ELEMENTWISE, WINOGRAD, LARGE_WINOGRAD, FFT = ALGORITHMS = ("elementwise", "Winograd F(2)", "Winograd F(4)", "FFT")
"""Ways to form sums of products: one by one in any order, or so that errors are small beside norms alone."""
IN_NORM = (WINOGRAD, LARGE_WINOGRAD, FFT)
RECIPROCAL = "reciprocal"
"""A way to average: by a product with the rounded 1/n, of sums or of each term, in place of a quotient."""


@dataclass(frozen=True)
class Format:
    """How a subject computes: results are kept in ``storage``, sums are formed in ``accumulator``.

    Where ``products`` is given, a sum of products may round its operands to it first, as TF32 units do.
    For the 16-bit formats the accumulator is float32, which is what torch documents for its matrix products
    (torch.backends, "reduced precision reduction" off) and what hardware offers. Where ``in_gradients`` is given,
    gradients are summed in it. ``split_k`` is into how many parts a sum of products may be split, each of which is
    stored before they are added. ``algorithm`` is how convolutions (:mod:`refimpl.bounds.algorithms`) or averages are
    computed.
    """

    storage: Precision
    accumulator: Precision
    products: Precision | None = None
    in_gradients: Precision | None = None
    split_k: int = 1
    algorithm: str = ELEMENTWISE

    def __str__(self) -> str:
        return self.storage.name

    @property
    def backward(self) -> Format:
        """The same, as gradients are computed.

        >>> Format(BFLOAT16, FLOAT32, in_gradients=BFLOAT16).backward == Format(BFLOAT16, BFLOAT16)
        True
        """
        return replace(self, accumulator=self.in_gradients, in_gradients=None) if self.in_gradients else self

    def summing_in_storage(self, forward: bool) -> Format:
        """The same, but that sums are rounded to the storage on the way: those of gradients, and ``forward`` all."""
        return replace(self, accumulator=self.storage if forward else self.accumulator, in_gradients=self.storage)

    @property
    def largest_sum(self) -> float:
        """The largest number that a sum on the way has to hold, in however few bits: float32's in 16 bits.

        >>> Format(FLOAT16, FLOAT16).largest_sum == FLOAT32.largest
        True
        """
        return FORMATS[self.storage.name].accumulator.largest


FORMATS = {
    "float64": Format(FLOAT64, FLOAT64),
    "float32": Format(FLOAT32, FLOAT32),
    "float16": Format(FLOAT16, FLOAT32),
    "bfloat16": Format(BFLOAT16, FLOAT32),
    "tf32": Format(FLOAT32, FLOAT32, TF32),
    # Integers wrap, and so do their sums in any order, whatever wider integer they are formed in. The accumulator is
    # the loops' own: what it holds exactly, wrapped, is the one right answer.
    **{name: Format(integer, FLOAT64) for name, integer in INTEGERS.items()},
}


def gamma(n: Array | float, precision: Precision) -> Array:
    """``γ_n = n·u / (1 − n·u)``, elementwise; infinite where ``n·u ≥ 1``, where nothing can be promised.

    >>> float(gamma(3, FLOAT64)) == 3 * 2.0**-53 / (1 - 3 * 2.0**-53)
    True
    """
    nu = np.asarray(n, dtype=np.float64) * precision.unit_roundoff
    return np.divide(nu, 1.0 - nu, out=np.full(nu.shape, np.inf), where=nu < 1.0)


def rounding_of(magnitude: Array, n: Array | float, precision: Precision) -> Array:
    """``γ_n·magnitude``; where nothing but zeros is summed no rounding happens, however many they are.

    >>> rounding_of(np.array([0.0, 1.0]), 2**60, FLOAT64)
    array([ 0., inf])
    """
    return limited(gamma(n, precision), magnitude)


def limited(relative: Array, magnitude: Array) -> Array:
    """``relative·magnitude``, and zero where one of them is, though nothing limits the other.

    >>> limited(np.array([np.inf, np.inf, 0.5, 0.0]), np.array([0.0, 1.0, 4.0, np.inf]))
    array([ 0., inf,  2.,  0.])
    """
    some = (magnitude != 0) & (np.asarray(relative) != 0)
    return np.multiply(relative, magnitude, out=np.zeros(np.shape(magnitude)), where=some)


def round_to(values: Array, precision: Precision) -> Array:
    """The nearest numbers of a format, as float64; past its largest that is infinity (IEEE 754, 4.3.1).

    An integer of a narrower type wraps (two's complement).

    >>> round_to(np.array([1 + 2.0**-9]), BFLOAT16)
    array([1.])
    >>> round_to(np.array([65519.0, -65520.0]), FLOAT16)
    array([65504.,   -inf])
    >>> round_to(np.array([130.0, -1.0]), INTEGERS["int8"]), round_to(np.array([-1.0]), INTEGERS["uint8"])
    (array([-126.,   -1.]), array([255.]))
    """
    if precision.name in INTEGERS:
        return float64(values).astype(np.int64).astype(precision.name).astype(np.float64)
    dtype = ml_dtypes.bfloat16 if precision is BFLOAT16 else precision.name
    with np.errstate(over="ignore"):
        return float64(values).astype(dtype).astype(np.float64)


@dataclass(frozen=True)
class Computed:
    """What a formula gives exactly (``value``), and how far its computation in a format may be off (``error``).

    ``error`` bounds ``|computed − value|`` elementwise; None means that there is no error yet (an operand).
    Arithmetic on Computed follows the rounding of each operation in the accumulator; :meth:`stored` rounds to the
    storage where a subject keeps a result.

    >>> x = Computed.operand(np.array([3.0]), FORMATS["float64"])
    >>> bool((x * x + x).error[0] < 24 * FLOAT64.unit_roundoff)
    True
    """

    value: Array
    format: Format
    error: Array | None = None

    @classmethod
    def operand(cls, values: Array | float, format: Format) -> Computed:
        """An exactly known operand."""
        return cls(np.asarray(values, dtype=np.float64), format)

    @property
    def precision(self) -> Precision:
        """What this is computed in: the accumulator."""
        return self.format.accumulator

    def stored(self) -> Computed:
        """Rounded to the storage: ``u·(|value| + error) + η`` more.

        Nothing is rounded where the storage is the accumulator, or where elements were only moved.
        """
        storage = self.format.storage
        if storage is self.precision or self.error is None:
            return self
        rounding = storage.unit_roundoff * self.reach + storage.underflow
        return Computed(self.value, self.format, self.off + rounding)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the value."""
        return self.value.shape

    @property
    def off(self) -> Array:
        """The error as an array: zeros for an operand."""
        return np.zeros(self.value.shape) if self.error is None else self.error

    @property
    def reach(self) -> Array:
        """``|value| + error``, the largest magnitude that the computed value can have."""
        return np.abs(self.value) + self.off

    def __neg__(self) -> Computed:
        return Computed(-self.value, self.format, self.error)

    def __add__(self, other: Computed) -> Computed:
        return self._rounded(self.value + other.value, self.off + other.off)

    def __sub__(self, other: Computed) -> Computed:
        return self + (-other)

    def __mul__(self, other: Computed) -> Computed:
        """``|x̂ŷ − xy| ≤ e_x·(|y| + e_y) + |x|·e_y``; unbounded where nothing limits a factor, which may be infinite.

        >>> zero, any = (Computed(np.zeros(1), FORMATS["float32"], np.array([e])) for e in (0.0, np.inf))
        >>> (zero * any).off, (zero * any).sum().off
        (array([inf]), np.float64(inf))
        """
        with np.errstate(invalid="ignore"):
            off = self.off * other.reach + np.abs(self.value) * other.off
        return self._rounded(self.value * other.value, np.where(np.isnan(off), np.inf, off), underflows=True)

    def __truediv__(self, other: Computed) -> Computed:
        """``|x̂/ŷ − x/y| ≤ (e_x + |x/y|·e_y) / (|y| − e_y)``; unbounded where ŷ may be zero."""
        value = self.value / other.value
        least = np.abs(other.value) - other.off
        off = np.full(value.shape, np.inf)
        np.divide(self.off + np.abs(value) * other.off, least, out=off, where=least > 0)
        return self._rounded(value, off, underflows=True)

    def exp(self) -> Computed:
        """``e^x̂ − e^x = e^x(e^{x̂−x} − 1)``; a library's exp is taken to be within ε = 4u (2 ulp)."""
        value = np.exp(self.value)
        near, far = value * np.expm1(np.minimum(self.off, 1.0)), np.exp(self.value + self.off) - value
        return self._library(value, np.where(self.off > 1.0, far, near))

    def log(self) -> Computed:
        """``|log x̂ − log x| ≤ −log(1 − e_x/x)``; a library's log is taken to be within ε = 4u (2 ulp)."""
        relative = np.minimum(self.off / self.value, 1.0)
        with np.errstate(divide="ignore"):
            return self._library(np.log(self.value), -np.log1p(-relative))

    def pow(self, exponent: float) -> Computed:
        """``x̂^r̂`` for a constant r, which a subject may round to its storage first, by ``δ = |r̂ − r|``.

        ``x̂^r̂ / x^r = e^{r̂·log x̂ − r·log x}``, and with ``L = −log(1 − e_x/|x|) ≥ |log|x̂/x||`` the exponent is at most
        ``|r|·L + δ·(|log|x|| + L)``. Where x̂ may be zero or of the other sign and r > 0, ``x^r`` is off by at most
        ``(|x| + e_x)^r̂ + |x|^r``; where r < 0 it is unbounded. A library's pow is taken to be within ε = 4u (2 ulp).

        >>> root = Computed.operand(np.array([4.0]), FORMATS["float32"]).pow(0.5)
        >>> root.value, bool(root.error[0] <= 4 * FLOAT32.unit_roundoff * 2.0 + FLOAT32.underflow)
        (array([2.]), True)
        """
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            value, size = np.power(self.value, exponent), np.abs(self.value)
            change = abs(float(round_to(np.asarray(exponent), self.format.storage)) - exponent)
            spread = -np.log1p(-np.minimum(np.where(self.off > 0.0, self.off / size, 0.0), 1.0))
            distance = np.where(size > 0.0, np.abs(np.log(size)), 0.0)
            off = np.abs(value) * np.expm1(abs(exponent) * spread + change * (distance + spread))
            around = np.maximum(self.reach ** (exponent - change), self.reach ** (exponent + change)) + np.abs(value)
        off = np.where(self.off < size, off, np.where(self.off > 0.0, around if exponent > 0.0 else np.inf, 0.0))
        return self._library(value, off)

    def sum(self, axis: int | tuple[int, ...] | None = None, keepdims: bool = False) -> Computed:
        """A sum of n terms in any order: ``γ_{n−1}·Σ|x̂_i| + Σe_i`` (Higham, eq. 4.4)."""
        value = self.value.sum(axis=axis, keepdims=keepdims)
        off = self.off.sum(axis=axis, keepdims=keepdims)
        terms = self.value.size // max(value.size, 1)
        magnitude = np.asarray(self.reach.sum(axis=axis, keepdims=keepdims))
        return Computed(value, self.format, off + rounding_of(magnitude, max(terms - 1, 0), self.precision))

    def map(self, function: Callable[[Array], Array]) -> Computed:
        """Move elements without arithmetic: the same selection or reshape for value and error."""
        return Computed(function(self.value), self.format, None if self.error is None else function(self.error))

    def scattered(self, scatter: Callable[[Array], Array], terms: Array | int) -> Computed:
        """A linear map that adds up to ``terms`` elements, each times a factor of one, into every element."""
        off = scatter(self.off) + rounding_of(scatter(self.reach), terms, self.precision)
        return Computed(scatter(self.value), self.format, off)

    def _rounded(self, value: Array, off: Array, underflows: bool = False) -> Computed:
        off = off + self.precision.unit_roundoff * (np.abs(value) + off)
        return Computed(value, self.format, off + self.precision.underflow if underflows else off)

    def _library(self, value: Array, off: Array) -> Computed:
        off = off + 4.0 * self.precision.unit_roundoff * (np.abs(value) + off)
        return Computed(value, self.format, off + self.precision.underflow)
