"""Arguments that transposed and padded convolutions take against their own documentation."""

from __future__ import annotations

from typing import Any

from properties.cases.case import Case, kernel_size
from properties.ledger.missing_further import taken
from properties.ledger.record import CONVOLUTIONS, TRANSPOSED, Divergence
from properties.operators.constraints import Invalid
from properties.subjects import FLOATS, INTEGERS, SIXTEEN_BITS, Subject

TOO_MANY: dict[str, Any] = {"stride": (1, 1), "padding": (0, 0), "output_padding": (0, 0), "dilation": (1, 1)}
"""Values for two axes, of a case with one."""


def _inferred(
    id: str, rule: str, what: str, upstream: str | None = None, shapes: dict[str, Any] | None = None, **arguments: Any
) -> Divergence:
    """A rule that eager transposed convolution checks and its shape inference does not."""
    return taken(
        f"meta-transposed-{id}", TRANSPOSED, rule, f"on the meta device {what}, and a shape is made up",
        "torch.nn.functional.conv_transpose1d and the formula of torch.nn.ConvTranspose1d demand it: " + rule + "; "
        "eager mode raises, and a meta tensor is to have the shape that the operation would give",
        {"input": (1, 1, 3), "weight": (1, 1, 1)} | (shapes or {}),
        {"stride": (1,), "padding": (0,), "output_padding": (0,), "groups": 1, "dilation": (1,)} | arguments,
        upstream=upstream, devices=("meta",), dtypes=("float32",),
    )  # fmt: skip


def _of_nothing(case: Case, subject: Subject) -> bool:
    """Whether the batch is empty."""
    return case.shapes["input"][0] == 0


def _of_nothing_undilated(case: Case, subject: Subject) -> bool:
    """Whether a dilation is zero, none being below that, and in a case that is to be refused the batch is empty."""
    undilated = min(case.arguments["dilation"]) == 0
    return undilated and (not isinstance(case, Invalid) or _of_nothing(case, subject))


def _undilated_kernel_of_one(case: Case, subject: Subject) -> bool:
    """Whether no dilation is below zero, one of zero is a kernel's of one element, and oneDNN computes it.

    In float32 it does so for several groups or images, or for more elements than cases have.
    """
    axes = list(zip(case.arguments["dilation"], kernel_size(case), strict=True))
    batch = case.shapes["input"][0] if len(case.shapes["input"]) == len(axes) + 2 else 1
    many = subject.dtype in SIXTEEN_BITS or batch > 1 or case.arguments["groups"] > 1
    return many and all(d > 0 or (d == 0 and k == 1) for d, k in axes)


def _pads_channels_by_none(case: Case, subject: Subject) -> bool:
    """Whether the padding that is one value too many comes before the convolution and adds no channel."""
    mode, padding = case.arguments["padding_mode"], case.arguments["padding"]
    return mode != "zeros" and padding[0] == 0 and len(case.shapes["input"]) == len(padding) + 1


ENTRIES: tuple[Divergence, ...] = (
    taken(
        "padded-convolution-padding-values", ("conv1d_padded", "conv2d_padded"), "padding has one value per axis",
        "in a mode that pads before the convolution, a padding of more values than axes is taken, and its first pads "
        "the channels", "torch.nn.Conv1d: padding is a number or a tuple of one for each axis; with zeros it raises",
        {"input": (1, 1, 1), "weight": (1, 1, 1)},
        {"stride": (1,), "padding": (0, 0), "dilation": (1,), "groups": 1, "padding_mode": "reflect"},
        _pads_channels_by_none, dtypes=FLOATS + INTEGERS,
    ),
    taken(
        "conv-dilation-of-zero-in-empty-batch", (*CONVOLUTIONS, *TRANSPOSED), "dilation is at least 1",
        "a dilation of 0 is taken where the batch is empty",
        "torch.nn.Conv1d: dilation is the 'spacing between kernel elements'; with a batch of one it raises",
        {"input": (0, 1, 3), "weight": (1, 1, 1)},
        {"stride": (1,), "padding": (0,), "dilation": (0,), "groups": 1}, _of_nothing_undilated,
        devices=("cpu",), dtypes=FLOATS + INTEGERS, laws=("rejection", "whatever the batch"),
    ),
    taken(
        "output-padding-of-nothing", TRANSPOSED, "output_padding is smaller than stride or dilation",
        "a longer output padding is taken where the batch is empty",
        "torch.nn.ConvTranspose1d: output_padding is 'to resolve this ambiguity' among the sizes that a convolution "
        "maps to one; with a batch of one it raises", {"input": (0, 1, 3), "weight": (1, 1, 1)},
        {"stride": (1,), "padding": (0,), "output_padding": (1,), "groups": 1, "dilation": (1,)}, _of_nothing,
        "https://github.com/pytorch/pytorch/pull/186524", devices=("cpu",), dtypes=FLOATS + INTEGERS,
    ),
    *(
        taken(
            f"undilated-transposed-kernel-of-one-in-{dtype}", TRANSPOSED[:2], "dilation is at least 1",
            "a dilation of 0 is taken where oneDNN computes it and the kernel has one element along the axis",
            "torch.nn.ConvTranspose1d: dilation is the 'spacing between kernel elements'; in float64 it raises",
            {"input": (2, 1, 3), "weight": (1, 1, 1)},
            {"stride": (1,), "padding": (0,), "output_padding": (0,), "groups": 1, "dilation": (0,)},
            _undilated_kernel_of_one, devices=("cpu",), dtypes=(dtype,), having=having,
        )
        for dtype, having in (("float32", None), ("bfloat16", "avx512_f"), ("float16", "avx512_fp16"))
    ),
    _inferred("stride", "stride is at least 1", "a stride of zero or less is taken", stride=(0,)),
    _inferred("dilation", "dilation is at least 1", "a dilation of zero or less is taken", dilation=(0,)),
    _inferred("negative-padding", "padding is at least 0", "a negative padding is taken", padding=(-1,)),
    _inferred("negative-output-padding", "output_padding is at least 0", "a negative output padding is taken",
              output_padding=(-1,)),
    _inferred(
        "output-padding", "output_padding is smaller than stride or dilation", "a longer output padding is taken",
        "https://github.com/pytorch/pytorch/issues/178125", output_padding=(1,),
    ),
    _inferred("empty-kernel", "the kernel has at least one element", "a kernel of no elements is taken",
              shapes={"weight": (1, 1, 0)}),
    *(
        _inferred(
            f"{name.replace('_', '-')}-values", f"{name} has one value per axis",
            f"a {name.replace('_', ' ')} of more values than axes is taken", **{name: values},
        )
        for name, values in TOO_MANY.items()
    ),
    _inferred("no-groups", "groups is at least 1", "no group is taken for one", groups=0),
    _inferred("groups", "groups divides the input channels", "groups that do not divide the input channels are taken",
              groups=2),
    _inferred("channels", "input and weight have the same channels", "the weight's input channels are not looked at",
              shapes={"input": (1, 2, 3)}),
    _inferred("bias", "bias has one value per output channel", "the size of the bias is not looked at",
              "https://github.com/pytorch/pytorch/issues/178128", {"bias": (2,)}),
)  # fmt: skip
