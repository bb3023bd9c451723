"""Wrong values, and valid arguments that are rejected."""

from __future__ import annotations

import math

import numpy as np

from properties.cases.case import Case
from properties.edges.huge import COMPUTED, formula
from properties.edges.special_values import Special
from properties.ledger.channels_last import passes_for_channels_last
from properties.ledger.record import COMPILED, CONVOLUTIONS, OF_WRONG_GRADIENTS, Divergence
from properties.operators import operator
from properties.subjects import FLOATS, INTEGERS, Subject
from properties.worker.call import Setting
from refimpl import pooling
from refimpl.geometry import reaches


def _sees_only_padding(case: Case, subject: Subject) -> bool:
    """Whether some max-pooling window has no tap inside the input, as a dilated one can."""
    kernel, given = case.arguments["kernel_size"], case.arguments
    outputs = formula(operator("max_pool1d"), case)
    if outputs is None or math.prod(outputs) > COMPUTED**2:
        return False
    per_axis = (outputs, case.shapes["input"], kernel, given.get("stride", kernel), given["padding"], given["dilation"])
    return not all(
        reaches(o * stride - padding, taps, dilation, size)
        for count, size, taps, stride, padding, dilation in zip(*(v[-len(kernel) :] for v in per_axis), strict=True)
        for o in range(count)
    )


def _smaller_than_kernel(case: Case, subject: Subject) -> bool:
    """Whether the input without its padding is smaller than the kernel on some axis."""
    kernel = case.arguments["kernel_size"]
    return any(size < k for size, k in zip(case.shapes["input"][-len(kernel) :], kernel, strict=True))


def _unbatched_channels_last(case: Case, subject: Subject) -> bool:
    """Whether an unbatched 3-d pooling sees a tensor that passes for channels_last."""
    pooled = operator("max_pool3d").output_shape(case)
    return any(
        len(shape) == 4 and passes_for_channels_last(case, name, shape)
        for name, shape in {"input": case.shapes["input"], "cotangent": pooled}.items()
    )


def _smallest_in_channels_last(case: Case, subject: Subject) -> bool:
    """Whether, in a batch in channels_last more than one plane deep, some window holds the smallest value alone."""
    shape = case.shapes["input"]
    if len(shape) != 5 or shape[2] < 2 or case.layout("input") != "channels_last":
        return False
    values = (case.with_integers() if subject.integral else case).tensor("input", shape, subject.format)
    smallest = np.iinfo(subject.dtype).min if subject.integral else -np.inf
    return bool((pooling.max_pool(values, **case.arguments)[0] == smallest).any())


def _plane_past_integer(case: Case, subject: Subject) -> bool:
    """Whether a batch in channels_last has planes of more elements than eight bits with a sign count."""
    shape, axes = case.shapes["input"], len(case.arguments["kernel_size"])
    batched = len(shape) == axes + 2 and shape[1] > 1
    return batched and case.layout("input") == "channels_last" and math.prod(shape[2:]) > np.iinfo(np.int8).max


def _window_overhangs(case: Case, subject: Subject) -> bool:
    """Whether, with padding counted, a last window in ceil mode reaches past the padded input."""
    kernel, given = case.arguments["kernel_size"], case.arguments
    if not given["ceil_mode"] or not given.get("count_include_pad", True) or given.get("divisor_override"):
        return False
    strides, outputs = given.get("stride", kernel), operator("avg_pool2d").output_shape(case)[-len(kernel) :]
    sizes = case.shapes["input"][-len(kernel) :]
    axes = zip(sizes, kernel, strides, given["padding"], outputs, strict=True)
    return any((out - 1) * s + k > size + 2 * p for size, k, s, p, out in axes)


def _empty_axis(case: Case, subject: Subject) -> bool:
    """Whether the input has no element along one of the axes that the window slides along, padded with zeros."""
    empty = 0 in case.shapes["input"][2 - len(case.shapes["weight"]) :]
    return empty and case.arguments.get("padding_mode", "zeros") == "zeros"


