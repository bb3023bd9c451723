"""ATen's own convolutions, plain, padded and transposed, and the arguments that they check before oneDNN is asked."""

from __future__ import annotations

import math

import torch

from properties.cases.case import Case, Mixed, kernel_size
from properties.ledger import windows
from properties.ledger.backends import without_onednn
from properties.ledger.examples import convolution, transposed
from properties.ledger.memory_formats import as_convolved, convolves_in_channels_last, passes
from properties.ledger.record import CONVOLUTIONS, PADDED, PLAIN, TRANSPOSED, known
from properties.ledger.rules import accepted
from properties.ledger.windows import output_padding_past_stride, where_valid, windows_fit, windows_of
from properties.operators.constraints import Invalid
from properties.subjects import FLOATS, INTEGERS, SIXTEEN_BITS, Subject
from properties.worker.call import Setting

# Shapes, and what the layers accept


@known(
    "conv-without-input-channels",
    CONVOLUTIONS,
    severity="wrong shape",
    laws=("zero sizes",),
    devices=("cpu", "meta"),
    dtypes=FLOATS + INTEGERS,
    upstream="https://github.com/pytorch/pytorch/issues/101356",
    why="torch.nn.Conv1d, Shape: the output has out_channels channels, each the bias; or the input is refused",
    example=Case(*convolution((2, 0, 1), (3, 0, 1))),
)
def _no_input_channels(case: Case, subject: Subject) -> bool:
    """An input of no channels gives an output of no channels."""
    return case.shapes["weight"][1] == 0 and windows_fit(case, subject)


@known(
    "conv-of-empty-axis-depends-on-batch",
    CONVOLUTIONS,
    severity="valid arguments rejected",
    laws=("whatever the batch",),
    modes=("eager",),
    why="torch.nn.Conv2d, Shape: the output size ⌊(size + 2·padding − kernel)/stride⌋ + 1 is positive, and no rule "
    "there speaks of the batch",
    operator="conv2d",
    example=Case(*convolution((1, 1, 1, 0), (1, 1, 1, 1), padding=(0, 1)), "normal"),
)
def _empty_axis(case: Case, subject: Subject) -> bool:
    """An axis without elements, with padding that the kernel fits in, is accepted in an empty batch and raises 'Only
    zero batch or zero channel inputs are supported' in any other."""
    empty = 0 in case.shapes["input"][2 - len(case.shapes["weight"]) :]
    return empty and case.arguments.get("padding_mode", "zeros") == "zeros" and windows_fit(case, subject)


@known(
    "transposed-convolution-of-empty-batch-unchecked",
    TRANSPOSED,
    severity="missing error",
    laws=("whatever the batch",),
    modes=("eager",),
    upstream="https://github.com/pytorch/pytorch/pull/186524",
    why="torch.nn.ConvTranspose2d: no rule there speaks of the batch, and torch states each of these as an error",
    example=Case(*transposed((1, 1, 1), (1, 1, 1), output_padding=(1,)), "normal"),
)
def _breaks_a_rule_of_transposes(case: Case, subject: Subject) -> bool:
    """An output padding that is not smaller than stride or dilation, an axis without elements, and an output without
    any raise an error, but are accepted in an empty batch."""
    # In that, too, no padding may be negative, and no size of the output.
    given, kernel = case.arguments, case.shapes["weight"][2:]
    steps = [given[name] for name in ("stride", "padding", "output_padding", "dilation")]
    axes = list(zip(case.shapes["input"][-len(kernel) :], kernel, *steps, strict=True))
    outputs = [(size - 1) * s - 2 * p + d * (k - 1) + 1 + more for size, k, s, p, more, d in axes]
    if min(given["stride"]) <= 0 or min(*given["padding"], *given["output_padding"], *outputs) < 0:
        return False
    return 0 in outputs or any(size == 0 or more >= max(s, d) for size, _, s, _, more, d in axes)


