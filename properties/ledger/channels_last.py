"""What torch gets wrong only where operands lie in memory in channels_last."""

from __future__ import annotations

import math
from dataclasses import replace

import torch

from properties.cases.case import Case
from properties.ledger.record import Divergence
from properties.ledger.windows import last_axis_of_padding, where_valid, windows_of
from properties.subjects import Subject
from properties.subjects.devices import instructions
from properties.worker.call import Setting
from properties.worker.layouts import LAYOUTS


def passes_for_channels_last(case: Case, name: str, shape: tuple[int, ...]) -> bool:
    """Whether torch takes the strides of four or five axes for those of channels_last."""
    return len(shape) in (4, 5) and 0 not in shape and _passes(LAYOUTS[case.layout(name)](torch.empty(shape)))


def _passes(tensor: torch.Tensor) -> bool:
    """Whether strides grow from the channels' over the last axis' to the first's.

    Those of axes of one element, which address nothing, count too (c10/core/MemoryFormat.h).
    """
    strides, least = tensor.stride(), 0
    for axis in (1, *range(tensor.ndim - 1, 1, -1), 0):
        if strides[axis] < least or strides[1] == 0 or (axis == 0 and least == strides[1]):
            return False
        least = strides[axis] * tensor.shape[axis]
    return True


def convolves_in_channels_last(case: Case) -> bool:
    """Whether torch has a convolution computed in channels_last: input or weight passes for it."""
    return any(0 not in case.shapes[name] and _passes(_as_convolved(case, name)) for name in ("input", "weight"))


def _as_convolved(case: Case, name: str) -> torch.Tensor:
    """Input or weight with an axis for the batch, and, of one axis, another for a window of one row."""
    tensor, axes = LAYOUTS[case.layout(name)](torch.empty(case.shapes[name])), len(case.shapes["weight"])
    tensor = tensor.unsqueeze(0) if tensor.ndim < axes else tensor
    tensor = tensor.contiguous() if axes == 3 and name == "input" else tensor
    return tensor.unsqueeze(2) if axes == 3 else tensor


def _grouped_on_padding(case: Case, subject: Subject) -> bool:
    """Whether groups of more than one kernel, or of more than one channel, see nothing on the last axis but padding."""
    weight, groups = case.shapes["weight"], case.arguments.get("groups", 1)
    grouped = groups > 1 and (weight[1] > 1 or weight[0] > groups)
    return grouped and "bias" in case.shapes and _on_padding(case, subject)


def _on_padding(case: Case, subject: Subject) -> bool:
    """Whether input or weight passes for channels_last, and nothing is seen on the last axis but padding."""
    return last_axis_of_padding(case, subject) and convolves_in_channels_last(case)


@where_valid
def _strided_pointwise(case: Case, subject: Subject) -> bool:
    """Whether a stride leaves out elements of a kernel of one, of a few channels, for many outputs in channels_last.

    oneDNN copies the elements that are left, 16 channels at once, with AVX2 alone 8, to where there is room for those
    that there are. Up to 256 outputs nothing was seen to be hit.
    """
    windows, channels = windows_of(case), case.shapes["weight"][1]
    pointwise = all(w["kernel"] == 1 and w["before"] == 0 for w in windows) and any(w["stride"] > 1 for w in windows)
    few = 1 < channels < (16 if "avx512_f" in instructions() else 8) and case.arguments.get("groups", 1) == 1
    many = math.prod(w["output"] for w in windows) > 256
    return pointwise and few and many and convolves_in_channels_last(case)


