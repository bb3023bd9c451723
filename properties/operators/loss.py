"""torch.nn.CrossEntropyLoss and NLLLoss, and accuracy."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from hypothesis import strategies as st

from properties.cases import large
from properties.cases.case import COIN, Case, Geometry, among, cases, sizes, whole
from properties.cases.dealing import dealt
from properties.operators import constraints as must
from properties.operators.activation import classes
from properties.operators.record import Operator
from properties.worker.programs import loss as programs
from refimpl import double_backward, loss
from refimpl.arrays import Array
from refimpl.bounds import loss as bounds
from refimpl.targets import divisor, losses_shape

WEIGHTS = (0.0, 1.0, 2.0, 3.0, 5.0)
"""Integers, for the exact tier of what is a sum of products."""


@st.composite
def labelled_geometry(draw: st.DrawFn) -> Geometry:
    """(N, classes) and the class of each row."""
    rows, count = draw(sizes(1, 17)), draw(classes(33))
    target = draw(st.lists(st.integers(0, count - 1), min_size=rows, max_size=rows).map(tuple))
    return {"input": (rows, count)}, {"target": target}


@st.composite
def judged_geometry(draw: st.DrawFn) -> Geometry:
    """(N, classes) and the class of each row; in half of the cases so many rows that some are right by chance."""
    rows, count = draw(sizes(1, 17)), draw(classes(33))
    rows += 2 * count if draw(COIN) else 0
    generator = np.random.default_rng(draw(whole(0, 2**16 - 1)))
    return {"input": (rows, count)}, {"target": _numbers(generator.integers(0, count, rows))}


@st.composite
def input_shapes(draw: st.DrawFn) -> tuple[int, ...]:
    """(N, classes), most often, (classes,), (N, classes, *spatial) with one to three axes, or a batch of nothing."""
    count = draw(classes(33))
    if draw(COIN):
        return draw(sizes(1, 17)), count
    batch = draw(whole(1, 3))
    shapes = [(count,), (batch, count, draw(sizes(1, 17)))] * 2
    shapes += [(batch, min(count, 9), 3, 4)] * 2 + [(batch, min(count, 9), 2, 1, 3), (0, count)]
    return draw(st.sampled_from(shapes))


@st.composite
def classified_geometry(draw: st.DrawFn) -> Geometry:
    """Any input, the class of each row, and, often, each option."""
    shape = draw(input_shapes())
    count = shape[min(1, len(shape) - 1)]
    generator = np.random.default_rng(draw(whole(0, 2**16 - 1)))
    target = generator.integers(0, count, losses_shape(shape))
    options = draw(chosen(count))
    ignored = draw(st.sampled_from([None, -100, -1, 0, count - 1, count + 7]))
    if ignored is not None:
        target = np.where(generator.random(target.shape) < 0.25, ignored, target)
        options["ignore_index"] = ignored
    return {"input": shape}, {"target": _numbers(target), **options}


@st.composite
def cross_entropy_geometry(draw: st.DrawFn) -> Geometry:
    """The same with label smoothing, or with probabilities for a target; a third of them as the chapter has it."""
    if draw(whole(0, 2)) == 0:
        return draw(labelled_geometry())
    shapes, arguments = draw(classified_geometry())
    shape = shapes["input"]
    if 0 not in shape and draw(whole(0, 2)) == 0:
        arguments.pop("ignore_index", None)
        generator = np.random.default_rng(draw(whole(0, 2**16 - 1)))
        arguments["target"] = _numbers(generator.integers(0, 9, shape) / 8.0)
    if dealt(draw, "label_smoothing", (False, True)):
        arguments["label_smoothing"] = draw(among(0.1, 0.25, 0.5, 1.0, 0.0))
    return shapes, arguments


def _labelled_of(draw: st.DrawFn, rows: int, classes: int) -> Geometry:
    """Rows of classes, the class of each row, and how losses are reduced, in half of the cases."""
    generator = np.random.default_rng(draw(whole(0, 2**16 - 1)))
    reduction = {"reduction": draw(among(*loss.REDUCTIONS))} if draw(COIN) else {}
    return {"input": (rows, classes)}, {"target": _numbers(generator.integers(0, classes, rows)), **reduction}


def _judged_of(draw: st.DrawFn, rows: int, classes: int) -> Geometry:
    shapes, arguments = _labelled_of(draw, rows, classes)
    return shapes, {"target": arguments["target"]}


FEW_CLASSES = {"rows": large.FEW, "classes": (2, 3)}
LARGE_ROWS = large.at_most(4097, large.each(_labelled_of, **FEW_CLASSES), "rows")
"""A case holds the class of each row as a number of Python's."""


@st.composite
def chosen(draw: st.DrawFn, count: int) -> dict[str, Any]:
    """A reduction and weights of the classes, each in half of the cases."""
    options: dict[str, Any] = {}
    if (reduction := dealt(draw, "reduction", ("", "", *loss.REDUCTIONS))) != "":
        options["reduction"] = reduction
    if dealt(draw, "weight", (False, True)):
        options["weight"] = tuple(draw(st.lists(among(*WEIGHTS), min_size=count, max_size=count)))
    return options


def _numbers(values: Array) -> Any:
    """An array as nested tuples; of a single number, the number."""
    return tuple(_numbers(row) for row in values) if values.ndim else values.item()


def _arrays(target: Any, weight: Any = None, **options: Any) -> dict[str, Any]:
    """The arguments of a case as the loops take them."""
    return {"target": np.array(target), "weight": None if weight is None else np.array(weight), **options}


