"""torch.sum, mean, max, min, argmax, argmin, logsumexp, cumsum and cumprod."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from hypothesis import strategies as st

from properties.cases import large, long_sums
from properties.cases.case import COIN, Case, Geometry, among, cases, sizes, whole
from properties.cases.dealing import dealt
from properties.operators import constraints as must
from properties.operators.record import Operator
from properties.worker.layouts import fit
from properties.worker.programs import reduction as programs
from refimpl import double_backward, reduction
from refimpl.arrays import Array
from refimpl.bounds import reduction as bounds

BEFORE, BEHIND = among((2,), (), (3,), (2, 3), (17,)), among((), (), (2,), (17,), (3, 2))
ONE, SOME, ANY = ("one",), ("one", "several"), ("one", "several", "all")
"""Over which axes a function reduces: one, several, or, told of none, all."""


@st.composite
def reduced_geometry(draw: st.DrawFn, kinds: tuple[str, ...], keepdim: bool = True, least: int = 1) -> Geometry:
    """One to five axes, one of them near vector tails, over which, or over others, is reduced."""
    before, behind = draw(BEFORE), draw(BEHIND)
    shape = (*before, draw(sizes(least, 65)), *behind)
    kind = dealt(draw, "axes", kinds) if len(kinds) > 1 else kinds[0]
    arguments: dict[str, Any] = {"dim": None}
    if kind == "one":
        arguments["dim"] = draw(_counted(len(before), len(shape)))
    elif kind == "several":
        chosen = draw(whole(1, 2 ** len(shape) - 1))
        arguments["dim"] = tuple(draw(_counted(a, len(shape))) for a in range(len(shape)) if chosen >> a & 1)
    return {"input": shape}, arguments | ({"keepdim": dealt(draw, "keepdim", (False, True))} if keepdim else {})


def _counted(axis: int, rank: int) -> st.SearchStrategy[int]:
    """An axis, counted from the first or from the last."""
    return among(axis, axis - rank)


def _sized(keepdim: bool, draw: st.DrawFn, rows: int, elements: int, columns: int) -> Geometry:
    """An axis of some elements, the last one where there is one column."""
    shape = (rows, elements) if columns == 1 else (rows, elements, columns)
    return {"input": shape}, {"dim": 1} | ({"keepdim": draw(COIN)} if keepdim else {})


def _large(keepdim: bool = True, least: int = 1) -> large.Kinds:
    return large.each(partial(_sized, keepdim), rows=large.TWO, elements=(least, least + 1), columns=large.TWO)


def _shape(case: Case) -> tuple[int, ...]:
    return reduction.reduced(case.shapes["input"], **{"dim": None, **case.arguments})


def _elements(case: Case) -> int:
    return max(reduction.count(case.shapes["input"], case.arguments.get("dim")), 1)


DIM = (
    must.Constraint(
        "dim is an axis", "torch.sum: dim is 'the dimension or dimensions to reduce'",
        lambda draw, case: case.with_arguments(dim=draw(among(1, 7, -2)) * len(case.shapes["input"])),
    ),
)  # fmt: skip
LINEAR = frozenset({"reduction", "linear"})
LONG = long_sums.reduction
FACTORS = 16
"""Factors of a product that are not −1 or 1."""


def _sum(x: Array, **how: Any) -> Array:
    return reduction.total(np.abs(x), **how)


def _sum_gradient(g: Array, x: Array, **how: Any) -> tuple[Array]:
    return (reduction.total_gradient(g, x.shape, **how),)


def _mean_gradient(g: Array, x: Array, **how: Any) -> tuple[Array]:
    return (reduction.total_gradient(g, x.shape, **how) / reduction.count(x.shape, how.get("dim")),)


def _near_one(case: Case, name: str, values: Array) -> Array:
    """At some places along the axis zeros, and numbers from 3/4 to 3/2 with the same bits; −1 and 1 between them.

    So no product of many overflows on the way, in few bits neither.
    """
    mantissa, _ = np.frexp(values)
    near = np.where(np.abs(mantissa) < 0.75, 2.0 * mantissa, mantissa)
    places = np.moveaxis(near, case.arguments["dim"], 0)
    between = np.arange(len(places)) % max(1, -(-len(places) // FACTORS)) > 0
    places[between] = np.where(places[between] == 0.0, 1.0, np.sign(places[between]))
    fitted = fit(near, case.layout(name))
    along = np.moveaxis(fitted, case.arguments["dim"], 0)
    repeated = len(along) > FACTORS and bool((along == along[:1]).all())  # as a stride of zero has it
    return np.sign(fitted) if repeated else fitted


def _extreme(name: str) -> Operator:
    """The largest, or the smallest, element of a row, and its index."""
    largest = name == "max"

    def gradients(g: Array, x: Array, dim: int, keepdim: bool = False) -> tuple[Array]:
        return (reduction.extreme_gradient(g, reduction.extreme(x, dim, keepdim, largest)[1], x.shape, dim),)

    return Operator(
        name=name,
        layer=f"torch.{name}",
        systems=(),
        cases=cases(reduced_geometry(ONE, least=2)),
        program=getattr(programs, name),
        reference=partial(reduction.extreme, largest=largest),
        bound=partial(bounds.extreme, largest=largest),
        gradients=gradients,
        gradient_bounds=partial(bounds.extreme_gradients, largest=largest),
        second=partial(bounds.extreme_second, largest=largest),
        gradient_magnitude=lambda g, x, **arguments: gradients(np.abs(g), x, **arguments),
        output_shape=_shape,
        traits=frozenset({"reduction", "selecting"}),
        large=_large(least=2),
        constraints=DIM,
    )


def _index(name: str) -> Operator:
    """The index of a row's largest, or smallest, element; of all elements, that in their order."""
    largest = name == "argmax"
    return Operator(
        name=name,
        layer=f"torch.{name}",
        systems=(),
        cases=cases(reduced_geometry(("one", "one", "all"), least=2)),
        program=getattr(programs, name),
        reference=lambda x, **arguments: reduction.extreme(x, **arguments, largest=largest)[1],
        bound=partial(bounds.index, largest=largest),
        outputs=("output",),
        output_shape=_shape,
        traits=frozenset({"reduction"}),
        large=_large(least=2),
        constraints=DIM,
    )


