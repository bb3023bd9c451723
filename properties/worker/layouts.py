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
    """Torch's own memory formats, which there are for four and for five axes.

    The strides of axes of one element are those of the format, too: by them torch takes a tensor for one that has it.
    """
    format = {4: torch.channels_last, 5: torch.channels_last_3d}.get(t.ndim, torch.preserve_format)
    return t.to(memory_format=format)


def _axis_1_innermost(t: Tensor) -> Tensor:
    """What channels_last would be on three axes, where torch has no such format.

    A copy, so that axes of one element have the strides of the format, too: ``contiguous`` leaves them as they are.
    """
    return t.movedim(1, -1).clone(memory_format=torch.contiguous_format).movedim(-1, 1) if t.ndim > 1 else t


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
    return _displaced(t, 1)


def _offset_8(t: Tensor) -> Tensor:
    """Eight bytes past an address that 64 divides."""
    return _displaced(t, 8 // t.element_size())


def _offset_16(t: Tensor) -> Tensor:
    """Sixteen bytes past an address that 64 divides: aligned for the narrowest vectors alone."""
    return _displaced(t, 16 // t.element_size())


def _offset_32(t: Tensor) -> Tensor:
    """32 bytes past an address that 64 divides: aligned for all but the widest vectors."""
    return _displaced(t, 32 // t.element_size())


def _displaced(t: Tensor, elements: int) -> Tensor:
    """So many elements past the start of its storage, where torch's allocator aligns to 64 bytes."""
    buffer = _unrelated((t.numel() + 2 * elements,), t)
    within = buffer[elements : elements + t.numel()]
    within[:] = t.flatten()
    return within.view(t.shape)


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
    "axis 1 innermost": _axis_1_innermost,
    "transposed": _transposed,
    "strided": _strided,
    "offset": _offset,
    "offset 8": _offset_8,
    "offset 16": _offset_16,
    "offset 32": _offset_32,
    "odd units": _odd_units,
    "expanded": _expanded,
    "scalar": _scalar,
}


FAITHFUL = [name for name in LAYOUTS if name not in ("expanded", "scalar")]
"""The layouts that hold any values."""
OFFSETS = tuple(name for name in LAYOUTS if name.startswith("offset"))
"""The layouts that start off an address that 64 divides."""


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
