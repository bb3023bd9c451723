"""Further arguments that torch takes against its own documentation."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from properties.cases import Case, kernel_size
from properties.ledger.missing import CONVOLUTIONS, violates
from properties.ledger.record import Divergence
from properties.operators.constraints import Invalid
from properties.subjects import FLOATS, INTEGERS, SIXTEEN_BITS, Subject

TRANSPOSED = ("conv_transpose1d", "conv_transpose2d", "conv_transpose3d")
UNPOOLING = ("max_unpool1d", "max_unpool2d", "max_unpool3d")
FRACTIONAL = ("fractional_max_pool2d", "fractional_max_pool3d")
Holds = Callable[[Case, Subject], bool]


def _taken(
    id: str, operators: tuple[str, ...], rule: str, what: str, why: str, shapes: dict[str, Any],
    arguments: dict[str, Any], holds: Holds | None = None, upstream: str | None = None,
    devices: tuple[str, ...] = ("cpu", "meta"), dtypes: tuple[str, ...] = FLOATS,
    modes: tuple[str, ...] = ("eager", "compiled"), seed: int = 0,
    laws: tuple[str, ...] = ("rejection",), having: str | None = None,
    severity: str = "missing error",
) -> Divergence:  # fmt: skip
    """Arguments that break a rule and raise nothing; the example is of the first operator.

    A law of cases that are not said to break a rule is asked about by ``holds`` alone.
    """

    def broken(case: Case, subject: Subject) -> bool:
        return violates(rule)(case, subject) or (len(laws) > 1 and not isinstance(case, Invalid))

    return Divergence(
        id=id,
        severity=severity,
        operators=operators,
        laws=laws,
        devices=devices,
        dtypes=dtypes,
        holds=(lambda case, subject: broken(case, subject) and holds(case, subject)) if holds else broken,
        what=what,
        why=why,
        versions=("2.13.0",),
        upstream=upstream,
        modes=modes,
        having=having,
        operator=operators[0],
        example=Invalid(shapes=shapes, arguments=arguments, seed=seed, violated=rule),
    )


def _inferred(
    id: str, rule: str, what: str, upstream: str | None = None, shapes: dict[str, Any] | None = None, **arguments: Any
) -> Divergence:
    """A rule that eager transposed convolution checks and its shape inference does not."""
    return _taken(
        f"meta-transposed-{id}", TRANSPOSED, rule, f"on the meta device {what}, and a shape is made up",
        "torch.nn.functional.conv_transpose1d and the formula of torch.nn.ConvTranspose1d demand it: " + rule + "; "
        "eager mode raises, and a meta tensor is to have the shape that the operation would give",
        {"input": (1, 1, 3), "weight": (1, 1, 1)} | (shapes or {}),
        {"stride": (1,), "padding": (0,), "output_padding": (0,), "groups": 1, "dilation": (1,)} | arguments,
        upstream=upstream, devices=("meta",), dtypes=("float32",),
    )  # fmt: skip


def _of_nothing(case: Case, subject: Subject) -> bool:
    """Whether the batch is empty."""
    return case.shapes["input"][0] == 0


def _of_nothing_undilated(case: Case, subject: Subject) -> bool:
    """Whether the batch is empty and a dilation is zero; one below zero is refused."""
    return _of_nothing(case, subject) and min(case.arguments["dilation"]) == 0


def _undilated_kernel_of_one(case: Case, subject: Subject) -> bool:
    """Whether no dilation is below zero, one of zero is a kernel's of one element, and oneDNN computes it.

    In float32 it does so for several groups or images, or for more elements than cases have.
    """
    axes = list(zip(case.arguments["dilation"], kernel_size(case), strict=True))
    batch = case.shapes["input"][0] if len(case.shapes["input"]) == len(axes) + 2 else 1
    many = subject.dtype in SIXTEEN_BITS or batch > 1 or case.arguments["groups"] > 1
    return many and all(d > 0 or (d == 0 and k == 1) for d, k in axes)


def _weight_of_nothing(case: Case, subject: Subject) -> bool:
    """Whether there is no row, and a weight of an axis too many."""
    return math.prod(case.shapes["input1"][:-1]) == 0 and len(case.shapes["weight"]) == 4


def _pads_channels_by_none(case: Case, subject: Subject) -> bool:
    """Whether the padding that is one value too many comes before the convolution and adds no channel."""
    mode, padding = case.arguments["padding_mode"], case.arguments["padding"]
    return mode != "zeros" and padding[0] == 0 and len(case.shapes["input"]) == len(padding) + 1


def _to_one_beyond(case: Case, subject: Subject) -> bool:
    """Whether an input of too many axes is averaged to one element along each of the last."""
    x, output = case.shapes["input"], case.arguments["output_size"]
    sizes = zip(x[-len(output) :], output, strict=False)
    return len(x) > len(output) + 2 and all((size if wanted is None else wanted) == 1 for size, wanted in sizes)


def _fits_with_room(case: Case, subject: Subject) -> bool:
    """Whether windows fit; in three dimensions one place less is taken (fractional-max-pool3d...)."""
    kernel, output = kernel_size(case), case.arguments["output_size"]
    sizes = zip(case.shapes["input"][-len(kernel) :], kernel, output, strict=True)
    return len(kernel) == 2 or all(k + out - 1 < size for size, k, out in sizes)


def _of_no_negative_size(case: Case, subject: Subject) -> bool:
    """Whether the ratio gives sizes that a tensor can have."""
    ratio = case.arguments["output_ratio"]
    return all(int(size * r) >= 0 for size, r in zip(case.shapes["input"][-len(ratio) :], ratio, strict=True))


def _something_left_elsewhere(case: Case, subject: Subject) -> bool:
    """Whether an axis other than the empty one has elements left, and none has fewer than none."""
    amounts, x = case.arguments["padding"], case.shapes["input"]
    sides = [amounts[2 * axis : 2 * axis + 2] for axis in range(len(amounts) // 2)]
    left = [x[-1 - axis] + sum(side) for axis, side in enumerate(sides[: len(x)])]
    return min(left, default=1) == 0 < max(left)


MAX_POOLING = "{} of the pooling that is undone, and torch.nn.MaxPool1d demands this"
IGNORED = "the {} is never looked at but for the output's size"
ADDED = "padding is 'padding that was added'"
RATIO = (
    "torch.nn.functional.fractional_max_pool2d: output_ratio 'has to be a number or tuple in the range (0, 1)', which "
)
WINDOW: dict[str, Any] = {"kernel_size": (1,), "padding": (0,), "stride": (1,)}

ENTRIES: tuple[Divergence, ...] = (
    *(
        _taken(
            f"unpooling-{id}", operators, rule, IGNORED.format(name),
            "torch.nn.MaxUnpool1d: " + MAX_POOLING.format(said), {"input": (1, size)}, WINDOW | arguments,
            upstream="https://github.com/pytorch/pytorch/issues/73154",
        )
        for id, operators, rule, name, said, size, arguments in (
            ("empty-kernel", UNPOOLING, "kernel_size is at least 1", "kernel", "kernel_size is 'size of the window'", 3,
             {"kernel_size": (0,)}),
            ("stride", UNPOOLING[:2], "stride is at least 1", "stride", "stride is 'stride of the window'", 1,
             {"stride": (0,)}),
            ("negative-padding", UNPOOLING, "padding is at least 0", "padding", ADDED, 3, {"padding": (-1,)}),
            ("much-padding", UNPOOLING, "padding is at most half of the kernel", "padding", ADDED, 5,
             {"padding": (1,)}),
        )
    ),
    _taken(
        "unpooling-padding-values", UNPOOLING[:2], "padding has one value per axis",
        "a padding of more values than axes is taken, and the rest ignored",
        "torch.nn.MaxUnpool1d: padding is an integer or a tuple, one value for each axis; max_unpool3d raises",
        {"input": (1, 3)}, WINDOW | {"padding": (0, 0)},
    ),
    _taken(
        "adaptive-average-to-one-of-any-rank", ("adaptive_avg_pool2d", "adaptive_avg_pool3d"),
        "the input has its axes with a batch, or without",
        "an input of more axes is taken where the output is one element",
        "torch.nn.AdaptiveAvgPool2d, Shape: (N, C, H, W) or (C, H, W); with any other output size, as in adaptive max "
        "pooling, it raises",
        {"input": (1, 1, 1, 1, 1)}, {"output_size": (1, 1)}, _to_one_beyond,
    ),
    _taken(
        "fractional-empty-kernel", FRACTIONAL, "kernel_size is at least 1",
        "a kernel of zero or less is taken: the maxima of nothing are -inf, and their indices lie beyond the input",
        "torch.nn.FractionalMaxPool2d: kernel_size is 'the size of the window to take a max over'; the backward pass "
        "fails on such indices with an internal assertion", {"input": (1, 2, 2)},
        {"kernel_size": (0, 1), "output_size": (1, 1)}, _fits_with_room,
        "https://github.com/pytorch/pytorch/pull/190475", modes=("eager",),
    ),
    _taken(
        "fractional-ratio-of-none", FRACTIONAL, "output_ratio is above 0", "a ratio that gives size 0 is taken",
        RATIO + "the layer checks", {"input": (1, 2, 2)}, {"kernel_size": (1, 1), "output_ratio": (0.0, 0.0)},
        _of_no_negative_size,
    ),
    _taken(
        "fractional-ratio-of-all", FRACTIONAL[:1], "output_ratio is below 1", "a ratio of 1 is taken",
        RATIO + "the layer checks", {"input": (1, 2, 2)}, {"kernel_size": (1, 1), "output_ratio": (1.0, 1.0)},
    ),
    _taken(
        "negative-label-smoothing", ("cross_entropy",), "label_smoothing is at least 0",
        "a negative label smoothing is taken, and ignored",
        "torch.nn.CrossEntropyLoss: label_smoothing is 'a float in [0.0, 1.0]'; one above 1 raises",
        {"input": (1, 2)}, {"target": (0,), "label_smoothing": -0.1},
        upstream="https://github.com/pytorch/pytorch/issues/134767",
    ),
    _taken(
        "replication-of-no-elements", ("replication_pad",), "something is left",
        "amounts that leave nothing of one axis are taken where they leave something of another",
        "torch.nn.ReplicationPad2d: 'the output dimensions must remain positive'; with one axis it raises",
        {"input": (1, 1, 1)}, {"padding": (0, -1, 0, 0)}, _something_left_elsewhere,
        "https://github.com/pytorch/pytorch/pull/184254", dtypes=FLOATS + INTEGERS, laws=("rejection", "zero sizes"),
    ),
    _taken(
        "circle-of-more-than-is-left", ("circular_pad",), "a circle is of at most what is left",
        "where one side is cropped and the other takes more than is left, elements of the output are memory that was "
        "never written", "torch.nn.CircularPad2d: 'values at the end are used to pad the beginning', and 'the ends of "
        "the tensor get removed'; where nothing is cropped, more than there is raises",
        {"input": (1, 3)}, {"padding": (-3, 1)}, upstream="https://github.com/pytorch/pytorch/issues/176254",
        dtypes=FLOATS + INTEGERS, severity="silent wrong value",
    ),
    _taken(
        "padded-convolution-padding-values", ("conv1d_padded", "conv2d_padded"), "padding has one value per axis",
        "in a mode that pads before the convolution, a padding of more values than axes is taken, and its first pads "
        "the channels", "torch.nn.Conv1d: padding is a number or a tuple of one for each axis; with zeros it raises",
        {"input": (1, 1, 1), "weight": (1, 1, 1)},
        {"stride": (1,), "padding": (0, 0), "dilation": (1,), "groups": 1, "padding_mode": "reflect"},
        _pads_channels_by_none, dtypes=FLOATS + INTEGERS,
    ),
    _taken(
        "undilated-convolution-of-nothing", (*CONVOLUTIONS, *TRANSPOSED), "dilation is at least 1",
        "a dilation of 0 is taken where the batch is empty",
        "torch.nn.Conv1d: dilation is the 'spacing between kernel elements'; with a batch of one it raises",
        {"input": (0, 1, 3), "weight": (1, 1, 1)},
        {"stride": (1,), "padding": (0,), "dilation": (0,), "groups": 1}, _of_nothing_undilated,
        devices=("cpu",), dtypes=FLOATS + INTEGERS,
    ),
    _taken(
        "bilinear-weight-of-nothing", ("bilinear",), "weight has an axis for outputs and for both inputs",
        "a weight of an axis more is taken where there is nothing to be multiplied",
        "torch.nn.functional.bilinear, Shape: weight (out_features, in1_features, in2_features); one row raises",
        {"input1": (0, 1), "input2": (0, 1), "weight": (1, 1, 1, 1)}, {}, _weight_of_nothing, dtypes=FLOATS + INTEGERS,
    ),
    _taken(
        "output-padding-of-nothing", TRANSPOSED, "output_padding is smaller than stride or dilation",
        "a longer output padding is taken where the batch is empty",
        "torch.nn.ConvTranspose1d: output_padding is 'to resolve this ambiguity' among the sizes that a convolution "
        "maps to one; with a batch of one it raises", {"input": (0, 1, 3), "weight": (1, 1, 1)},
        {"stride": (1,), "padding": (0,), "output_padding": (1,), "groups": 1, "dilation": (1,)}, _of_nothing,
        "https://github.com/pytorch/pytorch/pull/186524", devices=("cpu",), dtypes=FLOATS + INTEGERS,
    ),
    *(
        _taken(
            f"undilated-transposed-kernel-of-one-in-{dtype}", TRANSPOSED[:2], "dilation is at least 1",
            "a dilation of 0 is taken where oneDNN computes it and the kernel has one element along the axis",
            "torch.nn.ConvTranspose1d: dilation is the 'spacing between kernel elements'; in float64 it raises",
            {"input": (2, 1, 3), "weight": (1, 1, 1)},
            {"stride": (1,), "padding": (0,), "output_padding": (0,), "groups": 1, "dilation": (0,)},
            _undilated_kernel_of_one, devices=("cpu",), dtypes=(dtype,), having=having,
        )
        for dtype, having in (("float32", None), ("bfloat16", "avx512_f"), ("float16", "avx512_fp16"))
    ),
    _taken(
        "compiled-unpooling-negative-index", UNPOOLING, "indices lie in the output",
        "compiled, an index of -1 is taken and counted from the end of the plane before, or of the last",
        "torch.nn.MaxUnpool1d: 'the indices given out by MaxPool1d'; eager mode raises", {"input": (1, 3)}, WINDOW,
        lambda case, subject: case.seed % 4 == 2, devices=("cpu",), modes=("compiled",), seed=2,
    ),
    _inferred("stride", "stride is at least 1", "a stride of zero or less is taken", stride=(0,)),
    _inferred("dilation", "dilation is at least 1", "a dilation of zero or less is taken", dilation=(0,)),
    _inferred("negative-padding", "padding is at least 0", "a negative padding is taken", padding=(-1,)),
    _inferred("negative-output-padding", "output_padding is at least 0", "a negative output padding is taken",
              output_padding=(-1,)),
    _inferred(
        "output-padding", "output_padding is smaller than stride or dilation", "a longer output padding is taken",
        "https://github.com/pytorch/pytorch/issues/178125", output_padding=(1,),
    ),
    _inferred("empty-kernel", "the kernel has at least one element", "a kernel of no elements is taken",
              shapes={"weight": (1, 1, 0)}),
    *(
        _inferred(
            f"{name.replace('_', '-')}-values", f"{name} has one value per axis",
            f"a {name.replace('_', ' ')} of more values than axes is taken", **{name: values},
        )
        for name, values in {"stride": (1, 1), "padding": (0, 0), "output_padding": (0, 0), "dilation": (1, 1)}.items()
    ),
    _inferred("no-groups", "groups is at least 1", "no group is taken for one", groups=0),
    _inferred("groups", "groups divides the input channels", "groups that do not divide the input channels are taken",
              groups=2),
    _inferred("channels", "input and weight have the same channels", "the weight's input channels are not looked at",
              shapes={"input": (1, 2, 3)}),
    _inferred("bias", "bias has one value per output channel", "the size of the bias is not looked at",
              "https://github.com/pytorch/pytorch/issues/178128", {"bias": (2,)}),
    _taken(
        "meta-softmax-axis", ("softmax",), "dim is an axis", "on the meta device any axis is taken",
        "torch.nn.functional.softmax: dim is 'a dimension along which softmax will be computed'; eager mode raises, as "
        "log_softmax does on the meta device", {"input": (2,)}, {"dim": 1}, devices=("meta",), dtypes=("float32",),
    ),
    _taken(
        "meta-unfold-negative-padding", ("unfold",), "padding is at least 0",
        "on the meta device a negative padding is taken",
        "torch.nn.Unfold: padding is 'implicit zero padding to be added on both sides of input'; eager mode raises",
        {"input": (1, 3, 3)}, {"kernel_size": (1, 1), "dilation": (1, 1), "padding": (-1, 0), "stride": (1, 1)},
        devices=("meta",), dtypes=("float32",),
    ),
)  # fmt: skip
