"""torch.nn.Sigmoid, Tanh, ReLU, Softmax and LogSoftmax."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from properties.cases import large
from properties.cases.case import COIN, Case, Geometry, among, cases, sizes
from properties.operators import constraints as must
from properties.operators.record import Operator
from properties.worker.programs import activation as programs
from refimpl import activation
from refimpl.bounds import activation as bounds
from refimpl.operations import over

INEXACT = "an exponential of an integer is no integer"


LEADING = among(*[(2,), (), (3,), (2, 2), (17,)] * 4, (0,))


def classes(longest: int) -> st.SearchStrategy[int]:
    """Sizes near vector tails, seldom one: the result of a single class is the same whatever its value."""
    return st.one_of(sizes(2, longest), sizes(2, longest), sizes(1, longest))


@st.composite
def elements_geometry(draw: st.DrawFn) -> Geometry:
    """Up to two leading axes, and one near vector tails."""
    return {"input": (*draw(LEADING), draw(sizes(1, 65)))}, {}


@st.composite
def rows_geometry(draw: st.DrawFn) -> Geometry:
    """Classes on the last axis, or before one or two others, the last of which is near vector tails too."""
    leading = draw(LEADING)
    shape = (*leading, draw(classes(65)))
    if draw(COIN):
        leading = leading[:1]
        shape = (*leading, draw(classes(17)), *draw(among((), (2,))), draw(sizes(1, 65)))
    dim = len(leading)
    return {"input": shape}, {"dim": draw(among(dim, dim - len(shape)))}


def _rows_of(draw: st.DrawFn, rows: int, classes: int, positions: int) -> Geometry:
    """Classes on the last axis where there is one position, else before it."""
    shape = (rows, classes) if positions == 1 else (rows, classes, positions)
    return {"input": shape}, {"dim": draw(among(1, 1 - len(shape)))}


LARGE_ROWS = large.each(_rows_of, rows=large.TWO, classes=(2, 3), positions=(1, 1, 2))
LARGE_ELEMENTS = large.each(
    lambda draw, **shape: ({"input": tuple(shape.values())}, {}), rows=large.FEW, size=large.FEW
)

ROWS = (
    must.Constraint(
        "dim is an axis", "torch.nn.functional.softmax: dim is 'a dimension along which softmax will be computed'",
        lambda draw, case: case.with_arguments(dim=draw(among(1, 7, -2)) * len(case.shapes["input"])),
    ),
)  # fmt: skip


def _input_shape(case: Case) -> tuple[int, ...]:
    return case.shapes["input"]


def _activation(name: str, layer: str, program: Any, exact: bool = False, rows: bool = False) -> Operator:
    backward, second = getattr(activation, f"{name}_gradient"), getattr(bounds, f"{name}_second")
    functions = {
        "reference": getattr(activation, name),
        "bound": getattr(bounds, name),
        "gradients": lambda g, x: (backward(g, x),),
        "gradient_bounds": getattr(bounds, f"{name}_gradients"),
        "second": lambda g, x, h: second(h, g, x),
    }
    return Operator(
        name=name,
        layer=layer,
        systems=("S18",) if name == "sigmoid" else ("S20",) if rows else (),
        cases=cases(rows_geometry() if rows else elements_geometry()),
        program=program,
        output_shape=_input_shape,
        traits=frozenset({"activation", "in place"} if name == "relu" else {"activation"}),
        inexact=None if exact else INEXACT,
        rows=lambda case: {"input": len(case.shapes["input"])},
        large=LARGE_ROWS if rows else LARGE_ELEMENTS,
        constraints=ROWS if rows else (),
        **({key: over(function) for key, function in functions.items()} if rows else functions),
    )


OPERATORS = (
    _activation("sigmoid", "torch.nn.Sigmoid", programs.sigmoid),
    _activation("tanh", "torch.nn.Tanh", programs.tanh),
    _activation("relu", "torch.nn.ReLU", programs.relu, exact=True),
    _activation("softmax", "torch.nn.Softmax", programs.softmax, rows=True),
    _activation("log_softmax", "torch.nn.LogSoftmax", programs.log_softmax, rows=True),
)
