"""torch.nn.Linear, Bilinear, Flatten and Unflatten, and the matrix product."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import numpy as np
from hypothesis import strategies as st

from properties.cases import large, long_sums, spots
from properties.cases.case import COIN, Case, Geometry, among, cases, sizes, whole
from properties.cases.dealing import dealt, rarely
from properties.operators import constraints as must
from properties.operators.record import Operator
from properties.worker.programs import dense as programs
from refimpl import dense, double_backward
from refimpl.arrays import Array
from refimpl.bounds import dense as bounds


@st.composite
def linear_geometry(draw: st.DrawFn) -> Geometry:
    """(*, in) and (out, in): no leading axis, one or two; features near vector tails."""
    leading = (0,) if rarely(draw) else draw(among((1,), (), (3,), (2, 3), (17,)))
    features, outputs = draw(sizes(1, 65)), draw(sizes(1, 33))
    shapes = {"input": (*leading, features), "weight": (outputs, features)}
    if dealt(draw, "bias", (False, True)):
        shapes["bias"] = (outputs,)
    return shapes, {}


@st.composite
def matmul_geometry(draw: st.DrawFn) -> Geometry:
    """(M, K) and (K, N), every size near vector tails."""
    m, k, n = (draw(sizes(1, 33)) for _ in range(3))
    return {"input": (m, k), "other": (k, n)}, {}


@st.composite
def bilinear_geometry(draw: st.DrawFn) -> Geometry:
    """(*, in1), (*, in2) and (out, in1, in2): no leading axis, one or two; features near vector tails."""
    leading = (0,) if rarely(draw) else draw(among((1,), (), (3,), (2, 3), (7,)))
    first, second = (draw(sizes(1, most)) for most in draw(among((33, 5), (5, 33), (9, 9))))
    outputs = draw(sizes(1, 9))
    shapes = {"input1": (*leading, first), "input2": (*leading, second), "weight": (outputs, first, second)}
    if dealt(draw, "bias", (False, True)):
        shapes["bias"] = (outputs,)
    return shapes, {}


@st.composite
def flatten_geometry(draw: st.DrawFn) -> Geometry:
    """(N, …) with one to four further axes, flattened from axis 0, 1 or 2 on, to the last or to one before it."""
    shape = draw(st.lists(st.integers(1, 5), min_size=2, max_size=5).map(tuple))
    if draw(whole(0, 9)) == 9:
        shape = (0, *shape[1:])
    start = draw(whole(0, min(2, len(shape) - 1)))
    arguments = {"start_dim": start}
    if draw(COIN):
        end = draw(whole(start, len(shape) - 1))
        arguments["end_dim"] = draw(among(end, end - len(shape)))
    return {"input": shape}, arguments


@st.composite
def unflatten_geometry(draw: st.DrawFn) -> Geometry:
    """One to three axes, one of them the product of one to three sizes, one of which may be left open."""
    unflattened = draw(st.lists(st.integers(1, 5), min_size=1, max_size=3))
    others = draw(st.lists(st.integers(1, 5), max_size=2))
    dim = draw(whole(0, len(others)))
    shape = (*others[:dim], math.prod(unflattened), *others[dim:])
    if draw(COIN):
        unflattened[draw(whole(0, len(unflattened) - 1))] = -1
    dims = [dim, dim - len(shape)]
    return {"input": shape}, {"dim": draw(among(*dims)), "unflattened_size": tuple(unflattened)}


def _linear_of(draw: st.DrawFn, rows: int, features: int, outputs: int) -> Geometry:
    return {"input": (rows, features), "weight": (outputs, features), "bias": (outputs,)}, {}


def _matmul_of(draw: st.DrawFn, m: int, k: int, n: int) -> Geometry:
    return {"input": (m, k), "other": (k, n)}, {}


def _bilinear_of(draw: st.DrawFn, rows: int, first: int, second: int, outputs: int) -> Geometry:
    shapes = {"input1": (rows, first), "input2": (rows, second), "weight": (outputs, first, second), "bias": (outputs,)}
    return shapes, {}


BILINEAR_NUMBERS = ("rows", "first", "second", "outputs")


def _linear_gradients(g: Array, x: Array, weight: Array, bias: Array | None = None) -> tuple[Array, ...]:
    gradients = (dense.linear_input_gradient(g, weight), dense.linear_weight_gradient(g, x))
    return gradients if bias is None else (*gradients, dense.linear_bias_gradient(g))


def _matmul_gradients(g: Array, a: Array, b: Array) -> tuple[Array, Array]:
    return dense.matrix_product(g, b.T), dense.matrix_product(a.T, g)


def _moving(function: Callable[..., Array]) -> Callable[[Case], tuple[int, ...]]:
    """The output's shape of a function that only moves elements."""
    return lambda case: function(np.empty(case.shapes["input"]), **case.arguments).shape


