"""The same values in other places: how a tensor can lie in memory without being another tensor."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

Array = np.ndarray


def _contiguous(t: Tensor) -> Tensor:
    return t


def _channels_last(t: Tensor) -> Tensor:
    """Axis 1 innermost, as ``torch.channels_last`` has it; without an axis 1 nothing to move."""
    return t.movedim(1, -1).contiguous().movedim(-1, 1) if t.ndim > 2 else t


def _transposed(t: Tensor) -> Tensor:
    """The first axis innermost."""
    backwards = tuple(reversed(range(t.ndim)))
    return t.permute(backwards).contiguous().permute(backwards)


def _strided(t: Tensor) -> Tensor:
    """Every second element of a row; NaN, or the largest integer, lies between."""
    if not t.ndim:
        return t
    wide = _unrelated((*t.shape[:-1], 2 * t.shape[-1]), t)
    wide[..., ::2] = t
    return wide[..., ::2]


def _offset(t: Tensor) -> Tensor:
    """One element past the start of its storage, so that no vector is aligned."""
    buffer = _unrelated((t.numel() + 2,), t)
    buffer[1:-1] = t.flatten()
    return buffer[1:-1].view(t.shape)


def _odd_units(t: Tensor) -> Tensor:
    """Axes of one element with a stride that no contiguous tensor has; it is never used to address anything."""
    strides = [7 if size == 1 else stride for size, stride in zip(t.shape, t.stride(), strict=True)]
    return t.as_strided(t.shape, strides)


def _expanded(t: Tensor) -> Tensor:
    """Stride 0 along the first axis, whose elements must be equal (see :func:`fit`)."""
    return t[:1].expand(t.shape) if t.ndim else t


def _scalar(t: Tensor) -> Tensor:
    """Stride 0 along every axis: one element in memory."""
    return t.flatten()[:1].view((1,) * t.ndim).expand(t.shape) if t.numel() else t


LAYOUTS: dict[str, Callable[[Tensor], Tensor]] = {
    "contiguous": _contiguous,
    "channels_last": _channels_last,
    "transposed": _transposed,
    "strided": _strided,
    "offset": _offset,
    "odd units": _odd_units,
    "expanded": _expanded,
    "scalar": _scalar,
}


FAITHFUL = [name for name in LAYOUTS if name not in ("expanded", "scalar")]
"""The layouts that hold any values."""


def fit(values: Array, layout: str) -> Array:
    """Values that a layout can hold: repeated where it has stride 0.

    >>> fit(np.array([[1.0, 2.0], [3.0, 4.0]]), "expanded")
    array([[1., 2.],
           [1., 2.]])
    """
    if layout == "expanded" and values.ndim:
        return np.broadcast_to(values[:1], values.shape).copy()
    if layout == "scalar" and values.size:
        return np.full(values.shape, values.flat[0])
    return values


def _unrelated(shape: tuple[int, ...], like: Tensor) -> Tensor:
    """Memory that no kernel has a reason to read, filled with what would show."""
    filling = float("nan") if like.is_floating_point() else torch.iinfo(like.dtype).max
    return torch.full(shape, filling, dtype=like.dtype, device=like.device)
