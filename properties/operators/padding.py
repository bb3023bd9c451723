"""The padding layers of torch.nn, which are torch.nn.functional.pad in its four modes."""

from __future__ import annotations

import functools
from functools import partial
from typing import Any

from hypothesis import strategies as st

from properties.cases import large
from properties.cases.case import CHANNELS, COIN, Case, Geometry, among, batches, cases, longest_axis, sizes, whole
from properties.operators import padding_constraints as rules
from properties.operators.record import Operator
from properties.worker.programs import padding as programs
from refimpl import double_backward, padding
from refimpl.arrays import Array
from refimpl.bounds import padding as bounds
from refimpl.rounding import Computed

LONGEST = {1: 33, 2: 17, 3: 8}
LAYERS = {
    "constant": "torch.nn.ConstantPad2d",
    "reflect": "torch.nn.ReflectionPad2d",
    "replicate": "torch.nn.ReplicationPad2d",
    "circular": "torch.nn.CircularPad2d",
}
PROGRAMS = {
    "constant": programs.constant_pad,
    "reflect": programs.reflection_pad,
    "replicate": programs.replication_pad,
    "circular": programs.circular_pad,
}


@functools.cache
@st.composite
def padded_axis(draw: st.DrawFn, longest: int, mode: str) -> tuple[int, int, int]:
    """An axis's size and what is added before and after it; a negative amount removes, and something is left."""
    amounts = whole(-2, 5)
    before, after = draw(amounts), draw(amounts)
    kept = {"reflect": max(before, after, 0) + 1, "circular": max(before, after, 1)}.get(mode, 1)
    removed = max(-before, 0) + max(-after, 0)
    return draw(sizes(removed + kept, longest)), before, after


@st.composite
def geometry(draw: st.DrawFn, mode: str) -> Geometry:
    """A batch or an image with one to three axes to be padded, and the amounts of each."""
    axes = draw(whole(1, 3))
    drawn = [draw(padded_axis(length, mode)) for length in draw(longest_axis(axes, LONGEST[axes]))]
    leading = (*draw(batches()), draw(CHANNELS))
    amounts = tuple(amount for _, *sides in reversed(drawn) for amount in sides)
    arguments: dict[str, Any] = {"padding": amounts}
    if mode == "constant" and draw(COIN):
        arguments["value"] = draw(among(1.0, 7.0, 0.1, -1.5))
    return {"input": (*leading, *(size for size, *_ in drawn))}, arguments


def output_shape(case: Case, mode: str = "constant") -> tuple[int, ...]:
    """(*, *padded): each size with its two amounts added. Raises ValueError where the mode has not the elements."""
    x, amounts = case.shapes["input"], case.arguments["padding"]
    axes = len(amounts) // 2
    sides = [(x[-1 - k], amounts[2 * k], amounts[2 * k + 1]) for k in reversed(range(axes))]
    return (*x[:-axes], *(padding.padded_axis(*side, mode) for side in sides))


def _second(mode: str, g: Computed, x: Computed, h: Computed, **arguments: Any) -> Any:
    """Without the constant, which no gradient depends on."""
    return double_backward.linear(partial(bounds.pad, mode=mode), g, x, h, padding=arguments["padding"])


def _operator(name: str, mode: str) -> Operator:
    def gradients(g: Array, x: Array, **arguments: Any) -> tuple[Array]:
        return (padding.pad_gradient(g, x.shape, mode=mode, **arguments),)

    return Operator(
        name=name,
        layer=LAYERS[mode],
        systems=("S4",) if mode == "constant" else (),
        cases=cases(geometry(mode)),
        program=PROGRAMS[mode],
        reference=partial(padding.pad, mode=mode),
        bound=partial(bounds.pad, mode=mode),
        gradients=gradients,
        gradient_bounds=partial(bounds.pad_gradients, mode=mode),
        second=partial(_second, mode),
        output_shape=partial(output_shape, mode=mode),
        traits=frozenset({"sized"}),
        rows=lambda case: {"input": len(case.arguments["padding"]) // 2 + 1},
        large=large.planes(2, {"padding": (1, 1, 1, 0)}),
        constraints=rules.padding(mode),
    )


OPERATORS = (
    _operator("constant_pad", "constant"),
    _operator("reflection_pad", "reflect"),
    _operator("replication_pad", "replicate"),
    _operator("circular_pad", "circular"),
)
