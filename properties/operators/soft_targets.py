"""torch.nn.CrossEntropyLoss of class probabilities, an operand with a gradient of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import strategies as st

from properties.cases import large
from properties.cases.case import COIN, Case, Geometry, among, cases
from properties.operators.loss import chosen, input_shapes, output_shape
from properties.operators.record import Operator
from properties.worker.programs import soft_targets as programs
from refimpl import loss, soft_targets
from refimpl.arrays import Array
from refimpl.bounds import loss as loss_bounds
from refimpl.bounds import soft_targets as bounds


@st.composite
def geometry(draw: st.DrawFn) -> Geometry:
    """Any input, a probability for each of its elements, and each option in half of the cases."""
    shape = draw(input_shapes())
    options = draw(chosen(shape[min(1, len(shape) - 1)]))
    if 0 in shape:  # what is no mean of nothing
        options["reduction"] = draw(among("sum", "none"))
    if draw(COIN):
        options["label_smoothing"] = draw(among(0.1, 0.25, 0.5, 1.0, 0.0))
    return {"input": shape, "target": shape}, options


def _of(draw: st.DrawFn, rows: int, classes: int) -> Geometry:
    reduction = {"reduction": draw(among("sum", "none"))} if draw(COIN) else {}
    return {"input": (rows, classes), "target": (rows, classes)}, reduction


LARGE = large.at_most(1025, large.each(_of, rows=large.FEW, classes=(2, 3)), "rows", "classes")
"""Probabilities of classes need not add up to one: losses of more are past what float16 holds."""


def probabilities(case: Case, name: str, values: Array) -> Array:
    """For the target numbers from 0 to 1: the fraction of a value, 1 for whole numbers but 0, NaN unless finite."""
    if name != "target":
        return values
    with np.errstate(invalid="ignore"):
        fractions = np.fmod(np.abs(values), 1.0)
    return np.where((fractions == 0.0) & (values != 0.0), 1.0, fractions)


def _weighted(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function of a case's arguments, whose weights are a tuple, not an array."""

    def weighted(*operands: Any, weight: Any = None, **options: Any) -> Any:
        return function(*operands, weight=None if weight is None else np.array(weight), **options)

    return weighted


def _gradients(g: Array, x: Array, target: Array, **options: Any) -> tuple[Array, Array]:
    to_target = soft_targets.cross_entropy_target_gradient(x, target, g, **options)
    return loss.cross_entropy_gradient(x, target, g, **options), to_target


OPERATORS = (
    Operator(
        name="cross_entropy_probabilities",
        layer="torch.nn.CrossEntropyLoss",
        systems=("S20",),
        cases=cases(geometry()),
        program=programs.cross_entropy_probabilities,
        reference=_weighted(loss.cross_entropy),
        bound=_weighted(lambda x, target, **options: loss_bounds.cross_entropy(x, target.value, **options)),
        gradients=_weighted(_gradients),
        gradient_bounds=_weighted(bounds.cross_entropy_soft_gradients),
        second=_weighted(bounds.cross_entropy_soft_second),
        output_shape=output_shape,
        traits=frozenset({"loss"}),
        inexact="an exponential of an integer is no integer",
        domain=probabilities,
        large=LARGE,
    ),
)
