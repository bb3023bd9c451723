"""Cases whose sums are long and whose outputs are small, so that an accumulator that is too narrow shows.

With a handful of terms a sum that is formed in 16 bits is often within the bound of one that is formed in 32.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

from properties.cases.case import Geometry, among, often, whole
from properties.cases.dealing import drawn

CHANNELS = often(1, 512, 1, 2, 300, 512)
FEATURES = often(1, 4096, 1, 2, 3, 513, 1000, 4096)
FEW = often(1, 129, 1, 2, 129)
SHORT = 3

POSITIONS = {
    1: (often(1, 1024, 1024),),
    2: (often(1, 33, 33), often(1, 32, 32)),
    3: (often(1, 9, 9), often(1, 10, 10), often(1, 12, 12)),
}
WINDOWS = {1: 1024, 2: 32, 3: 10}

Enlarged = Callable[[st.DrawFn, Geometry], Geometry]
"""Shapes and arguments made of usual ones, with something enlarged."""


def convolution(draw: st.DrawFn, usual: Geometry) -> Geometry:
    """Kernels of one element: many channels in, many out, or many positions, for each of a convolution's three sums."""
    shapes, arguments = usual
    axes, groups = len(arguments["stride"]), min(arguments["groups"], 2)
    inputs = draw(CHANNELS)
    outputs = draw(FEW if inputs > SHORT else CHANNELS)
    many = max(inputs, outputs) > SHORT
    spatial = tuple(draw(whole(1, 2) if many else positions) for positions in POSITIONS[axes])
    batch = shapes["input"][: -axes - 1]
    bias = {"bias": (groups * outputs,)} if "bias" in shapes else {}
    ones, zeros = (1,) * axes, (0,) * axes
    return (
        {"input": (*batch, groups * inputs, *spatial), "weight": (groups * outputs, inputs, *ones), **bias},
        {"stride": ones, "padding": zeros, "dilation": ones, "groups": groups},
    )


def pooling(draw: st.DrawFn, usual: Geometry) -> Geometry:
    """Windows of about a thousand elements, at most four steps of one element or a whole window along each axis."""
    shapes, given = usual
    axes = len(given["kernel_size"])
    kernel = draw(often(1, WINDOWS[axes], WINDOWS[axes] // 2, WINDOWS[axes] - 1, WINDOWS[axes]))
    padding, steps = draw(among(0, 0, min(1, kernel // 2), kernel // 2)), draw(whole(0, 3))
    stride = draw(among(1, kernel)) if "stride" in given else kernel
    size = max(kernel - 2 * padding + stride * steps, kernel // 2, 1)
    long: dict[str, Any] = {name: (value,) * axes for name, value in (("kernel_size", kernel), ("padding", padding))}
    long |= {name: (value,) * axes for name, value in (("stride", stride), ("dilation", 1)) if name in given}
    if "divisor_override" in given:
        long["divisor_override"] = draw(among(257, 2049, 70_000))
    batch = shapes["input"][: -axes - 1]
    return {"input": (*batch, draw(whole(1, 2)), *(size,) * axes)}, {**given, **long}


def linear(draw: st.DrawFn, usual: Geometry) -> Geometry:
    """Many features in, many out, or many rows, for each of a linear layer's three sums."""
    shapes, arguments = usual
    rows, features, outputs = _sizes(draw)
    bias = {"bias": (outputs,)} if "bias" in shapes else {}
    return {"input": (rows, features), "weight": (outputs, features), **bias}, arguments


def matmul(draw: st.DrawFn, usual: Geometry) -> Geometry:
    """(M, K) and (K, N): the product sums K terms, its gradients N and M terms; one of the three is large."""
    m, k, n = _sizes(draw)
    return {"input": (m, k), "other": (k, n)}, {}


def reduction(draw: st.DrawFn, usual: Geometry) -> Geometry:
    """Many elements along one axis over which is reduced, and of all others one."""
    shape, arguments = usual[0]["input"], usual[1]
    dim = arguments["dim"]
    axis = (len(shape) - 1 if dim is None else dim if isinstance(dim, int) else dim[-1]) % len(shape)
    few = draw(whole(1, 2))
    return {"input": tuple(draw(FEATURES) if a == axis else few if a == 0 else 1 for a in range(len(shape)))}, arguments


def _sizes(draw: st.DrawFn) -> tuple[int, int, int]:
    """Rows, features in and features out, of which at most two are many."""
    features = draw(FEATURES)
    outputs = draw(FEW if features > SHORT else FEATURES)
    return draw(whole(1, 2) if max(features, outputs) > SHORT else FEATURES), features, outputs


@st.composite
def now_and_then(draw: st.DrawFn, usual: st.SearchStrategy[Geometry], *rare: Enlarged) -> Geometry:
    """The usual shapes, and one time in eight each of the others.

    Others are made of usual ones, and draw what they enlarge last. So one that fails for another reason than its size
    shrinks to what it was made of.
    """
    turn = draw(whole(0, 7))
    if 7 - turn >= len(rare):
        return draw(usual)
    with drawn("padded", "tail"):  # of windows and sizes that are not kept
        geometry = draw(usual)
    return rare[7 - turn](draw, geometry)
