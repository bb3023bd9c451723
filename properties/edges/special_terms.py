"""What is promised of losses of single elements, or of rows, where operands are NaN or infinite.

A NaN makes the term of its element, or of its row, NaN, and with it a sum and a mean; no other term is touched, and no
gradient of another element. A term of zero is that of the formula, as zero times its logarithm is zero. Nobody promises
what a term makes of an infinity, which the formula may multiply by zero or take from another; nor what the slope is at
NaN, at zero or at subnormal numbers, where it may be infinite.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from properties.cases.case import Case
from properties.edges.special_values import Promise
from properties.operators import Operator
from properties.verdicts.expected import Expected
from refimpl.arrays import Array
from refimpl.rounding import Format

HALF = 0.5
"""Stands for what is not finite: every operand may be a half."""


def operands_of(operator: Operator, case: Case, format: Format) -> dict[str, Array]:
    """The case's values; of single elements those that are zero stay so, even where there is no slope."""
    operands = operator.operands(case, format)
    rows = operator.output_shape(case.with_arguments(reduction="none"))
    for name, shape in case.shapes.items():
        if shape == rows:
            operands[name] = np.where(case.tensor(name, shape, format) == 0.0, 0.0, operands[name])
    return operands


def of_terms(
    operator: Operator, case: Case, g: Array | None, operands: Mapping[str, Array], format: Format
) -> tuple[Promise, dict[str, Promise]]:
    """What the loss and its gradients, if any, should be, where anything is promised of them."""
    finite = {n: np.where(np.isfinite(v), v, HALF) if v.dtype.kind == "f" else v for n, v in operands.items()}
    free = [operands[name] for name in case.shapes]
    rows = operator.output_shape(case.with_arguments(reduction="none"))
    nan, touched = _of_terms(np.isnan, free, rows), ~_of_terms(np.isfinite, free, rows, np.logical_and)
    smallest = 2.0 ** (1 - format.storage.largest_exponent)
    steep = touched | _of_terms(lambda values: np.abs(values) < smallest, free, rows)
    others = np.broadcast_to((~steep).reshape(rows + (1,) * (free[0].ndim - len(rows))), free[0].shape)
    near = operator.expected(finite, case.arguments, format)["output"]
    if case.arguments.get("reduction") != "none":
        nan, touched = np.asarray(nan.any()), np.asarray(touched.any())
    slopes = {} if g is None else operator.expected_gradients(g, finite, case.arguments, format)
    loss = Promise(Expected(np.where(nan, np.nan, near.values), near.bound), nan | ~touched)
    return loss, {name: Promise(slopes[name], others) for name in slopes}


def _of_terms(
    test: Callable[[Array], Array], operands: list[Array], rows: tuple[int, ...], combined: np.ufunc = np.logical_or
) -> Array:
    """True for each term of which some element, or each of them where they are combined by "and", passes a test."""
    found = combined.reduce([test(values) for values in operands])
    return np.asarray(found if found.shape == rows else combined.reduce(found, axis=-1))
