"""torch.optim's updates."""

from __future__ import annotations

import numpy as np
import torch

from properties.cases.case import Case
from properties.ledger.aten_activation import lanes
from properties.ledger.record import known
from properties.subjects import SIXTEEN_BITS, Subject
from properties.worker.call import Setting
from properties.worker.layouts import LAYOUTS


@known(
    "fused-sgd-skips-vectors",
    ("sgd",),
    severity="silent wrong value",
    dtypes=SIXTEEN_BITS,
    fixed="2.14.1",
    upstream="https://github.com/pytorch/pytorch/issues/191763",
    why="torch.optim.SGD: fused is another implementation of the same algorithm",
    example=Case({"parameter": (65,), "gradient": (65,)}, {"lr": 0.5, "fused": True}, "normal"),
)
def _fused_vectors(case: Case, subject: Subject) -> bool:
    """With fused=True no whole vector of 16-bit parameters is updated, only the rest behind the last of them; the
    velocity is read as float32 from 16-bit memory, past its end."""
    return bool(case.arguments.get("fused")) and int(np.prod(case.shapes["parameter"])) >= lanes()


@known(
    "fused-sgd-ignores-strides",
    ("sgd",),
    severity="silent wrong value",
    laws=("layouts",),
    why="torch.optim.SGD: fused is another implementation of the same algorithm, and strides are no part of a tensor's "
    "value",
    example=Case(
        {"parameter": (2, 2), "gradient": (2, 2)},
        {"lr": 0.5, "fused": True},
        "normal",
        setting=Setting({"parameter": "transposed"}),
    ),
)
def _fused_strides(case: Case, subject: Subject) -> bool:
    """With fused=True parameter, gradient and velocity are walked through in memory, whatever their strides: elements
    are updated with the gradients of others where the strides differ."""
    copies = [LAYOUTS[case.layout(name)](torch.empty(shape)).clone() for name, shape in case.shapes.items()]
    strides = {tuple(s for s, size in zip(t.stride(), t.shape, strict=True) if size > 1) for t in copies}
    return bool(case.arguments.get("fused")) and 0 not in copies[0].shape and len(strides) > 1
