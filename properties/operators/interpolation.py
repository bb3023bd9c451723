"""torch.nn.functional.interpolate, which torch.nn.Upsample calls."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from hypothesis import strategies as st

from properties.cases.case import CHANNELS, COIN, Case, Geometry, among, cases, longest_axis, sizes, whole
from properties.cases.dealing import dealt, rarely
from properties.operators import interpolation_constraints as rules
from properties.operators.record import Operator
from properties.worker.programs import interpolation as programs
from refimpl import double_backward, interpolation
from refimpl.arrays import Array
from refimpl.bounds import interpolation as bounds

ROUNDED = "weights are seldom integers"
LONGEST = {1: 65, 2: 17, 3: 6}
FACTORS = (2.0, 1.5, 0.5, 3.0, 0.75, 2.5, 1.25)
NEAREST = ((2, "nearest"), (1, "nearest"), (2, "nearest-exact"), (1, "nearest-exact"), (3, "nearest"),
           (3, "nearest-exact"))  # fmt: skip
LINEAR = ((2, "bilinear"), (1, "linear"), (3, "trilinear"))
BICUBIC = ((2, "bicubic"),)
FILTERED = ((2, "bilinear"), (2, "bicubic"))


@st.composite
def geometry(draw: st.DrawFn, modes: tuple[tuple[int, str], ...], **flags: tuple[Any, ...]) -> Geometry:
    """(N, C) and one to three axes, told a size or a factor for each, which is computed anew or not."""
    axes, mode = dealt(draw, "mode", modes)
    lengths = draw(longest_axis(axes, LONGEST[axes]))
    spatial = tuple(draw(sizes(1, length)) for length in lengths)
    arguments = {"mode": mode, **{name: dealt(draw, name, values) for name, values in flags.items()}}
    told = dealt(draw, "told", ("size", "scale_factor", "recomputed"))
    if told == "size":
        arguments["size"] = tuple(draw(sizes(1, length) if draw(COIN) else whole(1, length)) for length in lengths)
    else:
        factors = [draw(among(*FACTORS)) for _ in spatial]
        arguments["scale_factor"] = tuple(f if n * f >= 1.0 else 1.0 for n, f in zip(spatial, factors, strict=True))
        arguments |= {"recompute_scale_factor": True} if told == "recomputed" else {}
    images = 0 if rarely(draw) else draw(among(2, 1, 3))
    return {"input": (images, draw(CHANNELS), *spatial)}, arguments


def output_shape(case: Case) -> tuple[int, ...]:
    """(N, C, *sizes). Raises ValueError where the arguments do not fit the input."""
    shape = case.shapes["input"]
    return (*shape[:2], *(outputs for _, outputs, _ in interpolation.axes_of(shape, **case.arguments)))


def _gradients(g: Array, x: Array, **how: Any) -> tuple[Array]:
    return (interpolation.interpolate_gradient(g, x.shape, **how),)


def _magnitude(x: Array, **how: Any) -> Array:
    """The sums of absolute values, or infinity where a rounding decides between two elements."""
    return interpolation.interpolate(x, **how) + (np.inf if bounds.ambiguous(x.shape, **how) else 0.0)


def _gradient_magnitude(g: Array, x: Array, **how: Any) -> tuple[Array]:
    return (_gradients(g, x, **how)[0] + (np.inf if bounds.ambiguous(x.shape, **how) else 0.0),)


def _operator(name: str, modes: tuple[tuple[int, str], ...], layer: str = "nn.Upsample", **flags: Any) -> Operator:
    moves = modes is NEAREST
    return Operator(
        name=name,
        layer=f"torch.{layer}",
        systems=(),
        cases=cases(geometry(modes, **flags)),
        program=getattr(programs, name),
        reference=interpolation.interpolate,
        bound=bounds.interpolate,
        gradients=_gradients,
        gradient_bounds=bounds.interpolate_gradients,
        second=partial(double_backward.linear, bounds.interpolate),
        output_shape=output_shape,
        traits=frozenset({"linear", "moving"} if moves else {"linear"}),
        inexact=None if moves else ROUNDED,
        staged=True,
        magnitude=lambda x, **how: _magnitude(np.abs(x), **how),
        gradient_magnitude=lambda g, x, **how: _gradient_magnitude(np.abs(g), x, **how),
        constraints=rules.interpolation(modes, flags),
    )


OPERATORS = (
    _operator("interpolate_nearest", NEAREST),
    _operator("interpolate_linear", LINEAR, align_corners=(False, True)),
    _operator("interpolate_bicubic", BICUBIC, align_corners=(False, True)),
    _operator("interpolate_antialiased", FILTERED, "nn.functional.interpolate", antialias=(True,)),
)
