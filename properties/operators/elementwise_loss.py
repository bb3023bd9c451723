"""Losses of single elements: torch.nn.MSELoss, L1Loss, SmoothL1Loss, HuberLoss, MarginRankingLoss, HingeEmbeddingLoss,
SoftMarginLoss, BCELoss, BCEWithLogitsLoss, KLDivLoss, PoissonNLLLoss and GaussianNLLLoss."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from hypothesis import strategies as st

from properties.cases import large
from properties.cases.case import Case, Geometry, among, cases, sizes, whole
from properties.cases.dealing import dealt
from properties.operators import constraints as must
from properties.operators.activation import LEADING
from properties.operators.record import Operator
from properties.operators.soft_targets import probabilities
from properties.worker.programs import elementwise_loss as programs
from refimpl import elementwise_loss
from refimpl.arrays import Array
from refimpl.bounds import elementwise_loss as bounds
from refimpl.rounding import Format

MEAN = "a mean of integers is seldom one"
LOG = "a logarithm of an integer is no integer"
REDUCTIONS = (None, "mean", "sum", "none")
WEIGHTS = (0.0, 1.0, 2.0, 0.5, 3.0)
"""Numbers of few bits, which every dtype represents, as are those of all options."""
SIGNS, COUNTS = (-1.0, 1.0), (0.0, 1.0, 2.0, 5.0)

Options = Mapping[str, tuple[Any, ...]]


@st.composite
def geometry(draw: st.DrawFn, operands: tuple[str, ...], weights: tuple[str, ...], options: Options) -> Geometry:
    """Operands of one shape, with up to two leading axes, one of the values of each option, None for leaving it out,
    and often weights, one for each element of the last axis or, of a "weight", for each element."""
    shape = (*draw(LEADING), draw(sizes(1, 65)))
    arguments = {name: dealt(draw, name, values) for name, values in options.items()}
    if 0 in shape and arguments["reduction"] == "batchmean":  # nothing divided by none
        arguments["reduction"] = "sum"
    for name in weights:
        kind = dealt(draw, name, ("none", "of rows", "of elements") if name == "weight" else ("none", "of rows"))
        if kind != "none":
            generator = np.random.default_rng(draw(whole(0, 2**16 - 1)))
            each = shape if kind == "of elements" and 0 not in shape else shape[-1:]
            arguments[name] = _in_tuples(generator.choice(WEIGHTS, each).tolist())
    return dict.fromkeys(operands, shape), {name: value for name, value in arguments.items() if value is not None}


def _in_tuples(values: Any) -> Any:
    """Nested lists as tuples, which arguments are made of."""
    return tuple(map(_in_tuples, values)) if isinstance(values, list) else values


def large_sums(operands: tuple[str, ...]) -> large.Kinds:
    """Many rows, or long ones, that are added up."""

    def make(draw: st.DrawFn, **shape: int) -> Geometry:
        reduction = draw(among("mean", "sum"))
        return dict.fromkeys(operands, tuple(shape.values())), {"reduction": reduction}

    return large.each(make, rows=large.FEW, size=large.FEW)


def output_shape(case: Case) -> tuple[int, ...]:
    """That of the operands, or one number."""
    return next(iter(case.shapes.values())) if case.arguments.get("reduction") == "none" else ()


def some_of(choice: tuple[float, ...], case: Case, format: Format) -> Array:
    """One of a few numbers for each element of the first operand."""
    return np.random.default_rng([case.seed, len(choice)]).choice(choice, next(iter(case.shapes.values())))


def _unsure(case: Case, name: str, values: Array) -> Array:
    """A target from 0 to 1, and an input between them: of a logarithm that is clamped no slope is documented."""
    chances = probabilities(case, "target", values)
    return chances if name == "target" else np.where(np.isin(chances, (0.0, 1.0)), 0.5, chances)


def _target_of_divergence(case: Case, name: str, values: Array) -> Array:
    """A target that is positive, since there is no slope at zero, or a logarithm that is not."""
    if name != "target":
        return values
    return -np.abs(values) if case.arguments.get("log_target") else np.where(values == 0.0, 0.5, np.abs(values))


def _rate(case: Case, name: str, values: Array) -> Array:
    """Logarithms whose exponentials every dtype holds, or positive numbers."""
    if case.arguments.get("log_input", True):
        with np.errstate(invalid="ignore"):
            return np.fmod(values, 8.0)
    return np.where(values == 0.0, 1.0, np.abs(values))


def _variance(case: Case, name: str, values: Array) -> Array:
    """Numbers whose squares every dtype holds, and variances that are above ε."""
    with np.errstate(invalid="ignore"):
        few = np.fmod(values, 16.0)
    return np.maximum(np.abs(few), 0.25) if name == "var" else few


def _longer(operand: str) -> must.Violate:
    """The last axis of one operand longer by one than the others', which is two at least."""

    def violate(draw: st.DrawFn, case: Case) -> Case:
        shape = (*next(iter(case.shapes.values()))[:-1], draw(among(2, 5, 16)))
        shapes = dict.fromkeys(case.shapes, shape) | {operand: must.longer(shape, -1)}
        return replace(case, shapes=shapes, arguments={"reduction": draw(among("none", "sum"))})

    return violate


def reduction_is_known(layer: str) -> must.Constraint:
    """The rule about how losses are reduced."""
    source = f"{layer}: reduction: 'Specifies the reduction to apply to the output'"
    return must.argument_is("reduction is known", "reduction", ("average", "", "Mean"), source)