def _other_features(case: Case) -> list[tuple[int, ...]]:
    shape = case.shapes["input"]
    return [must.longer(shape, -1), *([(*shape[:-1], 1)] if shape[-1] > 1 else [])]


def _other_biases(case: Case) -> list[tuple[int, ...]]:
    outputs = case.shapes["weight"][0]
    return [(outputs + 1,), *([(1,)] if outputs > 1 else [])]


SHAPES = "torch.nn.functional.linear, Shape: "
LINEAR = (
    must.operand_shape("input and weight have the same features", "input",
                       SHAPES + "input (*, in_features), weight (out_features, in_features)", _other_features),
    must.operand_shape("bias has one value per output", "bias", SHAPES + "bias (out_features) or ()", _other_biases),
)  # fmt: skip
MATMUL = (
    must.operand_shape("the inner sizes are equal", "other", "torch.matmul: the matrix product of (n, m) and (m, p)",
                       lambda case: [must.longer(case.shapes["other"], 0)]),
)  # fmt: skip
FLATTEN = (
    must.Constraint(
        "start_dim is an axis", "torch.flatten: start_dim is the first dim to flatten",
        lambda draw, case: case.with_arguments(start_dim=draw(st.sampled_from([1, 7])) * len(case.shapes["input"])),
    ),
    must.Constraint(
        "end_dim is an axis", "torch.flatten: end_dim is the last dim to flatten",
        lambda draw, case: case.with_arguments(end_dim=draw(st.sampled_from([1, 7])) * len(case.shapes["input"])),
    ),
    must.Constraint(
        "start_dim is not after end_dim", "torch.flatten: start_dim is the first dim to flatten, end_dim the last",
        lambda draw, case: case.with_arguments(start_dim=1, end_dim=draw(among(0, -len(case.shapes["input"])))),
    ),
)  # fmt: skip
UNFLATTEN = (
    must.Constraint(
        "dim is an axis", "torch.unflatten: dim is 'specified as an index into input.shape'",
        lambda draw, case: case.with_arguments(dim=draw(among(1, 7, -2)) * len(case.shapes["input"])),
    ),
    must.Constraint("the sizes' product is the axis's size", "torch.unflatten: 'the product of sizes must equal' it",
                    lambda draw, case: _unflattened(draw, case, 1)),
    must.Constraint("one size at most is open", "torch.unflatten: 'One of its elements can be -1'",
                    lambda draw, case: _unflattened(draw, case, -1)),
)  # fmt: skip


def _unflattened(draw: st.DrawFn, case: Case, more: int) -> Case:
    """Sizes that do not make up the axis: two of them are open, or their product is too large."""
    size = case.shapes["input"][case.arguments["dim"]]
    sizes = (-1, size, -1) if more < 0 else draw(among((size + 1,), (1, size + 2), (size + 1, -1)))
    return case.with_arguments(unflattened_size=sizes)


BILINEAR_SHAPES = "torch.nn.functional.bilinear, Shape: "
BILINEAR = (
    must.operand_shape("input1 and weight have the same features", "input1", BILINEAR_SHAPES + "weight (out, in1, in2)",
                       lambda case: [must.longer(case.shapes["input1"], -1)]),
    must.operand_shape("input2 and weight have the same features", "input2", BILINEAR_SHAPES + "weight (out, in1, in2)",
                       lambda case: [must.longer(case.shapes["input2"], -1)]),
    must.operand_shape("both inputs have the same other axes", "input2",
                       BILINEAR_SHAPES + "'All but the last dimension of the inputs should be the same'",
                       lambda case: _other_leading(case.shapes["input2"])),
    must.operand_shape("bias has one value per output", "bias", BILINEAR_SHAPES + "bias (out_features)", _other_biases),
    must.operand_shape("weight has an axis for outputs and for both inputs", "weight",
                       BILINEAR_SHAPES + "weight (out, in1, in2)",
                       lambda case: [case.shapes["weight"][1:], (1, *case.shapes["weight"])]),
)  # fmt: skip


