"""Convolutions of ATen whose sizes, or arguments, are past 32 or 64 bits."""

from __future__ import annotations

import math

import torch

from properties.cases.case import Case, kernel_size
from properties.edges.huge import Huge
from properties.ledger.backends import SIXTEEN, counted_sizes, without_onednn
from properties.ledger.examples import convolution, transposed
from properties.ledger.record import CONVOLUTIONS, PADDED, PLAIN, TRANSPOSED, known
from properties.ledger.windows import (
    DIVISION,
    accepted,
    dilated,
    spans_of,
    where_valid,
    windows_fit,
    windows_of,
    wrapped,
)
from properties.subjects import FLOATS, Subject
from refimpl.geometry import transposed_output


@known(
    "conv-window-overflows",
    CONVOLUTIONS,
    severity="wrong shape",
    laws=("huge arguments",),
    why="torch.nn.Conv1d, Shape: no output size is positive; torch checks smaller windows and raises 'Kernel size "
    "can't be greater than actual input size'",
    example=Huge(*convolution((1, 5), (1, 1, 5), dilation=(2**62,)), inflated=("dilation",)),
)
def _window_overflows(case: Case, subject: Subject) -> bool:
    """dilation·(kernel − 1) + 1 wraps past 2⁶³, so that a window that does not fit is accepted and an output is made
    up."""
    return any(span >= 2**63 for span, _, _ in spans_of(case)) and _made_up(case, subject, _storable(case, subject))


def _storable(case: Case, subject: Subject) -> int:
    """So many positions of an output, at least, are refused as past 64 bits; of fewer the allocator is asked."""
    if without_onednn(case, subject) or 0 in case.shapes["input"]:
        return 2**55
    images, bytes_each = case.shapes["input"][: -len(kernel_size(case)) - 1], getattr(torch, subject.dtype).itemsize
    return 2**63 // max(1, math.prod(images) * case.shapes["weight"][0] * bytes_each)