def _one_weight(draw: st.DrawFn, case: Case) -> Case:
    """A single weight for rows of several elements."""
    shape = (*next(iter(case.shapes.values()))[:-1], draw(among(2, 5, 16)))
    given = {"reduction": draw(among("none", "sum", "mean")), "weight": (2.0,)}
    return replace(case, shapes=dict.fromkeys(case.shapes, shape), arguments=given)


def _rules(layer: str, operands: tuple[str, ...], given: Mapping[str, Any]) -> tuple[must.Constraint, ...]:
    if len(operands) < 2:
        return (reduction_is_known(layer),)
    source = f"{layer}, Shape: the operands are of the same shape"
    longer = must.Constraint("the operands are of one shape", source, _longer(operands[-1]), given=given)
    return reduction_is_known(layer), longer


def _loss(
    name: str,
    layer: str,
    inexact: str,
    operands: tuple[str, ...] = ("input", "target"),
    target: tuple[float, ...] | None = None,
    weights: tuple[str, ...] = (),
    domain: Callable[[Case, str, Array], Array] = lambda case, name, values: values,
    reductions: tuple[str | None, ...] = REDUCTIONS,
    rules: tuple[must.Constraint, ...] = (),
    **options: tuple[Any, ...],
) -> Operator:
    """The record of a loss; target: the numbers that it holds where there is no gradient to it."""
    terms, jet = getattr(elementwise_loss, name), getattr(bounds, name)
    given = {} if target is None else {"target": partial(some_of, target)}

    def reference(*operands: Array, reduction: str = "mean", **how: Any) -> Array:
        return elementwise_loss.loss(terms(*operands, **how), reduction)

    def gradients(g: Array, *operands: Array, reduction: str = "mean", **how: Any) -> tuple[Array, ...]:
        return elementwise_loss.gradients(g, terms(*operands, **how), reduction)

    return Operator(
        name=name,
        layer=layer,
        systems=(),
        cases=cases(geometry(operands, weights, {"reduction": reductions, **options})),
        program=getattr(programs, name),
        reference=reference,
        bound=partial(bounds.loss, jet),
        gradients=gradients,
        gradient_bounds=partial(bounds.loss_gradients, jet),
        second=partial(bounds.loss_second, jet),
        output_shape=output_shape,
        traits=frozenset({"terms", "weighted"} if "weight" in weights else {"terms"}),
        inexact=inexact,
        given=given,
        domain=domain,
        large=large_sums(operands),
        constraints=(*_rules(layer, operands, given), *rules),
    )


NOT_NEGATIVE = (
    must.argument_is("beta is not negative", "beta", (-1.0, -0.5),
                     "torch.nn.SmoothL1Loss: beta: 'The value must be non-negative'"),
)  # fmt: skip
ONE_EACH = (
    must.Constraint("weight has the size of input", "torch.nn.functional.huber_loss: 'Weights and input must have the "
                    "same size'", _one_weight),
)  # fmt: skip
POSITIVE = (
    must.argument_is("delta is positive", "delta", (0.0, -1.0),
                     "torch.nn.HuberLoss: delta: 'The value must be positive'"),
)  # fmt: skip

OPERATORS = (
    _loss("mse_loss", "torch.nn.MSELoss", MEAN, weights=("weight",), rules=ONE_EACH),
    _loss("l1_loss", "torch.nn.L1Loss", MEAN, weights=("weight",), rules=ONE_EACH),
    _loss("smooth_l1_loss", "torch.nn.SmoothL1Loss", MEAN, rules=NOT_NEGATIVE, beta=(None, 1.0, 0.5, 2.0, 0.0)),
    _loss(
        "huber_loss", "torch.nn.HuberLoss", MEAN, weights=("weight",), rules=(*POSITIVE, *ONE_EACH),
        delta=(None, 1.0, 0.5, 2.0),
    ),
    _loss(
        "margin_ranking_loss", "torch.nn.MarginRankingLoss", MEAN, ("input1", "input2"), SIGNS,
        margin=(None, 0.5, 1.0, -1.0),
    ),
    _loss(
        "hinge_embedding_loss", "torch.nn.HingeEmbeddingLoss", MEAN, ("input",), SIGNS, margin=(None, 0.5, 2.0, 0.0)
    ),
    _loss("soft_margin_loss", "torch.nn.SoftMarginLoss", LOG, ("input",), SIGNS),
    _loss("binary_cross_entropy", "torch.nn.BCELoss", LOG, weights=("weight",), domain=_unsure),
    _loss(
        "binary_cross_entropy_with_logits", "torch.nn.BCEWithLogitsLoss", LOG, weights=("weight", "pos_weight"),
        domain=probabilities,
    ),
    _loss(
        "kl_div", "torch.nn.KLDivLoss", LOG, domain=_target_of_divergence,
        reductions=("batchmean", *REDUCTIONS), log_target=(None, False, True),
    ),
    _loss(
        "poisson_nll_loss", "torch.nn.PoissonNLLLoss", LOG, ("input",), COUNTS, domain=_rate,
        log_input=(None, True, False), full=(None, True, False), eps=(None, 0.125, 2.0**-10),
    ),
    _loss(
        "gaussian_nll_loss", "torch.nn.GaussianNLLLoss", LOG, ("input", "target", "var"), domain=_variance,
        full=(None, True, False), eps=(None, 0.125, 2.0**-10),
    ),
)  # fmt: skip
