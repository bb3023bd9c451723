"""Which of torch's backends computes a convolution: oneDNN, or loops of its own (ATen/native/Convolution.cpp)."""

from __future__ import annotations

import math

from properties.cases.case import Case
from properties.ledger.windows import windows_of
from properties.subjects import Subject


def own_loops(case: Case) -> bool:
    """True if torch's own loops, without oneDNN, compute a float32 convolution or transpose it."""
    weight, windows = case.shapes["weight"], windows_of(case)
    many = len(case.shapes["input"]) == len(weight) and case.shapes["input"][0] >= 16
    pointwise = all(w["stride"] == w["dilation"] == 1 for w in windows) and not many
    pointwise = pointwise and all(w["kernel"] == 1 for w in windows[-2:])
    added = zip(case.arguments.get("output_padding", ()), case.arguments["stride"], strict=False)
    return pointwise or any(extra >= stride for extra, stride in added) or _loops_in_float32(case)


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
