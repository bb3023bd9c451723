"""ATen's own convolutions, plain, padded and transposed, and the arguments that they check before oneDNN is asked."""

from __future__ import annotations

import math

import torch

from properties.cases.case import Case, Mixed, kernel_size
from properties.edges.huge import Huge
from properties.ledger.examples import convolution, transposed
from properties.ledger.memory_formats import as_convolved, passes
from properties.ledger.record import CONVOLUTIONS, PADDED, PLAIN, TRANSPOSED, known
from properties.ledger.rules import accepted
from properties.ledger.windows import (
    DIVISION,
    dilated,
    division_overflows,
    output_padding_past_stride,
    spans_of,
    where_valid,
    windows_fit,
    windows_of,
    wrapped,
)
from properties.operators.constraints import Invalid
from properties.subjects import FLOATS, INTEGERS, SIXTEEN_BITS, Subject
from properties.worker.call import Setting
from refimpl.geometry import transposed_output

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
    return empty and case.arguments.get("padding_mode", "zeros") == "zeros"


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
    # With 0 it adds no channel, so that nothing raises.
    mode, padding = case.arguments["padding_mode"], case.arguments["padding"]
    return mode != "zeros" and padding[0] == 0 and len(case.shapes["input"]) == len(padding) + 1


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
    return other and not of_no_images(case) and adds_any_bias(case)


def adds_any_bias(case: Case) -> bool:
    """True if loops compute a float32 convolution that look at no bias, as those of three axes that transpose do."""
    return (len(case.shapes["weight"]) < 5 or "output_padding" not in case.arguments) and _own_loops(case)


def _own_loops(case: Case) -> bool:
    """True if torch's own loops, without oneDNN, compute a float32 convolution or transpose it."""
    weight, windows = case.shapes["weight"], windows_of(case)
    many = len(case.shapes["input"]) == len(weight) and case.shapes["input"][0] >= 16
    pointwise = all(w["stride"] == w["dilation"] == 1 for w in windows) and not many
    pointwise = pointwise and all(w["kernel"] == 1 for w in windows[-2:])
    added = zip(case.arguments.get("output_padding", ()), case.arguments["stride"], strict=False)
    return pointwise or any(extra >= stride for extra, stride in added) or _loops_in_float32(case)


# Memory formats


def _gradient_in_another_format(case: Case, subject: Subject) -> bool:
    """The backward pass without oneDNN raises that the gradient to the weight 'must be contiguous' where an image, or
    its part for a group, passes for channels_last by the strides of axes of one element, and the kernels do not."""
    # The gradient to the weight is laid out as the weight is, and wanted as either lies; kernels of one channel, or of
    # one tap, lie in both ways.
    weight, groups = case.shapes["weight"], case.arguments["groups"]
    transposes = "output_padding" in case.arguments
    looped = subject.dtype != "float32" or _own_loops(case) if transposes else without_onednn(case, subject)
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


def without_onednn(case: Case, subject: Subject) -> bool:
    """True if torch's own loops convolve: in float32 they do so a single small image by small kernels in one group.

    See use_mkldnn in ATen/native/Convolution.cpp.
    """
    return subject.dtype != "float32" or _loops_in_float32(case)


def _loops_in_float32(case: Case) -> bool:
    weight, image = case.shapes["weight"], case.shapes["input"]
    small = case.arguments["groups"] == 1 and min(weight[-2:] if len(weight) > 3 else (1,)) <= 3
    single = len(image) < len(weight) or image[0] == 1
    return small and single and math.prod(image) <= 20480


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
        ("conv_transpose2d",),
        severity="valid arguments rejected",
        laws=("layouts",),
        dtypes=_dtypes,
        lacking=_instructions,
        why="torch.nn.ConvTranspose2d: a memory format is no part of a tensor's value; contiguous operands are right, "
        "and so are those of one axis",
        example=Case(
            *transposed((1, 1, 1, 2), (1, 2, 1, 2)), setting=Setting({"input": "channels_last", "weight": "transposed"})
        ),
    )(_gradient_in_another_format)


# Huge arguments


