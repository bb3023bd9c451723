"""Reductions with their errors; n is the number of elements of a row."""

from __future__ import annotations

import numpy as np

from refimpl import reduction
from refimpl.arrays import Array, Axes, alike
from refimpl.bounds.common import covered, product, smallest, with_error_of
from refimpl.bounds.pooling import averaged, known
from refimpl.rounding import Computed, gamma


def total(x: Computed, dim: Axes | None = None, keepdim: bool = False) -> Computed:
    """:func:`refimpl.reduction.total`: n − 1 additions in any order, ``γ_{n−1}·Σ|x̂|``."""
    additions = max(reduction.count(x.shape, dim) - 1, 0)
    return x.scattered(lambda a: reduction.total(a, dim, keepdim), additions).stored()


def total_gradients(
    cotangent: Computed, x: Computed, dim: Axes | None = None, keepdim: bool = False
) -> tuple[Computed, ...]:
    """The cotangent at each element of its row: nothing is rounded."""
    return (cotangent.map(lambda g: reduction.total_gradient(g, x.shape, dim, keepdim)),)


def mean(x: Computed, dim: Axes | None = None, keepdim: bool = False) -> Computed:
    """:func:`refimpl.reduction.mean`: n − 1 additions and one division, or a product with the rounded 1/n."""
    return averaged(x, lambda a: reduction.mean(a, dim, keepdim), reduction.count(x.shape, dim) + 1)


def mean_gradients(
    cotangent: Computed, x: Computed, dim: Axes | None = None, keepdim: bool = False
) -> tuple[Computed, ...]:
    """``g/n``, or a product with the rounded 1/n."""
    n = reduction.count(x.shape, dim)
    return (averaged(cotangent, lambda g: reduction.total_gradient(g, x.shape, dim, keepdim) / n, 2),)


def mean_second(
    cotangent: Computed, x: Computed, h: Computed, dim: Axes | None = None, keepdim: bool = False
) -> tuple[Computed, Computed]:
    """To g the mean of h, as a sum of quotients, each of which is stored; to x nothing.

    In float16, 36/3 + 61/3 is 12 + 20.328125, which is stored as 32.3125:

    >>> from refimpl.rounding import FORMATS
    >>> g, x, h = (Computed.operand(v, FORMATS["float16"]) for v in (1.0, np.zeros(3), np.array([36.0, 61.0, 0.0])))
    >>> bool(abs(32.3125 - 97.0 / 3.0) <= mean_second(g, x, h)[0].off)
    True
    """
    n = reduction.count(x.shape, dim)
    computed = total(averaged(h, lambda values: values / n, 2), dim, keepdim)
    to_cotangent = with_error_of(reduction.mean(h.value, dim, keepdim), computed)
    return to_cotangent, Computed.operand(np.zeros(x.shape), x.format)


def extreme(
    x: Computed, dim: Axes | None = None, keepdim: bool = False, largest: bool = True
) -> tuple[Computed, Array]:
    """:func:`refimpl.reduction.extreme`: comparisons do not round. Raises ValueError for an x with errors."""
    values, indices = reduction.extreme(known(x), dim, keepdim, largest)
    return Computed(values, x.format), indices


def index(x: Computed, dim: Axes | None = None, keepdim: bool = False, largest: bool = True) -> Array:
    """The index of an extreme, of all elements in their order where no axis is told. Raises ValueError as above."""
    return extreme(x, dim, keepdim, largest)[1]


def extreme_gradients(
    cotangent: Computed, x: Computed, dim: Axes | None, keepdim: bool = False, largest: bool = True
) -> tuple[Computed, ...]:
    """The cotangent at one element of each row: nothing is rounded."""
    _, indices = reduction.extreme(known(x), dim, keepdim, largest)
    return (cotangent.map(lambda g: reduction.extreme_gradient(g, indices, x.shape, dim)),)


def extreme_second(
    cotangent: Computed, x: Computed, h: Computed, dim: Axes | None, keepdim: bool = False, largest: bool = True
) -> tuple[Computed, Computed]:
    """To g the elements of h where the extremes stand, to x nothing."""
    _, indices = reduction.extreme(known(x), dim, keepdim, largest)

    def picked(values: Array) -> Array:
        turned = reduction.rows(alike(values, x.value)[0], dim)
        return turned[np.arange(len(turned)), indices.reshape(-1)].reshape(indices.shape)

    return h.map(picked), Computed.operand(np.zeros(x.shape), x.format)


def logsumexp(x: Computed, dim: Axes, keepdim: bool = False) -> Computed:
    """:func:`refimpl.reduction.logsumexp`: ``m + log Σ e^{x_i − m}``, operation by operation."""
    turned = x.map(lambda a: reduction.rows(a, dim))
    largest = Computed(turned.value.max(1, keepdims=True), x.format, turned.off.max(1, keepdims=True))
    computed = largest + (turned - largest).exp().sum(axis=1, keepdims=True).log()
    value = reduction.logsumexp(x.value, dim, keepdim)
    return with_error_of(value, computed.map(lambda values: values.reshape(value.shape)))


def logsumexp_gradients(cotangent: Computed, x: Computed, dim: Axes, keepdim: bool = False) -> tuple[Computed, ...]:
    """``g·e^{x_i − y}`` from the computed y, as autograd keeps it."""
    with np.errstate(invalid="ignore"):  # of errors that nothing bounds
        computed = covered(_of_rows(cotangent, x, dim, keepdim) * _shares(x, dim))
    return (with_error_of(reduction.logsumexp_gradient(cotangent.value, x.value, dim, keepdim), computed),)


