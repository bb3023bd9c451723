"""Fractional max pooling: windows of one size whose starts follow from a random sample for each plane and axis."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from refimpl.arrays import Array, float64, lift
from refimpl.geometry import fractional_starts
from refimpl.rounding import Precision, gamma
from refimpl.windows import largest, spans


def fractional_max_pool(
    x: Array, kernel_size: Sequence[int], output_size: Sequence[int], samples: Array
) -> tuple[Array, Array]:
    """Largest element of each window, and where it is.

    ``y[n,c,i,j] = max_{a,b} x[n, c, rows[n,c,i]+a, columns[n,c,j]+b]`` with the starts that
    :func:`refimpl.geometry.fractional_starts` makes of the plane's samples. NaN and ties as in max pooling.

    x: (N, C, *spatial) or (C, *spatial), two or three spatial axes; kernel_size and output_size: one value for each;
    samples: (N, C, axes), or (1, C, axes) without a batch, in [0, 1). Samples go to the axes in torch's order: depth,
    rows, columns in 3-d, but *columns, rows* in 2-d. Returns the values and the flat indices into ``spatial``
    (int64), each (N, C, *output_size). Raises ValueError where shapes or windows do not fit. Its gradient is
    :func:`refimpl.pooling.max_pool_gradient`. Source: torch.nn.FractionalMaxPool2d; the order of the samples is that
    of ATen/native/FractionalMaxPool2d.cpp and FractionalMaxPool3d.cpp.

    >>> x = np.arange(16).reshape(1, 4, 4)
    >>> fractional_max_pool(x, (1, 2), (3, 2), np.array([[[0.0, 0.5]]]))   # rows 0, 2, 3 and columns 0, 2
    (array([[[ 1.,  3.],
             [ 9., 11.],
             [13., 15.]]]), array([[[ 1,  3],
             [ 9, 11],
             [13, 15]]]))
    """
    axes, shape = len(kernel_size), np.shape(x)
    if axes not in (2, 3) or len(output_size) != axes or len(shape) not in (axes + 1, axes + 2):
        raise ValueError(f"an input of shape {shape} does not fit kernel_size={kernel_size}, output_size={output_size}")
    batch = shape[0] if len(shape) == axes + 2 else 1
    if np.shape(samples) != (batch, shape[-axes - 1], axes):
        raise ValueError(f"samples has shape {np.shape(samples)}, but should have {(batch, shape[-axes - 1], axes)}")
    planes = float64(x).reshape(math.prod(shape[:-axes]), *lift(shape[-axes:], 1))
    windows = _windows(planes.shape[1:], lift(kernel_size, 1), lift(output_size, 1), _per_plane(samples))
    values = np.empty((len(planes), *lift(output_size, 1)))
    indices = np.empty(values.shape, dtype=np.int64)
    largest(values, indices, planes, *windows)
    output = (*shape[:-axes], *output_size)
    return values.reshape(output), indices.reshape(output)


def certain_starts(size: int, kernel: int, outputs: int, sample: float, precision: Precision) -> bool:
    """True if arithmetic of a precision is sure to find the starts of :func:`refimpl.geometry.fractional_starts`.

    torch computes ``(i + sample)·α`` in the input's format, α rounded too: a sum, a quotient and a product, so it is
    off by at most ``γ_3·(i + sample)·α``. Where an integer is that near, the window may start one element off.

    >>> from refimpl.rounding import FLOAT32
    >>> certain_starts(8, 2, 5, 0.0, FLOAT32), certain_starts(8, 2, 5, 0.25, FLOAT32)   # 2·1.5 is 3
    (False, True)
    """
    (off, unit), (part, whole) = (float(x).as_integer_ratio() for x in (gamma(3, precision), sample))
    one = whole * max(outputs - 1, 1)  # of the places, as integers: exact, and far faster than fractions
    places = [(i * whole + part) * (size - kernel) for i in range(outputs - 1)]
    return all(place == 0 or min(place % one, -place % one) * unit > off * place for place in places)


def _per_plane(samples: Array) -> Array:
    """(N, C, axes) in torch's order → (planes, 3) in the order depth, rows, columns."""
    flat = float64(samples).reshape(math.prod(np.shape(samples)[:2]), np.shape(samples)[2])
    if flat.shape[1] == 3:
        return flat
    return np.stack([np.zeros(len(flat)), flat[:, 1], flat[:, 0]], axis=1)


def _windows(sizes: Sequence[int], kernel: Sequence[int], output: Sequence[int], samples: Array) -> list[Array]:
    windows = []
    for axis, (size, extent, outputs) in enumerate(zip(sizes, kernel, output, strict=True)):
        fractional_starts(size, extent, outputs, 0.0)  # an error even where there is no plane
        starts = [fractional_starts(size, extent, outputs, sample) for sample in samples[:, axis]]
        of_planes = [spans([(start, start + extent) for start in plane]) for plane in starts]
        windows.append(np.concatenate(of_planes) if of_planes else spans([(0, 0)] * outputs, 0))
    return windows