@known(
    "conv-window-overflows",
    PLAIN,
    chance="what is left of the product may still not fit, and be refused",
    severity="wrong shape",
    laws=("huge arguments",),
    why="torch.nn.Conv1d, Shape: no output size is positive; torch checks smaller windows and raises 'Kernel size "
    "can't be greater than actual input size'",
    example=Huge(*convolution((1, 5), (1, 1, 5), dilation=(2**62,)), inflated=("dilation",)),
)
def _window_overflows(case: Case, subject: Subject) -> bool:
    """dilation·(kernel − 1) + 1 wraps past 2⁶³, so that a window that does not fit is accepted and an output is made
    up."""
    return any(span >= 2**63 for span, _, _ in spans_of(case))


OF_NO_ELEMENTS = Huge(
    *convolution((1, 2), (1, 1, 1), stride=(2**61 - 1,), padding=(2**31 - 1,), dilation=(2,)),
    inflated=("padding", "stride"),
)


@known(
    "conv-output-size-in-32-bits",
    PLAIN,
    severity="wrong shape",
    laws=("huge arguments",),
    dtypes=FLOATS[:2],
    what=f"{DIVISION}: a dilated convolution gives an output of no elements",
    upstream="https://github.com/pytorch/pytorch/pull/194112",
    why="torch.nn.Conv1d, Shape: the formula gives one element",
    example=OF_NO_ELEMENTS,
)
def _dilated_division_overflows(case: Case, subject: Subject) -> bool:
    return dilated(case) and without_onednn(case, subject) and _size_is_cut(case, subject)


def _size_is_cut(case: Case, subject: Subject) -> bool:
    """True if torch checks that the window fits, and then computes another size; padding has 62 bits at most."""
    return max(case.arguments["padding"]) < 2**62 and windows_fit(case, subject) and division_overflows(case, 0)


@known(
    "conv-float16-output-size-in-32-bits",
    PLAIN,
    severity="wrong shape",
    laws=("huge arguments",),
    dtypes=("float16",),
    lacking="avx512_fp16",
    what=f"{DIVISION}: where oneDNN has no float16, a dilated convolution, or one over three axes, gives an output of "
    "no elements",
    upstream="https://github.com/pytorch/pytorch/pull/194112",
    why="torch.nn.Conv3d, Shape: the formula gives one element",
    example=OF_NO_ELEMENTS,
)
@known(
    "conv-bfloat16-output-size-in-32-bits",
    PLAIN,
    severity="wrong shape",
    laws=("huge arguments",),
    dtypes=("bfloat16",),
    lacking="avx512_f",
    what=f"{DIVISION}: where oneDNN has no bfloat16, a dilated convolution, or one over three axes, gives an output of "
    "no elements",
    upstream="https://github.com/pytorch/pytorch/pull/194112",
    why="torch.nn.Conv3d, Shape: the formula gives one element",
    example=OF_NO_ELEMENTS,
)
def _three_axes_or_dilated_division_overflows(case: Case, subject: Subject) -> bool:
    return (len(kernel_size(case)) == 3 or dilated(case)) and _size_is_cut(case, subject)


@known(
    "conv-elements-overflow",
    PLAIN[1:],
    chance="what is left of the number may be past any memory, too, and be refused",
    severity="crash",
    laws=("huge arguments",),
    dtypes=FLOATS[:2],
    why="torch.nn.Conv2d, Shape: such an output cannot be; torch raises 'Storage size calculation overflowed' where "
    "one axis alone is too long",
    example=Huge(*convolution((1, 1, 33, 32), (1, 1, 1, 1), padding=(2**61 - 1, 0)), inflated=("padding",)),
)
@where_valid
def _elements_overflow(case: Case, subject: Subject) -> bool:
    """The number of outputs wraps past 2⁶⁴: only what is left of it is allocated, and the process ends with a
    segmentation fault."""
    return math.prod(window["output"] for window in windows_of(case)) >= 2**63


