"""Which of torch's backends computes a convolution: oneDNN, or loops of its own (ATen/native/Convolution.cpp)."""

from __future__ import annotations

import math

from properties.cases.case import Case
from properties.ledger.windows import amounts_of, divided, output_padding_past_stride, spans_of, wrapped
from properties.subjects import Subject
from properties.subjects.devices import instructions

SIXTEEN = {"bfloat16": "avx512_f", "float16": "avx512_fp16"}
"""The instructions without which torch asks oneDNN for no convolution of a dtype of 16 bits."""


def without_onednn(case: Case, subject: Subject) -> bool:
    """True if torch's own loops convolve, or transpose a convolution.

    See use_mkldnn in ATen/native/Convolution.cpp: oneDNN adds no output padding as long as the stride. In 16 bits it
    computes all else that it has instructions for; in float32 not a single small image by small kernels in one group,
    nor, in one thread, kernels of one element and few images.
    """
    if output_padding_past_stride(case):
        return True
    if subject.dtype == "float32":
        return _small(case) or _pointwise(case)
    return SIXTEEN.get(subject.dtype) not in instructions()


def _pointwise(case: Case) -> bool:
    weight, image, given = case.shapes["weight"], case.shapes["input"], case.arguments
    many = len(image) == len(weight) and image[0] >= 16
    return set(weight[2:][-2:]) == set(given["stride"]) == set(given["dilation"]) == {1} and not many


def _small(case: Case) -> bool:
    weight, image = case.shapes["weight"], case.shapes["input"]
    few = case.arguments["groups"] == 1 and min(weight[-2:] if len(weight) > 3 else (1,)) <= 3
    batch = image if len(image) == len(weight) else (1, *image)
    return few and batch[0] == 1 and math.prod(batch[:4]) <= 20480  # of three axes the last is not counted


def counted_sizes(case: Case, subject: Subject) -> list[int]:
    """The size of each axis as it is counted, in 64 bits; −1 for one that is refused."""
    empty, mode = case.shapes["input"][0] == 0, case.arguments.get("padding_mode", "zeros")
    onednn = not empty and not without_onednn(case, subject)
    rooms = [(wrapped(room, 64), stride) for _, room, stride in spans_of(case)]
    if not onednn and not empty:
        return [divided(*room) + 1 for room in rooms]
    # The quotient is rounded towards zero; oneDNN adds stride and padding.
    sizes = [(abs(room) // stride) * (1 if room >= 0 else -1) + 1 for room, stride in rooms]
    before = [pad if mode == "zeros" else 0 for pad, _ in amounts_of(case)]
    sums = [pad + stride for pad, (_, stride) in zip(before, rooms, strict=True)]
    return [-1 if onednn and added >= 2**63 else size for size, added in zip(sizes, sums, strict=True)]
