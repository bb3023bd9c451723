"""The sums of ATen's own convolutions in 16 bits: what is rounded, and what overflows, on the way."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from properties.cases.case import Case
from properties.edges.special_values import Special
from properties.ledger.examples import convolution, transposed
from properties.ledger.record import CONVOLUTIONS, OF_GRADIENTS, PADDED, PLAIN, TRANSPOSED, known
from properties.ledger.sums import OPMATH, added_in_float16, lossy, may_overflow, overflows, sums_taps_or_images
from properties.ledger.windows import dilated, output_padding_past_stride
from properties.operators import Operator, operator
from properties.subjects import Subject
from properties.subjects.devices import instructions
from properties.worker.call import Setting
from refimpl.arrays import Array
from refimpl.rounding import FLOAT16, round_to

WITHOUT_ONEDNN = Setting(onednn=False)


@lossy(
    "conv-gradient-summed-in-float16",
    PLAIN,
    laws=(*OF_GRADIENTS, "gradients of gradients"),
    dtypes=("float16",),
    served_with="avx512_fp16",
    why=OPMATH + "the forward pass, and the gradients in bfloat16, do so",
    example=Case(*convolution((2, 2, 1), (2, 1, 1), groups=2), "normal", setting=WITHOUT_ONEDNN),
)
@lossy(
    "padded-convolution-gradient-summed-in-float16",
    PADDED,
    laws=(*OF_GRADIENTS, "gradients of gradients"),
    dtypes=("float16",),
    served_with="avx512_fp16",
    why=OPMATH + "the forward pass, and the gradients in bfloat16, do so",
    example=Case(*convolution((2, 2, 1), (2, 1, 1), groups=2, padding_mode="zeros"), "normal", setting=WITHOUT_ONEDNN),
)
@lossy(
    "conv-gradient-summed-in-bfloat16",
    CONVOLUTIONS,
    laws=(*OF_GRADIENTS, "gradients of gradients"),
    dtypes=("bfloat16",),
    served_with="avx512_f",
    what="sums over taps (gradient to the input) and over the batch (gradient to the weight) are formed in bfloat16",
    why=OPMATH + "the forward pass, and oneDNN on processors with AVX-512, do so",
    example=Case(*convolution((2, 2, 1), (2, 1, 1), groups=2), "normal", setting=WITHOUT_ONEDNN),
)
def _several_terms(case: Case, subject: Subject) -> bool:
    """Sums over taps (gradient to the input) and over the batch (gradient to the weight) are formed in float16."""
    return sums_taps_or_images(case)


@lossy(
    "transposed-convolution-with-long-output-padding-in-storage",
    TRANSPOSED,
    why=OPMATH + "with a shorter output padding the same sums are formed in float",
    example=Case(*transposed((3, 3, 17), (3, 3, 3), padding=(1,), output_padding=(2,), dilation=(3,)), "normal"),
)
def _output_padding_past_stride(case: Case, subject: Subject) -> bool:
    """With an output padding that is not smaller than its stride, sums over taps (the output) and over the batch (the
    gradient to the weight) are formed in the 16-bit storage."""
    # It is smaller than its dilation: oneDNN has no such layer.
    return output_padding_past_stride(case)


@lossy(
    "transposed-convolution-summed-in-float16",
    TRANSPOSED,
    dtypes=("float16",),
    served_with="avx512_fp16",
    why=OPMATH + "oneDNN does so in bfloat16 on processors with AVX-512",
    example=Case(*transposed((3, 3, 17), (3, 3, 3), padding=(1,)), "normal", setting=WITHOUT_ONEDNN),
)
@lossy(
    "transposed-convolution-summed-in-bfloat16",
    TRANSPOSED,
    dtypes=("bfloat16",),
    served_with="avx512_f",
    what="sums over taps and with the bias (the output) and over the batch (the gradient to the weight) are formed in "
    "bfloat16",
    why=OPMATH + "oneDNN does so on processors with AVX-512",
    example=Case(*transposed((3, 3, 17), (3, 3, 3), padding=(1,)), "normal", setting=WITHOUT_ONEDNN),
)
def _terms_or_bias(case: Case, subject: Subject) -> bool:
    """Sums over taps and with the bias (the output) and over the batch (the gradient to the weight) are formed in
    float16."""
    return "bias" in case.shapes or sums_taps_or_images(case)


# Sums past float16's largest number


overflowing = functools.partial(
    known,
    dtypes=("float16",),
    why=OPMATH + "the sum is formed in float, which holds what float16 does not; bfloat16 is right",
)
"""Register a sum that is infinite, or NaN, on the way."""


@overflowing(
    "transposed-convolution-overflows-in-float16",
    TRANSPOSED,
    severity="silent wrong value",
    laws=("special values",),
    upstream="https://github.com/pytorch/pytorch/issues/153700",
    example=Special(
        *transposed((1, 1, 8), (1, 1, 3), output_padding=(1,), dilation=(2,)), "normal", seed=1, palette="large"
    ),
)
def _output_overflows(case: Case, subject: Subject) -> bool:
    """Where what some taps add to an output passes float16's largest number and the rest takes it back, the output is
    infinite; where some pass it upwards and some downwards, it is NaN, even where an infinity is due."""
    layer = operator("conv_transpose1d")
    operands = layer.operands(case, subject.format)
    x, weight, bias = operands["input"], operands["weight"], operands.get("bias", np.zeros(1))
    terms = weight.size // max(weight.shape[1], 1)
    if 0 in x.shape or not (_in_storage(case) and (may_overflow(2 * terms, x, weight) or may_overflow(2, bias))):
        return False
    exact = layer.reference(*operands.values(), **case.arguments)
    return overflows(exact, _scattered(x, weight, bias, exact.shape, case.arguments))


def _in_storage(case: Case) -> bool:
    """True if a transposed convolution in float16 is torch's own."""
    return "avx512_fp16" not in instructions() or _output_padding_past_stride(case, Subject("cpu", "float16"))


