"""torch.nn.PixelShuffle, PixelUnshuffle and ChannelShuffle."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from hypothesis import strategies as st

from properties.cases.case import Case, Geometry, among, batches, cases, longest_axis, sizes
from properties.operators import constraints as must
from properties.operators.record import Operator
from properties.worker.programs import shuffling as programs
from refimpl import double_backward, shuffling
from refimpl.arrays import Array
from refimpl.bounds import shuffling as bounds

LONGEST = 17
FACTORS = (2, 3, 1)
"""Of 1 nothing moves."""
CHANNELS = (2, 1, 3, 8)


@st.composite
def pixels(draw: st.DrawFn, factor: str) -> Geometry:
    """Any axes that lead, channels, rows and columns, each as many times as large as the factor demands."""
    r, grows = draw(among(*FACTORS)), factor == "upscale_factor"
    leading, count = (*draw(among((), (), (2,))), *draw(batches())), draw(among(*CHANNELS))
    rows, columns = (draw(sizes(1, length)) for length in draw(longest_axis(2, LONGEST)))
    shape = (count * r * r, rows, columns) if grows else (count, rows * r, columns * r)
    return {"input": (*leading, *shape)}, {factor: r}


@st.composite
def channels(draw: st.DrawFn) -> Geometry:
    """(N, C, *) with one to three axes after the channels of one to four groups."""
    groups = draw(among(2, 3, 4, 1))
    spatial = (*draw(among((), (2,), (2, 3))), draw(sizes(1, LONGEST)))
    return {"input": (draw(among(2, 1, 3)), groups * draw(among(2, 3, 1, 8)), *spatial)}, {"groups": groups}


def _fewer_axes(draw: st.DrawFn, case: Case) -> Case:
    return case.with_shape("input", case.shapes["input"][-2:])


def _indivisible(argument: str, axes: tuple[int, ...]) -> must.Violate:
    """A factor, or groups, of two at least, and along one axis a multiple of it and one more."""

    def violate(draw: st.DrawFn, case: Case) -> Case:
        factor, shape, axis = max(2, case.arguments[argument]), list(case.shapes["input"]), draw(among(*axes))
        shape[axis] = factor**2 * shape[axis] + 1
        return case.with_shape("input", tuple(shape)).with_arguments(**{argument: factor})

    return violate


def _rules(layer: str, argument: str, axes: tuple[int, ...], divides: str, least: str) -> tuple[must.Constraint, ...]:
    """What the documents demand of the factor, or of the groups."""
    return (
        must.Constraint(f"{argument} divides {divides}", f"{layer}: {least}", _indivisible(argument, axes)),
        must.argument_is(f"{argument} is at least 1", argument, (0, -1, -2), f"{layer}: {argument} is a factor, or a "
                         "number of groups"),
    )  # fmt: skip


RULES = {
    "pixel_shuffle": (
        *_rules("torch.nn.PixelShuffle", "upscale_factor", (-3,), "the channels", "C_in = C_out × upscale_factor²"),
        must.Constraint("there are channels", "torch.nn.PixelShuffle, Shape: (*, C_in, H_in, W_in)", _fewer_axes),
    ),
    "pixel_unshuffle": (
        *_rules("torch.nn.PixelUnshuffle", "downscale_factor", (-2, -1), "rows and columns",
                "H_out = H_in ÷ downscale_factor, W_out = W_in ÷ downscale_factor"),
        must.Constraint("there are channels", "torch.nn.PixelUnshuffle, Shape: (*, C_in, H_in, W_in)", _fewer_axes),
    ),
    "channel_shuffle": _rules(
        "torch.nn.ChannelShuffle", "groups", (1,), "the channels", "'Divides the channels … into g groups'"
    ),
}  # fmt: skip


def _gradients(name: str, g: Array, x: Array, **arguments: Any) -> tuple[Array]:
    """The inverse shuffle of the cotangent."""
    (amount,) = arguments.values()
    if name == "channel_shuffle":
        return (shuffling.channel_shuffle(g, max(1, x.shape[1] // amount)),)
    inverse = {"pixel_shuffle": shuffling.pixel_unshuffle, "pixel_unshuffle": shuffling.pixel_shuffle}
    return (inverse[name](g, amount),)


def _shape(name: str, case: Case) -> tuple[int, ...]:
    """The output's; raises ValueError where the arguments do not fit the input."""
    shape, (amount,) = case.shapes["input"], case.arguments.values()
    if name == "channel_shuffle":
        if len(shape) < 3 or amount < 1 or shape[1] % amount:
            raise ValueError(f"{amount} groups do not divide the channels of {shape}")
        return shape
    sizes = {"pixel_shuffle": shuffling.shuffled_shape, "pixel_unshuffle": shuffling.unshuffled_shape}
    return sizes[name](shape, amount)


def _operator(name: str, layer: str, geometry: st.SearchStrategy[Geometry], rows: Callable[[Case], Any] | None) -> Any:
    bound = getattr(bounds, name)
    return Operator(
        name=name,
        layer=f"torch.nn.{layer}",
        systems=(),
        cases=cases(geometry),
        program=getattr(programs, name),
        reference=getattr(shuffling, name),
        bound=bound,
        gradients=partial(_gradients, name),
        gradient_bounds=getattr(bounds, f"{name}_gradients"),
        second=partial(double_backward.linear, bound),
        output_shape=partial(_shape, name),
        traits=frozenset({"linear", "moving"}),
        rows=rows,
        constraints=RULES[name],
    )


OPERATORS = (
    _operator("pixel_shuffle", "PixelShuffle", pixels("upscale_factor"), lambda case: {"input": 3}),
    _operator("pixel_unshuffle", "PixelUnshuffle", pixels("downscale_factor"), lambda case: {"input": 3}),
    _operator("channel_shuffle", "ChannelShuffle", channels(), None),
)
