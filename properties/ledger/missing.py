"""Arguments that torch takes against its own documentation."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from properties.cases.case import Case
from properties.ledger.record import COMPILED, CONVOLUTIONS, Divergence
from properties.operators.constraints import Invalid
from properties.subjects import FLOATS, INTEGERS, Subject

PLAIN = ("conv1d", "conv2d", "conv3d")
ONE = {"stride": (1,), "padding": (0,), "dilation": (1,), "groups": 1}


def violates(*rules: str) -> Callable[[Case, Subject], bool]:
    """A predicate: the case breaks one of these rules."""
    return lambda case, subject: isinstance(case, Invalid) and case.violated in rules


def _one_bias(case: Case, subject: Subject) -> bool:
    """Whether a single bias stands for several outputs."""
    return violates("bias has one value per output")(case, subject) and case.shapes["bias"] == (1,)


def _several_biases(case: Case, subject: Subject) -> bool:
    """Whether there are several biases for a single output."""
    return violates("bias has one value per output")(case, subject) and case.shapes["weight"][0] == 1


def _inferred(
    id: str, rule: str, what: str, upstream: str | None = None, shapes: dict[str, Any] | None = None,
    operators: tuple[str, ...] = CONVOLUTIONS, **arguments: Any,
) -> Divergence:  # fmt: skip
    """A rule that eager convolution checks and its shape inference does not; the example is one-dimensional."""
    return Divergence(
        id=f"meta-conv-{id}",
        severity="missing error",
        operators=operators,
        laws=("rejection",),
        devices=("meta",),
        dtypes=("float32",),
        holds=violates(rule),
        what=f"on the meta device {what}, and a shape is made up",
        why="torch.nn.functional.conv1d and the formula of torch.nn.Conv1d demand it: " + rule + "; eager mode raises, "
        "and a meta tensor is to have the shape that the operation would give",
        upstream=upstream,
        operator="conv1d",
        example=Invalid(
            shapes={"input": (1, 1, 3), "weight": (1, 1, 1)} | (shapes or {}),
            arguments=ONE | arguments,
            violated=rule,
        ),
    )


def _several_biases_of_one_row(case: Case, subject: Subject) -> bool:
    """True if a single output of a single row has several biases, or none."""
    shapes = case.shapes
    other = shapes.get("bias", (1,)) not in ((), (1,)) and shapes["weight"][0] == 1
    return other and math.prod(shapes["input"][:-1]) == 1


BROADCAST: dict[str, Any] = {
    "severity": "missing error",
    "operators": ("linear",),
    "laws": ("rejection",),
    "what": "a single output is broadcast to a bias of several elements, so that the result has another shape",
    "why": "torch.nn.functional.linear, Shape: 'Bias: (out_features) or ()'; eager mode raises",
    "upstream": "https://github.com/pytorch/pytorch/issues/195579",
    "operator": "linear",
    "example": Invalid(
        shapes={"input": (1, 1), "weight": (1, 1), "bias": (2,)}, arguments={}, violated="bias has one value per output"
    ),
}


ENTRIES: tuple[Divergence, ...] = (
    _inferred(
        "negative-stride", "stride is at least 1", "a negative stride is taken",
        shapes={"input": (1, 1, 1)}, stride=(-1,),
    ),
    _inferred("dilation", "dilation is at least 1", "a dilation of zero or less is taken", dilation=(0,)),
    _inferred("negative-padding", "padding is at least 0", "a negative padding is taken", padding=(-1,)),
    _inferred(
        "empty-kernel", "the kernel has at least one element", "a kernel of no elements is taken",
        shapes={"weight": (1, 1, 0)},
    ),
    _inferred(
        "stride-values", "stride has one value per axis", "a stride of more values than axes is taken", stride=(1, 1)
    ),
    _inferred(
        "padding-values", "padding has one value per axis", "a padding of more values than axes is taken",
        padding=(0, 0),
    ),
    _inferred(
        "groups", "groups divides the output channels", "groups that do not divide the output channels are taken",
        "https://github.com/pytorch/pytorch/issues/178472", {"input": (1, 2, 3)}, PLAIN, groups=2,
    ),
    _inferred(
        "bias", "bias has one value per output channel", "the size of the bias is not looked at",
        "https://github.com/pytorch/pytorch/pull/178572", {"bias": (2,)},
    ),
    Divergence(
        id="linear-single-bias-broadcast",
        severity="missing error",
        operators=("linear",),
        laws=("rejection",),
        devices=("cpu", "meta"),
        dtypes=FLOATS + INTEGERS,
        holds=_one_bias,
        what="a bias of shape (1,) is added to every output",
        why="torch.nn.functional.linear, Shape: 'Bias: (out_features) or ()'",
        upstream=None,
        operator="linear",
        example=Invalid(
            shapes={"input": (1,), "weight": (2, 1), "bias": (1,)},
            arguments={},
            violated="bias has one value per output",
        ),
    ),
    Divergence(
        id="meta-linear-output-broadcast-to-bias",
        holds=_several_biases,
        devices=("meta",),
        dtypes=("float32",),
        modes=("eager",),
        **BROADCAST,
    ),
    Divergence(
        id="compiled-linear-output-broadcast-to-bias",
        holds=_several_biases_of_one_row,
        devices=("cpu", "cuda"),
        dtypes=FLOATS,
        modes=COMPILED,
        **{**BROADCAST, "laws": ("rejection", "errors when compiled")},
    ),
)  # fmt: skip
