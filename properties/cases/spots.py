"""Parts of a layer: what some elements of a result depend on, as operands of the same layer, only smaller.

A result of millions of elements is held at some hundreds of them: the first, the last, those beside the borders of
tiles, and others at random. What one of them depends on is cut out of the operands and given to the same loops, with
the same bounds, so that the cost does not grow with the result. Where a sum itself is long, one element is one sum.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from properties.cases.case import Case
from refimpl.arrays import Array
from refimpl.geometry import convolution_output

Operands = Mapping[str, Array]
Index = tuple[Any, ...]
Parts = Callable[[Case, Operands, Array | None], Iterator["Part"]]
"""The parts of a case's output, or, with a cotangent, of its gradients."""

SPOTS = 256
PRODUCTS = 2**23
"""Of one part, at most, as long as there are two elements."""
TILES = (4, 8, 16, 32, 64, 128, 256, 512, 1024, 4096)


@dataclass(frozen=True)
class Part:
    """Operands and arguments of which a layer makes some elements of the whole result, or, with a cotangent, of whole
    gradients.

    where: for each result its elements' index in the whole, and theirs in the part's own.
    """

    operands: Operands
    arguments: Mapping[str, Any]
    where: Mapping[str, tuple[Index, Index]]
    cotangent: Array | None = None


