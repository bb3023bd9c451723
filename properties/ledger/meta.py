"""The shapes that torch infers on the meta device, and under FakeTensorMode."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import torch

from properties.cases.case import Case, Geometry, Mixed
from properties.edges.huge import Huge
from properties.ledger import aten_fractional_pooling
from properties.ledger.aten_convolution import adds_any_bias, of_no_images, refuses_bias
from properties.ledger.aten_pooling import takes_the_largest
from properties.ledger.examples import convolution, transposed
from properties.ledger.record import CONVOLUTIONS, PLAIN, TRANSPOSED, WITH_GRADIENTS, Predicate, known
from properties.ledger.rules import accepted
from properties.ledger.windows import DIVISION, division_overflows
from properties.subjects import Subject
from properties.worker.call import FAKE
from refimpl import geometry, padding

on_meta = functools.partial(known, devices=("meta",), dtypes=("float32",))
inferred = functools.partial(known, devices=("cuda",), dtypes=("float32",), modes=(FAKE,))
accepted_on_meta = functools.partial(accepted, devices=("meta",), dtypes=("float32",))


@on_meta(
    "max-pool1d-output-size-in-32-bits",
    ("max_pool1d_values", "lp_pool1d"),
    severity="valid arguments rejected",
    laws=("huge shapes",),
    upstream="https://github.com/pytorch/pytorch/pull/194112",
    what=f"without indices, {DIVISION}: an output of more than 2³¹ elements raises 'Invalid computed output size'",
    why="torch.nn.MaxPool1d, Shape: no limit on sizes; with return_indices there is none",
    example=Huge(
        {"input": (1, 2**31 + 1)},
        {"stride": (1,), "padding": (0,), "dilation": (1,), "kernel_size": (1,), "ceil_mode": False},
        inflated=("size",),
    ),
)
def _largest_division_overflows(case: Case, subject: Subject) -> bool:
    # Only a size of none or fewer is refused; a wrong one that is positive is computed anew. Beside arguments that are
    # huge, too, a refusal is as good.
    alone = isinstance(case, Huge) and case.inflated == ("size",)
    refused = division_overflows(case, -(2**31)) and not division_overflows(case, 1)
    return takes_the_largest(case) and alone and refused


@on_meta(
    "meta-transposed-convolution-without-input-channels",
    TRANSPOSED,
    severity="wrong shape",
    laws=("zero sizes",),
    why="torch.nn.ConvTranspose1d, Shape: the output has out_channels channels, each the bias; or the input is "
    "refused, as in eager mode",
    example=Case(*transposed((2, 0, 1), (0, 3, 1))),
)
def _no_input_channels(case: Case, subject: Subject) -> bool:
    """On the meta device an input of no channels gives an output of no channels."""
    return case.shapes["weight"][0] == 0 and _gives_a_size(case, subject)


@accepted_on_meta(
    "meta-linear-output-broadcast-to-bias",
    ("linear",),
    "bias has one value per output",
    modes=("eager",),
    upstream="https://github.com/pytorch/pytorch/issues/195579",
    why="torch.nn.functional.linear, Shape: 'Bias: (out_features) or ()'; eager mode raises",
    example=({"input": (1, 1), "weight": (1, 1), "bias": (2,)}, {}),
)
def _several_biases(case: Case, subject: Subject) -> bool:
    """A single output is broadcast to a bias of several elements, so that the result has another shape."""
    return case.shapes["weight"][0] == 1


@accepted_on_meta(
    "meta-softmax-axis",
    ("softmax", "softmin"),
    "dim is an axis",
    why="torch.nn.functional.softmax: dim is 'a dimension along which softmax will be computed'; eager mode raises, as "
    "log_softmax does on the meta device",
    example=({"input": (2,)}, {"dim": 1}),
)
def _any_axis(case: Case, subject: Subject) -> bool:
    """On the meta device any axis is accepted."""
    return True


@accepted_on_meta(
    "meta-celu-alpha",
    ("celu",),
    "alpha is not zero",
    why="torch.nn.CELU: the formula divides by alpha; eager mode raises",
    example=({"input": (2,)}, {"alpha": 0.0}),
)
def _celu_of_zero(case: Case, subject: Subject) -> bool:
    """The meta device takes alpha = 0."""
    return True


@accepted_on_meta(
    "meta-unfold-negative-padding",
    ("unfold",),
    "padding is at least 0",
    modes=("eager",),
    why="torch.nn.Unfold: padding is 'implicit zero padding to be added on both sides of input'; eager mode raises",
    example=(
        {"input": (1, 3, 3)}, {"kernel_size": (1, 1), "dilation": (1, 1), "padding": (-1, 0), "stride": (1, 1)}
    ),
)  # fmt: skip
def _negative_padding(case: Case, subject: Subject) -> bool:
    """On the meta device a negative padding is accepted."""
    return min(case.arguments["padding"]) < 0


@accepted(
    "fractional-empty-kernel-in-inference",
    ("fractional_max_pool2d",),
    "kernel_size is at least 1",
    devices=("meta",),
    modes=("eager",),
    upstream="https://github.com/pytorch/pytorch/pull/190475",
    why="torch.nn.FractionalMaxPool2d: kernel_size is 'the size of the window to take a max over'; on a CPU torch "
    "2.14.1 refuses it, and over three axes in inference too",
    example=({"input": (1, 2, 2)}, {"kernel_size": (0, 1), "output_size": (1, 1)}),
)
def _empty_kernel(case: Case, subject: Subject) -> bool:
    """Shapes are inferred from a kernel of zero or less."""
    return aten_fractional_pooling.windows_fit(case)


@on_meta(
    "meta-unfold-strides",
    ("unfold",),
    severity="wrong shape",
    laws=("strides",),
    why="eager mode gives, on each device, elements in the order of the axes (ATen/native/Im2Col.cpp)",
    example=Case(
        {"input": (1, 1, 2, 2)}, {"kernel_size": (1, 2), "dilation": (1, 1), "padding": (0, 0), "stride": (1, 1)}
    ),
)
def _blocks_left_as_they_were_gathered(case: Case, subject: Subject) -> bool:
    """On the meta device the output of one column of blocks, each of one channel and one row, has the strides in which
    blocks were gathered: block after block."""
    given = [case.arguments[name] for name in ("kernel_size", "stride", "padding", "dilation")]
    axes = zip(case.shapes["input"][-2:], *given, strict=True)
    down, across = (geometry.convolution_output(size, k, s, p, d) for size, k, s, p, d in axes)
    kernel, channels = case.arguments["kernel_size"], case.shapes["input"][-3]
    gathered = torch.empty(channels, kernel[0], down, kernel[1], across, device="meta").transpose(2, 3)
    return not gathered.reshape(channels * math.prod(kernel), down * across).is_contiguous()


# Rules of convolutions that eager mode checks and the inference of shapes does not


Shape = tuple[int, ...]


def conv(
    id: str, rule: str, happens: str, upstream: str | None = None, *, operators: tuple[str, ...] = CONVOLUTIONS,
    input: Shape = (1, 1, 3), weight: Shape = (1, 1, 1), **given: Any,
) -> Callable[[Predicate], Predicate]:  # fmt: skip
    """Register a rule of convolutions; the example is one-dimensional."""
    example = convolution(input, weight, **given)
    return _unchecked(f"meta-conv-{id}", operators, "conv1d", "Conv1d", rule, happens, upstream, example)


def conv_transpose(
    id: str, rule: str, happens: str, upstream: str | None = None, *, input: Shape = (1, 1, 3),
    weight: Shape = (1, 1, 1), **given: Any,
) -> Callable[[Predicate], Predicate]:  # fmt: skip
    """Register a rule of transposed convolutions; the example is one-dimensional."""
    example, layers = transposed(input, weight, **given), ("conv_transpose1d", "ConvTranspose1d")
    return _unchecked(f"meta-transposed-{id}", TRANSPOSED, *layers, rule, happens, upstream, example)


def _unchecked(
    id: str, operators: tuple[str, ...], function: str, layer: str, rule: str, happens: str, upstream: str | None,
    example: Geometry,
) -> Callable[[Predicate], Predicate]:  # fmt: skip
    return accepted_on_meta(
        id,
        operators,
        rule,
        upstream=upstream,
        what=f"on the meta device {happens}, and a shape is made up",
        why=f"torch.nn.functional.{function} and the formula of torch.nn.{layer} demand it: {rule}; eager mode raises, "
        "and a meta tensor is to have the shape that the operation would give",
        example=example,
    )


# fmt: off
@conv("dilation", "dilation is at least 1", "a dilation of zero or less is accepted", dilation=(0,))
def _windows_do_not_wrap(case: Case, subject: Subject) -> bool:
    # Where a window spans less than 64 bits hold, what is left of that does not fit; of no images it is not looked at.
    pairs = zip(case.arguments["dilation"], case.shapes["weight"][2:], strict=True)
    return case.shapes["input"][0] == 0 or all(dilation * (kernel - 1) > -(2**63) for dilation, kernel in pairs)


@conv("negative-stride", "stride is at least 1", "a negative stride is accepted", input=(1, 1, 1), stride=(-1,))
@conv_transpose("stride", "stride is at least 1", "a stride of zero or less is accepted", stride=(0,))
@conv_transpose("dilation", "dilation is at least 1", "a dilation of zero or less is accepted", dilation=(0,))
def _gives_a_size(case: Case, subject: Subject) -> bool:
    # That of each axis is computed; one below zero is refused, and none above. A convolution checks that its window
    # fits, and divides by the stride.
    given, kernel = case.arguments, case.shapes["weight"][2:]
    if "output_padding" not in given and 0 in given["stride"]:
        return False
    sides = padding.convolution_padding(kernel, given["padding"], given["dilation"])
    both = [sides[k] + sides[k + 1] for k in reversed(range(0, len(sides), 2))]
    steps = (given["stride"], both, given["dilation"], given.get("output_padding", kernel))
    axes = list(zip(case.shapes["input"][-len(kernel):], kernel, *steps, strict=True))
    if "output_padding" in given:
        sizes = [(n - 1) * s - p + d * (k - 1) + more + 1 for n, k, s, p, d, more in axes]
    else:
        rooms = [(n + p - d * (k - 1) - 1, s) for n, k, s, p, d, _ in axes]
        sizes = [room // s + 1 if room >= 0 else -1 for room, s in rooms]
    return min(sizes) >= 0 and max(sizes) > 0


@conv("negative-padding", "padding is at least 0", "a negative padding is accepted", padding=(-1,))
@conv("empty-kernel", "the kernel has at least one element", "a kernel of no elements is accepted", weight=(1, 1, 0))
@conv("stride-values", "stride has one value per axis", "a stride of more values than axes is accepted", stride=(1, 1))
@conv("padding-values", "padding has one value per axis", "a padding of more values than axes is accepted",
      padding=(0, 0))
@conv("groups", "groups divides the output channels", "groups that do not divide the output channels are accepted",
      "https://github.com/pytorch/pytorch/issues/178472", operators=PLAIN, input=(1, 2, 3), groups=2)
@conv("bias", "bias has one value per output channel", "the size of the bias is not checked",
      "https://github.com/pytorch/pytorch/pull/178572", bias=(2,))
@conv_transpose("negative-padding", "padding is at least 0", "a negative padding is accepted", padding=(-1,))
@conv_transpose("negative-output-padding", "output_padding is at least 0", "a negative output padding is accepted",
                "https://github.com/pytorch/pytorch/pull/191863", output_padding=(-1,))
@conv_transpose("output-padding", "output_padding is smaller than stride or dilation",
                "an output padding that is not smaller than stride or dilation is accepted",
                "https://github.com/pytorch/pytorch/issues/178125", output_padding=(1,))
@conv_transpose("empty-kernel", "the kernel has at least one element", "a kernel of no elements is accepted",
                weight=(1, 1, 0))
@conv_transpose("stride-values", "stride has one value per axis", "a stride of more values than axes is accepted",
                stride=(1, 1))
@conv_transpose("padding-values", "padding has one value per axis", "a padding of more values than axes is accepted",
                padding=(0, 0))
@conv_transpose("output-padding-values", "output_padding has one value per axis",
                "an output padding of more values than axes is accepted", output_padding=(0, 0))
@conv_transpose("dilation-values", "dilation has one value per axis", "a dilation of more values than axes is accepted",
                dilation=(1, 1))
@conv_transpose("groups", "groups divides the input channels",
                "groups that do not divide the input channels are accepted", groups=2)
@conv_transpose("channels", "input and weight have the same channels", "the weight's input channels are not checked",
                input=(1, 2, 3))
@conv_transpose("bias", "bias has one value per output channel", "the size of the bias is not checked",
                "https://github.com/pytorch/pytorch/issues/178128", bias=(2,))
def _wherever_it_is_broken(case: Case, subject: Subject) -> bool:
    return True


@conv_transpose("no-groups", "groups is at least 1", "no groups are accepted", groups=0)
def _no_groups(case: Case, subject: Subject) -> bool:
    # A number below zero gives a negative number of channels, which is refused.
    return bool(case.arguments["groups"] == 0)
# fmt: on


@on_meta(
    "meta-loss-gradient-of-nothing",
    ("mse_loss", "smooth_l1_loss", "huber_loss"),
    severity="valid arguments rejected",
    laws=WITH_GRADIENTS,
    why="eager mode gives a gradient without elements, and the forward pass accepts it",
    example=Case({"input": (0, 1), "target": (0, 1)}, {}, "normal"),
)
def _mean_of_nothing(case: Case, subject: Subject) -> bool:
    """On the meta device the gradient of a mean of nothing raises ZeroDivisionError: 1/D is a number of Python's."""
    averaged = case.arguments.get("reduction", "mean") == "mean" and case.arguments.get("beta") != 0.0
    return averaged and 0 in case.shapes["input"]


