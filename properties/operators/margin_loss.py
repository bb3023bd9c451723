"""Losses of rows of scores: torch.nn.MultiMarginLoss, MultiLabelMarginLoss and MultiLabelSoftMarginLoss."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from hypothesis import strategies as st

from properties.cases.case import Case, Geometry, among, cases, sizes, whole
from properties.cases.dealing import dealt
from properties.operators import constraints as must
from properties.operators.elementwise_loss import COUNTS, REDUCTIONS, Options, reduction_is_known
from properties.operators.embedding_loss import output_shape
from properties.operators.record import Operator
from properties.worker.programs import margin_loss as programs
from refimpl import embedding_loss, margin_loss
from refimpl.arrays import Array
from refimpl.bounds import margin_loss as bounds
from refimpl.rounding import Format

INEXACT = "a sum of integers over the number of classes is seldom one"


@st.composite
def geometry(draw: st.DrawFn, weighted: bool, options: Options) -> Geometry:
    """Scores of (rows, classes), or of one row, one of the values of each option, and often weights of the classes.

    There are two classes at least, so that each score has a part in the loss of its row.
    """
    rows = (draw(sizes(1, 17)),) if dealt(draw, "rows", (True, False, True)) else ()
    shape = (*rows, draw(sizes(2, 33)))
    arguments = {name: dealt(draw, name, values) for name, values in options.items()}
    arguments = {name: value for name, value in arguments.items() if value is not None}
    if weighted and dealt(draw, "weight", (False, True)):
        generator = np.random.default_rng(draw(whole(0, 2**16 - 1)))
        arguments["weight"] = tuple(generator.choice(COUNTS, shape[-1]).tolist())
    return {"input": shape}, arguments


def _class(case: Case, format: Format) -> Array:
    """The class of each row."""
    *rows, classes = case.shapes["input"]
    return np.random.default_rng(case.seed).integers(0, max(classes, 1), tuple(rows))


def _labels(case: Case, format: Format) -> Array:
    """Some but not all classes of each row, in any order, then −1 and the others."""
    generator, shape = np.random.default_rng(case.seed), case.shapes["input"]
    labels = generator.permuted(np.broadcast_to(np.arange(shape[-1]), shape), axis=-1)
    ends = generator.integers(1, max(shape[-1], 2), (*shape[:-1], 1))
    return np.where(np.arange(shape[-1]) == ends, -1, labels)


def _yes_or_no(case: Case, format: Format) -> Array:
    """A zero or a one for each score."""
    return np.random.default_rng(case.seed).integers(0, 2, case.shapes["input"]).astype(np.float64)


def _other_rows(draw: st.DrawFn, case: Case) -> Case:
    """Scores of two rows at least."""
    return case.with_shape("input", (draw(among(2, 3)), 4))


def _one_row_more(target: Any) -> Any:
    """A target for a row more than there is."""

    def make(case: Case, format: Format) -> Array:
        rows, *others = case.shapes["input"]
        return np.asarray(target(replace(case, shapes={"input": (rows + 1, *others)}), format))

    return make


def _loss(name: str, layer: str, target: Any, options: Options, *rules: must.Constraint, weighted: bool) -> Operator:
    terms, formed = getattr(margin_loss, name), getattr(bounds, name)
    along = getattr(bounds, name.replace("_loss", "_second"), None)
    source = f"{layer}, Shape: as many targets as there are rows"

    def reference(x: Array, reduction: str = "mean", **how: Any) -> Array:
        return embedding_loss.loss(terms(x, **how), reduction)

    def gradients(g: Array, x: Array, reduction: str = "mean", **how: Any) -> tuple[Array, ...]:
        return embedding_loss.gradients(g, terms(x, **how), reduction)

    return Operator(
        name=name,
        layer=layer,
        systems=(),
        cases=cases(geometry(weighted, {"reduction": REDUCTIONS, **options})),
        program=getattr(programs, name),
        reference=reference,
        bound=partial(bounds.loss, formed),
        gradients=gradients,
        gradient_bounds=partial(bounds.loss_gradients, formed),
        second=along and partial(bounds.loss_second, along),  # torch has none of the others
        output_shape=output_shape,
        traits=frozenset({"terms"}),
        inexact=INEXACT,
        given={"target": target},
        constraints=(
            reduction_is_known(layer),
            must.Constraint("a target for each row", source, _other_rows, given={"target": _one_row_more(target)}),
            *rules,
        ),
    )


ONE_OR_TWO = must.argument_is("p is 1 or 2", "p", (0, 3), "torch.nn.MultiMarginLoss: p: '1 and 2 are the only "
                              "supported values'")  # fmt: skip

OPERATORS = (
    _loss("multi_margin_loss", "torch.nn.MultiMarginLoss", _class,
          {"p": (None, 1, 2), "margin": (None, 0.5, 2.0)}, ONE_OR_TWO, weighted=True),
    _loss("multilabel_margin_loss", "torch.nn.MultiLabelMarginLoss", _labels, {}, weighted=False),
    _loss("multilabel_soft_margin_loss", "torch.nn.MultiLabelSoftMarginLoss", _yes_or_no, {}, weighted=True),
)  # fmt: skip