def along(size: int, count: int, generator: np.random.Generator) -> Array:
    """Indices along an axis: the first and the last; half of the others beside a tile's border, half at random."""
    borders = {at for tile in TILES for m in (tile, size // tile * tile) for at in (m - 1, m) if 0 <= at < size}
    beside = generator.choice(sorted(borders | {0, size - 1}), count)
    indices = np.where(generator.random(count) < 0.5, beside, generator.integers(0, size, count))
    indices[:2] = (0, size - 1)[: len(indices)]
    return indices


def spots(shape: tuple[int, ...], count: int, generator: np.random.Generator) -> list[Array]:
    """The indices of some elements, along each axis: the first, the last, and others."""
    return [along(size, count, generator) for size in shape]


def affordable(products: int, most: int = SPOTS) -> int:
    """How many elements of so many products each a part has: at least the first and the last."""
    return max(2, min(most, PRODUCTS // max(products, 1)))


def _generator(case: Case) -> np.random.Generator:
    return np.random.default_rng([case.seed, 3])


def planes(case: Case, operands: Operands, cotangent: Array | None) -> Iterator[Part]:
    """Whole planes of a pooling: no channel of an image sees another."""
    x = operands["input"]
    count = affordable(16 * math.prod(x.shape[2:]), min(64, x.shape[0] * x.shape[1]))
    at, own = tuple(spots(x.shape[:2], count, _generator(case))), (slice(None), 0)
    plane = {"input": x[at][:, None]}
    if cotangent is None:
        yield Part(plane, case.arguments, {"output": (at, own), "indices": (at, own)})
    else:
        yield Part(plane, case.arguments, {"input": (at, own)}, cotangent[at][:, None])


def linear(case: Case, operands: Operands, cotangent: Array | None) -> Iterator[Part]:
    """A submatrix of each result of a linear layer: rows by outputs, rows by features, outputs by features."""
    x, weight, bias = (operands[name] for name in ("input", "weight", "bias"))
    rows, features, outputs = (np.unique(along(size, 16, _generator(case))) for size in (*x.shape, len(weight)))
    everything = (...,)
    if cotangent is None:
        own = {"input": x[rows], "weight": weight[outputs], "bias": bias[outputs]}
        yield Part(own, {}, {"output": (np.ix_(rows, outputs), everything)})
        return
    own = {"input": x[np.ix_(rows, features)], "weight": weight[:, features], "bias": bias}
    yield Part(own, {}, {"input": (np.ix_(rows, features), everything)}, cotangent[rows])
    own = {"input": x[:, features], "weight": weight[np.ix_(outputs, features)], "bias": bias[outputs]}
    where = {"weight": (np.ix_(outputs, features), everything), "bias": ((outputs,), everything)}
    yield Part(own, {}, where, cotangent[:, outputs])


def convolution(case: Case, operands: Operands, cotangent: Array | None) -> Iterator[Part]:
    """Spots of a convolution's output, or of its gradients, a group of channels for each."""
    if cotangent is None:
        yield from _outputs(case, operands, _generator(case))
    else:
        yield from _to_input(case, operands, cotangent, _generator(case))
        yield _to_weight(case, operands, cotangent, _generator(case))


def _windows(case: Case) -> list[tuple[int, int, int, int]]:
    """Taps, stride, padding and dilation of each axis."""
    steps = (case.arguments[name] for name in ("stride", "padding", "dilation"))
    return list(zip(case.shapes["weight"][2:], *steps, strict=True))


Met = tuple[tuple[int, ...], tuple[int, ...]]
"""Taps of a window along an axis and what each of them meets."""


def _gathered(position: int, size: int, taps: int, stride: int, padding: int, dilation: int) -> Met:
    """The taps at an output position that meet an element, and that element."""
    met = [(a, position * stride - padding + a * dilation) for a in range(taps)]
    return _apart([(a, z) for a, z in met if 0 <= z < size])


def _scattered(element: int, positions: int, taps: int, stride: int, padding: int, dilation: int) -> Met:
    """The taps that meet an element of the input, and at which output position."""
    met = [(a, divmod(element + padding - a * dilation, stride)) for a in range(taps)]
    return _apart([(a, i) for a, (i, rest) in met if rest == 0 and 0 <= i < positions])


def _apart(met: list[tuple[int, int]]) -> Met:
    taps, others = zip(*met, strict=True) if met else ((), ())
    return taps, others


def _outputs(case: Case, operands: Operands, generator: np.random.Generator) -> Iterator[Part]:
    """Each output is a convolution of its window, without the taps that lie in the padding, to a single position.

    One that sees nothing but padding is the first of a padded element.
    """
    x, weight, bias = operands["input"], operands["weight"], operands.get("bias")
    channels, kernels = weight.shape[1], len(weight) // case.arguments["groups"]
    sizes = (convolution_output(size, *window) for size, window in zip(x.shape[2:], _windows(case), strict=True))
    at = spots((len(x), len(weight), *sizes), affordable(math.prod(weight.shape[1:])), generator)
    for taps, chosen, windows, seen in _alike(_gathered, at[2:], x.shape[2:], _windows(case)):
        n, o, *positions = (indices[chosen] for indices in at)
        c = (o // kernels * channels)[:, None] + np.arange(channels)
        window = x[(_spread(n, len(taps) + 1), _spread(c, len(taps)), *_crossed(windows))]
        own = {"input": window.reshape(1, -1, *window.shape[2:]), "weight": _taps_of(weight[o], taps)}
        own |= {} if bias is None else {"bias": bias[o]}
        where = {"output": ((n, o, *positions), (0, slice(None), *(0,) * len(taps)))}
        yield Part(own, _plain(len(taps), len(chosen), padding=0 if seen else 1), where)


def _to_input(case: Case, operands: Operands, cotangent: Array, generator: np.random.Generator) -> Iterator[Part]:
    """Each element's gradient is that of a single element which every tap that reaches it meets once.

    Padded with all but one of the taps, tap a' meets it at position A'−1−a'. One that no tap reaches is the second of
    two, of which a stride of 2 leaves the first.
    """
    x, weight = operands["input"], operands["weight"]
    channels, groups = weight.shape[1], case.arguments["groups"]
    kernels = len(weight) // groups
    at = spots(x.shape, affordable(kernels * math.prod(weight.shape[2:])), generator)
    for taps, chosen, positions, seen in _alike(_scattered, at[2:], cotangent.shape[2:], _windows(case)):
        n, c, *elements = (indices[chosen] for indices in at)
        o = (c // channels * kernels)[:, None] + np.arange(kernels)
        axes, stride = len(taps), 1 if seen else 2
        g = cotangent[(_spread(n, axes + 1), _spread(o, axes), *_crossed([p[:, ::-1] for p in positions]))]
        w = _taps_of(weight[o, (c % channels)[:, None]][:, :, None].reshape(-1, 1, *weight.shape[2:]), taps)
        own = {"input": np.zeros((1, len(chosen), *(stride,) * axes)), "weight": w}
        arguments = {**_plain(axes, len(chosen), stride), "padding": tuple(len(t) - 1 for t in taps)}
        where = {"input": ((n, c, *elements), (0, slice(None), *(-1,) * axes))}
        yield Part(own, arguments, where, g.reshape(1, -1, *g.shape[2:]))


def _to_weight(case: Case, operands: Operands, cotangent: Array, generator: np.random.Generator) -> Part:
    """Kernels of one channel, each with the gradient to its bias: the same layer with two channels for each pair."""
    x, weight, bias = operands["input"], operands["weight"], operands.get("bias")
    channels, kernels = weight.shape[1], len(weight) // case.arguments["groups"]
    products = x.shape[0] * math.prod(cotangent.shape[2:]) * math.prod(weight.shape[2:])
    count = affordable(products, min(SPOTS, len(weight) * channels))
    o, c = spots(weight.shape[:2], count, generator)
    own = {"input": x[:, o // kernels * channels + c], "weight": weight[o, c][:, None]}
    own |= {} if bias is None else {"bias": bias[o]}
    where: dict[str, tuple[Index, Index]] = {"weight": ((o, c), (slice(None), 0))}
    where |= {} if bias is None else {"bias": ((o,), (...,))}
    return Part(own, {**case.arguments, "groups": count}, where, cotangent[:, o])


def _plain(axes: int, groups: int, stride: int = 1, padding: int = 0) -> dict[str, Any]:
    """The arguments of a convolution that is not dilated, the same for all axes."""
    return {"stride": (stride,) * axes, "padding": (padding,) * axes, "dilation": (1,) * axes, "groups": groups}


def _alike(
    meeting: Callable[..., Met], at: list[Array], sizes: tuple[int, ...], windows: list[tuple[int, int, int, int]]
) -> Iterator[tuple[tuple[tuple[int, ...], ...], Array, list[Array], bool]]:
    """Spots for which the same taps meet something: these taps, which spots, and what they meet along each axis.

    Where none does, False comes last, and the taps are the first ones, as if they met the first element.
    """
    axes = list(zip(sizes, windows, strict=True))
    found = defaultdict(list)
    for spot, indices in enumerate(zip(*at, strict=True)):
        met = [meeting(int(i), size, *window) for i, (size, window) in zip(indices, axes, strict=True)]
        found[tuple(taps for taps, _ in met)].append((spot, [others for _, others in met]))
    for taps, alike in found.items():
        chosen, seen = np.array([spot for spot, _ in alike]), all(taps)
        across = [np.array([others[axis] if seen else (0,) for _, others in alike]) for axis in range(len(axes))]
        yield taps if seen else ((0,),) * len(axes), chosen, across, seen


def _spread(indices: Array, behind: int) -> Array:
    """Indices with so many axes of one element behind, so that they broadcast."""
    return indices.reshape(*indices.shape, *(1,) * behind)


def _crossed(along: list[Array]) -> Iterator[Array]:
    """What each spot meets along each axis, (S, K) for each, as indices that broadcast to (S, 1, K₁, K₂, …)."""
    for axis, indices in enumerate(along):
        yield indices.reshape(len(indices), 1, *(1,) * axis, -1, *(1,) * (len(along) - axis - 1))


def _taps_of(weight: Array, taps: tuple[tuple[int, ...], ...]) -> Array:
    """The kernels without all other taps."""
    kept: Index = (..., *np.ix_(*taps))
    return weight[kept]
