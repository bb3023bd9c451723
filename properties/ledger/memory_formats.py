"""Which tensors torch takes to lie in memory in channels_last."""

from __future__ import annotations

import torch

from properties.cases.case import Case
from properties.worker.layouts import LAYOUTS


def passes_for_channels_last(case: Case, name: str, shape: tuple[int, ...]) -> bool:
    """True if torch takes the strides of an operand of four or five axes for those of channels_last."""
    return len(shape) in (4, 5) and 0 not in shape and passes(LAYOUTS[case.layout(name)](torch.empty(shape)))


def passes(tensor: torch.Tensor) -> bool:
    """True if strides grow from the channels' over the last axis' to the first's.

    Those of axes of one element, which address nothing, count too (c10/core/MemoryFormat.h).
    """
    strides, least = tensor.stride(), 0
    for axis in (1, *range(tensor.ndim - 1, 1, -1), 0):
        if strides[axis] < least or strides[1] == 0 or (axis == 0 and least == strides[1]):
            return False
        least = strides[axis] * tensor.shape[axis]
    return True


def convolves_in_channels_last(case: Case) -> bool:
    """True if torch computes a convolution in channels_last: its input or weight passes for it."""
    return any(0 not in case.shapes[name] and passes(as_convolved(case, name)) for name in ("input", "weight"))


def as_convolved(case: Case, name: str) -> torch.Tensor:
    """Input or weight as torch convolves it: with an axis for the batch, and, of one axis, another of one row."""
    tensor, axes = LAYOUTS[case.layout(name)](torch.empty(case.shapes[name])), len(case.shapes["weight"])
    tensor = tensor.unsqueeze(0) if tensor.ndim < axes else tensor
    tensor = tensor.contiguous() if axes == 3 and name == "input" else tensor
    return tensor.unsqueeze(2) if axes == 3 else tensor
