"""torch.nn.LPPool1d/2d/3d."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from hypothesis import strategies as st

from properties.cases import large
from properties.cases.case import CHANNELS, Axis, Case, Geometry, batches, cases, longest_axis, pooling_axis
from properties.cases.dealing import dealt
from properties.operators import constraints as must
from properties.operators import pooling as sliding
from properties.operators.record import Operator
from properties.worker.programs import power_pooling as programs
from refimpl import power_pooling
from refimpl.arrays import Array
from refimpl.bounds import power_pooling as bounds

KERNELS = {1: 5, 2: 4, 3: 3}
LONGEST = {1: 33, 2: 17, 3: 9}
NORMS = (2.0, 1.0, 3.0, 2, 1.5, 0.5, math.inf, -math.inf)
OF_MANY = tuple(norm for norm in NORMS if abs(norm) >= 1)
"""Those of long windows: Σ|x|^p to the power 1/p grows faster than the terms where p < 1, past what float16 holds."""


@st.composite
def geometry(draw: st.DrawFn, axes: int) -> Geometry:
    """Shapes and arguments of a power-average pooling."""
    longest = draw(longest_axis(axes, LONGEST[axes]))
    windows = [draw(pooling_axis(KERNELS[axes], length, dilated=False, padded=False)) for length in longest]
    arguments = arguments_of(draw, windows)
    return {"input": (*draw(batches()), draw(CHANNELS), *(w.size for w in windows))}, arguments


def arguments_of(draw: st.DrawFn, windows: list[Axis]) -> dict[str, Any]:
    """The arguments of a pooling with these windows; a stride that is left out is the kernel's size."""
    arguments: dict[str, Any] = {
        "norm_type": draw(
            st.sampled_from(OF_MANY if max(w.kernel for w in windows) > max(KERNELS.values()) else NORMS)
        ),
        "kernel_size": tuple(w.kernel for w in windows),
        "ceil_mode": dealt(draw, "ceil_mode", (False, True)),
    }
    if dealt(draw, "stride", (False, True)):
        arguments["stride"] = tuple(w.stride for w in windows)
    return arguments


def with_a_root(case: Case, name: str, values: Array) -> Array:
    """Values for which every sum of powers has a root: none negative where the exponent is no integer.

    Where the exponent is odd, a negative sum has a root too; half of these cases have no negative values all the same.
    Where it is a fraction below two, the slope of the power at zero, or the slope's slope, is infinite: no zero lies in
    several windows, for nothing says how they would share it.
    """
    norm_type, kernel = case.arguments["norm_type"], case.arguments["kernel_size"]
    whole = math.isinf(norm_type) or norm_type == int(norm_type)
    if whole:
        return values if norm_type % 2 != 1 or case.seed % 2 else np.abs(values)
    overlapping = any(s < k for s, k in zip(case.arguments.get("stride", kernel), kernel, strict=True))
    return np.where((values == 0.0) & overlapping & (norm_type < 2), 1.0, np.abs(values))


def constraints(axes: int) -> tuple[must.Constraint, ...]:
    """What the documents of LPPool demand."""
    layer = f"torch.nn.LPPool{axes}d"
    several = [
        must.one_value_per_axis(name, f"{layer}: {must.TUPLE.format(axes)}") for name in ("kernel_size", "stride")
    ]
    return (
        must.each_axis("kernel_size is at least 1", "kernel_size", (0, -1, -3), f"{layer}: 'the size of the window'"),
        must.below("stride", 1, f"{layer}: 'the stride of the window', by which its formula divides"),
        must.window_fits(f"{layer}, Shape: the formula gives at least one output element"),
        must.argument_is("norm_type is not 0", "norm_type", [0, 0.0], f"{layer}: a p-th root, and there is no zeroth"),
        must.rank(axes, must.BATCHED.format(layer)),
        *(several if axes > 1 else []),  # one integer alone, which no tuple stands for
    )


def _operator(axes: int) -> Operator:
    return Operator(
        name=f"lp_pool{axes}d",
        layer=f"torch.nn.LPPool{axes}d",
        systems=("S15",),
        cases=cases(geometry(axes)),
        program=getattr(programs, f"lp_pool{axes}d"),
        reference=power_pooling.lp_pool,
        bound=bounds.lp_pool,
        gradients=lambda g, x, **arguments: (power_pooling.lp_pool_gradient(g, x, **arguments),),
        gradient_bounds=bounds.lp_pool_gradients,
        second=bounds.lp_pool_second,
        output_shape=sliding.output_shape,
        traits=frozenset({"window", "pooling"}),
        axes=axes,
        inexact="a root of an integer is seldom one",
        domain=with_a_root,
        large=large.pooling(axes, arguments_of, padded=False, longest=1025),
        constraints=constraints(axes),
    )


OPERATORS = tuple(_operator(axes) for axes in (1, 2, 3))