ENTRIES: tuple[Divergence, ...] = (
    Divergence(
        id="max-pool-window-in-padding",
        severity="silent wrong value",
        operators=("max_pool1d", "max_pool2d", "max_pool3d"),
        laws=(),
        devices=("cpu",),
        dtypes=FLOATS + INTEGERS,
        holds=_sees_only_padding,
        what="a dilated window that sees nothing but padding gets an index past the end of its plane, and the "
        "backward pass adds its gradient there: to the next channel, or outside the tensor after the last",
        why="torch.nn.MaxPool2d: indices are where the maxima are, for torch.nn.MaxUnpool2d. Here no such element "
        "exists; an error or an index that backward skips would be right, another channel's element is not",
        upstream="https://github.com/pytorch/pytorch/issues/114216",
        operator="max_pool2d",
        example=Case(
            shapes={"input": (1, 1, 1, 1)},
            arguments={"kernel_size": (1, 2), "padding": (0, 1), "ceil_mode": False, "dilation": (1, 2)},
        ),
        overwrites=True,
    ),
    Divergence(
        id="max-pool-values-window-in-padding",
        severity="wrong gradient",
        operators=("max_pool1d_values",),
        laws=(*OF_WRONG_GRADIENTS, "gradients of gradients"),
        devices=("cpu",),
        dtypes=FLOATS,
        holds=_sees_only_padding,
        what="the gradient of a dilated window that sees nothing but padding, −∞ whatever the input, is added to an "
        "element past the end of its plane: in the next channel or image; after the last, the gradient of the "
        "gradients raises 'index out of bounds'",
        why="torch.nn.MaxPool1d: the output is the largest element of its own window and channel",
        upstream="https://github.com/pytorch/pytorch/issues/114216",
        operator="max_pool1d_values",
        example=Case(
            shapes={"input": (2, 1, 2)},
            arguments={"kernel_size": (2,), "padding": (1,), "ceil_mode": False, "dilation": (3,)},
            fill="normal",
        ),
        overwrites=True,
    ),
    Divergence(
        id="avg-pool3d-ignores-padding-in-size-check",
        severity="valid arguments rejected",
        operators=("avg_pool3d", "lp_pool3d"),
        laws=(),
        devices=("cpu", "meta"),
        dtypes=FLOATS + INTEGERS,
        holds=_smaller_than_kernel,
        what="raises 'input image smaller than kernel size' though the padded input is large enough, or overhung by "
        "less than a stride in ceil mode",
        why="torch.nn.AvgPool3d, Shape: the output size ⌊(size + 2·padding − kernel_size)/stride⌋ + 1 is positive, "
        "rounded up in ceil mode; avg_pool1d, avg_pool2d and max_pool3d accept the same window",
        upstream=None,
        operator="avg_pool3d",
        example=Case(
            shapes={"input": (1, 1, 1, 1, 1)},
            arguments={"kernel_size": (1, 1, 2), "padding": (0, 0, 1), "ceil_mode": False},
        ),
    ),
    Divergence(
        id="max-pool3d-unbatched-channels-last",
        severity="valid arguments rejected",
        operators=("max_pool3d",),
        laws=("layouts", "special maxima"),
        devices=("cpu",),
        dtypes=FLOATS + INTEGERS,
        holds=_unbatched_channels_last,
        what="an unbatched input, or its incoming gradient, that lies in memory as channels_last does raises "
        "'Unsupported memory format'",
        why="torch.nn.MaxPool3d: an input of shape (C, D, H, W) is supported; strides are no part of a tensor's value",
        upstream=None,
        operator="max_pool3d",
        example=Case(
            shapes={"input": (1, 2, 1, 2)},
            arguments={"kernel_size": (1, 1, 1), "padding": (0, 0, 0), "ceil_mode": False, "dilation": (1, 1, 1)},
            setting=Setting({"input": "channels_last"}),
        ),
    ),
    Divergence(
        id="max-pool-indices-of-integers-overflow",
        severity="valid arguments rejected",
        operators=("max_pool1d", "max_pool2d", "max_pool3d"),
        laws=("layouts", "special maxima"),
        devices=("cpu",),
        dtypes=("int8", "uint8"),
        holds=_plane_past_integer,
        what="a plane in channels_last with more than 127 elements raises an internal check: the "
        "kernel counts elements in eight bits",
        why="torch.nn.MaxPool2d: no limit on the size of a plane; the contiguous kernel has none",
        upstream=None,
        operator="max_pool2d",
        example=Case(
            shapes={"input": (1, 2, 16, 17)},
            arguments={"kernel_size": (1, 1), "padding": (0, 0), "ceil_mode": False, "dilation": (1, 1)},
            setting=Setting({"input": "channels_last"}),
        ),
    ),
    Divergence(
        id="max-pool3d-index-of-smallest-value",
        severity="silent wrong value",
        operators=("max_pool3d",),
        laws=("special maxima", "layouts"),
        devices=("cpu",),
        dtypes=FLOATS + INTEGERS,
        holds=_smallest_in_channels_last,
        what="in channels_last, a window past the first plane that holds nothing but −∞, or the smallest integer, gets "
        "the index of an element of the first plane",
        why="torch.nn.MaxPool3d: indices are where the maxima are, for torch.nn.MaxUnpool3d; contiguous input is right",
        upstream=None,
        operator="max_pool3d",
        example=Special(
            shapes={"input": (1, 2, 2, 1, 1)},
            arguments={"kernel_size": (1, 1, 1), "padding": (0, 0, 0), "ceil_mode": False, "dilation": (1, 1, 1)},
            setting=Setting({"input": "channels_last"}),
            palette="all -inf",
        ),
    ),
    Divergence(
        id="compiled-avg-pool-gradient-in-ceil-mode",
        severity="wrong gradient",
        operators=("avg_pool1d", "avg_pool2d", "avg_pool3d"),
        laws=("gradients",),
        devices=("cpu", "cuda"),
        dtypes=FLOATS,
        modes=COMPILED,
        holds=_window_overhangs,
        what="the gradient of a last window that reaches past the padded input is divided by the whole kernel size, "
        "not by the elements that the forward pass averaged",
        why="torch.nn.AvgPool2d: a gradient is that of the output, which is right; eager mode divides by those",
        upstream="https://github.com/pytorch/pytorch/issues/198119",
        operator="avg_pool2d",
        example=Case(
            shapes={"input": (1, 1, 1, 3)},
            arguments={"kernel_size": (1, 2), "padding": (0, 0), "ceil_mode": True, "count_include_pad": True},
            fill="normal",
        ),
    ),
    Divergence(
        id="conv-without-input-channels",
        severity="wrong shape",
        operators=CONVOLUTIONS,
        laws=("zero sizes",),
        devices=("cpu", "meta"),
        dtypes=FLOATS + INTEGERS,
        holds=lambda case, subject: case.shapes["weight"][1] == 0,
        what="an input of no channels gives an output of no channels",
        why="torch.nn.Conv1d, Shape: the output has out_channels channels, each the bias; or the input is refused",
        upstream="https://github.com/pytorch/pytorch/issues/101356",
        operator="conv1d",
        example=Case(
            shapes={"input": (2, 0, 1), "weight": (3, 0, 1)},
            arguments={"stride": (1,), "padding": (0,), "dilation": (1,), "groups": 1},
        ),
    ),
    Divergence(
        id="conv-of-empty-axis-depends-on-batch",
        severity="valid arguments rejected",
        operators=CONVOLUTIONS,
        laws=("whatever the batch",),
        devices=("cpu",),
        dtypes=FLOATS,
        modes=("eager",),
        holds=_empty_axis,
        what="an axis without elements, whose padding alone the kernel fits in, is accepted for a batch of none and "
        "raises 'Only zero batch or zero channel inputs are supported' for some",
        why="torch.nn.Conv2d, Shape: the output size ⌊(size + 2·padding − kernel)/stride⌋ + 1 is positive, and no rule "
        "there speaks of the batch",
        upstream=None,
        operator="conv2d",
        example=Case(
            shapes={"input": (1, 1, 1, 0), "weight": (1, 1, 1, 1)},
            arguments={"stride": (1, 1), "padding": (0, 1), "dilation": (1, 1), "groups": 1},
            fill="normal",
        ),
    ),
)
