"""ATen's fractional pooling."""

from __future__ import annotations

import math

import numpy as np
import torch

from properties.cases.case import Case, kernel_size
from properties.edges.huge import Huge
from properties.ledger.record import MODES, OF_GRADIENTS, known
from properties.ledger.rules import accepted, has_no_channels, needs_channels_in_a_batch
from properties.ledger.sums import OPMATH, lossy
from properties.operators.fractional_pooling import samples
from properties.subjects import FLOATS, INTEGERS, Subject
from properties.worker.call import FAKE
from refimpl.geometry import fractional_starts

FRACTIONAL = ("fractional_max_pool2d", "fractional_max_pool3d")
RATIO = (
    "torch.nn.functional.fractional_max_pool2d: output_ratio 'has to be a number or tuple in the range (0, 1)', which "
    "the layer checks"
)


@known(
    "fractional-max-pool3d-exact-fit",
    FRACTIONAL[1:],
    severity="valid arguments rejected",
    devices=("cpu", "cuda", "meta"),
    dtypes=FLOATS + INTEGERS,
    modes=(*MODES, FAKE),
    why="torch.nn.FractionalMaxPool2d: kH + oH − 1 <= H_in; fractional_max_pool2d accepts the same sizes",
    example=Case({"input": (1, 1, 1, 1, 1)}, {"kernel_size": (1, 1, 1), "output_size": (1, 1, 1)}),
)
def _fits_exactly(case: Case, subject: Subject) -> bool:
    """Raises 'pool time 1 too large relative to input time 1' where kernel + outputs − 1 is the size, as for an axis of
    one element."""
    kernel, output = case.arguments["kernel_size"], case.arguments["output_size"]
    axes = zip(case.shapes["input"][-len(kernel) :], kernel, output, strict=True)
    return any(k + out - 1 == size for size, k, out in axes)


@needs_channels_in_a_batch(
    "fractional-max-pool-without-channels-depends-on-batch",
    FRACTIONAL,
    example=Case({"input": (1, 0, 2, 2)}, {"kernel_size": (1, 1), "output_size": (1, 1)}, "normal"),
)
def _no_channels(case: Case, subject: Subject) -> bool:
    return has_no_channels(case)


@accepted(
    "fractional-empty-kernel",
    FRACTIONAL[::-1],
    "kernel_size is at least 1",
    integers_in_empty_batch=True,
    modes=("eager",),
    fixed="2.14.1",
    upstream="https://github.com/pytorch/pytorch/pull/190475",
    why="torch.nn.FractionalMaxPool2d: kernel_size is 'the size of the window to take a max over'; the backward pass "
    "fails on such indices with an internal assertion",
    example=({"input": (1, 2, 2, 2)}, {"kernel_size": (0, 1, 1), "output_size": (1, 1, 1)}),
)
def _empty_kernel(case: Case, subject: Subject) -> bool:
    """A kernel of zero or less is accepted: the maxima of nothing are -inf, and their indices lie beyond the input."""
    inferred = subject.device == "meta" and len(kernel_size(case)) == 2  # which torch 2.14.1 does as before
    return windows_fit(case) and not inferred


def windows_fit(case: Case) -> bool:
    """True if as many windows fit as are asked for; over three axes torch takes one less (see _fits_exactly)."""
    kernel, output = kernel_size(case), case.arguments["output_size"]
    sizes = zip(case.shapes["input"][-len(kernel) :], kernel, output, strict=True)
    return len(kernel) == 2 or all(k + out - 1 < size for size, k, out in sizes)


@accepted(
    "fractional-ratio-of-all",
    FRACTIONAL[:1],
    "output_ratio is below 1",
    integers_in_empty_batch=True,
    why=RATIO,
    example=({"input": (1, 2, 2)}, {"kernel_size": (1, 1), "output_ratio": (1.0, 1.0)}),
)
def _ratio_of_all(case: Case, subject: Subject) -> bool:
    """A ratio of 1 is accepted."""
    return True


@accepted(
    "fractional-ratio-of-none",
    FRACTIONAL,
    "output_ratio is above 0",
    dtypes=FLOATS + INTEGERS,
    why=RATIO,
    example=({"input": (1, 2, 2)}, {"kernel_size": (1, 1), "output_ratio": (0.0, 0.0)}),
)
def _ratio_of_none(case: Case, subject: Subject) -> bool:
    """A ratio that gives size 0 is accepted."""
    ratio = case.arguments["output_ratio"]  # a negative one may give a size that no tensor can have
    return all(int(size * r) >= 0 for size, r in zip(case.shapes["input"][-len(ratio) :], ratio, strict=True))


@lossy(
    "fractional-max-pool-gradient-summed-in-storage",
    FRACTIONAL,
    laws=OF_GRADIENTS,
    why=OPMATH + "the forward pass of average pooling does so",
    example=Case({"input": (1, 8, 1, 12)}, {"kernel_size": (1, 4), "output_size": (1, 9)}, "normal", seed=1),
)
def _windows_overlap(case: Case, subject: Subject) -> bool:
    """The gradient of an element in several windows is summed in the 16-bit storage, every partial sum rounded."""
    kernel, output = case.arguments["kernel_size"], case.arguments["output_size"]
    drawn = samples(case).reshape(-1, len(kernel))
    drawn = drawn[:, ::-1] if len(kernel) == 2 else drawn
    axes = zip(case.shapes["input"][-len(kernel) :], kernel, output, drawn.T, strict=True)
    return any(min(np.diff(fractional_starts(size, k, out, u)), default=k) < k for size, k, out, us in axes for u in us)


@known(
    "fractional-windows-past-64-bits",
    ("fractional_max_pool2d",),
    severity="missing error",
    laws=("huge arguments",),
    why="torch.nn.FractionalMaxPool2d: 'we must have kH + oH − 1 <= H_in'",
    example=Huge(
        {"input": (1, 2, 2)}, {"kernel_size": (2**63 - 1, 1), "output_size": (2, 1)}, inflated=("kernel_size",)
    ),
)
def _windows_overflow(case: Case, subject: Subject) -> bool:
    """kernel + outputs − 1 wraps past 2⁶³, so that windows that do not fit are accepted."""
    kernel, output = kernel_size(case), case.arguments["output_size"]
    past = any(k + out - 1 >= 2**63 for k, out in zip(kernel, output, strict=True)) and max(*kernel, *output) < 2**63
    bytes = torch.finfo(getattr(torch, subject.dtype)).bits // 8 * math.prod(output)
    planes = math.prod(max(size, 1) for size in case.shapes["input"][: -len(kernel)])  # strides count what is empty
    return past and bytes * planes < 2**63  # of more there is no tensor
