"""torch.optim.SGD."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

from properties.cases.case import COIN, Case, Geometry, among, cases
from properties.operators import constraints as must
from properties.operators.record import Operator
from properties.worker.programs import optimizer as programs
from refimpl import optimizer
from refimpl.bounds import optimizer as bounds

Some = dict[str, Any]
MOMENTA: st.SearchStrategy[Some] = st.sampled_from([{}, {"nesterov": True}, {"dampening": 0.1}, {"dampening": 1.0}])
FORMS: st.SearchStrategy[Some] = st.sampled_from([{}, {"foreach": True}, {"foreach": False}, {"fused": True}])


@st.composite
def update_geometry(draw: st.DrawFn) -> Geometry:
    """A parameter, its gradient and perhaps a velocity; a learning rate, options, each in half of the cases, a form."""
    shape = draw(among((1,), (3, 2), (65,), (4, 1, 3, 3), (0,)))
    shapes: dict[str, tuple[int, ...]] = {"parameter": shape, "gradient": shape}
    arguments: dict[str, Any] = {"lr": draw(among(0.5, 0.9, 0.1, 0.03, 1.0))}
    if draw(COIN):
        arguments["weight_decay"] = draw(among(0.01, 0.5))
    if draw(COIN):
        arguments["momentum"] = draw(among(0.9, 0.5))
        arguments |= draw(MOMENTA)
        if draw(COIN):
            shapes["momentum_buffer"] = shape
    if draw(COIN):
        arguments["maximize"] = True
    return shapes, {**arguments, **draw(FORMS)}


def _step(function: Callable[..., Any]) -> Callable[..., Any]:
    """A step whatever its form; without momentum there is no velocity to keep."""

    def step(*operands: Any, foreach: bool | None = None, fused: bool | None = None, **options: Any) -> Any:
        results = function(*operands, **options)
        return results if options.get("momentum") else results[0]

    return step


def _reference(parameter: Any, gradient: Any, momentum_buffer: Any = None, **options: Any) -> Any:
    return optimizer.sgd_step(parameter, gradient, momentum_buffer=momentum_buffer, **options)


def _with_nesterov(case: Case, **options: float) -> Case:
    return case.with_arguments(nesterov=True, **options)


UPDATE = (
    must.argument_is("lr is not negative", "lr", [-0.5, -1.0], "torch.optim.SGD: a learning rate below 0 is invalid"),
    must.argument_is("weight_decay is not negative", "weight_decay", [-0.5],
                     "torch.optim.SGD: a weight decay below 0 is invalid"),
    must.argument_is("momentum is not negative", "momentum", [-0.5], "torch.optim.SGD: a momentum below 0 is invalid"),
    must.Constraint(
        "Nesterov needs momentum", "torch.optim.SGD: nesterov is 'only applicable when momentum is non-zero'",
        lambda draw, case: _with_nesterov(case, momentum=0, dampening=0),
    ),
    must.Constraint(
        "Nesterov has no dampening", "torch.optim.SGD: 'Nesterov momentum requires a momentum and zero dampening'",
        lambda draw, case: _with_nesterov(case, momentum=0.9, dampening=0.5),
    ),
    must.operand_shape("a gradient has its parameter's shape", "gradient", "torch.Tensor.grad: of the tensor's shape",
                       lambda case: [must.longer(case.shapes["gradient"], 0)]),
)  # fmt: skip

OPERATORS = (
    Operator(
        name="sgd",
        layer="torch.optim.SGD",
        systems=("S20",),
        cases=cases(update_geometry()),
        program=programs.sgd,
        reference=_step(_reference),
        bound=_step(bounds.momentum_step),
        output_shape=lambda case: case.shapes["parameter"],
        outputs=("output", "velocity"),
        inexact="the learning rate is no integer",
        constraints=UPDATE,
    ),
)
