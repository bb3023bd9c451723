"""The windows of a convolution, plain, padded in a mode or a transposed layer's gradient, and of adaptive pooling."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator

from properties.cases.case import Case, kernel_size, window
from properties.ledger.record import Predicate
from properties.subjects import Subject
from refimpl import padding
from refimpl.geometry import convolution_output, effective_kernel, padded_size, per_axis, reaches


def amounts_of(case: Case) -> list[tuple[int, int]]:
    """What is added before and after each axis of a convolution's input, by whatever mode."""
    weight, given = case.shapes["weight"], case.arguments
    sides = padding.convolution_padding(weight[2:], given.get("padding", 0), given.get("dilation", 1))
    return [(sides[k], sides[k + 1]) for k in reversed(range(0, len(sides), 2))]


def windows_of(case: Case) -> list[dict[str, int]]:
    """Of each axis: sizes of the convolution's input and output, and its kernel, stride, dilation and padding.

    Where no window fits, the output is empty. A transposed convolution's gradient to its input is the convolution, of
    the output's size. Raises ValueError where an argument is one that no layer allows.
    """
    weight, given, axes = case.shapes["weight"], case.arguments, len(case.shapes["weight"]) - 2
    strides, dilations = (per_axis(given.get(name, 1), axes) for name in ("stride", "dilation"))
    found = []
    for axis, (before, after) in enumerate(amounts_of(case)):
        kernel, stride, dilation = weight[2 + axis], strides[axis], dilations[axis]
        size = case.shapes["input"][axis - axes]
        made = {"kernel": kernel, "stride": stride, "dilation": dilation, "before": before}
        if "output_padding" in given:
            whole = (size - 1) * stride + effective_kernel(kernel, dilation) + given["output_padding"][axis]
            made |= {"input": whole - before - after, "output": size}
        else:
            padded = padded_size(size, before, after)
            inside = given.get("padding_mode", "zeros") == "zeros"
            fits = padded >= effective_kernel(kernel, dilation)
            made |= {"output": convolution_output(padded, kernel, stride, 0, dilation) if fits else 0}
            made |= {"input": size} if inside else {"input": padded, "before": 0}
        found.append(made)
    return found


def where_valid(holds: Predicate) -> Predicate:
    """The same predicate, false for arguments that no layer allows: they make no windows."""

    @functools.wraps(holds)
    def answered(case: Case, subject: Subject) -> bool:
        try:
            return holds(case, subject)
        except (ValueError, ZeroDivisionError):
            return False

    return answered


@where_valid
def windows_fit(case: Case, subject: Subject) -> bool:
    """True if each axis of the output has an element: else torch refuses to convolve."""
    side = "input" if "output_padding" in case.arguments else "output"
    return all(window[side] > 0 for window in windows_of(case))


def spans_of(case: Case) -> Iterator[tuple[int, int, int]]:
    """For each axis of a convolution or pooling: what its window spans, the elements left beside it, and its stride.

    Arguments are taken as they are given, however large.
    """
    axes = len(kernel_size(case))
    if "weight" in case.shapes:
        amounts, case = amounts_of(case), case.with_arguments(padding=(0,) * axes)
    else:
        amounts = [(pad, pad) for _, _, pad, _ in window(case)]
    for size, sides, (span, stride, *_) in zip(case.shapes["input"][-axes:], amounts, window(case), strict=True):
        yield span, size + sum(sides) - span, stride


def wrapped(value: int, bits: int) -> int:
    """What is left of an integer that is kept in so many bits (two's complement).

    >>> wrapped(2**31, 32) == -(2**31), wrapped(2**40, 32), wrapped(-5, 64)
    (True, 0, -5)
    """
    return (value + 2 ** (bits - 1)) % 2**bits - 2 ** (bits - 1)


def accepted(case: Case) -> bool:
    """True if no window seems larger than its padded axis, in 64 bits, and no argument or mode is refused before."""
    given, pads = case.arguments, case.arguments["padding"]
    most = max(value for values in given.values() if isinstance(values, tuple) for value in values)
    if most >= 2**63 or pads == "same" or not _padded(case):  # "same" keeps the size, or its sum is negative
        return False
    zeros = given.get("padding_mode", "zeros") == "zeros" and not isinstance(pads, str)
    if zeros and max(pads) >= 2**62:
        return False
    return all(wrapped(span + room, 64) >= wrapped(span, 64) for span, room, _ in spans_of(case))


def _padded(case: Case) -> bool:
    """True if the mode has the elements to pad with, and memory holds the padded input where that is made first."""
    mode, sizes = padding.mode_of(case.arguments.get("padding_mode", "zeros")), case.shapes["input"]
    if mode == "constant":
        return True
    try:
        axes = zip(sizes[-len(kernel_size(case)) :], amounts_of(case), strict=True)
        return math.prod(padding.padded_axis(size, *sides, mode) for size, sides in axes) < 2**40
    except ValueError:
        return False


