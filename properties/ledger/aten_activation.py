"""ATen's sigmoid, softmax and log-softmax."""

from __future__ import annotations

import math
import platform

import numpy as np
import torch

from properties.cases.case import Case
from properties.ledger.record import OF_GRADIENTS, known
from properties.ledger.sums import OPMATH, lossy
from properties.subjects import Subject

OVERFLOWS = 65_520
"""What float16 rounds to infinity, from here on."""


@lossy(
    "log-softmax-sum-in-storage",
    ("log_softmax", "cross_entropy", "cross_entropy_probabilities"),
    upstream="https://github.com/pytorch/pytorch/issues/140222",
    why=OPMATH + "softmax, and log-softmax over any other axis, do so",
    example=Case({"input": (2, 2)}, {"dim": 1}, "normal"),
)
def _over_last_axis(case: Case, subject: Subject) -> bool:
    """Over the last axis, the sum of exponentials and its logarithm are each rounded to the 16-bit storage before they
    are subtracted."""
    shape, axis = case.shapes["input"], _class_axis(case)
    return axis == len(shape) - 1 and shape[axis] > 1


@known(
    "log-softmax-sum-overflows-in-float16",
    ("log_softmax", "cross_entropy", "cross_entropy_probabilities"),
    severity="silent wrong value",
    dtypes=("float16",),
    modes=("eager",),
    upstream="https://github.com/pytorch/pytorch/issues/140222",
    why=OPMATH + "the logarithm of 65,520 is 11.1; softmax, and log-softmax over any other axis, are right",
    example=Case({"input": (1, 65_520)}, {"dim": 1}, "constant"),
)
def _sum_overflows(case: Case, subject: Subject) -> bool:
    """Over the last axis, the sum of exponentials is stored in float16, as infinity from 65,520 on: the result is -inf,
    a loss infinite."""
    shape = case.shapes["input"]
    if not _over_last_axis(case, subject) or shape[-1] < OVERFLOWS:
        return False
    x = case.tensor("input", shape, subject.format)
    return bool((np.exp(x - x.max(axis=-1, keepdims=True)).sum(axis=-1) >= OVERFLOWS).any())


@lossy(
    "softmax-powers-in-storage",
    ("softmax", "softmin"),
    why=OPMATH + "whole vectors, and softmax over the last axis, do so",
    example=Case({"input": (17, 17, 7)}, {"dim": 1}, "normal"),
)
def _tail_over_another_axis(case: Case, subject: Subject) -> bool:
    """Over any axis but the last, the elements behind it that fill no whole vector of a thread's have their
    exponentials rounded to the 16-bit storage before they are divided by their sum."""
    shape, axis, threads = case.shapes["input"], _class_axis(case), case.setting.threads if case.setting else 1
    behind = math.prod(shape[axis + 1 :])
    of_each = -(-math.prod(shape[:axis]) * behind // threads)
    partly = behind % lanes(widest=True) > 0 or of_each % lanes(widest=True) > 0
    return axis < len(shape) - 1 and shape[axis] > 1 and partly


def _class_axis(case: Case) -> int:
    """Counted from the front; a loss has its classes on axis 1, or on the only one."""
    axes = len(case.shapes["input"])
    return case.arguments["dim"] % axes if "dim" in case.arguments else min(1, axes - 1)


def lanes(*, widest: bool = False) -> int:
    """How many 16-bit numbers a vector holds in torch's own kernels for this processor.

    ``widest``: in those that are built for AVX-512, too (ALSO_REGISTER_AVX512_DISPATCH); most are not, and use AVX2.
    """
    if widest and torch.backends.cpu.get_cpu_capability() == "AVX512":
        return 32
    return 16 if platform.machine() in ("x86_64", "AMD64") else 8


@lossy(
    "sigmoid-gradient-in-float16",
    ("sigmoid",),
    laws=OF_GRADIENTS,
    dtypes=("float16",),
    why=OPMATH + "the forward pass, and the gradient in bfloat16, do so",
    example=Case({"input": (17, 33)}, {}, "normal", seed=6),
)
def _always(case: Case, subject: Subject) -> bool:
    """g·(1 − s)·s is rounded to float16 after each operation."""
    return True