@accepted_on_meta(
    "meta-smooth-l1-loss-of-negative-beta",
    ("smooth_l1_loss",),
    "beta is not negative",
    modes=("eager",),
    upstream="https://github.com/pytorch/pytorch/issues/194501",
    why="torch.nn.SmoothL1Loss: beta: 'The value must be non-negative'; eager mode raises",
    example=({"input": (1,), "target": (1,)}, {"beta": -1.0}),
)
def _negative_beta(case: Case, subject: Subject) -> bool:
    """A negative beta is accepted."""
    return True


# Operands of two dtypes

mixing = functools.partial(on_meta, severity="missing error", laws=("one dtype",))
"""Register operands of two dtypes that are refused in eager mode, not by shape inference."""


@mixing(
    "meta-products-mix-dtypes",
    ("matmul", "linear"),
    upstream="https://github.com/pytorch/pytorch/issues/177630",
    why="eager mode raises 'expected m1 and m2 to have the same dtype'",
    example=Mixed({"input": (1, 1), "other": (1, 1)}, {}, dtypes={"other": "float64"}),
)
def _any_mixture(case: Case, subject: Subject) -> bool:
    """Operands of two dtypes are accepted on the meta device."""
    return isinstance(case, Mixed)


@mixing(
    "meta-folded-products-mix-dtypes",
    ("mv", "broadcast_matmul"),
    upstream="https://github.com/pytorch/pytorch/issues/177630",
    why="eager mode raises 'expected m1 and m2 to have the same dtype', or that 'addmv input tensors must'",
    example=Mixed({"input": (2, 1, 1), "other": (1, 1)}, {}, dtypes={"other": "float64"}),
    operator="broadcast_matmul",
)
def _mixed_product(case: Case, subject: Subject) -> bool:
    """Operands of two dtypes are accepted on the meta device where a batch is folded into the rows of one matrix, and
    of a matrix and a vector: by torch.mm and torch.mv, not by torch.bmm and torch.dot."""
    first, second = case.shapes.values()
    folded = len(second) <= 2 < len(first) + len(second)
    return isinstance(case, Mixed) and (folded or (len(first) == 1 and len(second) > 2 and second[-2] == 1))


