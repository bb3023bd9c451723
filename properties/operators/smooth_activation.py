"""torch.nn.ELU, SELU, CELU, GELU, SiLU, Mish, Softplus, Softsign, Tanhshrink, LogSigmoid, Softmin and GLU."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import strategies as st

from properties.cases.case import Case, Geometry, cases
from properties.operators import constraints as must
from properties.operators.activation import INEXACT, LARGE_ROWS, ROWS, rows_geometry
from properties.operators.piecewise_activation import elementwise
from properties.operators.record import Operator
from properties.worker.programs import smooth_activation as programs
from refimpl import smooth_activation
from refimpl.bounds import smooth_activation as bounds
from refimpl.operations import over

WIDTHS = (None, 1.0, 0.5, 2.0)


@st.composite
def halves_geometry(draw: st.DrawFn) -> Geometry:
    """Rows of classes, of which there are twice as many."""
    shapes, arguments = draw(rows_geometry())
    return {"input": _doubled(shapes["input"], arguments["dim"])}, arguments


def _doubled(shape: tuple[int, ...], dim: int) -> tuple[int, ...]:
    axis = dim % len(shape)
    return (*shape[:axis], 2 * shape[axis], *shape[axis + 1 :])


def _half(case: Case) -> tuple[int, ...]:
    shape, axis = case.shapes["input"], case.arguments["dim"] % len(case.shapes["input"])
    if shape[axis] % 2:
        raise ValueError(f"{shape[axis]} elements have no halves")
    return (*shape[:axis], shape[axis] // 2, *shape[axis + 1 :])


def _odd(draw: st.DrawFn, case: Case) -> Case:
    shape, axis = case.shapes["input"], case.arguments["dim"] % len(case.shapes["input"])
    return case.with_shape("input", (*shape[:axis], shape[axis] + 1, *shape[axis + 1 :]))


HALVES = (
    *ROWS,
    must.Constraint("dim has two halves", "torch.nn.GLU: 'a is the first half of the input matrices'", _odd),
)  # fmt: skip
WORD = (
    must.argument_is("approximate is known", "approximate", ("erf", "", "Tanh"),
                     "torch.nn.GELU: approximate is 'none' or 'tanh'"),
)  # fmt: skip
NOT_ZERO = (
    must.argument_is("alpha is not zero", "alpha", (0.0,), "torch.nn.CELU: the formula divides by alpha"),
)  # fmt: skip


def _smooth(
    name: str, layer: str, constraints: tuple[must.Constraint, ...] = (), **options: tuple[Any, ...]
) -> Operator:
    functions = getattr(programs, name), getattr(smooth_activation, name), getattr(bounds, name)
    return elementwise(name, layer, *functions, INEXACT, constraints, options)


OPERATORS = (
    _smooth("elu", "torch.nn.ELU", alpha=WIDTHS),
    _smooth("selu", "torch.nn.SELU"),
    _smooth("celu", "torch.nn.CELU", NOT_ZERO, alpha=WIDTHS),
    _smooth("gelu", "torch.nn.GELU", WORD, approximate=("none", "tanh", None)),
    _smooth("silu", "torch.nn.SiLU"),
    _smooth("mish", "torch.nn.Mish"),
    _smooth("softplus", "torch.nn.Softplus", beta=WIDTHS, threshold=(None, 20.0, 1.0, 5.0)),
    replace(_smooth("softsign", "torch.nn.Softsign"), inexact="a quotient of integers is seldom one"),
    _smooth("tanhshrink", "torch.nn.Tanhshrink"),
    _smooth("logsigmoid", "torch.nn.LogSigmoid"),
    Operator(
        name="softmin",
        layer="torch.nn.Softmin",
        systems=(),
        cases=cases(rows_geometry()),
        program=programs.softmin,
        reference=over(smooth_activation.softmin),
        bound=over(bounds.softmin),
        gradients=over(lambda g, x: (smooth_activation.softmin_gradient(g, x),)),
        gradient_bounds=over(bounds.softmin_gradients),
        second=over(lambda g, x, h: bounds.softmin_second(h, g, x)),
        output_shape=lambda case: case.shapes["input"],
        traits=frozenset({"activation", "falling"}),
        inexact=INEXACT,
        rows=lambda case: {"input": len(case.shapes["input"])},
        large=LARGE_ROWS,
        constraints=ROWS,
    ),
    Operator(
        name="glu",
        layer="torch.nn.GLU",
        systems=(),
        cases=cases(halves_geometry()),
        program=programs.glu,
        reference=over(smooth_activation.glu),
        bound=over(bounds.glu),
        gradients=over(lambda g, x: (smooth_activation.glu_gradient(g, x),)),
        gradient_bounds=over(bounds.glu_gradients),
        second=over(lambda g, x, h: bounds.glu_second(h, g, x)),
        output_shape=_half,
        traits=frozenset({"activation", "halves"}),
        inexact=INEXACT,
        rows=lambda case: {"input": len(case.shapes["input"])},
        constraints=HALVES,
    ),
)  # fmt: skip
