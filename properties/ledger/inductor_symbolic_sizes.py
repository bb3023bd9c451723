"""torch's compiler, for symbolic sizes: where one function is to serve several, and eager mode is right."""

from __future__ import annotations

import functools

from properties.cases.case import Case
from properties.ledger.examples import convolution
from properties.ledger.inductor import refused
from properties.ledger.record import OF_GRADIENTS
from properties.subjects import Subject

dynamic = functools.partial(refused, modes=("dynamic",), laws=(), also=("errors when compiled",))
"""Register what raises for symbolic sizes alone."""


@refused(
    "dynamic-convolution2d-gradient-without-batch",
    ("conv2d", "conv2d_padded", "conv_transpose2d"),
    laws=OF_GRADIENTS,
    modes=("dynamic",),
    upstream="https://github.com/pytorch/pytorch/issues/185510",
    why="torch.nn.Conv2d, Shape: (C, H, W); a batch, one and no symbolic axis, eager mode and dynamic=False are right",
    example=Case(*convolution((1, 1, 2), (1, 1, 1, 1)), "normal"),
)
def _strides_without_order(case: Case, subject: Subject) -> bool:
    """For symbolic sizes, the strides of the gradient of an image without a batch are sorted without what is known of
    their symbols: 'TypeError: cannot determine truth value of Relational'."""
    # Spared is one column of one channel, which lies in channels_last as it does otherwise.
    channels, *lengths = case.shapes["input"]
    return len(lengths) == 2 and (lengths[1] > 1 or min(channels, lengths[0]) > 1)


@refused(
    "dynamic-convolution-of-divided-strides",
    ("conv2d", "conv3d", "conv2d_padded", "conv3d_padded", "conv_transpose3d"),
    laws=(*OF_GRADIENTS, "agreement", "errors when compiled"),
    modes=("dynamic",),
    upstream="https://github.com/pytorch/pytorch/issues/188422",
    why="torch.nn.Conv2d: any stride; most sizes, eager mode and dynamic=False are right",
    says="ValueRangeError: Invalid ranges [0:-1]",
    chance="whether a quotient is formed at all depends on the order in which terms of a product of sums are put",
    example=Case(*convolution((3, 1, 14, 2), (1, 1, 5, 1), stride=(3, 1), padding=(2, 1)), "normal"),
)
def _strides_divided(case: Case, subject: Subject) -> bool:
    """For symbolic sizes, strides of the cotangent, of a padded input, or of an output without a batch, are products of
    sums; bounds of their quotient raise 'ValueRangeError: Invalid ranges [0:-1]', where they should be unknown."""
    return min(case.shapes["input"][-2:]) > 1


@dynamic(
    "dynamic-max-unpool-to-default-size",
    ("max_unpool2d", "max_unpool3d"),
    why="torch.nn.MaxUnpool2d gives the output's size by that formula; eager mode and dynamic=False are right",
    example=Case({"input": (3, 2, 5, 7)}, {"kernel_size": (1, 1), "padding": (0, 0), "stride": (2, 2)}, "normal"),
)
def _shifted_axes(case: Case, subject: Subject) -> bool:
    """For symbolic sizes, where windows overlap, are padded or leave gaps on two axes, the default output has a number
    of elements in which the compiler finds powers below 0: 'ValueRangeError: Invalid ranges [0:-1]'."""
    # Two of four or more lengths are multiples of symbols and something more. Lengths that are the same multiple of the
    # same symbol count as one: to the compiler, equal lengths are one symbol.
    given, shape = case.arguments, case.shapes["input"]
    if "output_size" in given or sum(size > 1 for size in shape) < 4 or 0 in shape:
        return False
    kernel = given["kernel_size"]
    axes = zip(shape[-len(kernel) :], kernel, given.get("stride", kernel), given["padding"], strict=True)
    more = {(size, (k - s - 2 * p) / s) for size, k, s, p in axes if size > 1}
    return sum(part != 0 for _, part in more) > 1


@dynamic(
    "dynamic-adaptive-average-of-kept-size",
    ("adaptive_avg_pool2d",),
    devices=("cpu", "cuda"),
    why="torch.nn.AdaptiveAvgPool2d: 'None which means the size will be the same as that of the input'; eager mode and "
    "dynamic=False are right",
    example=Case({"input": (1, 1, 1, 3)}, {"output_size": (1, None)}, "normal"),
)
def _length_kept(case: Case, subject: Subject) -> bool:
    """An axis whose size is kept, by None, raises a LoweringException, 'cannot determine truth value of Relational':
    the input's size is made a number, that of the output stays a symbol."""
    sizes = zip(case.shapes["input"][-2:], case.arguments["output_size"], strict=True)
    return any(size >= 3 and wanted is None for size, wanted in sizes)


@dynamic(
    "dynamic-prelu-of-one-axis",
    ("prelu",),
    devices=("cpu", "cuda"),
    why="torch.nn.functional.prelu: of one axis, each element has a slope; eager mode and dynamic=False are right",
    example=Case({"input": (2,), "weight": (2,)}, {}, "normal"),
)
def _slopes_of_one_axis(case: Case, subject: Subject) -> bool:
    """For symbolic sizes, an input of one axis beside several slopes raises 'Cannot call numel() on tensor with
    symbolic sizes/strides'."""
    return len(case.shapes["input"]) == 1 and case.shapes["weight"] not in ((), (1,))


@refused(
    "dynamic-antialiased-bicubic-gradient",
    ("interpolate_antialiased",),
    laws=OF_GRADIENTS,
    devices=("cpu", "cuda"),
    modes=("dynamic",),
    upstream="https://github.com/pytorch/pytorch/issues/197622",
    why="torch.nn.functional.interpolate: mode 'bicubic'; eager mode, dynamic=False and bilinear are right",
    example=Case({"input": (2, 1, 1, 1)}, {"mode": "bicubic", "antialias": True, "scale_factor": (2.0, 2.0)}, "normal"),
)
def _sizes_that_are_no_integers(case: Case, subject: Subject) -> bool:
    """For symbolic sizes, the gradient raises 'isIntList() INTERNAL ASSERT FAILED': its shape is inferred by a function
    that takes numbers alone."""
    return case.arguments["mode"] == "bicubic" and max(case.shapes["input"]) > 1