@accepted(
    "output-padding-of-nothing",
    TRANSPOSED,
    "output_padding is smaller than stride or dilation",
    laws=("rejection", "huge arguments"),
    devices=("cpu",),
    dtypes=FLOATS + INTEGERS,
    upstream="https://github.com/pytorch/pytorch/pull/186524",
    why="torch.nn.ConvTranspose1d: output_padding is 'to resolve this ambiguity' among the sizes that a convolution "
    "maps to one; with a batch of one it raises",
    example=transposed((0, 1, 3), (1, 1, 1), output_padding=(1,)),
)
def _more_of_an_empty_batch(case: Case, subject: Subject) -> bool:
    """An output padding that is not smaller than stride or dilation is accepted where the batch is empty."""
    # That they are as many is another rule, which may be broken, too.
    steps = zip(*(case.arguments[name] for name in ("output_padding", "stride", "dilation")), strict=False)
    return _empty_batch(case, subject) and any(more >= max(stride, dilation) for more, stride, dilation in steps)


def _empty_batch(case: Case, subject: Subject) -> bool:
    return case.shapes["input"][:1] == (0,)


@accepted(
    "conv-dilation-of-zero-in-empty-batch",
    CONVOLUTIONS + TRANSPOSED,
    "dilation is at least 1",
    laws=("rejection", "whatever the batch"),
    devices=("cpu",),
    dtypes=FLOATS + INTEGERS,
    why="torch.nn.Conv1d: dilation is the 'spacing between kernel elements'; with a batch of one it raises",
    example=convolution((0, 1, 3), (1, 1, 1), dilation=(0,)),
)
def _undilated_empty_batch(case: Case, subject: Subject) -> bool:
    """A dilation of 0 is accepted where the batch is empty."""
    # The law "whatever the batch" makes the empty batch of its cases itself.
    undilated = min(case.arguments["dilation"]) == 0
    return undilated and (not isinstance(case, Invalid) or _empty_batch(case, subject))


def _undilated_kernel_of_one(case: Case, subject: Subject) -> bool:
    """A dilation of 0 is accepted where oneDNN computes it and the kernel has one element along the axis."""
    # In float32 oneDNN computes several groups or images, and more elements than cases have.
    axes = list(zip(case.arguments["dilation"], kernel_size(case), strict=True))
    batch = case.shapes["input"][0] if len(case.shapes["input"]) == len(axes) + 2 else 1
    many = subject.dtype in SIXTEEN_BITS or batch > 1 or case.arguments["groups"] > 1
    return many and not output_padding_past_stride(case) and all(d > 0 or (d == 0 and k == 1) for d, k in axes)


for _dtype, _instructions in (("float32", None), ("bfloat16", "avx512_f"), ("float16", "avx512_fp16")):
    accepted(
        f"undilated-transposed-kernel-of-one-in-{_dtype}",
        TRANSPOSED[:2],
        "dilation is at least 1",
        devices=("cpu",),
        dtypes=(_dtype,),
        having=_instructions,
        why="torch.nn.ConvTranspose1d: dilation is the 'spacing between kernel elements'; in float64 it raises",
        example=transposed((2, 1, 3), (1, 1, 1), dilation=(0,)),
    )(_undilated_kernel_of_one)


@accepted(
    "padded-convolution-padding-values",
    PADDED[:2],
    "padding has one value per axis",
    dtypes=FLOATS + INTEGERS,
    why="torch.nn.Conv1d: padding is a number or a tuple of one for each axis; with zeros it raises",
    example=convolution((1, 1, 1), (1, 1, 1), padding=(0, 0), padding_mode="reflect"),
)
def _pads_channels_by_none(case: Case, subject: Subject) -> bool:
    """In a mode that pads before the convolution, a padding of more values than axes is accepted, and its first value
    pads the channels."""
    # With 0 it adds no channel, so that nothing raises if the others can pad the axes, and the images: of none, only
    # circular padding is made.
    mode, (first, *others), shape = case.arguments["padding_mode"], case.arguments["padding"], case.shapes["input"]
    if mode == "zeros" or first != 0 or len(shape) != len(others) + 2 or (shape[0] == 0 and mode != "circular"):
        return False
    return windows.accepted(case.with_arguments(padding=tuple(others)))