def _gradient_in_another_format(case: Case, subject: Subject) -> bool:
    """True if an image, or its part for a group, passes for channels_last and the kernels that it meets do not.

    Without oneDNN the gradient to the weight is laid out as the weight is, and wanted as either lies; kernels of one
    channel, or of one tap, lie in both ways.
    """
    weight, groups = case.shapes["weight"], case.arguments["groups"]
    if len(weight) > 4 or any(0 in shape for shape in case.shapes.values()) or not _by_torch(case, subject):
        return False
    image, kernels = (_as_convolved(case, name) for name in ("input", "weight"))
    format = torch.channels_last if _passes(image) or _passes(kernels) else torch.contiguous_format
    image, kernels = (tensor.contiguous(memory_format=format) for tensor in (image, kernels))
    if groups > 1:
        image = image.narrow(1, 0, weight[1]).contiguous(memory_format=format)
        kernels = kernels.narrow(0, 0, weight[0] // groups).contiguous(memory_format=format)
    both = torch.empty(kernels.shape).is_contiguous(memory_format=torch.channels_last)
    return _passes(image) and not _passes(kernels) and not both


def _by_torch(case: Case, subject: Subject) -> bool:
    """True if torch's own loops convolve: in float32 they do so a single small image by small kernels in one group.

    See use_mkldnn in ATen/native/Convolution.cpp.
    """
    weight, image = case.shapes["weight"], case.shapes["input"]
    small = case.arguments["groups"] == 1 and min(weight[2:] if len(weight) == 4 else (1,)) <= 3
    single = len(image) < len(weight) or image[0] == 1
    return subject.dtype != "float32" or (small and single and math.prod(image) <= 20480)


CRASH = Divergence(
    id="channels-last-crash-on-last-axis-of-padding",
    severity="crash",
    operators=("conv2d", "conv3d", "conv2d_padded", "conv3d_padded"),
    laws=("layouts", "special values", "special gradients"),
    devices=("cpu",),
    dtypes=("float32",),
    holds=_grouped_on_padding,
    what="a grouped convolution with a bias whose input or weight lies in channels_last ends the process with SIGSEGV "
    "where, with a stride and a dilation, no tap along the last axis lies in the input; always if fresh memory is not "
    "zero, else now and then",
    why="torch.nn.Conv2d, Shape: no limit on padding; its output is the bias, as it is for contiguous operands. A "
    "memory format is no part of a tensor's value",
    upstream="https://github.com/uxlfoundation/oneDNN/issues/5942",
    operator="conv2d",
    example=Case(
        {"input": (1, 2, 2, 1), "weight": (4, 1, 1, 2), "bias": (4,)},
        {"stride": (1, 2), "padding": (0, 3), "dilation": (1, 2), "groups": 2},
        setting=Setting({"input": "channels_last"}),
    ),
)
ANOTHER_FORMAT = Divergence(
    id="channels-last-weight-gradient-in-another-format",
    severity="valid arguments rejected",
    operators=("conv1d", "conv2d"),
    laws=("layouts",),
    devices=("cpu",),
    dtypes=("float64", "float32"),
    holds=_gradient_in_another_format,
    what="the backward pass without oneDNN raises 'slow_conv2d: grad_weight must be contiguous' where an image, or its "
    "part for a group, passes for channels_last by the strides of axes of one element, and the kernels do not",
    why="torch.nn.Conv2d: a memory format is no part of a tensor's value, and the stride of an axis of one element "
    "addresses nothing; contiguous operands are right",
    upstream=None,
    operator="conv2d",
    example=Case(
        {"input": (1, 3, 1, 1), "weight": (1, 3, 1, 2)},
        {"stride": (1, 1), "padding": (0, 1), "dilation": (1, 1), "groups": 1},
        setting=Setting({"input": "odd units", "weight": "transposed"}),
    ),
)
ENTRIES: tuple[Divergence, ...] = (
    ANOTHER_FORMAT,
    replace(ANOTHER_FORMAT, id=f"bfloat16-{ANOTHER_FORMAT.id}", dtypes=("bfloat16",), lacking="avx512_f"),
    replace(ANOTHER_FORMAT, id=f"float16-{ANOTHER_FORMAT.id}", dtypes=("float16",), lacking="avx512_fp16"),
    CRASH,
    replace(
        CRASH,
        id=f"bfloat16-{CRASH.id}",
        dtypes=("bfloat16",),
        holds=_on_padding,
        what=CRASH.what.replace("a grouped convolution with a bias", "a convolution"),
        having="avx512_bf16",
    ),
    Divergence(
        id="channels-last-crash-in-weight-gradient-of-strided-pointwise",
        severity="crash",
        operators=("conv2d", "conv2d_padded"),
        laws=("layouts", "gradients", "special gradients"),
        devices=("cpu",),
        dtypes=("float32",),
        holds=_strided_pointwise,
        what="the gradient to the weight of a strided 1×1 convolution of 2 to 15 channels in channels_last, of 2 to 7 "
        "with AVX2 alone, ends the process with SIGSEGV or SIGABRT where an image has many outputs: other memory is "
        "overwritten",
        why="torch.nn.Conv2d: a memory format is no part of a tensor's value; contiguous operands, and 16 channels, "
        "are right",
        upstream="https://github.com/uxlfoundation/oneDNN/issues/6035",
        operator="conv2d",
        having="avx2",
        overwrites=True,
        example=Case(
            {"input": (1, 4, 128, 128), "weight": (8, 4, 1, 1)},
            {"stride": (2, 2), "padding": (0, 0), "dilation": (1, 1), "groups": 1},
            setting=Setting({"input": "channels_last", "weight": "channels_last", "cotangent": "channels_last"}),
        ),
    ),
)