@mixing(
    "meta-binary-cross-entropy-mixes-dtypes",
    ("binary_cross_entropy",),
    why="eager mode raises 'Found dtype Float but expected Double'",
    example=Mixed({"input": (1,), "target": (1,)}, {}, dtypes={"input": "float64"}),
)
def _mixed_probabilities(case: Case, subject: Subject) -> bool:
    """Input and target of two dtypes are accepted on the meta device."""
    return isinstance(case, Mixed)


@mixing(
    "meta-convolutions-mix-dtypes",
    CONVOLUTIONS + TRANSPOSED,
    upstream="https://github.com/pytorch/pytorch/issues/142479",
    why="eager mode raises 'expected scalar type Double but found Float', or adds a bias of 16 bits",
    example=Mixed(*convolution((1, 1, 1), (1, 1, 1)), dtypes={"weight": "float64"}),
)
def _mixed_convolution(case: Case, subject: Subject) -> bool:
    """Operands of two dtypes are accepted on the meta device, but for a bias that eager mode looks at."""
    if not isinstance(case, Mixed) or of_no_images(case) or refuses_bias(case):
        return False
    narrow = "bias" in case.dtypes and case.dtypes["bias"] != "float64"
    return not (narrow and adds_any_bias(case, subject))


@on_meta(
    "meta-nearest-of-no-images",
    ("interpolate_nearest",),
    severity="valid arguments rejected",
    upstream="https://github.com/pytorch/pytorch/pull/195376",
    why="eager mode gives an output of no images, and so do the other modes of interpolation on the meta device",
    example=Case({"input": (0, 1, 1)}, {"mode": "nearest", "size": (1,)}),
)
def _no_images(case: Case, subject: Subject) -> bool:
    """To the nearest element an input of no images raises 'cond must be a bool' on the meta device."""
    return 0 in case.shapes["input"]


