"""ATen's linear and bilinear layers."""

from __future__ import annotations

import math

import torch

from properties.cases.case import Case
from properties.ledger.record import OF_GRADIENTS
from properties.ledger.rules import accepted
from properties.ledger.sums import OPMATH, lossy
from properties.subjects import FLOATS, INTEGERS, Subject
from properties.worker.call import Setting
from properties.worker.layouts import LAYOUTS


@accepted(
    "linear-single-bias-broadcast",
    ("linear",),
    "bias has one value per output",
    dtypes=FLOATS + INTEGERS,
    why="torch.nn.functional.linear, Shape: 'Bias: (out_features) or ()'",
    example=({"input": (1,), "weight": (2, 1), "bias": (1,)}, {}),
)
def _one_bias(case: Case, subject: Subject) -> bool:
    """A bias of shape (1,) is added to every output."""
    return case.shapes["bias"] == (1,)


@accepted(
    "bilinear-weight-of-nothing",
    ("bilinear",),
    "weight has an axis for outputs and for both inputs",
    dtypes=FLOATS + INTEGERS,
    why="torch.nn.functional.bilinear, Shape: weight (out_features, in1_features, in2_features); one row raises",
    example=({"input1": (0, 1), "input2": (0, 1), "weight": (1, 1, 1, 1)}, {}),
)
def _weight_of_nothing(case: Case, subject: Subject) -> bool:
    """A weight with one axis too many is accepted where there is nothing to multiply, and its second and third axis
    have the inputs' sizes."""
    one, two, weight = (case.shapes[name] for name in ("input1", "input2", "weight"))
    fits = weight[1:3] == (one[-1], two[-1]) and case.shapes.get("bias", weight[:1]) == weight[:1]
    return math.prod(one[:-1]) == 0 and len(weight) == 4 and fits


@lossy(
    "linear-bias-added-after-rounding",
    ("linear",),
    laws=("layouts",),
    why=OPMATH + "contiguous operands are computed so: the result depends on strides",
    example=Case(
        {"input": (2, 3, 7), "weight": (9, 7), "bias": (9,)}, {}, "normal", setting=Setting({"input": "transposed"})
    ),
)
def _scattered_rows_and_bias(case: Case, subject: Subject) -> bool:
    """For an input that is no matrix, where it or the bias is not contiguous, the product is rounded before the bias is
    added."""
    shapes = case.shapes
    if "bias" not in shapes or len(shapes["input"]) == 2 or 0 in shapes["input"]:
        return False
    tensors = [LAYOUTS[case.layout(name)](torch.empty(shapes[name])) for name in ("input", "bias")]
    return not all(tensor.is_contiguous() for tensor in tensors)


@lossy(
    "bilinear-gradient-summed-in-storage",
    ("bilinear",),
    laws=(*OF_GRADIENTS, "gradients of gradients"),
    why=OPMATH + "the forward pass, and the gradient to the weight, do so; with 300 equal terms the sum ends at 256",
    example=Case({"input1": (257, 1), "input2": (257, 1), "weight": (257, 1, 1)}, {}, "normal"),
)
def _sums_outputs(case: Case, subject: Subject) -> bool:
    """The gradient to either input is added up over the outputs in the 16-bit storage."""
    return case.shapes["weight"][0] > 2  # the sum of two is rounded once, as it should be
