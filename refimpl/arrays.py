"""Bringing operands into the one form that the N-d loops take."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from refimpl.geometry import per_axis

Array = np.ndarray
Axes = int | Sequence[int]
Triple = tuple[int, int, int]


def float64(values: Array) -> Array:
    """A C-contiguous float64 copy, or the array itself where it is one already."""
    return np.asarray(values, dtype=np.float64, order="C")


def matching(cotangent: Array, output: Sequence[int]) -> Array:
    """A cotangent as float64. Raises ValueError unless it has the output's shape: the loops check no bounds.

    >>> matching(np.ones(3), (2,))
    Traceback (most recent call last):
    ValueError: the cotangent has shape (3,), but the output (2,)
    """
    if np.shape(cotangent) != tuple(output):
        raise ValueError(f"the cotangent has shape {np.shape(cotangent)}, but the output {tuple(output)}")
    return float64(cotangent)


def alike(*operands: Array) -> tuple[Array, ...]:
    """Operands as float64. Raises ValueError unless they have one shape.

    >>> alike(np.ones(3), np.ones(2))
    Traceback (most recent call last):
    ValueError: operands of one shape have shapes (3,), (2,)
    """
    shapes = [np.shape(operand) for operand in operands]
    if len(set(shapes)) > 1:
        raise ValueError(f"operands of one shape have shapes {', '.join(map(str, shapes))}")
    return tuple(float64(operand) for operand in operands)


def lift(values: Sequence[int], unit: int) -> Triple:
    """The values of one, two or three axes, with as many units before them as make three.

    >>> lift((5,), 1), lift((3, 5), 1)
    ((1, 1, 5), (1, 3, 5))
    """
    depth, rows, columns = (unit,) * (3 - len(values)) + tuple(values)
    return depth, rows, columns


def batched(values: Array, axes: int) -> Array:
    """(channels, *spatial) or (batch, channels, *spatial) → (batch, channels, depth, rows, columns), float64.

    ``axes`` is the number of spatial axes, 1 to 3; an absent batch becomes a batch of one.
    """
    shape = np.shape(values)
    first = shape[: -axes - 1] or (1,)
    return float64(values).reshape(*first, shape[-axes - 1], *lift(shape[-axes:], 1))


def steps(stride: Axes, padding: Axes, dilation: Axes, axes: int) -> tuple[Triple, Triple, Triple]:
    """Stride, padding and dilation of ``axes`` spatial axes, lifted to three."""
    return (
        lift(per_axis(stride, axes), 1),
        lift(per_axis(padding, axes), 0),
        lift(per_axis(dilation, axes), 1),
    )
