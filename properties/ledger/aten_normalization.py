"""ATen's normalisation."""

from __future__ import annotations

import torch

from properties.cases.case import Case
from properties.ledger.record import OF_GRADIENTS, known
from properties.ledger.sums import OPMATH, lossy
from properties.subjects import Subject
from properties.worker.call import Setting
from properties.worker.layouts import LAYOUTS


@known(
    "instance-norm-gradient-of-channels-last-cotangent",
    ("instance_norm",),
    severity="wrong gradient",
    laws=("layouts",),
    modes=("eager",),
    why="strides are no part of a tensor's value; of two images the gradient is right",
    example=Case({"input": (1, 2, 2, 4)}, {"eps": 0.125}, "normal", setting=Setting({"cotangent": "channels_last"})),
)
def _one_image(case: Case, subject: Subject) -> bool:
    """Of a single image, a cotangent in channels_last, as a convolution's backward pass gives it, is read as if it were
    contiguous: all of the gradient to the input is another's."""
    shape = case.shapes["input"]
    g = LAYOUTS[case.layout("cotangent")](torch.empty(shape, device="meta"))
    last = len(shape) == 4 and g.is_contiguous(memory_format=torch.channels_last)
    return shape[0] == 1 and last and not g.is_contiguous()


@lossy(
    "batch-norm-statistics-in-storage",
    ("batch_norm", "instance_norm"),
    why=OPMATH + "layer normalisation and group normalisation do so",
    example=Case({"input": (2, 2, 16), "weight": (2,), "bias": (2,)}, {"eps": 1.0}, "wide"),
    operator="instance_norm",
)
def _statistics(case: Case, subject: Subject) -> bool:
    """The mean, the reciprocal of the deviation, and what they make of weight and bias are each rounded to the 16-bit
    storage before they meet the input, or the cotangent; in evaluation not where all lies in order."""
    return True


@known(
    "batch-norm-gradient-ignores-strides-of-its-weight",
    ("batch_norm",),
    severity="wrong gradient",
    laws=("layouts",),
    modes=("eager",),
    why="strides are no part of a tensor's value; where input and cotangent are contiguous the gradient is right",
    example=Case(
        {"input": (2, 3, 2, 15), "weight": (3,), "bias": (3,)},
        {"eps": 0.125, "training": True, "momentum": 0.5},
        "normal",
        setting=Setting({"input": "channels_last", "weight": "strided", "cotangent": "channels_last"}),
    ),
)
def _strides_of_channels(case: Case, subject: Subject) -> bool:
    """With input and cotangent in channels_last, the gradients are formed of the memory from the first element of
    weight, running mean and running variance on, whatever their strides."""
    shape = case.shapes["input"]
    if len(shape) != 4:
        return False
    x, g = (LAYOUTS[case.layout(name)](torch.empty(shape, device="meta")) for name in ("input", "cotangent"))
    last = all(t.is_contiguous(memory_format=torch.channels_last) for t in (x, g)) and not x.is_contiguous()
    names = ["weight"] if "weight" in case.shapes else []
    names += [] if case.arguments["training"] else ["running_mean", "running_var"]
    channels = (LAYOUTS[case.layout(name)](torch.empty(shape[1], device="meta")) for name in names)
    return last and any(not t.is_contiguous() for t in channels)


@lossy(
    "layer-norm-affine-gradients-in-storage",
    ("layer_norm",),
    laws=OF_GRADIENTS,
    why=OPMATH + "group normalisation does so",
    example=Case(
        {"input": (3, 9), "weight": (9,), "bias": (9,)}, {"normalized_shape": (9,), "eps": 1.0}, "normal", seed=1
    ),
)
def _of_several_rows(case: Case, subject: Subject) -> bool:
    """The gradients to weight and bias are summed over the rows in the 16-bit storage."""
    return "weight" in case.shapes
