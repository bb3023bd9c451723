"""torch.nn.Sigmoid, Softmax, LogSoftmax and CrossEntropyLoss, torch.optim.SGD, and accuracy."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st

from properties.cases import Case, Geometry, cases, sizes
from properties.operators import constraints as must
from properties.operators.record import Operator
from properties.programs import pointwise as programs
from refimpl import activation, bounds, loss, optimizer
from refimpl.arrays import Array

INEXACT = "an exponential of an integer is no integer"


@st.composite
def rows_geometry(draw: st.DrawFn) -> Geometry:
    """(*, classes): up to two leading axes, classes near vector tails."""
    leading = draw(st.sampled_from([(2,), (), (3,), (2, 2), (17,)] * 4 + [(0,)]))
    classes = draw(sizes(1, 65))
    return {"input": (*leading, classes)}, {}


@st.composite
def labelled_geometry(draw: st.DrawFn) -> Geometry:
    """(N, classes) and the class of each row."""
    rows, classes = draw(sizes(1, 17)), draw(sizes(1, 33))
    target = draw(st.lists(st.integers(0, classes - 1), min_size=rows, max_size=rows).map(tuple))
    return {"input": (rows, classes)}, {"target": target}


@st.composite
def update_geometry(draw: st.DrawFn) -> Geometry:
    """A parameter and its gradient, a learning rate, and a weight decay that is often none."""
    shape = draw(st.sampled_from([(1,), (3, 2), (65,), (4, 1, 3, 3), (0,)]))
    arguments = {"lr": draw(st.sampled_from([0.5, 0.9, 0.1, 0.03, 1.0])), "weight_decay": 0.0}
    if draw(st.booleans()):
        arguments["weight_decay"] = draw(st.sampled_from([0.01, 0.5]))
    return {"parameter": shape, "gradient": shape}, arguments


def _input_shape(case: Case) -> tuple[int, ...]:
    return next(iter(case.shapes.values()))


def _cross_entropy_gradients(g: Array, x: Array, target: tuple[int, ...]) -> tuple[Array]:
    return (loss.cross_entropy_gradient(x, np.array(target), float(g)),)


def _activation(name: str, layer: str, systems: tuple[str, ...], program: Any) -> Operator:
    backward, second = getattr(activation, f"{name}_gradient"), getattr(bounds, f"{name}_second")
    return Operator(
        name=name,
        layer=layer,
        systems=systems,
        cases=cases(rows_geometry()),
        program=program,
        reference=getattr(activation, name),
        bound=getattr(bounds, name),
        gradients=lambda g, x: (backward(g, x),),
        gradient_bounds=getattr(bounds, f"{name}_gradients"),
        second=lambda g, x, h: second(h, g, x),
        output_shape=_input_shape,
        inexact=INEXACT,
    )


def _no_class(draw: st.DrawFn, case: Case) -> Case:
    classes = case.shapes["input"][1]
    target = list(case.arguments["target"])
    target[draw(st.integers(0, len(target) - 1))] = draw(st.sampled_from([classes, classes + 7, -1, 2**62]))
    return case.with_arguments(target=tuple(target))


def _one_label_more(draw: st.DrawFn, case: Case) -> Case:
    return case.with_arguments(target=(*case.arguments["target"], 0))


CLASSES = (
    must.Constraint("a target is a class", "torch.nn.CrossEntropyLoss: targets 'should be in the range [0, C)'",
                    _no_class, of_values=True),
    must.Constraint("there is one target a row", "torch.nn.CrossEntropyLoss, Shape: input (N, C), target (N)",
                    _one_label_more),
)  # fmt: skip
UPDATE = (
    must.argument_is("lr is not negative", "lr", [-0.5, -1.0], "torch.optim.SGD: a learning rate below 0 is invalid"),
    must.argument_is("weight_decay is not negative", "weight_decay", [-0.5],
                     "torch.optim.SGD: a weight decay below 0 is invalid"),
    must.operand_shape("a gradient has its parameter's shape", "gradient", "torch.Tensor.grad: of the tensor's shape",
                       lambda case: [must.longer(case.shapes["gradient"], 0)]),
)  # fmt: skip


OPERATORS = (
    _activation("sigmoid", "torch.nn.Sigmoid", ("S18",), programs.sigmoid),
    _activation("softmax", "torch.nn.Softmax", ("S20",), programs.softmax),
    _activation("log_softmax", "torch.nn.LogSoftmax", ("S20",), programs.log_softmax),
    Operator(
        name="cross_entropy",
        layer="torch.nn.CrossEntropyLoss",
        systems=("S20",),
        cases=cases(labelled_geometry()),
        program=programs.cross_entropy,
        reference=lambda x, target: loss.cross_entropy(x, np.array(target)),
        bound=lambda x, target: bounds.cross_entropy(x, np.array(target)),
        gradients=_cross_entropy_gradients,
        gradient_bounds=lambda g, x, target: bounds.cross_entropy_gradients(g, x, np.array(target)),
        output_shape=lambda case: (),
        inexact=INEXACT,
        constraints=CLASSES,
    ),
    Operator(
        name="accuracy",
        layer="torch.argmax",
        systems=("S21",),
        cases=cases(labelled_geometry()),
        program=programs.correct,
        reference=lambda x, target: np.asarray(loss.correct(x, np.array(target))),
        bound=lambda x, target: np.asarray(loss.correct(x.value, np.array(target))),
        output_shape=lambda case: (),
    ),
    Operator(
        name="sgd",
        layer="torch.optim.SGD",
        systems=("S20",),
        cases=cases(update_geometry()),
        program=programs.sgd,
        reference=lambda p, g, **arguments: optimizer.sgd_step(p, g, **arguments)[0],
        bound=bounds.sgd_step,
        output_shape=_input_shape,
        inexact="the learning rate is no integer",
        constraints=UPDATE,
    ),
)
