"""ATen's interpolation."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
import torch
from torch._prims_common import suggest_memory_format

from properties.cases.case import Case
from properties.ledger.record import OF_WRONG_GRADIENTS, known
from properties.ledger.sums import OPMATH, lossy
from properties.subjects import FLOATS, Subject
from properties.worker.call import INDUCTOR
from properties.worker.layouts import LAYOUTS
from refimpl import interpolation
from refimpl.interpolation import Axis

DIRECTLY = "torch.nn.functional.interpolate: without recompute_scale_factor, 'scale_factor will be used directly for " \
           "interpolation'; "  # fmt: skip
NARROW = Fraction(1, 2**20)
MOVED = "gradient of moved elements"


def _axes(case: Case) -> list[Axis]:
    return interpolation.axes_of(case.shapes["input"], **case.arguments)


def _copied(axis: Axis) -> bool:
    """True if an axis that stays as it is, or doubles, has other nearest elements by its factor than by its sizes."""
    size, outputs, factor = axis
    if factor is None or outputs not in (size, 2 * size):
        return False
    places = enumerate(interpolation.nearest(axis, "nearest"))
    return any(
        i * size // outputs not in (math.floor(q * (1 - NARROW)), math.floor(q * (1 + NARROW))) for i, q in places
    )


def _by_sizes(case: Case) -> bool:
    """True if the kernel for channels_last serves: of two axes that of few outputs, too."""
    shape, axes = case.shapes["input"], _axes(case)
    if len(axes) == 1:
        return False
    kind = torch.channels_last if len(axes) == 2 else torch.channels_last_3d
    x = LAYOUTS[case.layout("input")](torch.empty(shape, device="meta"))
    last = shape[1] > 3 and x.is_contiguous(memory_format=kind)
    return last or (len(axes) == 2 and sum(outputs for _, outputs, _ in axes) <= 128)


@known(
    "nearest-ignores-scale-factor",
    ("interpolate_nearest",),
    severity="silent wrong value",
    dtypes=(*FLOATS, "uint8"),
    modes=("eager",),
    backends=(INDUCTOR,),
    upstream="https://github.com/pytorch/pytorch/issues/198201",
    why=DIRECTLY + "with one axis, and compiled, it is",
    example=Case({"input": (1, 1, 1, 3)}, {"mode": "nearest", "scale_factor": (1.0, 1.25)}),
)
def _copies(case: Case, subject: Subject) -> bool:
    """With two axes, and with three in channels_last, an axis whose size stays, or doubles, is copied, or each element
    of it twice, whatever the factor."""
    nearest = case.arguments.get("mode", "nearest") == "nearest"
    return nearest and _by_sizes(case) and any(map(_copied, _axes(case)))


@known(
    "nearest-gradient-ignores-scale-factor",
    ("interpolate_nearest",),
    severity="wrong gradient",
    laws=(*OF_WRONG_GRADIENTS, MOVED),
    modes=("eager",),
    backends=(INDUCTOR,),
    upstream="https://github.com/pytorch/pytorch/issues/97135",
    why="the gradient is not that of the output, whose elements were taken by the factor",
    example=Case({"input": (1, 1, 3)}, {"mode": "nearest", "scale_factor": (1.25,)}, "normal"),
)
def _gradient_copies(case: Case, subject: Subject) -> bool:
    """With one axis, and with three that are not in channels_last, the gradient of an axis whose size stays, or
    doubles, is that of a copy, or of two of each element, whatever the factor, by which the output was formed."""
    nearest = case.arguments.get("mode", "nearest") == "nearest"
    return nearest and not _by_sizes(case) and any(map(_copied, _axes(case)))


def _forward(axis: Axis, mode: str, dtype: Any) -> list[int]:
    """The nearest elements by a position in a dtype, as ATen's kernel for any strides takes them, with an FMA."""
    size, outputs, factor = axis
    r = dtype(size) / dtype(outputs) if factor is None else dtype(1.0 / factor)
    i = np.arange(outputs)
    fused = (np.longdouble(r) * (i + 0.5) - 0.5).astype(dtype)
    place = (r * i.astype(dtype) if mode == "nearest" else fused.astype(np.float64) + 0.5).astype(np.float32)
    return [min(math.floor(q), size - 1) for q in place.tolist()]


def _backward(axis: Axis, mode: str) -> list[int]:
    """The elements that their gradients go to, by a scale in float32 whatever the dtype."""
    size, outputs, factor = axis
    r = np.float32(size) / np.float32(outputs) if factor is None else np.float32(1.0 / factor)
    i = np.arange(outputs)
    place = (r * i.astype(np.float32) if mode == "nearest" else np.float64(r) * (i + 0.5)).astype(np.float32)
    return [min(math.floor(q), size - 1) for q in place.tolist()]


