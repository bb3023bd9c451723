"""torch.optim.SGD."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from hypothesis import strategies as st

from properties.cases.case import COIN, Case, Geometry, among, cases, whole
from properties.operators import constraints as must
from properties.operators.record import Operator
from properties.worker.programs import optimizer as programs
from refimpl import optimizer
from refimpl.arrays import Array
from refimpl.bounds import optimizer as bounds
from refimpl.rounding import FORMATS, Computed, round_to

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


SHAPES = ((3, 2), (65,), (), (4, 1, 3, 3), (0,), (1,), (17,))
DTYPES = (None, "float32", "bfloat16", None, "float16")
STEPS = ("plain", "scaled", "overflowing")
LARGEST = 32.0
"""Times the largest scale, doubled in each of two steps, a number that float16 has."""
COUNTS = (1, 5, 2, 33)
"""How many parameters: few enough for a loop, more than vectors of pointers hold, and dozens."""


@st.composite
def steps_geometry(draw: st.DrawFn, options: st.SearchStrategy[Some]) -> Geometry:
    """Parameters of several shapes and perhaps dtypes, with gradients for each of several steps, and options.

    "steps", "dtypes", "frozen" and "scale" are those of :func:`properties.worker.programs.optimizer.in_turn`.
    """
    count, turn = draw(among(*COUNTS)), draw(among(0, 1, 2, 3, 5, 6))  # not 4: the first parameter has an element
    steps = (
        tuple(draw(st.lists(among(*STEPS), min_size=1, max_size=4))) if draw(COIN) else ("plain",) * draw(whole(1, 4))
    )
    shapes: dict[str, tuple[int, ...]] = {}
    for i in range(count):
        shape = SHAPES[(turn + i) % len(SHAPES)]
        shapes |= {f"parameter {i}": shape, f"gradients {i}": (len(steps), *shape)}
    chosen = draw(options)
    halves = chosen.get("fused") or set(steps) == {"plain"}
    dtypes = [DTYPES[(turn + i) % len(DTYPES)] for i in range(count)] if draw(COIN) else [None] * count
    return shapes, {
        **chosen, "steps": steps, "frozen": draw(among(0, 0, 1, 2)), "scale": draw(among(1.0, 16.0, 256.0)),
        "dtypes": tuple(None if dtype == "float16" and not halves else dtype for dtype in dtypes),
    }  # fmt: skip


def _results(update: Callable[..., Any], *operands: Any, **arguments: Any) -> dict[str, Any]:
    """What the program of the same arguments returns."""
    moved, velocities = after_steps(update, *operands, **arguments)
    results = dict(zip(programs.numbered("output", len(moved)), moved, strict=True))
    if arguments.get("momentum"):
        named = zip(programs.numbered("velocity", len(moved)), velocities, strict=True)
        begun = {name: velocity for name, velocity in named if velocity is not None}
        results |= {**begun, "kept": np.asarray(float(len(begun)))}
    return results | scale_after(**arguments)


def after_steps(
    update: Callable[..., Any], *operands: Any, steps: tuple[str, ...], dtypes: tuple[str | None, ...], frozen: int,
    scale: float, foreach: bool | None = None, fused: bool | None = None, capturable: bool = False, **options: Any,
) -> tuple[list[Any], list[Any]]:  # fmt: skip
    """The parameters after the steps that are taken, whatever their form, and what is kept of each."""
    kept = [_kept_in(dtype, values) for dtype, values in zip(dtypes, operands[::2], strict=True)]
    of_steps = [
        [None if i % 2 and t < frozen else _at(gradients, t, kept[i]) for i, gradients in enumerate(operands[1::2])]
        for t in range(len(steps))
    ]
    taken = [() if step == "overflowing" else given for step, given in zip(steps, of_steps, strict=True)]
    return update(kept, taken, **options)


def _kept_in(dtype: str | None, values: Array | Computed) -> Array | Computed:
    """A parameter in a format of its own, where the subject's has all of its numbers; the loops have one format."""
    if not isinstance(values, Computed):
        return values
    own, wanted = values.format.storage, FORMATS[dtype or values.format.storage.name].storage
    fits = wanted.bits < own.bits and wanted.largest_exponent <= own.largest_exponent
    return Computed(values.value, FORMATS[wanted.name] if fits else values.format)


def _at(gradients: Array | Computed, step: int, parameter: Array | Computed) -> Array | Computed:
    if isinstance(gradients, Computed) and isinstance(parameter, Computed):
        return Computed(gradients.value[step], parameter.format)
    return np.asarray(gradients)[step]


def scale_after(steps: tuple[str, ...], scale: float, **rest: Any) -> dict[str, Array]:
    """torch.amp.GradScaler's: halved by a step that overflows, doubled by every second one in turn that does not."""
    good = 0
    for step in steps:
        good = 0 if step == "overflowing" else good + (step == "scaled")
        scale *= 0.5 if step == "overflowing" else 2.0 if step == "scaled" and good and good % 2 == 0 else 1.0
    return {"scale": np.asarray(scale)} if set(steps) != {"plain"} else {}


def in_its_dtype(case: Case, name: str, values: Array) -> Array:
    """Numbers that the parameter's own dtype has; those of float16 so small that no scale makes them infinite."""
    dtype = case.arguments["dtypes"][int(name.split()[-1])]
    values = np.clip(values, -LARGEST, LARGEST) if dtype == "float16" else values
    return round_to(values, FORMATS[dtype].storage) if dtype else values


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
    Operator(
        name="sgd_steps",
        layer="torch.optim.SGD",
        systems=("S20",),
        cases=cases(steps_geometry(update_geometry().map(lambda drawn: drawn[1]))),
        program=programs.sgd_steps,
        reference=partial(_results, optimizer.sgd_steps),
        bound=partial(_results, bounds.momentum_steps),
        output_shape=lambda case: case.shapes["parameter 0"],
        inexact="the learning rate is no integer",
        domain=in_its_dtype,
    ),
)