for _dtypes, _lacking in ((FLOATS[:2], None), (("bfloat16",), "avx512_f"), (("float16",), "avx512_fp16")):
    in_32_bits = known(
        f"transposed-arguments-in-32-bits-of-{_dtypes[0]}",
        TRANSPOSED,
        severity="valid arguments rejected",
        laws=("huge arguments",),
        dtypes=_dtypes,
        lacking=_lacking,
        why="torch.nn.ConvTranspose1d: no limit on stride and dilation; a stride of 2³² + 1 is computed with",
        example=Huge(*transposed((1, 1, 1), (1, 1, 2), stride=(2**40,)), inflated=("stride",)),
    )

    @in_32_bits
    @where_valid
    def _checked_in_32_bits(case: Case, subject: Subject) -> bool:
        """Stride and dilation are cut to 32 bits before they are checked: a stride of 2⁴⁰ raises 'stride should be
        greater than zero', and one of 2³² + 1 that the output padding is not smaller than it."""
        # A padding of 2⁶² or more is refused before; what oneDNN computes in float32 it refuses by itself.
        names = ("stride", "padding", "output_padding", "dilation")
        steps = list(zip(*(case.arguments[name] for name in names), strict=True))
        valid = min(_transposed_sizes(case)) >= 0
        counted = max(v for given in steps for v in given) < 2**63 and max(case.arguments["padding"]) < 2**62
        counted = counted and (subject.dtype != "float32" or _own_loops(case))
        seen = ([wrapped(v, 32) for v in given] for given in steps)
        scatters = all(s > 0 and d > 0 and more < max(s, d) for s, _, more, d in seen)
        return valid and counted and not scatters and 0 not in case.shapes["input"]


@known(
    "transposed-size-past-64-bits-of-empty-batch",
    TRANSPOSED,
    severity="wrong shape",
    laws=("huge arguments",),
    why="torch.nn.ConvTranspose1d, Shape: the formula gives another size, which no tensor can have",
    example=Huge(
        *transposed((0, 1, 2), (1, 1, 6), stride=(2**30,), padding=(2**61 - 1,), dilation=(2**62 - 1,)),
        inflated=("dilation", "padding", "stride"),
    ),
)
@where_valid
def _size_of_nothing_wraps(case: Case, subject: Subject) -> bool:
    """In an empty batch the size of an axis wraps past 2⁶⁴, and what is left of it is the output's."""
    sizes = _transposed_sizes(case)
    return case.shapes["input"][0] == 0 and max(sizes) >= 2**63 and all(wrapped(size, 64) >= 0 for size in sizes)


def _transposed_sizes(case: Case) -> list[int]:
    names = ("stride", "padding", "output_padding", "dilation")
    steps = zip(*(case.arguments[name] for name in names), strict=True)
    axes = zip(case.shapes["input"][-len(kernel_size(case)) :], kernel_size(case), steps, strict=True)
    return [transposed_output(size, k, *given) for size, k, given in axes]


@known(
    "transposed-size-past-64-bits-in-float32",
    TRANSPOSED,
    severity="wrong shape",
    laws=("huge arguments",),
    dtypes=("float32",),
    why="torch.nn.ConvTranspose1d, Shape: the formula gives another size, which no tensor can have",
    example=Huge(
        *transposed((1, 2, 2), (2, 1, 4), stride=(2**62,), dilation=(2**62,), groups=2), inflated=("dilation", "stride")
    ),
)
@where_valid
def _size_of_onednn_wraps(case: Case, subject: Subject) -> bool:
    """Where oneDNN computes it, the size of an axis wraps past 2⁶⁴, and what is left of it is the output's."""
    # It looks whether the elements of the input, a stride apart, fit in that, and then counts to less than 2⁶³.
    sizes, left = _transposed_sizes(case), [wrapped(size, 64) for size in _transposed_sizes(case)]
    spans = zip(case.shapes["input"][-len(sizes) :], case.arguments["stride"], strict=True)
    held = min(left) >= 0 and math.prod(left) < 2**30 and all((size - 1) * stride < 2**63 for size, stride in spans)
    given = max(value for name in ("stride", "dilation") for value in case.arguments[name])
    accepted = 0 not in case.shapes["input"] and given < 2**63 and max(case.arguments["padding"]) < 2**62
    return max(sizes) >= 2**63 and held and accepted and not _own_loops(case)