@known(
    "nearest-gradient-of-another-rounding",
    ("interpolate_nearest",),
    severity="wrong gradient",
    laws=(MOVED,),
    dtypes=("float32", "float64"),
    modes=("eager",),
    backends=(INDUCTOR,),
    why="the gradient is not that of the output: ⟨Ax, y⟩ is not ⟨x, Aᵀy⟩; with two axes it is",
    example=Case({"input": (1, 1, 2)}, {"mode": "nearest-exact", "size": (41,)}),
)
def _rounds_otherwise(case: Case, subject: Subject) -> bool:
    """With one axis, and with three that are not in channels_last, elements are taken by positions of one formula, in
    the input's dtype, and their gradients go by another, in float32: where they round to either side of a whole number
    a gradient goes to an element beside the one that was taken."""
    mode, dtype = case.arguments["mode"], {"float64": np.float64}.get(subject.dtype, np.float32)
    differ = any(_forward(axis, mode, dtype) != _backward(axis, mode) for axis in _axes(case))
    return 0 not in case.shapes["input"] and not _by_sizes(case) and differ


@known(
    "linear-interpolation-ignores-scale-factor",
    ("interpolate_linear",),
    severity="silent wrong value",
    modes=("eager",),
    backends=(INDUCTOR,),
    why=DIRECTLY + "bicubic interpolation does so",
    example=Case({"input": (1, 1, 3)}, {"mode": "linear", "align_corners": False, "scale_factor": (1.25,)}, "normal"),
)
def _stays(case: Case, subject: Subject) -> bool:
    """An axis whose size stays is copied, whatever the factor."""
    aligned = case.arguments.get("align_corners", False)
    return not aligned and any(n == outputs > 1 and f not in (None, 1.0) for n, outputs, f in _axes(case))


@known(
    "bicubic-gradient-ignores-scale-factor",
    ("interpolate_bicubic",),
    severity="wrong gradient",
    laws=OF_WRONG_GRADIENTS,
    modes=("eager",),
    backends=(INDUCTOR,),
    why="the gradient is not that of the output, which is formed by the factor",
    example=Case(
        {"input": (1, 1, 1, 3)}, {"mode": "bicubic", "align_corners": False, "scale_factor": (1.0, 1.25)}, "normal"
    ),
)
def _all_stay(case: Case, subject: Subject) -> bool:
    """Where the sizes of both axes stay the gradient is the cotangent, whatever the factors."""
    return all(n == outputs for n, outputs, _ in _axes(case)) and _stays(case, subject)


@known(
    "antialiasing-ignores-scale-factor",
    ("interpolate_antialiased",),
    severity="silent wrong value",
    why=DIRECTLY + "the gradient is that of the factor",
    example=Case(
        {"input": (1, 1, 1, 3)}, {"mode": "bilinear", "antialias": True, "scale_factor": (1.0, 1.25)}, "normal"
    ),
    narrower="the length that a factor leaves as it is depends on both; that it is rounded is the fact nearest to it",
)
def _filtered_stays(case: Case, subject: Subject) -> bool:
    """An axis whose size stays is copied, whatever the factor, and its gradient is not."""
    return _stays(case, subject)


@lossy(
    "interpolation-weights-in-storage",
    ("interpolate_linear", "interpolate_bicubic"),
    why=OPMATH + "the kernel for channels_last does so",
    example=Case({"input": (1, 1, 17)}, {"mode": "linear", "align_corners": False, "size": (33,)}, "normal"),
)
def _weights(case: Case, subject: Subject) -> bool:
    """Weights are rounded to the 16-bit storage before they meet the input."""
    return case.arguments["mode"] == "bicubic" or not _by_sizes(case)


@known(
    "antialiasing-to-one-column",
    ("interpolate_antialiased",),
    severity="silent wrong value",
    why="torch.nn.functional.interpolate: with antialiasing results match Pillow's; to two columns they do, and the "
    "gradient is right",
    example=Case({"input": (1, 1, 2, 1)}, {"mode": "bilinear", "antialias": True, "size": (3, 1)}, "normal"),
    chance="a column of one value is right by any weights, since their sum is 1",
)
def _one_column(case: Case, subject: Subject) -> bool:
    """Of an output of one column, each row is formed with the weights of the first, since a loop takes its inner axis,
    which columns are no longer, for one of equal weights; several channels in channels_last are such an axis."""
    shape, ((rows, taken, _), (_, columns, _)) = case.shapes["input"], _axes(case)
    x = LAYOUTS[case.layout("input")](torch.empty(shape, device="meta"))
    inner = shape[1] > 1 and suggest_memory_format(x) == torch.channels_last
    return 0 not in shape and columns == 1 and 1 not in (rows, taken) and rows != taken and not inner
