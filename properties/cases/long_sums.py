"""Cases whose sums are long and whose outputs are small, so that an accumulator that is too narrow shows.

With a handful of terms a sum that is formed in 16 bits is often within the bound of one that is formed in 32.
"""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from properties.cases.case import COIN, Geometry, among, whole

CHANNELS = among(1, 2, 300, 512)
FEATURES = among(1, 2, 513, 1000, 4096, 3)
FEW = among(1, 2, 129)
SHORT = 3

POSITIONS = {1: (1024,), 2: (33, 32), 3: (9, 10, 12)}
WINDOWS = {1: 1024, 2: 32, 3: 10}


@st.composite
def convolution(draw: st.DrawFn, axes: int) -> Geometry:
    """Kernels of one element: many channels in, many out, or many positions, for each of a convolution's three sums."""
    inputs = draw(CHANNELS)
    outputs = draw(FEW if inputs > SHORT else CHANNELS)
    some = tuple(draw(whole(1, 2)) for _ in range(axes))
    spatial = some if max(inputs, outputs) > SHORT else POSITIONS[axes]
    shapes = {"input": (*draw(among((1,), (), (2,))), inputs, *spatial), "weight": (outputs, inputs, *(1,) * axes)}
    if draw(COIN):
        shapes["bias"] = (outputs,)
    ones, zeros = (1,) * axes, (0,) * axes
    return shapes, {"stride": ones, "padding": zeros, "dilation": ones, "groups": 1}


@st.composite
def pooling(draw: st.DrawFn, axes: int, mode: str) -> Geometry:
    """Windows of about a thousand elements, at most four steps of one element or a whole window along each axis."""
    kernel = draw(among(WINDOWS[axes], WINDOWS[axes] // 2, WINDOWS[axes] - 1))
    padding, steps = draw(among(0, 0, 1, kernel // 2)), draw(whole(0, 3))
    stride = draw(among(1, kernel))
    size = kernel - 2 * padding + stride * steps
    arguments: dict[str, Any] = {
        "kernel_size": (kernel,) * axes,
        "padding": (padding,) * axes,
        "ceil_mode": draw(COIN),
        "stride": (stride,) * axes,
    }
    if mode == "max":
        arguments["dilation"] = (1,) * axes
    else:
        arguments["count_include_pad"] = draw(COIN)
        if axes > 1 and draw(COIN):
            arguments["divisor_override"] = draw(among(257, 2049, 70_000))
    return {"input": (1, draw(whole(1, 2)), *(max(size, kernel // 2, 1),) * axes)}, arguments


@st.composite
def linear(draw: st.DrawFn) -> Geometry:
    """Many features in, many out, or many rows, for each of a linear layer's three sums."""
    features = draw(FEATURES)
    outputs = draw(FEW if features > SHORT else FEATURES)
    rows = draw(among(1, 2) if max(features, outputs) > SHORT else FEATURES)
    shapes: dict[str, tuple[int, ...]] = {"input": (rows, features), "weight": (outputs, features)}
    if draw(COIN):
        shapes["bias"] = (outputs,)
    return shapes, {}


@st.composite
def matmul(draw: st.DrawFn) -> Geometry:
    """(M, K) and (K, N): the product sums K terms, its gradients N and M terms; one of the three is large."""
    k = draw(FEATURES)
    n = draw(FEW if k > SHORT else FEATURES)
    m = draw(among(1, 2) if max(k, n) > SHORT else FEATURES)
    return {"input": (m, k), "other": (k, n)}, {}


@st.composite
def now_and_then(draw: st.DrawFn, usual: st.SearchStrategy[Geometry], *rare: st.SearchStrategy[Geometry]) -> Geometry:
    """The usual shapes, and one time in eight each of the others."""
    turn = draw(whole(0, 7))
    return draw(rare[7 - turn] if 7 - turn < len(rare) else usual)