# Operands of two dtypes

SAME_DTYPE = (
    "torch.nn.functional.conv2d raises 'Input type and weight type should be the same', and so it does of a bias; an "
    "output has the dtype to which its operands promote (torch.result_type)"
)


@known(
    "convolution-of-no-images-mixes-dtypes",
    CONVOLUTIONS + TRANSPOSED,
    severity="missing error",
    laws=("one dtype",),
    devices=("cpu", "meta"),
    dtypes=("float32",),
    why=f"{SAME_DTYPE}; a batch of one image is refused",
    example=Mixed(*convolution((0, 1, 1), (1, 1, 1)), dtypes={"weight": "float64"}),
)
def _no_images(case: Case, subject: Subject) -> bool:
    """An empty batch is accepted with operands of two dtypes, and gives an output of the input's."""
    if not isinstance(case, Mixed) or not of_no_images(case) or refuses_bias(case):
        return False
    return case.dtypes["input"] != "float64" if "input" in case.dtypes else "float64" in case.dtypes.values()


def of_no_images(case: Case) -> bool:
    """True if a convolution's input is an empty batch."""
    return len(case.shapes["input"]) == len(case.shapes["weight"]) and case.shapes["input"][0] == 0


def refuses_bias(case: Mixed) -> bool:
    """True if a convolution has a bias of another dtype than its input, and looks at that: not where it is transposed,
    nor where its padding is "same" or "valid"."""
    named = isinstance(case.arguments["padding"], str) and case.arguments["padding_mode"] == "zeros"
    differs = ("input" in case.dtypes and "bias" in case.shapes) or "bias" in case.dtypes
    return differs and not named and "output_padding" not in case.arguments


@known(
    "convolution-bias-of-another-dtype",
    TRANSPOSED[:2] + PADDED,
    severity="missing error",
    laws=("one dtype",),
    dtypes=("float32",),
    upstream="https://github.com/pytorch/pytorch/pull/83686",
    why=f"{SAME_DTYPE}; convolutions padded by numbers, oneDNN and conv_transpose3d refuse it",
    example=Mixed(*transposed((1, 1, 1), (1, 1, 1), bias=(1,)), dtypes={"bias": "float64"}),
)
def _bias_of_float64(case: Case, subject: Subject) -> bool:
    """Without oneDNN a transposed convolution, or one whose padding is "same" or "valid", accepts a bias of float64,
    and its output is float32."""
    other = isinstance(case, Mixed) and case.dtypes == {"bias": "float64"} and not refuses_bias(case)
    return other and not of_no_images(case) and adds_any_bias(case, subject)


def adds_any_bias(case: Case, subject: Subject) -> bool:
    """True if loops compute a float32 convolution that look at no bias, as those of three axes that transpose do."""
    looks = len(case.shapes["weight"]) == 5 and "output_padding" in case.arguments
    return not looks and without_onednn(case, subject)


# Memory formats