def logsumexp_second(
    cotangent: Computed, x: Computed, h: Computed, dim: Axes, keepdim: bool = False
) -> tuple[Computed, Computed]:
    """``Σ h_i·P_i`` and ``h_i·g·P_i − P_i·Σ h_j·g·P_j`` from the computed y; every step is stored."""
    g, p = _of_rows(cotangent, x, dim, keepdim), _shares(x, dim).stored()
    with np.errstate(invalid="ignore"):  # as above
        to_cotangent, weighted = covered(total((h * p).stored(), dim, keepdim)), product(h, g, p)
        to_input = covered(weighted - product(p, total(weighted, dim, True)))
    values = reduction.logsumexp_second(h.value, cotangent.value, x.value, dim, keepdim)
    return with_error_of(values[0], to_cotangent), with_error_of(values[1], to_input)


def cumulative_sum(x: Computed, dim: int) -> Computed:
    """:func:`refimpl.reduction.cumulative_sum`: element i is a sum of i + 1 terms, ``γ_i·Σ_{j≤i} |x̂_j|``."""
    return x.scattered(lambda a: reduction.cumulative_sum(a, dim), _before(x, dim)).stored()


def cumulative_sum_gradients(cotangent: Computed, x: Computed, dim: int) -> tuple[Computed, ...]:
    """``Σ_{j≥i} g_j``: element i is a sum of n − i terms."""
    after = np.flip(_before(x, dim), dim)
    return (cotangent.scattered(lambda g: reduction.cumulative_sum_gradient(g, dim), after).stored(),)


def cumulative_product(x: Computed, dim: int) -> Computed:
    """:func:`refimpl.reduction.cumulative_product`: element i has i roundings, in any order.

    A product that underflows by η is multiplied by those still to come: ``i·η·Π max(|x_j|, 1)``.
    """
    roundings = _before(x, dim)
    value = reduction.cumulative_product(known(x), dim)
    lost = reduction.cumulative_product(np.maximum(np.abs(x.value), 1.0), dim) * x.precision.underflow
    off = gamma(roundings, x.precision) * np.abs(value) + np.multiply(roundings, lost)
    return Computed(value, x.format, off).stored()


def cumulative_product_gradients(cotangent: Computed, x: Computed, dim: int) -> tuple[Computed, ...]:
    """``Σ_{k≥i} g_k·y_k/x_i``, or without a division where an element is zero.

    A term has at most n roundings of its product and three more, a sum n; the product, the term, their sum and the
    quotient, or parts of the product, may be stored: ``γ_{2n+3}`` in the accumulator and ``γ_6`` in the storage.
    """
    value = reduction.cumulative_product_gradient(cotangent.value, known(x), dim)
    size = reduction.cumulative_product_gradient(np.abs(cotangent.value), np.abs(x.value), dim)
    relative = gamma(2 * x.shape[dim] + 3, x.precision)
    if x.format.storage is not x.precision:
        relative = relative + gamma(6, x.format.storage) * (1.0 + relative)
    grown = reduction.cumulative_product(np.maximum(np.abs(x.value), 1.0), dim).max(dim, keepdims=True, initial=1.0)
    largest = np.abs(cotangent.value).max(dim, keepdims=True, initial=0.0)
    lost = 2.0 * x.shape[dim] * smallest(x) * grown * (1.0 + largest)
    return (Computed(value, x.format, relative * size + lost).stored(),)


def cumulative_product_second(cotangent: Computed, x: Computed, h: Computed, dim: int) -> tuple[Computed, Computed]:
    """:func:`refimpl.reduction.cumulative_product_second`, as autograd forms it of running products, their gradients
    and sums.

    A term has at most n roundings of its product, three factors and a quotient more, and is added up over i, over k,
    and among the running products that begin at each element: ``γ_{4n+6}``. Each of these gives a part of the result,
    which is stored, and so is each sum of two of them: ``γ_{2n+8}`` in the storage. Of a gradient formed as a quotient,
    ``Σ_k g_k·y_k/x_i``, the terms with i = m are there twice, with opposite signs: by its dividend and by its divisor.
    """
    values, n = reduction.cumulative_product_second(h.value, cotangent.value, known(x), dim), x.shape[dim]
    direction, g, size = (np.abs(each.value) for each in (h, cotangent, x))
    to_cotangent, to_input = reduction.cumulative_product_second(direction, g, size, dim)
    divided = np.divide(direction, size, out=np.zeros(x.shape), where=size > 0.0)
    sizes = to_cotangent, to_input + 2.0 * divided * reduction.cumulative_product_gradient(g, size, dim)
    relative = gamma(4 * n + 6, x.precision)
    if x.format.storage is not x.precision:
        relative = relative + gamma(2 * n + 8, x.format.storage) * (1.0 + relative)
    grown = reduction.cumulative_product(np.maximum(np.abs(x.value), 1.0), dim).max(dim, keepdims=True, initial=1.0)
    largest = (1.0 + direction.max(dim, keepdims=True, initial=0.0)) * (1.0 + g.max(dim, keepdims=True, initial=0.0))
    lost = 4.0 * n**2 * smallest(x) * grown * largest
    first, second = (
        Computed(value, x.format, relative * most + lost) for value, most in zip(values, sizes, strict=True)
    )
    return first.stored(), second.stored()


def _before(x: Computed, dim: int) -> Array:
    """How many elements come before one along an axis."""
    return reduction.cumulative_sum(np.ones(x.shape), dim) - 1.0


def _of_rows(values: Computed, x: Computed, dim: Axes, keepdim: bool) -> Computed:
    return values.map(lambda v: reduction.total_gradient(v, x.shape, dim, keepdim))


def _shares(x: Computed, dim: Axes) -> Computed:
    return (x - logsumexp(x, dim, True)).exp()
