"""Interpolation: an image of other sizes, each element a weighted sum of elements of the input, axis by axis.

An output position i lies at ``s`` among the elements of an axis of ``size`` elements that gets ``outputs``. With
``r = size/outputs``, or with ``r = 1/f`` where a scale factor f is given and is not to be computed anew,

    ``s = r·(i + ½) − ½``, or with aligned corners ``s = r·i``, ``r = (size − 1)/(outputs − 1)``, 0 for a single output

(ATen/native/UpSample.h: area_pixel_compute_scale, area_pixel_compute_source_index). The modes take, along each axis,

- "nearest": the element ``⌊r·i⌋``, "nearest-exact": ``⌊r·(i + ½)⌋``;
- "linear": s, at least 0, lies between two elements, the nearer of which counts for more: ``1 − |s − u|`` each;
- "cubic": the four elements around s by ``K(s − u)`` (:func:`keys`) with A = −¾, the border repeated outside;
- with antialiasing the elements within the filter's reach, which a scale r above 1 widens: ``F((s − u)/max(r, 1))``
  over their sum, F the triangle ``1 − |d|`` or ``K(d)`` with A = −½; what is outside the input does not count.

These are the documented formulas: "nearest" is OpenCV's INTER_NEAREST, "nearest-exact" and antialiasing are Pillow's.
A position is computed without error here, as a fraction.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

import numpy as np
from numba import njit

from refimpl.arrays import Array, float64, lift, matching

MODES = {1: ("nearest", "nearest-exact", "linear"), 2: ("nearest", "nearest-exact", "bilinear", "bicubic"),
         3: ("nearest", "nearest-exact", "trilinear")}  # fmt: skip
"""The modes by the number of axes."""
Taps = tuple[Array, Array]
"""For each output position along an axis the elements that it takes, and their weights: (outputs, taps) each."""
Axis = tuple[int, int, float | None]
"""An axis's size, that of the output, and the scale factor by which positions are computed, if by one."""


def interpolate(x: Array, **how: Any) -> Array:
    """``y[n, c, i, j] = Σ_{a,b} v[i, a]·w[j, b]·x[n, c, rows[i, a], columns[j, b]]`` with the taps of each axis.

    x: (N, C, *spatial) with one to three axes; how: size, or scale_factor and perhaps recompute_scale_factor, mode,
    align_corners and antialias, as torch.nn.functional.interpolate takes them; no document says what aligned corners
    mean for antialiasing. Returns (N, C, *sizes). Raises ValueError as :func:`axes_of`.

    >>> interpolate(np.array([[[0.0, 4.0]]]), size=(4,), mode="linear")
    array([[[0., 1., 3., 4.]]])
    >>> interpolate(np.array([[[0.0, 4.0]]]), scale_factor=(1.5,)), interpolate(np.array([[[1.0, 2.0]]]), size=(3,))
    (array([[[0., 0., 4.]]]), array([[[1., 1., 2.]]]))
    """
    return summed(x, [taps(axis, **kind_of(how)) for axis in axes_of(np.shape(x), **how)])


def interpolate_gradient(cotangent: Array, input_shape: tuple[int, ...], **how: Any) -> Array:
    """Gradient of ``⟨cotangent, interpolate(x)⟩`` to x: each position hands on its cotangent by its weights.

    ``∂x[n, c, rows[i, a], columns[j, b]] += v[i, a]·w[j, b]·cotangent[n, c, i, j]``. cotangent: (N, C, *sizes).

    >>> interpolate_gradient(np.array([[[1.0, 10.0, 100.0]]]), (1, 1, 2), size=(3,))
    array([[[ 11., 100.]]])
    """
    return scattered(cotangent, input_shape, [taps(axis, **kind_of(how)) for axis in axes_of(input_shape, **how)])