def _gradient_in_another_format(case: Case, subject: Subject) -> bool:
    """The backward pass without oneDNN raises that the gradient to the weight 'must be contiguous' where an image, or
    its part for a group, passes for channels_last by the strides of axes of one element, and the kernels do not."""
    # The gradient to the weight is laid out as the weight is, and wanted as either lies; kernels of one channel, or of
    # one tap, lie in both ways.
    weight, groups = case.shapes["weight"], case.arguments["groups"]
    transposes = "output_padding" in case.arguments
    looped = without_onednn(case, subject)
    if len(weight) > 4 or any(0 in shape for shape in case.shapes.values()) or not looped:
        return False
    if case.arguments.get("padding_mode", "zeros") != "zeros" or case.arguments["padding"] == "same":  # a padded image
        return False
    image, kernels = (as_convolved(case, name) for name in ("input", "weight"))
    format = torch.channels_last if passes(image) or passes(kernels) else torch.contiguous_format
    image, kernels = (tensor.contiguous(memory_format=format) for tensor in (image, kernels))
    if groups > 1:
        channels = weight[0] // groups if transposes else weight[1]
        image = image.narrow(1, 0, channels).contiguous(memory_format=format)
        kernels = kernels.narrow(0, 0, weight[0] // groups).contiguous(memory_format=format)
    both = torch.empty(kernels.shape).is_contiguous(memory_format=torch.channels_last)
    return passes(image) and not passes(kernels) and not both


@where_valid
def _gradient_of_other_places(case: Case, subject: Subject) -> bool:
    """The gradient to the weight of a convolution of several groups that is computed in channels_last without oneDNN
    takes elements of other places where the input lies in that format but for strides of axes of one element."""
    given, axes, channels = case.arguments, windows_of(case), case.shapes["weight"][1]
    padded = given.get("padding_mode", "zeros") != "zeros" or (
        given["padding"] == "same" and any(axis["kernel"] % 2 == 0 for axis in axes)
    )  # the padded image lies as the format has it
    looped = without_onednn(case, subject)
    dilated = any(axis["dilation"] > 1 for axis in axes)
    if padded or dilated or not looped or given["groups"] == 1 or channels == 1 or 0 in case.shapes["input"]:
        return False
    image = as_convolved(case, "input")
    usual = torch.empty(image.shape).to(memory_format=torch.channels_last).stride()
    odd = image.is_contiguous(memory_format=torch.channels_last) and image.stride() != usual
    return odd and math.prod(image.shape[2:]) > 1 and convolves_in_channels_last(case)


for _name, _dtypes, _instructions in (
    ("", FLOATS[:2], None), ("bfloat16-", ("bfloat16",), "avx512_f"), ("float16-", ("float16",), "avx512_fp16")
):  # fmt: skip
    known(
        f"{_name}channels-last-weight-gradient-in-another-format",
        PLAIN[:2] + PADDED[:2],
        severity="valid arguments rejected",
        laws=("layouts",),
        dtypes=_dtypes,
        lacking=_instructions,
        why="torch.nn.Conv2d: a memory format is no part of a tensor's value, and the stride of an axis of one element "
        "addresses nothing; contiguous operands are right",
        operator="conv2d",
        example=Case(
            *convolution((1, 3, 1, 1), (1, 3, 1, 2), padding=(0, 1)),
            setting=Setting({"input": "odd units", "weight": "transposed"}),
        ),
    )(_gradient_in_another_format)
    known(
        f"{_name}channels-last-weight-gradient-of-transposed-in-another-format",
        TRANSPOSED[:2],
        severity="valid arguments rejected",
        laws=("layouts",),
        dtypes=_dtypes,
        lacking=_instructions,
        why="torch.nn.ConvTranspose2d: a memory format is no part of a tensor's value; contiguous operands are right",
        operator="conv_transpose2d",
        example=Case(
            *transposed((1, 1, 1, 2), (1, 2, 1, 2)), setting=Setting({"input": "channels_last", "weight": "transposed"})
        ),
    )(_gradient_in_another_format)
    known(
        f"{_name}channels-last-weight-gradient-of-odd-unit-strides",
        ("conv2d", "conv2d_padded"),
        severity="silent wrong value",
        laws=("layouts", "special gradients"),
        dtypes=_dtypes,
        lacking=_instructions,
        chance="a gradient to which a single position contributes is right, and so may be one of equal elements",
        why="torch.nn.Conv2d: a memory format is no part of a tensor's value, and the stride of an axis of one element "
        "addresses nothing; contiguous operands are right",
        example=Case(
            *convolution((1, 4, 1, 2), (2, 2, 1, 1), groups=2),
            "normal",
            1,
            Setting({"input": "transposed", "weight": "channels_last"}),
        ),
    )(_gradient_of_other_places)
