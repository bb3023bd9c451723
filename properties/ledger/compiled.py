"""What torch's compiler makes of a program, where eager mode is right."""

from __future__ import annotations

import math

import numpy as np

from properties.cases.case import Case
from properties.edges.huge import formula
from properties.ledger.record import COMPILED, OF_GRADIENTS, Divergence
from properties.operators import operator
from properties.subjects import Subject
from refimpl.geometry import fractional_starts


def _replicated_planes(case: Case, subject: Subject) -> bool:
    """True if a batch of several channels is padded by its edges."""
    shape = case.shapes["input"]
    return case.arguments.get("padding_mode") == "replicate" and len(shape) == 4 and shape[1] > 1


def _other_windows_in_reverse(case: Case, subject: Subject) -> bool:
    """True if the windows of some plane are others when its three samples are taken in reverse."""
    given, sizes, pooled = case.arguments, case.shapes["input"][-3:], operator("fractional_max_pool3d")
    if formula(pooled, case) is None:
        return False
    samples = pooled.operands(case, subject.format)["samples"].reshape(-1, 3)
    axes = list(zip(sizes, given["kernel_size"], given["output_size"], strict=True))
    return any(
        fractional_starts(*axis, sample=plane[i]) != fractional_starts(*axis, sample=plane[2 - i])
        for plane in samples
        for i, axis in enumerate(axes)
    )


def _empty_batch_of_kernels(case: Case, subject: Subject) -> bool:
    """True if a batch of nothing meets a bank of kernels of several channels and elements."""
    weight = case.shapes["weight"]
    return case.shapes["input"][0] == 0 and weight[1] > 1 and math.prod(weight[2:]) > 1


def _mean_over_no_weight(case: Case, subject: Subject) -> bool:
    """True if a loss is a mean of examples that all have weight zero."""
    given = case.arguments
    target = np.ravel(given["target"])
    counted = target[target != given.get("ignore_index", -100)]
    mean = given.get("reduction", "mean") == "mean" and "weight" in given
    return mean and counted.size > 0 and not np.take(given["weight"], counted).any()


def _single_without_channels(case: Case, subject: Subject) -> bool:
    """True if an image without a batch has no channels, and is asked for more than one element an axis."""
    shape, output = case.shapes["input"], case.arguments["output_size"]
    return len(shape) == len(output) + 1 and shape[0] == 0 and set(output) != {1}


def _image_without_channels(case: Case, subject: Subject) -> bool:
    """True if an image without a batch has no channels."""
    shape = case.shapes["input"]
    return len(shape) == 3 and shape[0] == 0


def _window_of_nothing(case: Case, subject: Subject) -> bool:
    """True if some window has no elements."""
    return min(case.arguments["kernel_size"]) < 1


def _shifted_axes(case: Case, subject: Subject) -> bool:
    """True if two lengths of the default output are multiples of symbols and something more, of four or more axes.

    Lengths that are the same multiple of the same symbol count as one: to the compiler, equal lengths are one symbol.
    """
    given, shape = case.arguments, case.shapes["input"]
    if "output_size" in given or sum(size > 1 for size in shape) < 4 or 0 in shape:
        return False
    kernel = given["kernel_size"]
    axes = zip(shape[-len(kernel) :], kernel, given.get("stride", kernel), given["padding"], strict=True)
    more = {(size, (k - s - 2 * p) / s) for size, k, s, p in axes if size > 1}
    return sum(part != 0 for _, part in more) > 1