@accepted_on_meta(
    "meta-interpolation-to-nothing",
    ("interpolate_linear", "interpolate_bicubic"),
    "there is something to give",
    modes=("eager",),
    upstream="https://github.com/pytorch/pytorch/issues/197095",
    why="torch.nn.functional.interpolate: eager mode raises 'Input and output sizes should be greater than 0', as do "
    "the nearest modes on the meta device",
    example=({"input": (1, 1, 1)}, {"mode": "linear", "align_corners": True, "size": (0,)}),
)
def _interpolates_to_nothing(case: Case, subject: Subject) -> bool:
    """On the meta device an output size of zero is accepted with aligned corners; without, it is a divisor."""
    return bool(case.arguments["align_corners"]) and 0 in case.arguments.get("size", ())


@accepted_on_meta(
    "meta-pixel-unshuffle-of-nothing",
    ("pixel_unshuffle",),
    "downscale_factor divides rows and columns",
    modes=("eager",),
    why="torch.nn.PixelUnshuffle: the sizes are divided by downscale_factor; eager mode raises, as does the meta "
    "device for an input of elements",
    example=({"input": (0, 1, 3, 2)}, {"downscale_factor": 2}),
)
def _unshuffles_anything(case: Case, subject: Subject) -> bool:
    """On the meta device an input of no elements may have any sizes."""
    return 0 in case.shapes["input"]