def _other_leading(shape: tuple[int, ...]) -> list[tuple[int, ...]]:
    """Another number of leading axes, or another size of one of them; a size of 1 might be broadcast."""
    leading = [(2, *shape), shape[1:]] if len(shape) > 1 else [(2, *shape)]
    return leading + [must.longer(shape, axis) for axis in range(len(shape) - 1)]


OPERATORS = (
    Operator(
        name="linear",
        layer="torch.nn.Linear",
        systems=("S18",),
        cases=cases(long_sums.now_and_then(linear_geometry(), long_sums.linear)),
        program=programs.linear,
        reference=dense.linear,
        bound=bounds.linear,
        gradients=_linear_gradients,
        gradient_bounds=bounds.linear_gradients,
        second=partial(double_backward.bilinear, bounds.linear, bounds.linear_gradients),
        output_shape=lambda case: (*case.shapes["input"][:-1], case.shapes["weight"][0]),
        traits=frozenset({"linear", "products"}),
        rows=lambda case: {"input": 1},
        parts=spots.linear,
        large=large.each(_linear_of, rows=large.FEW, features=large.FEW, outputs=large.FEW),
        constraints=LINEAR,
    ),
    Operator(
        name="bilinear",
        layer="torch.nn.Bilinear",
        systems=(),
        cases=cases(bilinear_geometry()),
        program=programs.bilinear,
        reference=dense.bilinear,
        bound=bounds.bilinear_layer,
        gradients=dense.bilinear_gradients,
        gradient_bounds=bounds.bilinear_layer_gradients,
        second=partial(double_backward.trilinear, bounds.bilinear_layer, bounds.bilinear_layer_gradients),
        output_shape=lambda case: (*case.shapes["input1"][:-1], case.shapes["weight"][0]),
        traits=frozenset({"linear"}),
        rows=lambda case: {"input1": 1, "input2": 1},
        staged=True,
        large=large.at_most(1025, large.each(_bilinear_of, **dict.fromkeys(BILINEAR_NUMBERS, large.TWO)), "outputs"),
        constraints=BILINEAR,
    ),
    Operator(
        name="matmul",
        layer="torch.matmul",
        systems=("S14",),
        cases=cases(long_sums.now_and_then(matmul_geometry(), long_sums.matmul)),
        program=programs.matmul,
        reference=dense.matrix_product,
        bound=bounds.matmul,
        gradients=_matmul_gradients,
        gradient_bounds=bounds.matmul_gradients,
        second=partial(double_backward.bilinear, bounds.matmul, bounds.matmul_gradients),
        output_shape=lambda case: (case.shapes["input"][0], case.shapes["other"][1]),
        traits=frozenset({"linear", "products"}),
        rows=lambda case: {"input": 1},
        large=large.each(_matmul_of, m=large.FEW, k=large.FEW, n=large.FEW),
        constraints=MATMUL,
    ),
    Operator(
        name="flatten",
        layer="torch.nn.Flatten",
        systems=("S18",),
        cases=cases(flatten_geometry()),
        program=programs.flatten,
        reference=dense.flatten,
        bound=bounds.flatten,
        gradients=lambda g, x, **arguments: (g.reshape(x.shape),),
        gradient_bounds=bounds.flatten_gradients,
        second=partial(double_backward.linear, bounds.flatten),
        output_shape=_moving(dense.flatten),
        traits=frozenset({"linear"}),
        constraints=FLATTEN,
    ),
    Operator(
        name="unflatten",
        layer="torch.nn.Unflatten",
        systems=(),
        cases=cases(unflatten_geometry()),
        program=programs.unflatten,
        reference=dense.unflatten,
        bound=bounds.unflatten,
        gradients=lambda g, x, **arguments: (g.reshape(x.shape),),
        gradient_bounds=bounds.unflatten_gradients,
        second=partial(double_backward.linear, bounds.unflatten),
        output_shape=_moving(dense.unflatten),
        traits=frozenset({"linear"}),
        constraints=UNFLATTEN,
    ),
)
