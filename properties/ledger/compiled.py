"""What torch's compiler makes of a program, where eager mode is right."""

from __future__ import annotations

from properties.cases import Case
from properties.huge import formula
from properties.ledger.record import OF_GRADIENTS, Divergence
from properties.operators import operator
from properties.subjects import Subject
from refimpl.geometry import fractional_starts


def _replicated_planes(case: Case, subject: Subject) -> bool:
    """Whether a batch of several channels is padded by its edges."""
    shape = case.shapes["input"]
    return case.arguments.get("padding_mode") == "replicate" and len(shape) == 4 and shape[1] > 1


def _other_windows_in_reverse(case: Case, subject: Subject) -> bool:
    """Whether the windows of some plane are others when its three samples are taken in reverse."""
    given, sizes, pooled = case.arguments, case.shapes["input"][-3:], operator("fractional_max_pool3d")
    if formula(pooled, case) is None:
        return False
    samples = pooled.operands(case, subject.format)["samples"].reshape(-1, 3)
    axes = list(zip(sizes, given["kernel_size"], given["output_size"], strict=True))
    return any(
        fractional_starts(*axis, sample=plane[i]) != fractional_starts(*axis, sample=plane[2 - i])
        for plane in samples
        for i, axis in enumerate(axes)
    )


ENTRIES: tuple[Divergence, ...] = (
    Divergence(
        id="compiled-replicate-padding-before-convolution",
        severity="valid arguments rejected",
        operators=("conv2d_padded",),
        laws=(*OF_GRADIENTS, "modes"),
        devices=("cpu",),
        dtypes=("float32",),
        modes=("compiled",),
        holds=_replicated_planes,
        what="the backward pass of a convolution of several channels with padding_mode='replicate' raises an "
        "AssertionError: the convolution's gradient lies in channels_last, that of the padding is taken for contiguous",
        why="torch.nn.Conv2d: padding_mode 'replicate' is supported; eager mode, 'reflect', and one channel are right",
        versions=("2.13.0",),
        upstream=None,
        operator="conv2d_padded",
        example=Case(
            shapes={"input": (1, 2, 1, 2), "weight": (1, 2, 1, 1)},
            arguments={
                "stride": (1, 1), "padding": (0, 0), "dilation": (1, 1), "groups": 1, "padding_mode": "replicate",
            },
        ),
    ),
    Divergence(
        id="compiled-fractional-pool3d-samples-reversed",
        severity="silent wrong value",
        operators=("fractional_max_pool3d",),
        laws=(),
        devices=("cpu", "cuda"),
        dtypes=("float32",),
        modes=("compiled",),
        holds=_other_windows_in_reverse,
        what="the three samples of a plane are taken for the axes in reverse: the last places the windows in depth",
        why="eager mode, on each device, takes the first for depth (ATen/native/FractionalMaxPool3d.cpp)",
        versions=("2.13.0",),
        upstream="https://github.com/pytorch/pytorch/pull/183628",
        operator="fractional_max_pool3d",
        example=Case(
            shapes={"input": (1, 1, 2, 2, 4)},
            arguments={"kernel_size": (1, 1, 1), "output_size": (1, 1, 3)},
            fill="normal",
            seed=1,
        ),
    ),
)  # fmt: skip
