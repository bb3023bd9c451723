"""What is promised of gradients where the cotangent or an operand holds special values.

A gradient is NaN or infinite where its formula in float64 says so, and nothing else is touched: a NaN in the cotangent
reaches the elements that the output was formed from, and one in an operand reaches the gradients to what it was
multiplied with. Beside what :mod:`properties.edges.special_values` says of every sum of products, nobody promises
whether zeros that stand for no element are multiplied. In the gradient to an input these are the zeros between the
elements of the cotangent that a stride sets apart, and around them; they meet weights that are NaN or ∞. In the
gradient to a weight these are the zeros of the padding; they meet the cotangent, or for a transposed layer its input.

For activations nobody promises whether the slope of a saturated one is zero or only small, which a product with ∞ tells
apart, nor what the slope at NaN is: only that it is one for all NaN (:mod:`properties.edges.few_values`). Nor is
anything promised for a cotangent so large that its product with a part of the slope, such as an exponential, overflows,
nor for an infinite one where a factor beside it is so small that the product of the others may be zero.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from hypothesis import strategies as st

from properties.cases.case import Case
from properties.cases.dealing import dealt, drawn
from properties.edges.special_values import (
    OFTEN,
    PALETTES,
    RARELY,
    Promise,
    Special,
    flush,
    promised,
    same_places,
)
from properties.operators import Operator
from properties.verdicts.expected import Expected
from refimpl.arrays import Array
from refimpl.rounding import Format, round_to


@st.composite
def specials(draw: st.DrawFn, operator: Operator, palettes: tuple[str, ...] = PALETTES) -> Special:
    """An operator's case with special values in operands and cotangent."""
    with drawn("fill"):
        case = draw(operator.cases)
    palette, often = dealt(draw, "values", palettes), dealt(draw, "often", (RARELY, OFTEN))
    return Special(case.shapes, case.arguments, "normal", case.seed, None, palette, often)


def of_gradients(
    operator: Operator, case: Case, cotangent: Array, operands: Mapping[str, Array], format: Format
) -> dict[str, Promise]:
    """What the gradient to each operand should be, where all are linear, elements are selected, or of an activation."""
    assert operator.gradients is not None
    if operator.has("activation") and "weight" in operands:
        return of_weighted(operator, cotangent, operands["input"], operands["weight"], format)
    if operator.has("activation"):
        of = of_halves if operator.has("halves") else of_activation
        return {"input": of(operator, case, cotangent, operands["input"], format)}
    values = [cotangent, *operands.values()]
    # Where elements are selected, the special values decide which.
    finite = [np.where(np.isfinite(v), v, 0.0) for v in values]
    finite = [finite[0], *values[1:]] if operator.has("selecting") else finite
    with np.errstate(over="ignore", invalid="ignore"):
        exact = operator.gradients(*values, **case.arguments)
        beside = dict(zip(operands, finite[1:], strict=True))
        near = operator.expected_gradients(finite[0], beside, case.arguments, format)
        flushed = operator.gradients(*(flush(v, format) for v in values), **case.arguments)
        most, kept = (_magnitudes(operator, case, v) for v in (finite, [flush(v, format) for v in finite]))
    # Parts of a gradient that are stored before they are added up may be no larger than what is stored.
    largest = (format.storage.largest if operator.staged_gradients else format.largest_sum) / 2.0
    open_, promises = _meets_zeros(operator, case, cotangent, operands), {}
    stored = 1.0 + 2.0 * format.storage.unit_roundoff
    for i, name in enumerate(operands):
        certain = (most[i] <= largest) & same_places(exact[i], flushed[i]) & ~open_.get(name, np.False_)
        with np.errstate(over="ignore", invalid="ignore"):
            promises[name] = promised(
                np.asarray(exact[i]), near[name].wider((most[i] - kept[i]) * stored), certain, format
            )
    return promises


SATURATED = 2.0
"""Past it an activation's slope may be taken for zero; one of few bits is flat not much further."""


def of_activation(operator: Operator, case: Case, cotangent: Array, x: Array, format: Format) -> Promise:
    """Where the gradient of an activation should be NaN or infinite; other numbers may be any."""
    assert operator.gradients is not None
    axis, sign = case.arguments.get("dim"), -1.0 if operator.has("falling") else 1.0
    with np.errstate(all="ignore"):
        exact, flat, slope = (
            operator.gradients(g, v, **case.arguments)[0]
            for g, v in ((cotangent, x), (cotangent, sign * _saturated(sign * x, axis)), (np.ones(x.shape), x))
        )
        certain = same_places(exact, flat)
    if axis is None:
        held = ~np.isfinite(cotangent) | (np.abs(cotangent) < np.sqrt(format.storage.largest))
        certain &= np.isfinite(x) & (np.isfinite(cotangent) | (slope != 0.0)) & held
    else:  # a difference on the way may be past the largest number
        held = np.where(np.isfinite(cotangent), np.abs(cotangent), 0.0) < format.storage.largest / 8.0 / max(1, x.size)
        certain &= (held & (sign * x < np.inf)).all(axis, keepdims=True)
    return _of_places(exact, certain, format)