def _shifted_planes(case: Case, subject: Subject) -> bool:
    """True if an image without a batch has several outputs of several planes, of lengths that are not just n // stride.

    Spared are planes that are known to be square, and axes as long as there are channels, which is a number.
    """
    given, (outputs, _, *kernel), shape = case.arguments, case.shapes["weight"], case.shapes["input"]
    if len(shape) != 4 or outputs < 2 or shape[0] in shape[1:]:
        return False
    steps = list(zip(kernel, given["stride"], given["dilation"], strict=True))
    amounts = [d * (k - 1) if given["padding"] == "same" else 0 for k, _, d in steps]
    if isinstance(given["padding"], tuple):
        amounts = [2 * amount for amount in given["padding"]]
    lengths = [(size, s, a - d * (k - 1) - 1 + s) for size, a, (k, s, d) in zip(shape[1:], amounts, steps, strict=True)]
    several = all(size > 1 and (size + more) // s > 1 for size, s, more in lengths)
    return several and all(more for *_, more in lengths[1:]) and lengths[1] != lengths[2]


def _length_kept(case: Case, subject: Subject) -> bool:
    """True if an axis of three elements or more keeps its size, by None."""
    sizes = zip(case.shapes["input"][-2:], case.arguments["output_size"], strict=True)
    return any(size >= 3 and wanted is None for size, wanted in sizes)


def _nothing_kept(case: Case, subject: Subject) -> bool:
    """True if an axis without elements keeps its size."""
    output = case.arguments["output_size"]
    return any(not size and wanted is None for size, wanted in zip(case.shapes["input"][-2:], output, strict=True))


def _means_of_nothing(case: Case, subject: Subject) -> bool:
    """True if an image has an axis without elements, and the output is no mean of everything."""
    output = case.arguments["output_size"]
    return 0 in case.shapes["input"][-len(output) :] and set(output) != {1}


ENTRIES: tuple[Divergence, ...] = (
    Divergence(
        id="compiled-replicate-padding-before-convolution",
        severity="valid arguments rejected",
        operators=("conv2d_padded",),
        laws=OF_GRADIENTS,
        devices=("cpu",),
        dtypes=("float32",),
        modes=COMPILED,
        holds=_replicated_planes,
        what="the backward pass of a convolution of several channels with padding_mode='replicate' raises an "
        "AssertionError: the convolution's gradient lies in channels_last, that of the padding is taken for contiguous",
        why="torch.nn.Conv2d: padding_mode 'replicate' is supported; eager mode, 'reflect', and one channel are right",
        upstream=None,
        operator="conv2d_padded",
        example=Case(
            shapes={"input": (1, 2, 1, 2), "weight": (1, 2, 1, 1)},
            arguments={
                "stride": (1, 1), "padding": (0, 0), "dilation": (1, 1), "groups": 1, "padding_mode": "replicate",
            },
        ),
    ),
    Divergence(
        id="compiled-fractional-pool3d-samples-reversed",
        severity="silent wrong value",
        operators=("fractional_max_pool3d",),
        laws=(),
        devices=("cpu", "cuda"),
        dtypes=("float32",),
        modes=COMPILED,
        holds=_other_windows_in_reverse,
        what="the three samples of a plane are taken for the axes in reverse: the last places the windows in depth",
        why="eager mode, on each device, takes the first for depth (ATen/native/FractionalMaxPool3d.cpp)",
        upstream="https://github.com/pytorch/pytorch/pull/183628",
        operator="fractional_max_pool3d",
        example=Case(
            shapes={"input": (1, 1, 2, 2, 4)},
            arguments={"kernel_size": (1, 1, 1), "output_size": (1, 1, 3)},
            fill="normal",
            seed=1,
        ),
    ),
    Divergence(
        id="compiled-convolution-of-empty-batch",
        severity="valid arguments rejected",
        operators=("conv2d", "conv2d_padded", "conv_transpose2d"),
        laws=OF_GRADIENTS,
        devices=("cpu",),
        dtypes=("float32",),
        modes=COMPILED,
        holds=_empty_batch_of_kernels,
        what="the backward pass of a batch of nothing raises an AssertionError: the gradient to a weight of several "
        "channels and elements lies otherwise in memory than it is taken to",
        why="torch.nn.Conv2d, Shape: N may be any number, and eager mode gives a gradient of zeros; one and three axes "
        "are right",
        upstream=None,
        operator="conv2d",
        example=Case(
            shapes={"input": (0, 2, 1, 2), "weight": (1, 2, 1, 2)},
            arguments={"stride": (1, 1), "padding": (0, 0), "dilation": (1, 1), "groups": 1},
        ),
    ),
    Divergence(
        id="compiled-nll-loss-over-no-weight",
        severity="wrong gradient",
        operators=("nll_loss",),
        laws=("gradients",),
        devices=("cpu",),
        dtypes=("float32",),
        modes=COMPILED,
        holds=_mean_over_no_weight,
        what="where every example has weight zero, so that their mean is 0/0, the gradient is NaN for every class",
        why="torch.nn.NLLLoss: only the target's element is in the sum, so none of the others has a part in the loss, "
        "whose gradient to them is zero, as eager mode says",
        upstream=None,
        operator="nll_loss",
        example=Case({"input": (1, 2)}, {"target": (1,), "weight": (0.0, 0.0)}, "normal"),
    ),
    Divergence(
        id="compiled-adaptive-max-pool-without-channels",
        severity="valid arguments rejected",
        operators=("adaptive_max_pool1d", "adaptive_max_pool2d", "adaptive_max_pool3d"),
        laws=("errors when compiled",),
        devices=("cpu",),
        dtypes=("float32",),
        modes=COMPILED,
        holds=_single_without_channels,
        what="an image of no channels without a batch raises 'Expected 3D or 4D tensor with optional 0 dim batch size'",
        why="torch.nn.AdaptiveMaxPool2d, Shape: (C, H, W), of which C is any number; eager mode gives an empty output",
        upstream=None,
        operator="adaptive_max_pool1d",
        example=Case({"input": (0, 2)}, {"output_size": (2,)}, "normal"),
    ),
    Divergence(
        id="compiled-fractional-max-pool-without-channels",
        severity="valid arguments rejected",
        operators=("fractional_max_pool2d",),
        laws=("errors when compiled",),
        devices=("cpu",),
        dtypes=("float32",),
        modes=COMPILED,
        holds=_image_without_channels,
        what="an image of no channels without a batch raises 'Expected input to have non-zero size for non-batch "
        "dimensions'",
        why="torch.nn.FractionalMaxPool2d, Shape: (C, H, W), of which C is any number; eager mode gives no elements",
        upstream=None,
        operator="fractional_max_pool2d",
        example=Case({"input": (0, 1, 1)}, {"kernel_size": (1, 1), "output_size": (1, 1)}, "normal"),
    ),
    Divergence(
        id="compiled-adaptive-average-of-nothing",
        severity="missing error",
        operators=("adaptive_avg_pool1d", "adaptive_avg_pool2d"),
        laws=("errors when compiled",),
        devices=("cpu",),
        dtypes=("float32",),
        modes=("compiled",),
        holds=_means_of_nothing,
        what="means of an axis without elements are accepted, and an output is made up where one is asked for",
        why="torch.nn.AdaptiveAvgPool2d: every output is the mean of some elements; eager mode raises 'Expected "
        "input to have non-zero size for non-batch dimensions', as three axes do when compiled",
        upstream=None,
        operator="adaptive_avg_pool2d",
        example=Case({"input": (1, 1, 0, 1)}, {"output_size": (2, 2)}, "normal"),
    ),
    Divergence(
        id="dynamic-convolution3d-without-batch",
        severity="valid arguments rejected",
        operators=("conv3d", "conv3d_padded"),
        laws=(),
        also=("errors when compiled",),
        devices=("cpu",),
        dtypes=("float32",),
        modes=("dynamic",),
        holds=_shifted_planes,
        what="for symbolic sizes, strides of an output without a batch are compared that are products of sums; bounds "
        "of their quotient raise 'ValueRangeError: Invalid ranges [0:-1]', where they should be unknown",
        why="torch.nn.Conv3d, Shape: (C, D, H, W); a batch of several, eager mode and dynamic=False are right",
        upstream=None,
        operator="conv3d",
        example=Case(
            shapes={"input": (3, 7, 10, 21), "weight": (4, 3, 1, 2, 2)},
            arguments={"stride": (1, 1, 1), "padding": (0, 0, 0), "dilation": (1, 1, 1), "groups": 1},
            fill="normal",
        ),
    ),
    Divergence(
        id="dynamic-max-unpool-to-default-size",
        severity="valid arguments rejected",
        operators=("max_unpool2d", "max_unpool3d"),
        laws=(),
        also=("errors when compiled",),
        devices=("cpu",),
        dtypes=("float32",),
        modes=("dynamic",),
        holds=_shifted_axes,
        what="for symbolic sizes, where windows overlap, are padded or leave gaps on two axes, the default output has "
        "a number of elements in which the compiler finds powers below 0: 'ValueRangeError: Invalid ranges [0:-1]'",
        why="torch.nn.MaxUnpool2d gives the output's size by that formula; eager mode and dynamic=False are right",
        upstream=None,
        operator="max_unpool2d",
        example=Case({"input": (3, 2, 5, 7)}, {"kernel_size": (1, 1), "padding": (0, 0), "stride": (2, 2)}, "normal"),
    ),
    Divergence(
        id="dynamic-adaptive-average-of-kept-size",
        severity="valid arguments rejected",
        operators=("adaptive_avg_pool2d",),
        laws=(),
        also=("errors when compiled",),
        devices=("cpu", "cuda"),
        dtypes=("float32",),
        modes=("dynamic",),
        holds=_length_kept,
        what="an axis whose size is kept, by None, raises a LoweringException, 'cannot determine truth value of "
        "Relational': the input's size is made a number, that of the output stays a symbol",
        why="torch.nn.AdaptiveAvgPool2d: 'None which means the size will be the same as that of the input'; eager mode "
        "and dynamic=False are right",
        upstream=None,
        operator="adaptive_avg_pool2d",
        example=Case({"input": (1, 1, 1, 3)}, {"output_size": (1, None)}, "normal"),
    ),
    Divergence(
        id="dynamic-adaptive-average-of-nothing",
        severity="missing error",
        operators=("adaptive_avg_pool2d",),
        laws=("errors when compiled",),
        devices=("cpu",),
        dtypes=("float32",),
        modes=("dynamic",),
        holds=_nothing_kept,
        what="means of an axis without elements are accepted where None asks for as many of them",
        why="torch.nn.AdaptiveAvgPool2d: every output is the mean of some elements; eager mode raises 'Expected "
        "input to have non-zero size for non-batch dimensions', as symbolic code does where some are asked for",
        upstream=None,
        operator="adaptive_avg_pool2d",
        example=Case({"input": (1, 1, 0, 1)}, {"output_size": (None, None)}, "normal"),
    ),
    Divergence(
        id="compiled-fractional-empty-kernel",
        severity="missing error",
        operators=("fractional_max_pool2d", "fractional_max_pool3d"),
        laws=("errors when compiled",),
        devices=("cpu",),
        dtypes=("float32",),
        modes=COMPILED,
        holds=_window_of_nothing,
        what="a kernel of less than one element is taken in eager mode, and fails within the compiler (InductorError)",
        why="torch.nn.FractionalMaxPool2d: kernel_size is 'the size of the window to take a max over'; both should "
        "refuse it alike",
        upstream="https://github.com/pytorch/pytorch/pull/190475",
        fixed="2.14.1",
        operator="fractional_max_pool2d",
        example=Case({"input": (1, 1, 1, 1)}, {"kernel_size": (-1, 1), "output_size": (1, 1)}, "normal"),
    ),
)  # fmt: skip