def _taking_arrays(function: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *operands, **arguments: function(*operands, **_arrays(**arguments))


def _gradients(gradient: Callable[..., Array]) -> Callable[..., tuple[Array]]:
    return lambda g, x, **arguments: (gradient(x, cotangent=g, **_arrays(**arguments)),)


def _cross_entropy_second(g: Any, x: Any, h: Any, **arguments: Any) -> Any:
    return bounds.cross_entropy_second(h, g, x, **_arrays(**arguments))


def output_shape(case: Case) -> tuple[int, ...]:
    """One loss for each row, or one number."""
    return losses_shape(case.shapes["input"]) if case.arguments.get("reduction") == "none" else ()


def _divisor(case: Case) -> int:
    """What a mean divides by, or 1 where that is zero."""
    arguments = _arrays(**case.arguments)
    if arguments.pop("reduction", "mean") != "mean":
        return 1
    return math.ceil(divisor(case.shapes["input"], **arguments)) or 1


def _summed(function: Callable[..., Any]) -> Callable[..., Any]:
    """A loss on absolute values, with the sum for the mean: the largest that a partial sum can get."""

    def summed(*operands: Array, **arguments: Any) -> Any:
        if arguments.get("reduction", "mean") == "mean":
            arguments = {**arguments, "reduction": "sum"}
        return function(*map(np.abs, operands), **arguments)

    return summed


def _no_class(draw: st.DrawFn, case: Case) -> Case:
    case = draw(cases(labelled_geometry()))
    count, target = case.shapes["input"][1], list(case.arguments["target"])
    target[draw(st.integers(0, len(target) - 1))] = draw(st.sampled_from([count, count + 7, -1, 2**62]))
    return case.with_arguments(target=tuple(target))


def _one_label_more(draw: st.DrawFn, case: Case) -> Case:
    case = draw(cases(labelled_geometry()))
    return case.with_arguments(target=(*case.arguments["target"], 0))


def _classified(**arguments: Any) -> must.Violate:
    """The chapter's form with some arguments changed."""
    return lambda draw, case: draw(cases(labelled_geometry())).with_arguments(**arguments)


def _one_weight_more(draw: st.DrawFn, case: Case) -> Case:
    case = draw(cases(labelled_geometry()))
    return case.with_arguments(weight=(1.0,) * (case.shapes["input"][1] + draw(st.sampled_from([1, 5]))))


CLASSES = (
    must.Constraint("a target is a class", "torch.nn.CrossEntropyLoss: targets 'should be in the range [0, C)'",
                    _no_class, of_values=True),
    must.Constraint("there is one target a row", "torch.nn.CrossEntropyLoss, Shape: input (N, C), target (N)",
                    _one_label_more),
    must.Constraint("there is one weight a class", "torch.nn.CrossEntropyLoss: weight 'has to be a Tensor of size C'",
                    _one_weight_more),
    must.Constraint("reduction is known", "torch.nn.CrossEntropyLoss: reduction is 'none', 'mean' or 'sum'",
                    _classified(reduction="average")),
)  # fmt: skip
"""Broken for the chapter's form alone: rows of classes, and the class of each."""
SMOOTHING = tuple(
    must.Constraint(f"label_smoothing is {word}", "torch.nn.CrossEntropyLoss: label_smoothing, 'a float in [0.0, 1.0]'",
                    _classified(label_smoothing=value))
    for word, value in (("at least 0", -0.1), ("at most 1", 1.1))
)  # fmt: skip

NLL, NLL_GRADIENTS = _taking_arrays(loss.nll_loss), _gradients(loss.nll_loss_gradient)
OPERATORS = (
    Operator(
        name="cross_entropy",
        layer="torch.nn.CrossEntropyLoss",
        systems=("S20",),
        cases=cases(cross_entropy_geometry()),
        program=programs.cross_entropy,
        reference=_taking_arrays(loss.cross_entropy),
        bound=_taking_arrays(bounds.cross_entropy),
        gradients=_gradients(loss.cross_entropy_gradient),
        gradient_bounds=_taking_arrays(bounds.cross_entropy_gradients),
        second=_cross_entropy_second,
        output_shape=output_shape,
        traits=frozenset({"loss"}),
        inexact="an exponential of an integer is no integer",
        large=LARGE_ROWS,
        constraints=(*CLASSES, *SMOOTHING),
    ),
    Operator(
        name="nll_loss",
        layer="torch.nn.NLLLoss",
        systems=(),
        cases=cases(classified_geometry()),
        program=programs.nll_loss,
        reference=NLL,
        bound=_taking_arrays(bounds.nll_loss),
        gradients=NLL_GRADIENTS,
        gradient_bounds=_taking_arrays(bounds.nll_loss_gradients),
        second=partial(double_backward.linear, _taking_arrays(bounds.nll_loss)),
        output_shape=output_shape,
        traits=frozenset({"loss", "averaging"}),
        # Integers that the divisor of a mean divides have integer means.
        scale=_divisor,
        staged=True,
        magnitude=_summed(NLL),
        gradient_magnitude=_summed(NLL_GRADIENTS),
        large=LARGE_ROWS,
        constraints=CLASSES,
    ),
    Operator(
        name="accuracy",
        layer="torch.argmax",
        systems=("S21",),
        cases=cases(judged_geometry()),
        program=programs.correct,
        reference=lambda x, target: np.asarray(loss.correct(x, np.array(target))),
        bound=lambda x, target: np.asarray(loss.correct(x.value, np.array(target))),
        output_shape=lambda case: (),
        large=large.at_most(4097, large.each(_judged_of, **FEW_CLASSES), "rows"),
    ),
)
