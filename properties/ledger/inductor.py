"""Values and gradients that torch's compiler gets wrong, where eager mode is right."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from properties.cases.case import Case
from properties.edges.huge import formula
from properties.edges.special_values import Special
from properties.ledger.record import BACKENDS, COMPILED, OF_GRADIENTS, known
from properties.ledger.windows import adaptive_axes, of_many_sizes, of_one_size
from properties.operators import Operator, operator
from properties.subjects import FLOATS, INTEGERS, Subject
from properties.worker.call import INDUCTOR, Setting
from properties.worker.layouts import LAYOUTS
from refimpl.adaptive_pooling import adaptive_max_pool
from refimpl.arrays import Array
from refimpl.geometry import fractional_starts
from refimpl.margin_loss import right_classes

compiled = functools.partial(known, dtypes=("float32",), modes=COMPILED, backends=(INDUCTOR,))
"""Register what is wrong when compiled, for given and for symbolic sizes."""
refused = functools.partial(compiled, severity="valid arguments rejected")


@compiled(
    "compiled-fractional-pool3d-samples-reversed",
    ("fractional_max_pool3d",),
    severity="silent wrong value",
    devices=("cpu", "cuda"),
    dtypes=FLOATS,
    upstream="https://github.com/pytorch/pytorch/pull/183628",
    why="eager mode, on each device, takes the first for depth (ATen/native/FractionalMaxPool3d.cpp)",
    example=Case(
        {"input": (1, 1, 2, 2, 4)}, {"kernel_size": (1, 1, 1), "output_size": (1, 1, 3)}, "normal", seed=1
    ),
)  # fmt: skip
def _other_windows_in_reverse(case: Case, subject: Subject) -> bool:
    """The three samples of a channel are used for the axes in reverse order: the last places the windows in depth."""
    given, sizes, pooled = case.arguments, case.shapes["input"][-3:], operator("fractional_max_pool3d")
    if formula(pooled, case) is None:
        return False
    samples = pooled.operands(case, subject.format)["samples"].reshape(-1, 3)
    axes = list(zip(sizes, given["kernel_size"], given["output_size"], strict=True))
    return any(
        fractional_starts(*axis, sample=drawn[i]) != fractional_starts(*axis, sample=drawn[2 - i])
        for drawn in samples
        for i, axis in enumerate(axes)
    )


@compiled(
    "compiled-avg-pool-gradient-in-ceil-mode",
    ("avg_pool1d", "avg_pool2d", "avg_pool3d"),
    severity="wrong gradient",
    laws=("gradients",),
    devices=("cpu", "cuda"),
    dtypes=FLOATS,
    upstream="https://github.com/pytorch/pytorch/issues/198119",
    why="torch.nn.AvgPool2d: a gradient is that of the output, which is right; eager mode divides by those",
    operator="avg_pool2d",
    example=Case(
        {"input": (1, 1, 1, 3)},
        {"kernel_size": (1, 2), "padding": (0, 0), "ceil_mode": True, "count_include_pad": True},
        "normal",
    ),
)
def _window_overhangs(case: Case, subject: Subject) -> bool:
    """The gradient of a last window that reaches past the padded input is divided by the whole kernel size, not by the
    elements that the forward pass averaged."""
    kernel, given = case.arguments["kernel_size"], case.arguments
    if not given["ceil_mode"] or not given.get("count_include_pad", True) or given.get("divisor_override"):
        return False
    strides, outputs = given.get("stride", kernel), operator("avg_pool2d").output_shape(case)[-len(kernel) :]
    sizes = case.shapes["input"][-len(kernel) :]
    axes = zip(sizes, kernel, strides, given["padding"], outputs, strict=True)
    return any((out - 1) * s + k > size + 2 * p for size, k, s, p, out in axes)


@compiled(
    "compiled-nll-loss-over-no-weight",
    ("nll_loss",),
    severity="wrong gradient",
    laws=("gradients",),
    why="torch.nn.NLLLoss: only the target's element is in the sum, so none of the others has a part in the loss, "
    "whose gradient to them is zero, as eager mode says",
    example=Case({"input": (1, 2)}, {"target": (1,), "weight": (0.0, 0.0)}, "normal"),
)
def _mean_over_no_weight(case: Case, subject: Subject) -> bool:
    """Where every example has weight zero, so that their mean is 0/0, the gradient is NaN for every class."""
    given = case.arguments
    target = np.ravel(given["target"])
    counted = target[target != given.get("ignore_index", -100)]
    mean = given.get("reduction", "mean") == "mean" and "weight" in given
    return mean and counted.size > 0 and not np.take(given["weight"], counted).any()


@compiled(
    "compiled-max-pool-of-minus-infinity",
    ("max_pool1d", "max_pool1d_values", "max_pool2d", "max_pool3d"),
    severity="silent wrong value",
    laws=("special gradients",),
    dtypes=FLOATS,
    why="torch.nn.MaxPool2d: 'implicit negative infinity padding', of which no element is the largest; eager mode "
    "gives the first element's index",
    operator="max_pool2d",
    example=Special(
        {"input": (1, 1, 1, 1)},
        {"kernel_size": (1, 2), "padding": (0, 1), "ceil_mode": False, "dilation": (1, 1)},
        "normal",
        palette="all -inf",
    ),
)
def _first_of_padding(case: Case, subject: Subject) -> bool:
    """A window that begins in the padding, and whose elements are all −∞, has the index of the padding: one of another
    row, or a negative one, with which the gradient is written beside its place, or 'index out of bounds' raised."""
    given, x = case.arguments, case.tensor("input", case.shapes["input"], subject.format)
    kernel = given["kernel_size"]
    strides, padding = given.get("stride", kernel), given["padding"]
    largest = np.asarray(operator(f"max_pool{len(kernel)}d").reference(x > -np.inf, **given)[0])
    starts = np.indices(largest.shape[-len(kernel) :]).T * strides - padding
    return bool(((largest == 0) & (starts < 0).any(-1).T).any())


@compiled(
    "compiled-softshrink-of-nan-is-zero",
    ("softshrink",),
    severity="silent wrong value",
    laws=("special rows", "layouts"),
    dtypes=FLOATS,
    upstream="https://github.com/pytorch/pytorch/issues/138385",
    why="eager mode gives NaN since that issue, and the decomposition multiplies by zero 'for dealing with nans'",
    example=Special({"input": (1,)}, {}, "normal", palette="nan", often=1.0),
)
def _softshrink_of_nan(case: Case, subject: Subject) -> bool:
    """The product of an element with zero is taken for zero, where the element is NaN, too."""
    return bool(np.isnan(case.tensor("input", case.shapes["input"], subject.format)).any())


@compiled(
    "compiled-adaptive-max-pool-index-of-nan",
    ("adaptive_max_pool1d", "adaptive_max_pool2d"),
    severity="silent wrong value",
    laws=("special gradients",),
    dtypes=FLOATS,
    why="torch.nn.AdaptiveMaxPool2d: the indices are those of the outputs; the output is NaN, and eager mode, windows "
    "of one size and three axes give the index of a NaN",
    example=Special({"input": (1, 1, 3)}, {"output_size": (2,)}, "normal", seed=1, palette="nan"),
)
def _largest_before_nan(case: Case, subject: Subject) -> bool:
    """Where windows differ in size, and have 25 elements at most, the index of an output that is NaN is that of the
    largest number before the first NaN of its window, where the gradient then goes; right is a NaN that comes first."""
    if not of_many_sizes(case):
        return False
    x = case.tensor("input", case.shapes["input"], subject.format)
    output = case.arguments["output_size"]
    has_nan, first_nan = adaptive_max_pool(np.isnan(x), output)
    _, first = adaptive_max_pool(np.zeros(x.shape), output)
    return bool(((has_nan > 0) & (first_nan != first)).any())


@compiled(
    "compiled-max-pool-index-in-order-of-memory",
    (
        "max_pool2d", "max_pool3d", "adaptive_max_pool2d", "adaptive_max_pool3d", "fractional_max_pool2d",
        "fractional_max_pool3d",
    ),
    severity="silent wrong value",
    laws=("layouts", "special gradients"),
    dtypes=FLOATS + INTEGERS,
    upstream="https://github.com/pytorch/pytorch/issues/197434",
    why="torch.nn.MaxPool2d: the indices are those of the outputs; strides are no part of a tensor's value, and eager "
    "mode, other layouts and smaller windows are right",
    example=Case(
        {"input": (1, 2, 5, 5)},
        {"kernel_size": (5, 5), "padding": (0, 0), "ceil_mode": False, "dilation": (1, 1)},
        "normal",
        setting=Setting({"input": "transposed"}),
    ),
)  # fmt: skip
def _counted_in_memory(case: Case, subject: Subject) -> bool:
    """In a window of 25 elements or more, or of several where there is a single output, the largest is counted in the
    order of memory, and that number is taken for one in the order of the axes: where the input is transposed, the
    index, and with it the gradient, is that of another element."""
    pooled, shape = _by_windows(case), case.shapes["input"]
    if pooled is None:
        return False
    kernel = pooled.arguments["kernel_size"]
    strides = LAYOUTS[case.layout("input")](torch.empty(shape)).stride()[-len(kernel) :]
    order = sorted(range(len(kernel)), key=lambda axis: -strides[axis])
    fractional = "output_size" in pooled.arguments
    pool = operator(f"{'fractional_' if fractional else ''}max_pool{len(kernel)}d")
    if math.prod(kernel) < 25 and math.prod(pool.output_shape(pooled)) != 1:
        return False
    x, given = pool.operands(pooled, subject.format), dict(pooled.arguments)
    if not fractional:
        sides = [(0, 0)] * (len(shape) - len(kernel)) + [(side, side) for side in given.pop("padding")]
        x["input"] = np.pad(x["input"], sides, constant_values=-np.inf)
    there = {n: tuple(v[axis] for axis in order) if isinstance(v, tuple) else v for n, v in given.items()}
    moved = _in_order(x["input"], order), *(samples[..., order] for samples in list(x.values())[1:])
    return bool((_in_order(_counted(pool, x.values(), given), order) != _counted(pool, moved, there)).any())


def _by_windows(case: Case) -> Case | None:
    """The case of a max pooling; of an adaptive one as one by windows, None where their sizes differ or there is one
    for a whole plane."""
    if "kernel_size" in case.arguments:
        return case
    if not of_one_size(case) or {count for _, count in adaptive_axes(case)} == {1}:
        return None
    kernel = tuple(size // count for size, count in adaptive_axes(case))
    return replace(case, arguments={"kernel_size": kernel, "padding": (0,) * len(kernel)})


def _in_order(x: Array, order: Sequence[int]) -> Array:
    """The last axes in another order."""
    before = x.ndim - len(order)
    return x.transpose(*range(before), *(before + axis for axis in order))


def _counted(pool: Operator, operands: Iterable[Array], given: Mapping[str, Any]) -> Array:
    """Which of the elements of its window each largest one is, counted in the order of the axes; nothing is padded."""
    x, *samples = operands
    kernel = given["kernel_size"]
    ramp = np.broadcast_to(-np.arange(math.prod(sizes := x.shape[-len(kernel) :])).reshape(sizes), x.shape)
    at, first = (np.unravel_index(pool.reference(values, *samples, **given)[1], sizes) for values in (x, ramp))
    apart = zip(at, first, given.get("dilation", (1,) * len(kernel)), strict=True)
    return np.asarray(np.ravel_multi_index([(a - f) // d for a, f, d in apart], kernel))


@compiled(
    "compiled-l1-loss-ignores-weight",
    ("l1_loss",),
    severity="silent wrong value",
    devices=("cpu", "cuda"),
    dtypes=FLOATS,
    backends=(INDUCTOR, "aot_eager"),
    upstream="https://github.com/pytorch/pytorch/pull/193003",
    why="torch.nn.functional.l1_loss: weight: 'Weights for each sample'; eager mode multiplies by them, and compiled "
    "mse_loss and huber_loss do",
    example=Case({"input": (2, 1), "target": (2, 1)}, {"reduction": "sum", "weight": (3.0,)}, "normal"),
)
def _unweighted(case: Case, subject: Subject) -> bool:
    """Each element counts once: where a mode or a subclass takes over l1_loss by __torch_function__, as tracing does,
    it is not told of the weight."""
    return bool((np.asarray(case.arguments.get("weight", 1.0)) != 1.0).any())


@compiled(
    "compiled-multilabel-margin-loss-past-its-labels",
    ("multilabel_margin_loss",),
    severity="silent wrong value",
    devices=("cpu", "cuda"),
    dtypes=FLOATS,
    backends=BACKENDS,
    upstream="https://github.com/pytorch/pytorch/issues/141017",
    why="torch.nn.MultiLabelMarginLoss: 'The target and input must have the same size' and labels end 'before the "
    "first −1'; eager mode ends there",
    example=Case({"input": (2, 3)}, {}, "normal"),
)
def _labels_past_the_end(case: Case, subject: Subject) -> bool:
    """The first −1 and whatever follows it are taken for labels of class 0, which adds to the loss, or at zero to its
    gradient, unless that exceeds all others by more than the margin."""
    loss = operator("multilabel_margin_loss")
    operands = loss.operands(case, subject.format)
    x, right = operands["input"], right_classes(operands["target"])
    return bool(((1.0 - x[..., :1] + x >= 0.0) & ~right).any())


@compiled(
    "compiled-margin-losses-of-one-row",
    ("multi_margin_loss", "multilabel_margin_loss"),
    severity="wrong shape",
    also=("errors when compiled",),
    devices=("cpu", "cuda"),
    dtypes=FLOATS,
    backends=BACKENDS,
    why="torch.nn.MultiMarginLoss, Shape: unreduced that of the target, which has no axis; eager mode has none",
    example=Case({"input": (3,)}, {"reduction": "none"}, "normal"),
)
def _row_with_an_axis(case: Case, subject: Subject) -> bool:
    """The loss of scores without a batch, which is not reduced, has an axis, as it has on the meta device."""
    return len(case.shapes["input"]) == 1 and case.arguments.get("reduction") == "none"


@compiled(
    "compiled-margin-losses-slope-at-zero",
    ("multi_margin_loss", "multilabel_margin_loss"),
    severity="wrong gradient",
    laws=OF_GRADIENTS,
    devices=("cpu", "cuda"),
    dtypes=FLOATS,
    backends=BACKENDS,
    why="eager mode has no slope where a margin is kept exactly, nor has torch.nn.ReLU at zero",
    chance="which of two such scores is the class, and whether a row has more of them, is drawn beside them",
    example=Case({"input": (2,)}, {"margin": 0.5, "weight": (5.0, 2.0)}, "ties", seed=1718),
)
def _margin_kept_exactly(case: Case, subject: Subject) -> bool:
    """Where a score exceeds another by the margin and no more, the slope is one, not zero."""
    x = operator("multi_margin_loss").filled("input", case.shapes["input"], case, subject.format)
    apart = case.arguments.get("margin", 1.0) - x[..., :, None] + x[..., None, :]
    return case.arguments.get("p", 1) == 1 and bool((apart == 0.0).any())
