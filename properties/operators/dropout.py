"""torch.nn.Dropout, Dropout1d/2d/3d, AlphaDropout and FeatureAlphaDropout.

Which elements are dropped is drawn at random, and no loop says it. So cases are those in which nothing is left to
chance: evaluation, and probabilities of 0 and 1. What is dropped otherwise, laws of their own hold
(``laws/test_dropout.py``), by the mask that a result shows.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from hypothesis import strategies as st

from properties.cases.case import Geometry, among, cases, sizes
from properties.cases.dealing import dealt
from properties.operators import constraints as must
from properties.operators.activation import elements_geometry
from properties.operators.record import Operator
from properties.worker.programs import dropout as programs
from refimpl import double_backward, dropout
from refimpl.arrays import Array
from refimpl.bounds import dropout as bounds
from refimpl.rounding import Computed

CERTAIN = ((0.5, False), (0.0, True), (1.0, True), (0.25, False), (1.0, False))
"""Probabilities and modes, training or not, in which nothing is left to chance."""
DROPPED = {
    "dropout": (dropout.dropout, bounds.dropout, bounds.dropout_gradients),
    "alpha_dropout": (dropout.alpha_dropout, bounds.alpha_dropout, bounds.alpha_dropout_gradients),
}
"""Loops and bounds for a mask that is known."""


def of_channels(operator: Operator) -> bool:
    """True if whole channels are dropped."""
    return operator.name.startswith("feature_")


def dropped(operator: Operator) -> tuple[Callable[..., Any], ...]:
    """The loop of a dropout, its bound, and that of its gradient, each for a known mask and a probability."""
    return DROPPED[operator.name.removeprefix("feature_")]


@st.composite
def geometry(draw: st.DrawFn, channels: bool) -> Geometry:
    """Any elements, or (N, C) and one to three axes, in evaluation or with a probability of 0 or 1."""
    if channels:
        spatial = (*draw(among((), (2,), (2, 3))), draw(sizes(1, 33)))
        shapes = {"input": (draw(among(2, 1, 3)), draw(among(2, 1, 3, 17)), *spatial)}
    else:
        shapes, _ = draw(elements_geometry())
    p, training = dealt(draw, "training", CERTAIN)
    return shapes, {"p": p, "training": training}


def _certain(p: float, training: bool) -> tuple[float, float]:
    """What is kept, all or nothing, and the probability by which it is scaled."""
    if training and 0.0 < p < 1.0:
        raise ValueError(f"p={p} leaves to chance what is kept")
    return (0.0, 1.0) if training and p == 1.0 else (1.0, 0.0)


def _operator(name: str, layer: str) -> Operator:
    loop, bound, gradient = DROPPED[name.removeprefix("feature_")]

    def reference(x: Array, p: float, training: bool) -> Array:
        kept, scale = _certain(p, training)
        return np.asarray(loop(x, np.full(np.shape(x), kept), scale))

    def with_errors(x: Computed, p: float, training: bool) -> Computed:
        kept, scale = _certain(p, training)
        return bound(x, np.full(x.shape, kept), scale)

    return Operator(
        name=name,
        layer=f"torch.nn.{layer}",
        systems=(),
        cases=cases(geometry(name.startswith("feature_"))),
        program=getattr(programs, name),
        reference=reference,
        bound=with_errors,
        gradients=lambda g, x, **how: (g * _certain(**how)[0],),
        gradient_bounds=lambda g, x, **how: gradient(g, x, np.full(x.shape, _certain(**how)[0]), _certain(**how)[1]),
        second=partial(double_backward.linear, with_errors),
        output_shape=lambda case: case.shapes["input"],
        traits=frozenset({"random", "in place"}),
        constraints=(
            must.argument_is(
                "p is a probability", "p", (-0.5, -1e-3, 1.0 + 2.0**-10, 2.0),
                f"torch.nn.{layer}: p is the 'probability of an element to be zeroed'",
            ),
        ),
    )  # fmt: skip


OPERATORS = (
    _operator("dropout", "Dropout"),
    _operator("feature_dropout", "Dropout2d"),
    _operator("alpha_dropout", "AlphaDropout"),
    _operator("feature_alpha_dropout", "FeatureAlphaDropout"),
)