def axes_of(
    shape: tuple[int, ...],
    size: Sequence[int] | None = None,
    scale_factor: Sequence[float] | None = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
    recompute_scale_factor: bool | None = None,
    antialias: bool = False,
) -> list[Axis]:
    """The sizes of each axis, ``⌊size·f⌋`` for a scale factor f, and f where positions are computed by it.

    Raises ValueError where the arguments contradict each other or the shape, or a size is below 1.

    >>> axes_of((1, 1, 3), scale_factor=(1.5,)), axes_of((1, 1, 3), scale_factor=(1.5,), recompute_scale_factor=True)
    ([(3, 4, 1.5)], [(3, 4, None)])
    """
    axes = len(shape) - 2
    given = size if scale_factor is None else scale_factor
    if (size is None) == (scale_factor is None) or given is None or axes not in MODES or len(given) != axes:
        raise ValueError(f"size={size}, scale_factor={scale_factor} do not give a size for each axis of {shape}")
    if mode not in MODES[axes] or (antialias and (mode not in ("bilinear", "bicubic") or align_corners)):
        raise ValueError(f"mode={mode!r} is none of {', '.join(MODES[axes])}, antialias={antialias}")
    if ("nearest" in mode and align_corners is not None) or (recompute_scale_factor and scale_factor is None):
        raise ValueError(f"align_corners={align_corners} and recompute_scale_factor have no meaning here")
    spatial = shape[2:]
    if size is not None:
        found: list[Axis] = [(n, wanted, None) for n, wanted in zip(spatial, size, strict=True)]
    else:
        factors = zip(spatial, given, strict=True)
        found = [(n, math.floor(n * f), None if recompute_scale_factor else float(f)) for n, f in factors]
    if min(min(n, wanted) for n, wanted, _ in found) < 1:
        raise ValueError(f"sizes {spatial} and {given}: there is an axis of no elements")
    return found


def kind_of(how: Mapping[str, Any]) -> dict[str, Any]:
    """Of the arguments, those by which weights are formed along an axis.

    >>> kind_of({"size": (2, 2), "mode": "bilinear"})
    {'mode': 'linear', 'align_corners': False, 'antialias': False}
    """
    mode = str(how.get("mode", "nearest"))
    plain = "linear" if mode.endswith("linear") else mode.removeprefix("bi")
    corners, smooth = bool(how.get("align_corners")), bool(how.get("antialias"))
    return {"mode": plain, "align_corners": corners, "antialias": smooth}


def ratio(axis: Axis, align_corners: bool) -> Fraction:
    """How many elements of the input an output position stands for: r.

    >>> ratio((3, 6, None), False), ratio((3, 6, None), True), ratio((3, 4, 1.5), False)
    (Fraction(1, 2), Fraction(2, 5), Fraction(2, 3))
    """
    size, outputs, factor = axis
    if align_corners:
        return Fraction(size - 1, outputs - 1) if outputs > 1 else Fraction(0)
    return Fraction(size, outputs) if factor is None else 1 / Fraction(factor)


def positions(axis: Axis, align_corners: bool) -> list[Fraction]:
    """Where each output position lies among the elements: s."""
    r, half = ratio(axis, align_corners), Fraction(1, 2)
    return [r * i if align_corners else r * (i + half) - half for i in range(axis[1])]


@functools.lru_cache(maxsize=4096)
def taps(axis: Axis, mode: str, align_corners: bool = False, antialias: bool = False) -> Taps:
    """The elements that each output position takes along an axis, and their weights.

    mode: "nearest", "nearest-exact", "linear" or "cubic".

    >>> taps((2, 4, None), "linear")[1]
    array([[1.  , 0.  ],
           [0.75, 0.25],
           [0.25, 0.75],
           [0.75, 0.25]])
    """
    if antialias:
        return _filtered(axis, mode)
    if "nearest" in mode:
        index = [[min(math.floor(place), axis[0] - 1)] for place in nearest(axis, mode)]
        return np.array(index, dtype=np.int64), np.ones((len(index), 1))
    reach, weight = (1, triangle) if mode == "linear" else (2, keys)
    places = [max(s, Fraction(0)) if mode == "linear" else s for s in positions(axis, align_corners)]
    around = [range(math.floor(s) - reach + 1, math.floor(s) + reach + 1) for s in places]
    index = [[min(max(u, 0), axis[0] - 1) for u in each] for each in around]
    weights = [[weight(float(s - u)) for u in each] for s, each in zip(places, around, strict=True)]
    return np.array(index, dtype=np.int64), np.array(weights)


def nearest(axis: Axis, mode: str) -> list[Fraction]:
    """What the index of the nearest element is the whole part of, for each output position."""
    r, start = ratio(axis, False), Fraction(int(mode == "nearest-exact"), 2)
    return [r * (i + start) for i in range(axis[1])]


def triangle(d: float) -> float:
    """``1 − |d|``, at least 0.

    >>> triangle(-0.25), triangle(1.5)
    (0.75, 0.0)
    """
    return max(1.0 - abs(d), 0.0)


