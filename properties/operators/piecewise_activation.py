"""torch.nn.ReLU6, Hardtanh, LeakyReLU, Hardshrink, Softshrink, Threshold, RReLU, Hardsigmoid, Hardswish and PReLU."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from inspect import signature
from typing import Any

from hypothesis import strategies as st

from properties.cases import large
from properties.cases.case import COIN, Case, Geometry, among, cases, sizes
from properties.cases.dealing import dealt
from properties.operators import constraints as must
from properties.operators.activation import LARGE_ELEMENTS, elements_geometry
from properties.operators.record import Operator
from properties.worker.programs import piecewise_activation as programs
from refimpl import piecewise_activation
from refimpl.bounds import piecewise_activation as bounds

SIXTH = "a sixth of an integer is no integer"
CERTAIN = ((0.25, 0.5, False), (0.25, 0.25, True), (None, None, False), (-0.5, 2.0, False), (0.0, 0.0, True))
"""Limits of RReLU's slopes, None for its own, and whether in training: such that nothing is left to chance."""


@st.composite
def with_options(draw: st.DrawFn, **options: tuple[Any, ...]) -> Geometry:
    """Any elements, and one of the values of each option, None for leaving it out."""
    shapes, _ = draw(elements_geometry())
    drawn = {name: dealt(draw, name, values) for name, values in options.items()}
    return shapes, {name: value for name, value in drawn.items() if value is not None}


def elementwise(
    name: str,
    layer: str,
    program: Any,
    jet: Callable[..., piecewise_activation.Jet],
    bound: Callable[..., bounds.Jet],
    inexact: str | None = None,
    constraints: tuple[must.Constraint, ...] = (),
    options: Mapping[str, tuple[Any, ...]] | None = None,
) -> Operator:
    """The record of a function of single values: loops and bounds of value, slope and curvature.

    options: by their names, the values that cases have; numbers of few bits, which every dtype represents.
    """
    return Operator(
        name=name,
        layer=layer,
        systems=(),
        cases=cases(with_options(**options) if options else elements_geometry()),
        program=program,
        reference=lambda x, **chosen: jet(x, **chosen)[0],
        bound=lambda x, **chosen: bounds.value(x, bound(bounds.wide(x), **chosen)),
        gradients=lambda g, x, **chosen: (g * jet(x, **chosen)[1],),
        gradient_bounds=lambda g, x, **chosen: bounds.gradients(g, bound(bounds.wide(x), **chosen)),
        second=lambda g, x, h, **chosen: bounds.second(h, g, bound(bounds.narrow(x), **chosen)),
        output_shape=lambda case: case.shapes["input"],
        traits=frozenset({"activation", "in place"} if "inplace" in signature(program).parameters else {"activation"}),
        inexact=inexact,
        rows=lambda case: {"input": len(case.shapes["input"])},
        large=LARGE_ELEMENTS,
        constraints=constraints,
    )


@st.composite
def rrelu_geometry(draw: st.DrawFn) -> Geometry:
    """Any elements, and slopes of which none is left to chance."""
    shapes, _ = draw(elements_geometry())
    lower, upper, training = dealt(draw, "training", CERTAIN)
    limits = {} if lower is None else {"lower": lower, "upper": upper}
    return shapes, {**limits, "training": training}


@st.composite
def prelu_geometry(draw: st.DrawFn) -> Geometry:
    """(N, C), or (N, C, *) with one or two axes more, a weight for each channel or one; or one axis and one weight."""
    shape = draw(among((), (2,), (3,)))
    if shape:
        shape = (*shape, draw(among(2, 3, 1, 17)), *draw(among((), (2,))))
    shape = (*shape, draw(sizes(1, 33)))
    several = len(shape) > 1 and draw(COIN)
    return {"input": shape, "weight": (shape[1],) if several else (1,)}, {}


def _prelu_of(draw: st.DrawFn, rows: int, channels: int, size: int) -> Geometry:
    return {"input": (rows, channels, size), "weight": (channels,)}, {}


def _one_weight_more(draw: st.DrawFn, case: Case) -> Case:
    shape = (2, draw(among(2, 3)), 4)
    return case.with_shape("input", shape).with_shape("weight", (shape[1] + 1,))


PRELU = (
    must.Constraint("there is one weight, or one a channel", "torch.nn.PReLU: num_parameters: 'only two values are "
                    "legitimate: 1, or the number of channels at input'", _one_weight_more),
)  # fmt: skip


NOT_NEGATIVE = (
    must.argument_is("lambd is not negative", "lambd", (-1.0, -0.5),
                     "torch.nn.Softshrink: lambd: 'must be no less than zero'"),
)  # fmt: skip
IN_ORDER = (
    must.argument_is("lower is at most upper", "lower", (3.0, 2.5),
                     "torch.nn.RReLU: slopes are 'sampled from uniform distribution U(lower, upper)'"),
)  # fmt: skip
SHRUNK = (None, 0.5, 1.0, 0.0, 2.0)


def _piecewise(
    name: str,
    layer: str,
    inexact: str | None = None,
    constraints: tuple[must.Constraint, ...] = (),
    **options: tuple[Any, ...],
) -> Operator:
    functions = getattr(programs, name), getattr(piecewise_activation, name), getattr(bounds, name)
    return elementwise(name, layer, *functions, inexact, constraints, options)


RRELU = _piecewise("rrelu", "torch.nn.RReLU", constraints=IN_ORDER)
THRESHOLD = _piecewise("threshold", "torch.nn.Threshold", threshold=(0.0, 0.5, -1.0, 1.0), value=(0.0, 2.0, -20.0))


def _above(draw: st.DrawFn, **shape: int) -> Geometry:
    return {"input": tuple(shape.values())}, {"threshold": 0.5, "value": 2.0}


OPERATORS = (
    _piecewise("relu6", "torch.nn.ReLU6"),
    _piecewise("hardtanh", "torch.nn.Hardtanh", min_val=(None, -1.0, -2.0, 0.0), max_val=(None, 1.0, 6.0, 4.0)),
    _piecewise("leaky_relu", "torch.nn.LeakyReLU", negative_slope=(None, 0.01, 0.25, 2.0, 0.0, -1.0)),
    _piecewise("hardshrink", "torch.nn.Hardshrink", lambd=(*SHRUNK, -1.0)),
    _piecewise("softshrink", "torch.nn.Softshrink", constraints=NOT_NEGATIVE, lambd=SHRUNK),
    replace(THRESHOLD, large=large.each(_above, rows=large.FEW, size=large.FEW)),
    replace(RRELU, cases=cases(rrelu_geometry()), traits=RRELU.traits | {"random"}),
    # Torch says of its second gradient that it is not implemented.
    replace(_piecewise("hardsigmoid", "torch.nn.Hardsigmoid", SIXTH), second=None),
    _piecewise("hardswish", "torch.nn.Hardswish", SIXTH),
    Operator(
        name="prelu",
        layer="torch.nn.PReLU",
        systems=(),
        cases=cases(prelu_geometry()),
        program=programs.prelu,
        reference=piecewise_activation.prelu,
        bound=bounds.prelu,
        gradients=piecewise_activation.prelu_gradients,
        gradient_bounds=bounds.prelu_gradients,
        second=bounds.prelu_second,
        output_shape=lambda case: case.shapes["input"],
        traits=frozenset({"activation"}),
        gradient_magnitude=lambda g, x, w: piecewise_activation.prelu_gradients(abs(g), -abs(x), -abs(w)),
        large=large.each(_prelu_of, rows=large.TWO, channels=large.TWO, size=large.TWO),
        constraints=PRELU,
    ),
)  # fmt: skip
