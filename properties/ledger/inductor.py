"""torch's compiler, where eager mode is right."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from properties.cases.case import Case, kernel_size
from properties.edges.huge import formula
from properties.edges.special_values import Special
from properties.ledger.examples import convolution
from properties.ledger.record import BACKENDS, COMPILED, OF_GRADIENTS, known
from properties.ledger.rules import accepted
from properties.operators import Operator, operator
from properties.operators.constraints import Invalid
from properties.operators.unpooling_constraints import elements_of, outside
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

# Values and gradients


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
    if not _of_many_sizes(case):
        return False
    x = case.tensor("input", case.shapes["input"], subject.format)
    output = case.arguments["output_size"]
    has_nan, first_nan = adaptive_max_pool(np.isnan(x), output)
    _, first = adaptive_max_pool(np.zeros(x.shape), output)
    return bool(((has_nan > 0) & (first_nan != first)).any())


def _axes(case: Case) -> list[tuple[int, int]]:
    """The input's and the output's size along each axis of an adaptive pooling, valid or not."""
    output = case.arguments["output_size"]
    pairs = zip(case.shapes["input"][-len(output) :], output, strict=True)
    return [(size, size if count is None else count) for size, count in pairs]


def _even(case: Case) -> bool:
    """True if the windows of an adaptive pooling are of one size: then it is computed as pooling by such windows is."""
    return all(count > 0 and size % count == 0 for size, count in _axes(case))


def _of_many_sizes(case: Case) -> bool:
    """True if they differ in size, and code is generated for them: past 25 elements eager mode's kernel is called."""
    if _even(case) or not all(count > 0 for _, count in _axes(case)):
        return False
    return 0 < math.prod(-(-(size + count - 1) // count) for size, count in _axes(case)) <= 25


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
    if not _even(case) or {count for _, count in _axes(case)} == {1}:
        return None
    kernel = tuple(size // count for size, count in _axes(case))
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


# Valid arguments that are refused


@refused(
    "compiled-replicate-padding-before-convolution",
    ("conv2d_padded",),
    laws=OF_GRADIENTS,
    why="torch.nn.Conv2d: padding_mode 'replicate' is supported; eager mode, 'reflect', and one channel are right",
    example=Case(*convolution((1, 2, 1, 2), (1, 2, 1, 1), padding_mode="replicate")),
)
def _replicated_channels(case: Case, subject: Subject) -> bool:
    """The backward pass of a convolution of several channels with padding_mode='replicate' raises an AssertionError:
    the convolution's gradient lies in channels_last, where the padding's is assumed to be contiguous."""
    shape = case.shapes["input"]
    return case.arguments.get("padding_mode") == "replicate" and len(shape) == 4 and shape[1] > 1


@refused(
    "compiled-convolution-of-empty-batch",
    ("conv2d", "conv2d_padded", "conv_transpose2d"),
    laws=OF_GRADIENTS,
    why="torch.nn.Conv2d, Shape: N may be any number, and eager mode gives a gradient of zeros; one and three axes are "
    "right",
    example=Case(*convolution((0, 2, 1, 2), (1, 2, 1, 2))),
)
def _empty_batch_of_kernels(case: Case, subject: Subject) -> bool:
    """The backward pass of an empty batch raises an AssertionError: the gradient to a weight of several channels and
    elements lies in memory otherwise than the compiled code assumes."""
    weight = case.shapes["weight"]
    return case.shapes["input"][0] == 0 and weight[1] > 1 and math.prod(weight[2:]) > 1


@refused(
    "compiled-adaptive-max-pool-without-channels",
    ("adaptive_max_pool1d", "adaptive_max_pool2d", "adaptive_max_pool3d"),
    laws=("errors when compiled",),
    why="torch.nn.AdaptiveMaxPool2d, Shape: (C, H, W), of which C is any number; eager mode gives an empty output",
    example=Case({"input": (0, 2)}, {"output_size": (2,)}, "normal"),
)
def _single_without_channels(case: Case, subject: Subject) -> bool:
    """An image of no channels without a batch raises 'Expected 3D or 4D tensor with optional 0 dim batch size' where
    all windows are of one size."""
    shape, output = case.shapes["input"], case.arguments["output_size"]
    return len(shape) == len(output) + 1 and shape[0] == 0 and set(output) != {1} and _even(case)


@refused(
    "compiled-fractional-max-pool-without-channels",
    ("fractional_max_pool2d",),
    laws=("errors when compiled",),
    backends=BACKENDS,
    why="torch.nn.FractionalMaxPool2d, Shape: (C, H, W), of which C is any number; eager mode gives no elements",
    example=Case({"input": (0, 1, 1)}, {"kernel_size": (1, 1), "output_size": (1, 1)}, "normal"),
)
def _image_without_channels(case: Case, subject: Subject) -> bool:
    """An image of no channels without a batch raises 'Expected input to have non-zero size for non-batch
    dimensions': its shape is inferred before any backend is asked."""
    shape = case.shapes["input"]
    return len(shape) == 3 and shape[0] == 0


# Invalid arguments that are accepted


@compiled(
    "compiled-adaptive-average-of-nothing",
    ("adaptive_avg_pool1d", "adaptive_avg_pool2d"),
    severity="missing error",
    laws=("errors when compiled",),
    modes=("compiled",),
    why="torch.nn.AdaptiveAvgPool2d: every output is the mean of some elements; eager mode raises 'Expected input to "
    "have non-zero size for non-batch dimensions', as three axes do when compiled",
    operator="adaptive_avg_pool2d",
    example=Case({"input": (1, 1, 0, 1)}, {"output_size": (2, 2)}, "normal"),
)
def _means_of_nothing(case: Case, subject: Subject) -> bool:
    """Means of an axis without elements are accepted where none is asked for, and where windows differ in size and
    several of nothing are, which are made up."""
    axes = _axes(case)
    none_wanted = min(count for _, count in axes) == 0
    return any(size == 0 for size, _ in axes) and (none_wanted or _of_many_sizes(case))


@compiled(
    "dynamic-adaptive-average-of-nothing",
    ("adaptive_avg_pool2d",),
    severity="missing error",
    laws=("errors when compiled",),
    modes=("dynamic",),
    why="torch.nn.AdaptiveAvgPool2d: every output is the mean of some elements; eager mode raises 'Expected input to "
    "have non-zero size for non-batch dimensions', as symbolic code does where some are asked for",
    example=Case({"input": (1, 1, 0, 1)}, {"output_size": (None, None)}, "normal"),
)
def _nothing_kept(case: Case, subject: Subject) -> bool:
    """Means of an axis without elements are accepted where None asks for as many of them."""
    output = case.arguments["output_size"]
    return any(not size and wanted is None for size, wanted in zip(case.shapes["input"][-2:], output, strict=True))


@compiled(
    "compiled-fractional-empty-kernel",
    ("fractional_max_pool2d", "fractional_max_pool3d"),
    severity="missing error",
    laws=("errors when compiled",),
    fixed="2.14.1",
    upstream="https://github.com/pytorch/pytorch/pull/190475",
    why="torch.nn.FractionalMaxPool2d: kernel_size is 'the size of the window to take a max over'; both should refuse "
    "it alike",
    example=Case({"input": (1, 1, 1, 1)}, {"kernel_size": (-1, 1), "output_size": (1, 1)}, "normal"),
)
def _window_of_nothing(case: Case, subject: Subject) -> bool:
    """A kernel of less than one element is accepted in eager mode, and fails within the compiler (InductorError)."""
    return min(case.arguments["kernel_size"]) < 1


@accepted(
    "compiled-unpooling-index-beyond-the-plane",
    ("max_unpool1d", "max_unpool2d", "max_unpool3d"),
    "indices lie in the output",
    devices=("cpu",),
    modes=COMPILED,
    backends=(INDUCTOR,),
    why="torch.nn.MaxUnpool1d: 'the indices given out by MaxPool1d', which are of its channel; eager mode raises",
    example=({"input": (1, 3)}, {"kernel_size": (1,), "padding": (0,), "stride": (1,)}),
    seed=2,
)
def _in_another_channel(case: Case, subject: Subject) -> bool:
    """Compiled, an index beyond its channel is used as one of the whole output, from its end where negative."""
    indices, elements = outside(case), elements_of(case)
    channels = math.prod(indices.shape[: -len(kernel_size(case))])
    at = int(np.flatnonzero(indices)[0])
    of_all = at // (indices.size // channels) * elements + int(indices.flat[at])
    return -channels * elements <= of_all < channels * elements


@known(
    "compiled-linear-output-broadcast-to-bias",
    ("linear",),
    severity="missing error",
    laws=("rejection", "errors when compiled"),
    devices=("cpu", "cuda"),
    modes=COMPILED,
    backends=(INDUCTOR,),
    upstream="https://github.com/pytorch/pytorch/issues/195579",
    why="torch.nn.functional.linear, Shape: 'Bias: (out_features) or ()'; eager mode raises",
    example=Invalid(
        {"input": (1, 1), "weight": (1, 1), "bias": (2,)}, {}, violated="bias has one value per output"
    ),
)  # fmt: skip
def _several_biases_of_one_row(case: Case, subject: Subject) -> bool:
    """A single output is broadcast to a bias of several elements, so that the result has another shape."""
    # The output is of a single row; a bias of no elements does so, too.
    shapes = case.shapes
    other = shapes.get("bias", (1,)) not in ((), (1,)) and shapes["weight"][0] == 1
    return other and math.prod(shapes["input"][:-1]) == 1


@accepted(
    "compiled-unfold-negative-padding",
    ("unfold",),
    "padding is at least 0",
    laws=("rejection", "errors when compiled"),
    devices=("cpu",),
    dtypes=("float32",),
    modes=COMPILED,
    backends=(INDUCTOR,),
    why="torch.nn.Unfold: padding is 'implicit zero padding to be added on both sides of input'; eager mode raises",
    example=(
        {"input": (1, 3, 3)}, {"kernel_size": (1, 1), "dilation": (1, 1), "padding": (-1, 0), "stride": (1, 1)}
    ),
)  # fmt: skip
def _negative_padding(case: Case, subject: Subject) -> bool:
    """Compiled, a negative padding is accepted."""
    return min(case.arguments["padding"]) < 0


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
    return any(weight != 1.0 for weight in case.arguments.get("weight", ()))


@accepted(
    "compiled-smooth-l1-loss-of-negative-beta",
    ("smooth_l1_loss",),
    "beta is not negative",
    laws=("rejection", "errors when compiled"),
    devices=("cpu",),
    dtypes=("float32",),
    modes=COMPILED,
    backends=(INDUCTOR,),
    upstream="https://github.com/pytorch/pytorch/issues/194501",
    why="torch.nn.SmoothL1Loss: beta: 'The value must be non-negative'; eager mode raises",
    example=({"input": (1,), "target": (1,)}, {"beta": -1.0}),
)  # fmt: skip
def _negative_beta(case: Case, subject: Subject) -> bool:
    """Compiled, a negative beta is accepted."""
    return float(case.arguments.get("beta", 1.0)) < 0.0


@refused(
    "compiled-loss-gradient-of-nothing",
    ("mse_loss", "smooth_l1_loss", "huber_loss"),
    laws=("gradients", "errors when compiled"),
    why="eager mode gives a gradient without elements, and the forward pass accepts it",
    example=Case({"input": (0, 1), "target": (0, 1)}, {}, "normal"),
)
def _mean_of_nothing(case: Case, subject: Subject) -> bool:
    """Compiled, the gradient of a mean of nothing raises ZeroDivisionError: 1/D is a number of Python's."""
    averaged = case.arguments.get("reduction", "mean") == "mean" and case.arguments.get("beta") != 0.0
    return averaged and 0 in case.shapes["input"]


@accepted(
    "compiled-celu-alpha",
    ("celu",),
    "alpha is not zero",
    devices=("cpu", "cuda"),
    dtypes=("float32",),
    modes=COMPILED,
    backends=(INDUCTOR,),
    upstream="https://github.com/pytorch/pytorch/issues/183762",
    why="torch.nn.CELU: the formula divides by alpha; eager mode raises",
    example=({"input": (2,)}, {"alpha": 0.0}),
)
def _celu_of_zero(case: Case, subject: Subject) -> bool:
    """Compiled, alpha = 0 is accepted."""
    return True


@compiled(
    "compiled-binary-cross-entropy-of-no-probabilities",
    ("binary_cross_entropy",),
    severity="missing error",
    laws=("errors when compiled",),
    upstream="https://github.com/pytorch/pytorch/issues/193757",
    why="torch.nn.BCELoss: 'the targets y should be numbers between 0 and 1'; eager mode raises",
    example=Case({"input": (2, 1), "target": (2, 1)}, {}, "normal"),
)
def _no_probabilities(case: Case, subject: Subject) -> bool:
    """Compiled, inputs and targets that are no probabilities are accepted."""
    shapes = case.shapes
    given = operator("binary_cross_entropy").any_operands(case, subject.format)
    outside = any(bool(((values < 0.0) | (values > 1.0)).any()) for values in given.values())
    return outside and shapes["input"] == shapes["target"]


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


@refused(
    "compiled-gaussian-nll-loss",
    ("gaussian_nll_loss",),
    laws=(),
    also=("errors when compiled",),
    devices=("cpu", "cuda"),
    backends=BACKENDS,
    upstream="https://github.com/pytorch/pytorch/issues/194503",
    why="torch.nn.GaussianNLLLoss: any variances that are not negative; eager mode is right",
    example=Case({"input": (2,), "target": (2,), "var": (2,)}, {}, "normal"),
)
def _variances_looked_at(case: Case, subject: Subject) -> bool:
    """In one graph, whether a variance is negative cannot be asked: 'Could not guard on data-dependent expression'."""
    return True


@compiled(
    "compiled-interpolation-to-nothing",
    ("interpolate_linear", "interpolate_bicubic"),
    severity="missing error",
    laws=("errors when compiled",),
    operator="interpolate_bicubic",
    upstream="https://github.com/pytorch/pytorch/issues/197095",
    why="torch.nn.functional.interpolate: eager mode raises 'Input and output sizes should be greater than 0'",
    example=Case({"input": (2, 3, 2, 3)}, {"mode": "bicubic", "align_corners": True, "size": (6, 0)}, "normal"),
)
def _interpolates_to_nothing(case: Case, subject: Subject) -> bool:
    """Compiled, an output size of zero is accepted with aligned corners, whether it is given or a scale's."""
    given, sizes = case.arguments, case.shapes["input"][2:]
    size = given.get("size") or [int(n * s) for n, s in zip(sizes, given.get("scale_factor", ()), strict=False)]
    return bool(given.get("align_corners")) and 0 in size and 0 not in sizes


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
