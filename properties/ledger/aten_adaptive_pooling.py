"""ATen's adaptive pooling."""

from __future__ import annotations

from properties.cases.case import Case
from properties.ledger.record import OF_GRADIENTS
from properties.ledger.rules import accepted, has_no_channels, needs_channels_in_a_batch
from properties.ledger.sums import OPMATH, lossy
from properties.operators.adaptive_pooling import counts
from properties.subjects import Subject
from refimpl import adaptive_pooling

MAXIMUM = ("adaptive_max_pool1d", "adaptive_max_pool2d", "adaptive_max_pool3d")
AVERAGE = ("adaptive_avg_pool1d", "adaptive_avg_pool2d", "adaptive_avg_pool3d")


@needs_channels_in_a_batch(
    "adaptive-max-pool-without-channels-depends-on-batch",
    MAXIMUM,
    example=Case({"input": (1, 0, 2)}, {"output_size": (1,)}, "normal"),
)
def _no_channels(case: Case, subject: Subject) -> bool:
    return has_no_channels(case)


@needs_channels_in_a_batch(
    "adaptive-avg-pool3d-without-channels-depends-on-batch",
    AVERAGE[2:],
    example=Case({"input": (1, 0, 2, 2, 2)}, {"output_size": (2, 2, 2)}, "normal"),
)
def _no_channels_of_windows(case: Case, subject: Subject) -> bool:
    # For the mean of a whole image torch has another way.
    return has_no_channels(case) and set(case.arguments["output_size"]) != {1}


@accepted(
    "adaptive-average-to-one-of-any-rank",
    AVERAGE[1:],
    "the input has its axes with a batch, or without",
    why="torch.nn.AdaptiveAvgPool2d, Shape: (N, C, H, W) or (C, H, W); with any other output size, as in adaptive max "
    "pooling, it raises",
    example=({"input": (1, 1, 1, 1, 1)}, {"output_size": (1, 1)}),
)
def _to_one_beyond(case: Case, subject: Subject) -> bool:
    """An input with too many axes is accepted where the output is one element."""
    x, output = case.shapes["input"], case.arguments["output_size"]
    sizes = zip(x[-len(output) :], output, strict=False)
    return len(x) > len(output) + 2 and all((size if wanted is None else wanted) == 1 for size, wanted in sizes)


@lossy(
    "adaptive-avg-pool3d-in-storage",
    AVERAGE[2:],
    modes=("eager",),
    upstream="https://github.com/pytorch/pytorch/issues/140696",
    why=OPMATH + "adaptive_avg_pool2d does so",
    example=Case({"input": (1, 1, 2, 9, 7)}, {"output_size": (1, 2, 2)}, "normal"),
)
def _averages_of_several(case: Case, subject: Subject) -> bool:
    """The elements of a window are added up in the 16-bit storage, and the sum is divided by one extent after the
    other, each time rounded."""
    # The sum of two elements is rounded once, and the mean of the whole input is not computed so.
    found = counts(case.shapes["input"], case.arguments["output_size"])
    return found.size > 1 and bool((found > 2).any())


@lossy(
    "adaptive-max-pool-gradient-summed-in-storage",
    MAXIMUM,
    laws=OF_GRADIENTS,
    why=OPMATH + "the forward pass of average pooling does so",
    operator="adaptive_max_pool2d",
    example=Case({"input": (1, 8, 1, 5)}, {"output_size": (1, 12)}, "normal"),
)
def _windows_overlap(case: Case, subject: Subject) -> bool:
    """The gradient of an element in several windows is summed in the 16-bit storage, every partial sum rounded."""
    return _uneven(case)


def _uneven(case: Case) -> bool:
    """True if windows overlap, as they do where they do not divide an axis evenly."""
    output = adaptive_pooling.output_sizes(case.shapes["input"], case.arguments["output_size"])
    return any(size % out for size, out in zip(case.shapes["input"][-len(output) :], output, strict=True))


@lossy(
    "adaptive-avg-pool-gradient-in-storage",
    AVERAGE,
    laws=OF_GRADIENTS,
    why=OPMATH + "the forward pass of adaptive_avg_pool2d does so",
    operator="adaptive_avg_pool2d",
    example=Case({"input": (1, 8, 1, 5)}, {"output_size": (1, 12)}, "normal"),
)
def _uneven_or_long_on_two_axes(case: Case, subject: Subject) -> bool:
    """The gradient of an element in several windows is summed in the 16-bit storage, every partial sum rounded; each
    term is divided by one extent of its window after the other, and rounded."""
    sizes = case.shapes["input"][-len(case.arguments["output_size"]) :]
    return _uneven(case) or sum(size > 1 for size in sizes) > 1