OPERATORS = (
    Operator(
        name="sum",
        layer="torch.sum",
        systems=(),
        cases=cases(long_sums.now_and_then(reduced_geometry(ANY), LONG)),
        program=programs.sum,
        reference=reduction.total,
        bound=bounds.total,
        gradients=_sum_gradient,
        gradient_bounds=bounds.total_gradients,
        second=partial(double_backward.linear, bounds.total),
        output_shape=_shape,
        traits=LINEAR,
        large=_large(),
        constraints=DIM,
    ),
    Operator(
        name="mean",
        layer="torch.mean",
        systems=(),
        cases=cases(long_sums.now_and_then(reduced_geometry(ANY), LONG)),
        program=programs.mean,
        reference=reduction.mean,
        bound=bounds.mean,
        gradients=_mean_gradient,
        gradient_bounds=bounds.mean_gradients,
        second=bounds.mean_second,
        output_shape=_shape,
        traits=LINEAR | {"averaging"},
        scale=_elements,
        magnitude=_sum,
        gradient_magnitude=lambda g, x, **how: _sum_gradient(np.abs(g), x, **how),
        large=_large(),
        constraints=DIM,
    ),
    _extreme("max"),
    _extreme("min"),
    _index("argmax"),
    _index("argmin"),
    Operator(
        name="logsumexp",
        layer="torch.logsumexp",
        systems=(),
        cases=cases(reduced_geometry(SOME, least=2)),
        program=programs.logsumexp,
        reference=reduction.logsumexp,
        bound=bounds.logsumexp,
        gradients=lambda g, x, **how: (reduction.logsumexp_gradient(g, x, **how),),
        gradient_bounds=bounds.logsumexp_gradients,
        second=bounds.logsumexp_second,
        output_shape=_shape,
        traits=frozenset({"reduction"}),
        inexact="an exponential of an integer is no integer",
        large=_large(least=2),
        constraints=DIM,
    ),
    Operator(
        name="cumsum",
        layer="torch.cumsum",
        systems=(),
        cases=cases(long_sums.now_and_then(reduced_geometry(ONE, keepdim=False), LONG)),
        program=programs.cumsum,
        reference=reduction.cumulative_sum,
        bound=bounds.cumulative_sum,
        gradients=lambda g, x, dim: (reduction.cumulative_sum_gradient(g, dim),),
        gradient_bounds=bounds.cumulative_sum_gradients,
        second=partial(double_backward.linear, bounds.cumulative_sum),
        output_shape=lambda case: case.shapes["input"],
        traits=LINEAR,
        large=_large(keepdim=False),
        constraints=DIM,
    ),
    Operator(
        name="cumprod",
        layer="torch.cumprod",
        systems=(),
        cases=cases(reduced_geometry(ONE, keepdim=False)),
        program=programs.cumprod,
        reference=reduction.cumulative_product,
        bound=bounds.cumulative_product,
        gradients=lambda g, x, dim: (reduction.cumulative_product_gradient(g, x, dim),),
        gradient_bounds=bounds.cumulative_product_gradients,
        second=bounds.cumulative_product_second,
        output_shape=lambda case: case.shapes["input"],
        traits=frozenset({"reduction"}),
        inexact="a product of many integers is soon past what a format holds",
        domain=_near_one,
        large=large.at_most(1025, _large(keepdim=False), "elements"),
        constraints=DIM,
    ),
)