@on_meta(
    "meta-margin-losses-of-one-row",
    ("multi_margin_loss", "multilabel_margin_loss"),
    severity="wrong shape",
    why="torch.nn.MultiMarginLoss, Shape: unreduced that of the target, which has no axis; eager mode has none",
    example=Case({"input": (2,)}, {"reduction": "none"}, "normal"),
)
def _one_row(case: Case, subject: Subject) -> bool:
    """On the meta device the loss of scores without a batch, which is not reduced, has an axis."""
    return len(case.shapes["input"]) == 1 and case.arguments.get("reduction") == "none"


@on_meta(
    "meta-gaussian-nll-loss",
    ("gaussian_nll_loss",),
    severity="valid arguments rejected",
    why="torch.nn.GaussianNLLLoss: the shape does not depend on values; most losses have one on the meta device",
    example=Case({"input": (2,), "target": (2,), "var": (2,)}, {}, "normal"),
)
def _variances_asked_for(case: Case, subject: Subject) -> bool:
    """On the meta device, which has no values, it is asked whether a variance is negative: 'Tensor.item() cannot be
    called on meta tensors'."""
    return True


# Under FakeTensorMode


@inferred(
    "inferred-gaussian-nll-loss",
    ("gaussian_nll_loss",),
    severity="valid arguments rejected",
    why="torch.nn.GaussianNLLLoss: the shape does not depend on values; most losses have one under FakeTensorMode",
    example=Case({"input": (2,), "target": (2,), "var": (2,)}, {}, "normal"),
)
def _variances_not_there(case: Case, subject: Subject) -> bool:
    """Under FakeTensorMode, too, it is asked whether a variance is negative: 'DataDependentOutputException'."""
    return True


@inferred(
    "inferred-margin-loss-of-one-row",
    ("multi_margin_loss", "multilabel_margin_loss"),
    severity="wrong shape",
    why="torch.nn.MultiMarginLoss, Shape: unreduced that of the target, which has no axis; eager mode has none",
    example=Case({"input": (2,)}, {"reduction": "none"}, "normal"),
)
def _inferred_row(case: Case, subject: Subject) -> bool:
    """Under FakeTensorMode, too, the loss of scores without a batch, which is not reduced, has an axis."""
    return _one_row(case, subject)


@inferred(
    "inferred-nearest-of-no-images",
    ("interpolate_nearest",),
    severity="valid arguments rejected",
    upstream="https://github.com/pytorch/pytorch/pull/195376",
    why="eager mode gives an output of no images, and so do the other modes of interpolation under FakeTensorMode",
    example=Case({"input": (0, 1, 1)}, {"mode": "nearest", "size": (1,)}),
)
def _inferred_of_no_images(case: Case, subject: Subject) -> bool:
    """To the nearest element an input of no images raises 'cond must be a bool' under FakeTensorMode, too."""
    return _no_images(case, subject)
