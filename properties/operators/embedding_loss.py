"""Losses of embeddings: torch.nn.CosineEmbeddingLoss and TripletMarginLoss."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from hypothesis import strategies as st

from properties.cases.case import Case, Geometry, among, cases, sizes
from properties.cases.dealing import dealt
from properties.operators import constraints as must
from properties.operators.elementwise_loss import REDUCTIONS, SIGNS, Options, large_sums, reduction_is_known
from properties.operators.record import Operator
from properties.worker.programs import embedding_loss as programs
from refimpl import embedding_loss
from refimpl.arrays import Array
from refimpl.bounds import embedding_loss as bounds
from refimpl.rounding import Format


@st.composite
def geometry(draw: st.DrawFn, operands: tuple[str, ...], options: Options) -> Geometry:
    """Operands of (rows, elements), or of one row, and one of the values of each option, None for leaving it out."""
    rows = (draw(sizes(1, 17)),) if dealt(draw, "rows", (True, False, True)) else ()
    arguments = {name: dealt(draw, name, values) for name, values in options.items()}
    shape = (*rows, draw(sizes(1, 65)))
    return dict.fromkeys(operands, shape), {name: value for name, value in arguments.items() if value is not None}


def output_shape(case: Case) -> tuple[int, ...]:
    """That of the rows, or one number."""
    return next(iter(case.shapes.values()))[:-1] if case.arguments.get("reduction") == "none" else ()


def _signs(case: Case, format: Format) -> Array:
    rows = next(iter(case.shapes.values()))[:-1]
    return np.asarray(np.random.default_rng(case.seed).choice(SIGNS, rows))


def _of_some_length(case: Case, name: str, values: Array) -> Array:
    """No row of zeros, which has no angle."""
    return np.where((values == 0.0).all(axis=-1, keepdims=True), 1.0, values)


def _longer(draw: st.DrawFn, case: Case) -> Case:
    """Rows of the first operand longer by one than the others', which have two elements at least."""
    first, *others = case.shapes
    shape = (*case.shapes[first][:-1], draw(among(2, 5, 16)))
    return replace(case, shapes={first: must.longer(shape, -1), **dict.fromkeys(others, shape)})


def _rules(layer: str) -> tuple[must.Constraint, ...]:
    longer = must.Constraint("rows are equally long", f"{layer}, Shape: (N, D) or (D)", _longer)
    return reduction_is_known(layer), longer


POSITIVE = (
    must.argument_is("margin is above 0", "margin", (0.0, -1.0),
                     "torch.nn.functional.triplet_margin_loss: 'margin must be greater than 0'"),
)  # fmt: skip


def _loss(name: str, layer: str, inexact: str, operands: tuple[str, ...], options: Options, **about: Any) -> Operator:
    terms, formed = getattr(embedding_loss, name), getattr(bounds, name)
    along = getattr(bounds, name.replace("_loss", "_second"))

    def reference(*operands: Array, reduction: str = "mean", **how: Any) -> Array:
        return embedding_loss.loss(terms(*operands, **how), reduction)

    def gradients(g: Array, *operands: Array, reduction: str = "mean", **how: Any) -> tuple[Array, ...]:
        return embedding_loss.gradients(g, terms(*operands, **how), reduction)

    return Operator(
        name=name,
        layer=layer,
        systems=(),
        cases=cases(geometry(operands, {"reduction": REDUCTIONS, **options})),
        program=getattr(programs, name),
        reference=reference,
        bound=partial(bounds.loss, formed),
        gradients=gradients,
        gradient_bounds=partial(bounds.loss_gradients, formed),
        second=partial(bounds.loss_second, along),
        output_shape=output_shape,
        traits=frozenset({"terms"}),
        inexact=inexact,
        large=large_sums(operands),
        **about,
    )


OPERATORS = (
    _loss(
        "cosine_embedding_loss", "torch.nn.CosineEmbeddingLoss", "a cosine of integers is seldom one",
        ("input1", "input2"), {"margin": (None, 0.5, -0.5, 0.0)},
        given={"target": _signs}, domain=_of_some_length, constraints=_rules("torch.nn.CosineEmbeddingLoss"),
    ),
    _loss(
        "triplet_margin_loss", "torch.nn.TripletMarginLoss", "a root of an integer is seldom one",
        ("anchor", "positive", "negative"),
        {"margin": (None, 0.5, 2.0), "p": (None, 2.0, 1.0, 3.0), "eps": (None, 0.125, 2.0**-10, 0.5),
         "swap": (None, False, True)},
        constraints=(*_rules("torch.nn.TripletMarginLoss"), *POSITIVE),
    ),
)  # fmt: skip
