"""torch.bmm, torch.mv, torch.mul, and torch.matmul with vectors and with batches that are broadcast."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from hypothesis import strategies as st

from properties.cases import large
from properties.cases.case import COIN, Case, Geometry, among, cases, sizes
from properties.cases.dealing import dealt
from properties.operators import constraints as must
from properties.operators.record import Operator
from properties.worker.programs import matrix_product as programs
from refimpl import double_backward, matrix_product
from refimpl.arrays import Array
from refimpl.bounds import matrix_product as bounds

BATCHES: dict[str, tuple[tuple[int, ...], tuple[int, ...]]] = {
    "tensor times matrix": ((3,), ()),
    "two batches": ((2, 3), ()),
    "matrix times tensor": ((), (3,)),
    "broadcast": ((2, 1), (3,)),
    "one for each": ((3,), (3,)),
}
"""The axes of a batch of either operand."""
FORMS = (*BATCHES, "vector times matrix", "tensor times vector", "vector times tensor", "vector times vector")


@st.composite
def batched_geometry(draw: st.DrawFn) -> Geometry:
    """(B, M, K) and (B, K, N), all but the batch near vector tails."""
    batch = draw(among(2, 1, 3, 5))
    m, k, n = (draw(sizes(1, 33)) for _ in range(3))
    return {"input": (batch, m, k), "mat2": (batch, k, n)}, {}


@st.composite
def vector_geometry(draw: st.DrawFn) -> Geometry:
    """(M, K) and (K,), both near vector tails."""
    m, k = draw(sizes(1, 65)), draw(sizes(1, 65))
    return {"input": (m, k), "vec": (k,)}, {}


@st.composite
def broadcast_geometry(draw: st.DrawFn) -> Geometry:
    """Operands of which one is a vector, or has a batch that the other shares or broadcasts."""
    form = dealt(draw, "form", FORMS)
    m, k, n = (draw(sizes(1, 17)) for _ in range(3))
    left, right = BATCHES.get(form, ((), ()))
    shapes = {
        "vector times matrix": ((k,), (k, n)),
        "tensor times vector": ((2, m, k), (k,)),
        "vector times tensor": ((k,), (2, k, n)),
        "vector times vector": ((k,), (k,)),
    }
    first, second = shapes.get(form, ((*left, m, k), (*right, k, n)))
    return {"input": first, "other": second}, {}


@st.composite
def scaled_geometry(draw: st.DrawFn) -> Geometry:
    """Matrices of which one may have a single row or column, or be a vector along the last axis."""
    m, n = draw(sizes(1, 17)), draw(sizes(1, 65))
    other = {"whole": (m, n), "column": (m, 1), "row": (1, n), "vector": (n,), "one": (1,)}
    shapes = (m, n), other[dealt(draw, "form", tuple(other))]
    return dict(zip(("input", "other"), shapes if draw(COIN) else shapes[::-1], strict=True)), {}


def _scaled_of(draw: st.DrawFn, m: int, n: int) -> Geometry:
    return {"input": (m, n), "other": draw(among((m, n), (m, 1), (n,)))}, {}


def _batched_of(draw: st.DrawFn, batch: int, m: int, k: int, n: int) -> Geometry:
    return {"input": (batch, m, k), "mat2": (batch, k, n)}, {}


def _vector_of(draw: st.DrawFn, m: int, k: int) -> Geometry:
    return {"input": (m, k), "vec": (k,)}, {}


def _inner(operand: str, axis: int, source: str) -> must.Constraint:
    return must.operand_shape(
        "the inner sizes are equal", operand, source, lambda case: [must.longer(case.shapes[operand], axis)]
    )


BMM = (
    _inner("mat2", 1, "torch.bmm: 'input is a (b × n × m) tensor, mat2 is a (b × m × p) tensor'"),
    must.operand_shape("both have the same batch", "mat2", "torch.bmm: 'This function does not broadcast'",
                       lambda case: [must.longer(case.shapes["mat2"], 0)]),
    must.operand_shape("both have three axes", "mat2", "torch.bmm: 'input and mat2 must be 3-D tensors'",
                       lambda case: [case.shapes["mat2"][1:], (1, *case.shapes["mat2"])]),
)  # fmt: skip
MV = (_inner("vec", 0, "torch.mv: 'input is a (n × m) tensor, vec is a 1-D tensor of size m'"),)
MATMUL = (
    must.operand_shape("the inner sizes are equal", "other", "torch.matmul: 'the last dimension of the first argument'",
                       lambda case: [must.longer(case.shapes["other"], -2 if len(case.shapes["other"]) > 1 else 0)]),
)  # fmt: skip


def _scaled_gradients(g: Array, a: Array, b: Array) -> tuple[Array, Array]:
    return matrix_product.scaled_gradient(g, b, a.shape), matrix_product.scaled_gradient(g, a, b.shape)


def _product(name: str, second: str, geometry: st.SearchStrategy[Geometry], layer: str, **about: Any) -> Operator:
    def output_shape(case: Case) -> tuple[int, ...]:
        return matrix_product.output_shape(case.shapes["input"], case.shapes[second])

    return Operator(
        name=name,
        layer=layer,
        systems=(),
        cases=cases(geometry),
        program=getattr(programs, name),
        reference=matrix_product.product,
        bound=bounds.product,
        gradients=matrix_product.gradients,
        gradient_bounds=bounds.gradients,
        second=bounds.second,
        output_shape=output_shape,
        traits=frozenset({"linear", "products"}),
        **about,
    )


MUL = (
    must.Constraint("the shapes broadcast", "torch.mul: 'Supports broadcasting to a common shape'",
                    lambda draw, case: case.with_shape("input", (draw(among(1, 4)), 2)).with_shape("other", (3,))),
)  # fmt: skip

OPERATORS = (
    _product("bmm", "mat2", batched_geometry(), "torch.bmm", constraints=BMM,
             large=large.each(_batched_of, batch=large.TWO, m=large.TWO, k=large.TWO, n=large.TWO)),
    _product("mv", "vec", vector_geometry(), "torch.mv", constraints=MV,
             large=large.each(_vector_of, m=large.FEW, k=large.FEW)),
    _product("broadcast_matmul", "other", broadcast_geometry(), "torch.matmul", constraints=MATMUL,
             staged_gradients=True),
    Operator(
        name="mul",
        layer="torch.mul",
        systems=(),
        cases=cases(scaled_geometry()),
        program=programs.mul,
        reference=matrix_product.scaled,
        bound=bounds.scaled,
        gradients=_scaled_gradients,
        gradient_bounds=bounds.scaled_gradients,
        second=partial(double_backward.bilinear, bounds.scaled, bounds.scaled_gradients),
        output_shape=lambda case: np.broadcast_shapes(case.shapes["input"], case.shapes["other"]),
        traits=frozenset({"linear", "products"}),
        staged_gradients=True,
        large=large.each(_scaled_of, m=large.TWO, n=large.TWO),
        constraints=MUL,
    ),
)  # fmt: skip
