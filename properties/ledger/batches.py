"""What torch accepts, or what it gives, for one batch and not for another."""

from __future__ import annotations

from typing import Any

from properties.cases.case import Case
from properties.ledger.record import TRANSPOSED, Divergence
from properties.ledger.windows import Predicate
from properties.subjects import FLOATS, Subject

LAW: dict[str, Any] = {
    "laws": ("whatever the batch",),
    "devices": ("cpu",),
    "modes": ("eager",),
}


def _no_channels(case: Case, subject: Subject) -> bool:
    """Whether the input has no channels."""
    axes = len(case.arguments.get("kernel_size") or case.arguments["output_size"])
    return case.shapes["input"][-axes - 1] == 0


def _no_channels_of_windows(case: Case, subject: Subject) -> bool:
    """The same where the output is no mean of everything, for which torch has another way."""
    return _no_channels(case, subject) and set(case.arguments["output_size"]) != {1}


def _breaks_a_rule_of_transposes(case: Case, subject: Subject) -> bool:
    """Whether an axis has no elements, would have none in the output, or has too long an output padding."""
    given, kernel = case.arguments, case.shapes["weight"][2:]
    steps = (given[name] for name in ("stride", "padding", "output_padding", "dilation"))
    axes = zip(case.shapes["input"][-len(kernel) :], kernel, *steps, strict=True)
    return any(
        size == 0 or more >= max(s, d) or (size - 1) * s - 2 * p + d * (k - 1) + 1 + more == 0
        for size, k, s, p, more, d in axes
    )


def _wraps_past_what_is_left(case: Case, subject: Subject) -> bool:
    """Whether some axis is cropped, and more is added to it than that leaves."""
    amounts, shape = case.arguments["padding"], case.shapes["input"]
    sides = [(shape[-1 - k], *amounts[2 * k : 2 * k + 2]) for k in range(len(amounts) // 2)]
    return any(max(sides) > size + min(*sides, 0) for size, *sides in sides)


def _without_channels(
    name: str, operators: tuple[str, ...], example: Case, holds: Predicate = _no_channels
) -> Divergence:
    return Divergence(
        id=f"{name}-without-channels-depends-on-batch",
        severity="valid arguments rejected",
        operators=operators,
        dtypes=FLOATS,
        holds=holds,
        what="an image of no channels is accepted without a batch, and raises 'Expected input to have non-zero size "
        "for non-batch dimensions' in one, even of none",
        why="torch.nn.AdaptiveMaxPool2d, Shape: (N, C, H, W) or (C, H, W), of which C is no other in either; adaptive "
        "average pooling in one and two dimensions accepts both",
        upstream=None,
        operator=operators[0],
        example=example,
        **LAW,
    )


ENTRIES: tuple[Divergence, ...] = (
    _without_channels(
        "adaptive-max-pool",
        tuple(f"adaptive_max_pool{axes}d" for axes in (1, 2, 3)),
        Case({"input": (1, 0, 2)}, {"output_size": (1,)}, "normal"),
    ),
    _without_channels(
        "adaptive-avg-pool3d",
        ("adaptive_avg_pool3d",),
        Case({"input": (1, 0, 2, 2, 2)}, {"output_size": (2, 2, 2)}, "normal"),
        _no_channels_of_windows,
    ),
    _without_channels(
        "fractional-max-pool",
        ("fractional_max_pool2d", "fractional_max_pool3d"),
        Case({"input": (1, 0, 2, 2)}, {"kernel_size": (1, 1), "output_size": (1, 1)}, "normal"),
    ),
    _without_channels(
        "max-unpool",
        tuple(f"max_unpool{axes}d" for axes in (1, 2, 3)),
        Case({"input": (1, 0, 2)}, {"kernel_size": (2,), "padding": (0,)}, "normal"),
    ),
    Divergence(
        id="transposed-convolution-of-empty-batch-unchecked",
        severity="missing error",
        operators=TRANSPOSED,
        dtypes=FLOATS,
        holds=_breaks_a_rule_of_transposes,
        what="an output padding that is not smaller than stride or dilation, an axis without elements and an output "
        "without any raise for some images and are accepted for a batch of none",
        why="torch.nn.ConvTranspose2d: no rule there speaks of the batch, and torch states each of these as an error",
        upstream="https://github.com/pytorch/pytorch/pull/186524",
        operator="conv_transpose1d",
        example=Case(
            {"input": (1, 1, 1), "weight": (1, 1, 1)},
            {"stride": (1,), "padding": (0,), "output_padding": (1,), "groups": 1, "dilation": (1,)},
            "normal",
        ),
        **LAW,
    ),
    Divergence(
        id="circular-pad-of-what-cropping-leaves",
        severity="silent wrong value",
        operators=("circular_pad",),
        dtypes=FLOATS,
        holds=_wraps_past_what_is_left,
        what="where one side of an axis is cropped and more is wrapped around on the other than that leaves, several "
        "images are filled from memory that nothing was written to; a single one raises 'unsupported operation', and "
        "a batch of none is accepted",
        why="torch.nn.CircularPad1d: the padding must not wrap around more than once, which torch checks against the "
        "size before it crops",
        upstream="https://github.com/pytorch/pytorch/issues/176254",
        operator="circular_pad",
        example=Case({"input": (1, 1, 2)}, {"padding": (-1, 2)}, "normal"),
        **LAW,
    ),
)