DIVISION = "the quotient and the remainder of the output size's division are cut to 32 bits (ATen/div_rtn.h)"


def divided(dividend: int, divisor: int) -> int:
    """The quotient, rounded down, as ATen/div_rtn.h gives it for a positive divisor: both are cut to 32 bits.

    >>> divided(-7, 2), divided(2**32 - 1, 2**40), divided(-(2**31) - 2, 1)
    (-4, -1, 2147483646)
    """
    quotient = dividend // divisor + (dividend < 0 and dividend % divisor != 0)
    remainder = wrapped(dividend - quotient * divisor, 32)
    return wrapped(wrapped(quotient, 32) - (remainder < 0), 32)


def division_overflows(case: Case, least: int) -> bool:
    """True if that division gives an axis another size than the formula does, and no axis one below ``least``, which is
    refused, as arguments of more than 64 bits are."""
    given = (value for values in case.arguments.values() if isinstance(values, tuple) for value in values)
    if max(given, default=0) >= 2**63:
        return False
    up = case.arguments.get("ceil_mode", False)
    axes = [(room + (stride - 1 if up else 0), stride) for _, room, stride in spans_of(case)]
    sizes = [divided(*axis) + 1 for axis in axes]
    return min(sizes) >= least and any(size != x // y + 1 for size, (x, y) in zip(sizes, axes, strict=True))


def dilated(case: Case) -> bool:
    """True if the elements of a window are apart along some axis."""
    return set(case.arguments["dilation"]) != {1}


def output_padding_past_stride(case: Case) -> bool:
    """True if along some axis the output padding is not smaller than the stride; valid where the dilation is larger."""
    pairs = zip(case.arguments.get("output_padding", ()), case.arguments["stride"], strict=False)
    return any(output_padding >= stride for output_padding, stride in pairs)


def strides_over_four_gigabytes(case: Case) -> bool:
    """True if along some axis a window of 16-bit numbers begins 2³² bytes or more behind the one before.

    Channels, those of all groups, are innermost in memory. oneDNN refuses a stride of 2³¹.
    """
    channels, axes = case.shapes["input"][-len(case.shapes["weight"]) + 1], windows_of(case)
    padded = [w["input"] + 2 * w["before"] for w in axes]
    inner = [2 * channels * math.prod(padded[axis + 1 :]) for axis in range(len(axes))]
    return any(w["stride"] * size >= 2**32 and w["stride"] < 2**31 for w, size in zip(axes, inner, strict=True))


def windows_reach(input: int, output: int, kernel: int, stride: int, dilation: int, before: int) -> Iterator[bool]:
    """For each window, True if one of its taps lies in the input."""
    return (reaches(o * stride - before, kernel, dilation, input) for o in range(output))


def taps_reach(input: int, output: int, kernel: int, stride: int, dilation: int, before: int) -> Iterator[bool]:
    """For each tap, True if it lies in the input in one of the windows."""
    return (reaches(a * dilation - before, output, stride, input) for a in range(kernel))


def after(input: int, output: int, kernel: int, stride: int, dilation: int, before: int) -> int:
    """How many elements of padding behind the input the last window covers; negative if it ends within the input."""
    return (output - 1) * stride + effective_kernel(kernel, dilation) - input - before


def turned(window: dict[str, int]) -> dict[str, int]:
    """The window of the convolution that gives the gradient of the gradients to the weight.

    Its kernel is the output, and stride and dilation change places. It has an output for each tap, and more where the
    stride leaves elements of the input over: those are computed and cut off.
    """
    stride, dilation, taps = window["dilation"], window["stride"], window["output"]
    room = window["input"] + 2 * window["before"] - dilation * (taps - 1) - 1
    return {**window, "kernel": taps, "output": room // stride + 1, "stride": stride, "dilation": dilation}


@where_valid
def last_axis_of_padding(case: Case, subject: Subject) -> bool:
    """True if on the last axis, with a stride and a dilation, no tap of any of several windows lies in the input."""
    last = windows_of(case)[-1]
    apart = last["stride"] > 1 and last["dilation"] > 1 and last["output"] > 1
    return apart and not any(taps_reach(**last))


def adaptive_axes(case: Case) -> list[tuple[int, int]]:
    """The input's and the output's size along each axis of an adaptive pooling, valid or not."""
    output = case.arguments["output_size"]
    pairs = zip(case.shapes["input"][-len(output) :], output, strict=True)
    return [(size, size if count is None else count) for size, count in pairs]


def of_one_size(case: Case) -> bool:
    """True if the windows of an adaptive pooling are of one size: then it is computed as pooling by such windows is."""
    return all(count > 0 and size % count == 0 for size, count in adaptive_axes(case))


def of_many_sizes(case: Case) -> bool:
    """True if they differ in size, and code is generated for them: past 25 elements eager mode's kernel is called."""
    if of_one_size(case) or not all(count > 0 for _, count in adaptive_axes(case)):
        return False
    return 0 < math.prod(-(-(size + count - 1) // count) for size, count in adaptive_axes(case)) <= 25