def of_halves(operator: Operator, case: Case, cotangent: Array, x: Array, format: Format) -> Promise:
    """The same where the second half of an axis gates the first: promised where both hold numbers."""
    assert operator.gradients is not None
    axis = case.arguments["dim"]
    a, b = np.split(x, 2, axis)
    with np.errstate(all="ignore"):
        exact, flat, slope = (
            operator.gradients(g, np.concatenate([a, of_b], axis), **case.arguments)[0]
            for g, of_b in ((cotangent, b), (cotangent, _saturated(b, None)), (np.ones(a.shape), b))
        )
    most = np.sqrt(format.storage.largest)
    kept = np.isfinite(cotangent) | (a == 0.0) | (np.abs(a) > 1.0 / most)  # times the slope it is no zero that meets ∞
    held = kept & (np.abs(a) < most) & np.isfinite(b) & (~np.isfinite(cotangent) | (np.abs(cotangent) < most))
    reached = np.isfinite(np.concatenate([cotangent, cotangent], axis)) | (slope != 0.0)
    return _of_places(exact, same_places(exact, flat) & np.concatenate([held, held], axis) & reached, format)


def of_weighted(operator: Operator, cotangent: Array, x: Array, weight: Array, format: Format) -> dict[str, Promise]:
    """The same where elements up to zero are multiplied by a weight; its gradient is a sum over those elements."""
    assert operator.gradients is not None
    assert operator.gradient_magnitude is not None
    with np.errstate(all="ignore"):
        to_input, to_weight = operator.gradients(cotangent, x, weight)
        unknown = operator.gradients(np.ones(x.shape), np.where(np.isnan(x), -1.0, 1.0), weight)[1] != 0.0
        finite = [np.where(np.isfinite(values), values, 0.0) for values in (cotangent, x, weight)]
        most = np.abs(operator.gradient_magnitude(*finite)[1])
        near = np.abs(np.abs(to_input) / format.storage.largest - 1.0) < format.storage.unit_roundoff
    return {
        "input": _of_places(to_input, ~np.isnan(x) & ~near, format),
        "weight": _of_places(to_weight, ~unknown & (most < format.storage.largest / 2.0), format),
    }


def _of_places(exact: Array, certain: Array, format: Format) -> Promise:
    """Where NaN and infinities should be; other numbers may be any."""
    stored = round_to(exact, format.storage)
    return Promise(Expected(stored, np.full(stored.shape, np.inf)), certain)


def _saturated(x: Array, axis: int | None) -> Array:
    """The same values with infinities for those at which the slope may be taken for zero."""
    if axis is None:
        return np.where(np.abs(x) > SATURATED, np.copysign(np.inf, x), x)
    return np.where(x < np.max(x, axis, keepdims=True, initial=-np.inf) - SATURATED, -np.inf, x)


def _magnitudes(operator: Operator, case: Case, values: list[Array]) -> tuple[Array, ...]:
    """The largest that any partial sum of a gradient can get; selected elements are those of the values."""
    function = operator.gradient_magnitude or operator.gradients
    assert function is not None
    sizes = values if operator.has("selecting") else [np.abs(v) for v in values]
    return tuple(np.abs(m) for m in function(*sizes, **case.arguments))


def _meets_zeros(operator: Operator, case: Case, cotangent: Array, operands: Mapping[str, Array]) -> dict[str, Array]:
    """Where a NaN or infinity may meet a zero that stands for no element: by operand, broadcast to its gradient."""
    weight = operands.get("weight")
    if not operator.axes or weight is None:
        return {}
    ones, groups, turned = (1,) * operator.axes, case.arguments["groups"], operator.has("transposed")
    odd = (~np.isfinite(weight)).reshape(groups, len(weight) // groups, weight.shape[1], -1)
    of_inputs = odd.any(axis=(2, 3) if turned else (1, 3)).reshape(-1, *ones)
    sliding = operands["input"] if turned else cotangent
    axes = (*range(sliding.ndim - operator.axes - 1), *range(-operator.axes, 0))
    padded = case.arguments["padding"] != "valid" and np.any([case.arguments["padding"] != (0,) * operator.axes])
    zeros = padded and case.arguments.get("padding_mode", "zeros") == "zeros"
    of_weights = (~np.isfinite(sliding)).any(axis=axes).reshape(-1, 1, *ones) & zeros
    return {"input": of_inputs, "weight": of_weights}