def keys(d: float, a: float = -0.75) -> float:
    """The cubic convolution of Keys (1981): ``(A+2)|d|³ − (A+3)d² + 1`` up to 1, ``A|d|³ − 5Ad² + 8A|d| − 4A`` up to 2.

    >>> keys(0.0), keys(1.0), keys(0.5), keys(-1.5), keys(2.0)
    (1.0, 0.0, 0.59375, -0.09375, 0.0)
    """
    d = abs(d)
    if d <= 1.0:
        return ((a + 2.0) * d - (a + 3.0)) * d * d + 1.0
    return ((d - 5.0) * d + 8.0) * d * a - 4.0 * a if d < 2.0 else 0.0


def _filtered(axis: Axis, mode: str) -> Taps:
    """The taps of antialiasing: the elements that the widened filter reaches, weighted to a sum of one."""
    wide = max(float(ratio(axis, False)), 1.0)
    reach = (1.0 if mode == "linear" else 2.0) * wide
    places = [float(s) for s in positions(axis, False)]
    first = [min(max(math.floor(s - reach), 0), axis[0] - 1) for s in places]
    count = min(2 * math.ceil(reach) + 2, axis[0])
    index = np.array([[min(u + k, axis[0] - 1) for k in range(count)] for u in first], dtype=np.int64)
    inside = np.array([[u + k < axis[0] for k in range(count)] for u in first])
    spread = np.array([[filtered((s - u - k) / wide, mode) for k in range(count)]
                       for s, u in zip(places, first, strict=True)]) * inside  # fmt: skip
    return index, spread / spread.sum(axis=1, keepdims=True)


def filtered(d: float, mode: str) -> float:
    """The filter of antialiasing at a distance: the triangle, or Keys' convolution with A = −½."""
    return triangle(d) if mode == "linear" else keys(d, -0.5)


def summed(x: Array, axes: Sequence[Taps]) -> Array:
    """The sum over the taps of each axis. x: (N, C, *spatial). Returns (N, C, *outputs)."""
    planes, lifted = _planes(x, len(axes)), _lifted(axes)
    outputs = tuple(len(index) for index, _ in axes)
    y = np.zeros((len(planes), *lift(outputs, 1)))
    _gather(y, planes, *lifted)
    return y.reshape(*np.shape(x)[:2], *outputs)


def scattered(cotangent: Array, input_shape: tuple[int, ...], axes: Sequence[Taps]) -> Array:
    """The adjoint of :func:`summed`. cotangent: (N, C, *outputs). Returns ``input_shape``."""
    g = matching(cotangent, (*input_shape[:2], *(len(index) for index, _ in axes)))
    gradient = _planes(np.zeros(input_shape), len(axes))
    _scatter(gradient, _planes(g, len(axes)), *_lifted(axes))
    return gradient.reshape(input_shape)


def _planes(x: Array, axes: int) -> Array:
    shape = np.shape(x)
    return float64(x).reshape(math.prod(shape[:2]), *lift(shape[-axes:], 1))


def _lifted(axes: Sequence[Taps]) -> list[Array]:
    """Index and weight of each of three axes, those before the first with a single tap."""
    unit = (np.zeros((1, 1), dtype=np.int64), np.ones((1, 1)))
    return [part for each in (*[unit] * (3 - len(axes)), *axes) for part in each]


@njit(cache=True)
def _gather(y, x, depth, t, rows, v, columns, w):  # type: ignore[no-untyped-def]
    for n, p, i, j in np.ndindex(y.shape):
        total = 0.0
        for d in range(depth.shape[1]):
            for a in range(rows.shape[1]):
                for b in range(columns.shape[1]):
                    total += t[p, d] * v[i, a] * w[j, b] * x[n, depth[p, d], rows[i, a], columns[j, b]]
        y[n, p, i, j] = total


@njit(cache=True)
def _scatter(gradient, g, depth, t, rows, v, columns, w):  # type: ignore[no-untyped-def]
    for n, p, i, j in np.ndindex(g.shape):
        for d in range(depth.shape[1]):
            for a in range(rows.shape[1]):
                for b in range(columns.shape[1]):
                    at = depth[p, d], rows[i, a], columns[j, b]
                    gradient[n, at[0], at[1], at[2]] += t[p, d] * v[i, a] * w[j, b] * g[n, p, i, j]
