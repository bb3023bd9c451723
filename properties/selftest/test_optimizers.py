"""What optimizers keep of steps that are skipped."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from properties.cases.case import Case
from properties.ledger.known import known
from properties.operators import operator
from properties.subjects import Subject
from properties.worker.programs.optimizer import sgd_steps
from refimpl.rounding import FORMATS

ARGUMENTS = {"lr": 0.5, "momentum": 0.9, "steps": ("overflowing",), "frozen": 0, "scale": 1.0, "dtypes": (None,)}


@pytest.mark.parametrize("form", [{"foreach": False}, {"foreach": True}, {"fused": True}], ids=str)
def test_no_velocity_is_kept_of_a_skipped_step(form: dict[str, Any]) -> None:
    """None but one that was never written, whose values are what memory held: the ledger then knows of it."""
    case = Case({"parameter 0": (36,), "gradients 0": (1, 36)}, {**ARGUMENTS, **form}, "normal")
    operands: dict[str, Any] = {name: torch.ones(shape) for name, shape in case.shapes.items()}
    kept = sgd_steps(**operands, **case.arguments)["kept"]
    entry = known("call after call", operator("sgd_steps"), Subject("cpu", "float16"), case)
    assert bool(kept) == (entry is not None)


def test_scaled_gradients_are_finite() -> None:
    """Where a parameter of a list is float16 and its gradients are wide, no scale makes one infinite unasked."""
    shapes = {"parameter 0": (1,), "gradients 0": (2, 500)}
    case = Case(shapes, {**ARGUMENTS, "scale": 256.0, "steps": ("scaled",) * 2, "dtypes": ("float16",)}, "wide")
    gradients = operator("sgd_steps").operands(case, FORMATS["float32"])["gradients 0"]
    assert np.abs(gradients).max() * 4.0 * 256.0 <= FORMATS["float16"].storage.largest