def _made_up(case: Case, subject: Subject, most: int) -> bool:
    """True if sizes are counted that the formula does not give, and the output is not refused, nor of more elements."""
    if not accepted(case):
        return False
    sizes = counted_sizes(case, subject)
    formula = [room // stride + 1 if room >= 0 else None for _, room, stride in spans_of(case)]
    least = 0 if dilated(case) else 1
    return sizes != formula and min(sizes) >= least and math.prod(sizes) < most


LEFT = "it depends on what is left in 32 bits of a quotient that wraps, which no bound on an argument tells"
OF_NO_ELEMENTS = Huge(
    *convolution((1, 2), (1, 1, 1), stride=(2**61 - 1,), padding=(2**31 - 1,), dilation=(2,)),
    inflated=("padding", "stride"),
)


@known(
    "conv-output-size-in-32-bits",
    CONVOLUTIONS,
    severity="wrong shape",
    laws=("huge arguments",),
    dtypes=FLOATS[:2],
    what=f"{DIVISION}: a dilated convolution gives an output of no elements",
    upstream="https://github.com/pytorch/pytorch/pull/194112",
    why="torch.nn.Conv1d, Shape: the formula gives one element",
    narrower=LEFT,
    example=OF_NO_ELEMENTS,
)
def _dilated_division_overflows(case: Case, subject: Subject) -> bool:
    return dilated(case) and without_onednn(case, subject) and _size_is_cut(case, subject)


def _size_is_cut(case: Case, subject: Subject) -> bool:
    """True if torch checks that the window fits, and then computes another size."""
    return windows_fit(case, subject) and _made_up(case, subject, 2**28)  # of more, memory may run out


@known(
    "conv-float16-output-size-in-32-bits",
    CONVOLUTIONS,
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
    CONVOLUTIONS,
    severity="wrong shape",
    laws=("huge arguments",),
    dtypes=("bfloat16",),
    lacking="avx512_f",
    what=f"{DIVISION}: where oneDNN has no bfloat16, a dilated convolution, or one over three axes, gives an output of "
    "no elements",
    upstream="https://github.com/pytorch/pytorch/pull/194112",
    why="torch.nn.Conv3d, Shape: the formula gives one element",
    narrower=LEFT,
    example=OF_NO_ELEMENTS,
)
def _three_axes_or_dilated_division_overflows(case: Case, subject: Subject) -> bool:
    return (len(kernel_size(case)) == 3 or dilated(case)) and _size_is_cut(case, subject)


@where_valid
def _elements_overflow(case: Case, subject: Subject) -> bool:
    """The number of outputs of an image wraps past 2⁶⁴: only what is left of it is allocated, and the process ends with
    a segmentation fault."""
    # Each size on its own, cut to 32 bits, is one that is accepted.
    outputs = math.prod(window["output"] for window in windows_of(case))
    looped = without_onednn(case, subject) and not dilated(case) and accepted(case)
    return outputs >= 2**63 and 0 < wrapped(outputs, 64) < 2**40 and looped and min(counted_sizes(case, subject)) > 0


for _name, _dtypes, _lacking in (
    ("", FLOATS[:2], None), ("bfloat16-", ("bfloat16",), "avx512_f"), ("float16-", ("float16",), "avx512_fp16")
):  # fmt: skip
    known(
        f"conv-{_name}elements-overflow",
        PLAIN[1:] + PADDED[1:],
        severity="crash",
        laws=("huge arguments",),
        dtypes=_dtypes,
        lacking=_lacking,
        why="torch.nn.Conv2d, Shape: such an output cannot be; it raises 'Storage size calculation overflowed' where "
        "one axis alone is too long",
        example=Huge(*convolution((1, 1, 33, 32), (1, 1, 1, 1), padding=(2**61 - 1, 0)), inflated=("padding",)),
    )(_elements_overflow)


@known(
    "conv3d-rows-past-64-bits",
    ("conv3d", "conv3d_padded"),
    severity="silent wrong value",
    laws=("huge arguments",),
    dtypes=FLOATS[:2],
    why="torch.nn.Conv3d: no limit on the stride; a row longer, and in bfloat16, the outputs are right",
    example=Huge(*convolution((1, 1, 1, 1, 4), (1, 1, 1, 1, 1), stride=(1, 2**62, 1)), inflated=("stride",)),
)
@where_valid
def _rows_wrap(case: Case, subject: Subject) -> bool:
    """Without oneDNN, padding and dilation, the stride of rows times their length wraps past 2⁶⁴ to less than a row of
    windows takes, MKL refuses to copy it ('Parameter 7 was incorrect on entry to mkl_domatcopy'), and memory that was
    never written is multiplied."""
    rows, columns = windows_of(case)[1:]
    copied = without_onednn(case, subject) and not dilated(case) and accepted(case) and windows_fit(case, subject)
    apart = columns["stride"] * (columns["output"] - 1) + 1
    pads = any(window["before"] for window in windows_of(case))
    return copied and not pads and rows["stride"] * columns["input"] % 2**64 < apart


@known(
    "transposed-arguments-in-32-bits",
    TRANSPOSED,
    severity="valid arguments rejected",
    laws=("huge arguments",),
    why="torch.nn.ConvTranspose1d: no limit on stride and dilation; a stride of 2³² + 1 is computed with",
    example=Huge(*transposed((1, 1, 1), (1, 1, 2), output_padding=(1,), dilation=(2**40,)), inflated=("dilation",)),
)
@where_valid
def _checked_in_32_bits(case: Case, subject: Subject) -> bool:
    """Without oneDNN stride and dilation are cut to 32 bits before they are checked: a stride of 2⁴⁰ raises 'stride
    should be greater than zero', and one of 2³² + 1 that the output padding is not smaller than it."""
    # A padding of 2⁶² or more is refused before; what oneDNN computes it refuses by itself.
    return min(_transposed_sizes(case)) >= 0 and _reaches_loops(case, subject) and not _scatters(case)


@known(
    "transposed-size-past-64-bits",
    TRANSPOSED,
    severity="wrong shape",
    laws=("huge arguments",),
    why="torch.nn.ConvTranspose1d, Shape: the formula gives another size, which no tensor can have",
    example=Huge(*transposed((1, 1, 2), (1, 1, 5), output_padding=(1,), dilation=(2**62 + 2,)), inflated=("dilation",)),
)
@where_valid
def _size_of_loops_wraps(case: Case, subject: Subject) -> bool:
    """Without oneDNN the size of an axis wraps past 2⁶⁴, and what is left of it is the output's."""
    sizes, left = _transposed_sizes(case), [wrapped(size, 64) for size in _transposed_sizes(case)]
    held = min(left) >= 1 and math.prod(left) < 2**30
    return max(sizes) >= 2**63 and held and _reaches_loops(case, subject) and _scatters(case)


def _reaches_loops(case: Case, subject: Subject) -> bool:
    """True if arguments are such that torch gets to its own loops for a transposed convolution."""
    counted = max(v for given in _steps(case) for v in given) < 2**63 and max(case.arguments["padding"]) < 2**62
    return counted and without_onednn(case, subject) and 0 not in case.shapes["input"]


def _scatters(case: Case) -> bool:
    """True if stride and dilation, cut to 32 bits, pass for valid ones."""
    seen = ([wrapped(v, 32) for v in given] for given in _steps(case))
    return all(s > 0 and d > 0 and more < max(s, d) for s, _, more, d in seen)


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
    past = max(sizes) >= 2**63 and max(value for step in _steps(case) for value in step) < 2**63
    return case.shapes["input"][0] == 0 and past and all(wrapped(size, 64) >= 0 for size in sizes)


def _steps(case: Case) -> list[tuple[int, ...]]:
    """Stride, padding, output padding and dilation along each axis."""
    names = ("stride", "padding", "output_padding", "dilation")
    return list(zip(*(case.arguments[name] for name in names), strict=True))


def _transposed_sizes(case: Case) -> list[int]:
    axes = zip(case.shapes["input"][-len(kernel_size(case)) :], kernel_size(case), _steps(case), strict=True)
    return [transposed_output(size, k, *given) for size, k, given in axes]


@where_valid
def _size_of_onednn_wraps(case: Case, subject: Subject) -> bool:
    """Where oneDNN computes it, the size of an axis wraps past 2⁶⁴, and what is left of it is the output's."""
    # It looks whether the elements of the input, a stride apart, fit in that, and then counts to less than 2⁶³.
    sizes, left = _transposed_sizes(case), [wrapped(size, 64) for size in _transposed_sizes(case)]
    spans = zip(case.shapes["input"][-len(sizes) :], case.arguments["stride"], strict=True)
    held = min(left) >= 0 and math.prod(left) < 2**30 and all((size - 1) * stride < 2**63 for size, stride in spans)
    given = max(value for name in ("stride", "dilation") for value in case.arguments[name])
    accepted = 0 not in case.shapes["input"] and given < 2**63 and max(case.arguments["padding"]) < 2**62
    return max(sizes) >= 2**63 and held and accepted and not without_onednn(case, subject)


for _dtype, _instructions in (("float32", None), *SIXTEEN.items()):
    known(
        f"transposed-size-past-64-bits-in-{_dtype}",
        TRANSPOSED,
        severity="wrong shape",
        laws=("huge arguments",),
        dtypes=(_dtype,),
        having=_instructions,
        why="torch.nn.ConvTranspose1d, Shape: the formula gives another size, which no tensor can have",
        example=Huge(
            *transposed((1, 2, 2), (2, 1, 4), stride=(2**62,), dilation=(2**62,), groups=2),
            inflated=("dilation", "stride"),
        ),
        narrower="what is left of a size past 64 bits is an output's in few of the example's neighbours",
    )(_size_of_onednn_wraps)