def _scattered(x: Array, weight: Array, bias: Array, shape: tuple[int, ...], given: Mapping[str, Any]) -> Array:
    """A transposed convolution as torch computes it in float16: a column for each tap, the sum over the channels of a
    group, then one tap after the other added to the output, which begins as the bias."""
    kernel, axes, groups = weight.shape[2:], weight.ndim - 2, given["groups"]
    size, batch = x.shape[-axes:], x.shape[: -axes - 1]
    images = x.reshape(math.prod(batch), groups, -1, math.prod(size))
    banks = weight.reshape(groups, -1, weight.shape[1], math.prod(kernel))
    inside = [slice(p, p + out) for p, out in zip(given["padding"], shape[-axes:], strict=True)]
    spans = [(n - 1) * s + 1 for n, s in zip(size, given["stride"], strict=True)]
    reach = [span + d * (k - 1) for span, k, d in zip(spans, kernel, given["dilation"], strict=True)]
    whole = [max(length, part.stop) for length, part in zip(reach, inside, strict=True)]
    total = np.zeros((len(images), groups * weight.shape[1], *whole)) + bias.reshape(-1, *(1,) * axes)
    with np.errstate(invalid="ignore"):
        columns = round_to(np.einsum("ngcp,gcok->kngop", images, banks), FLOAT16)
        for column, tap in zip(columns, np.ndindex(*kernel), strict=True):
            starts = (a * d for a, d in zip(tap, given["dilation"], strict=True))
            taps = (slice(a, a + span, s) for a, span, s in zip(starts, spans, given["stride"], strict=True))
            part = total[(..., *taps)]
            part[:] = round_to(part + column.reshape(part.shape), FLOAT16)
    return total[(..., *inside)].reshape(shape)


@overflowing(
    "conv-gradient-overflows-in-float16",
    PLAIN,
    severity="wrong gradient",
    laws=("special gradients",),
    lacking="avx512_fp16",
    what="where what some taps add to the gradient to the input, or some images to that to the weight, or "
    "with a dilation to the bias, passes float16's largest number and the rest takes it back, it is infinite; where "
    "some pass it upwards and some downwards, it is NaN, even where an infinity is due",
    example=Special(*convolution((1, 1, 3), (1, 1, 2)), "normal", seed=67, palette="large"),
)
def _gradient_overflows(case: Case, subject: Subject) -> bool:
    layer = operator(f"conv{len(case.shapes['weight']) - 2}d")
    operands, g = layer.operands(case, subject.format), layer.cotangent(case, subject.format)
    weight = operands["weight"]
    assert layer.gradients is not None
    if may_overflow(2 * weight.size // max(weight.shape[1], 1), g, weight):
        exact = layer.gradients(g, *operands.values(), **case.arguments)[0]
        if overflows(exact, _scattered(g, weight, np.zeros(1), exact.shape, case.arguments)):
            return True
    return _sum_of_images_overflows(layer, g, operands, case.arguments, bias=dilated(case))


def _sum_of_images_overflows(
    layer: Operator, g: Array, operands: Mapping[str, Array], given: Mapping[str, Any], bias: bool
) -> bool:
    """True if the gradient to the weight does, to which one image after the other is added, or that to the bias.

    bias: whether its gradient is summed so; else it is summed at once.
    """
    x, weight, *rest = operands.values()
    assert layer.gradients is not None
    if g.ndim < weight.ndim or not may_overflow(2 * max(x.size, g.size), np.append(x, 1.0), g):
        return False
    with np.errstate(invalid="ignore"):
        by_image = [layer.gradients(g[n : n + 1], x[n : n + 1], weight, *rest, **given)[1:] for n in range(len(x))]
        sums = [np.array(images) for images in zip(*by_image, strict=True)]
        sums[1:] = [round_to(images, FLOAT16) for images in sums[1:] if bias]
        exact = layer.gradients(g, x, weight, *rest, **given)[1:]
        return any(overflows(whole, added_in_float16(images)) for whole, images in zip(exact, sums, strict=False))


@overflowing(
    "transposed-convolution-gradient-overflows-in-float16",
    TRANSPOSED,
    severity="wrong gradient",
    laws=("special gradients",),
    example=Special(
        *transposed((3, 1, 1), (1, 1, 1), output_padding=(1,), dilation=(2,)), "normal", seed=3, palette="large"
    ),
)
def _transposed_gradient_overflows(case: Case, subject: Subject) -> bool:
    """Where what some images add to the gradient to the weight or bias passes float16's largest number and the rest
    takes it back, it is infinite; where some pass it upwards and some downwards, it is NaN."""
    layer = operator(f"conv_transpose{len(case.shapes['weight']) - 2}d")
    operands, g = layer.operands(case, subject.format), layer.cotangent(case, subject.format)
    return _in_storage(case) and _sum_of_images_overflows(layer, g, operands, case.arguments, bias=True)
