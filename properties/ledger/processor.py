"""Kernels that oneDNN has for some processors alone, and that read what is no part of their operands."""

from __future__ import annotations

import numpy as np

from properties.cases import Case
from properties.huge import COMPUTED, formula
from properties.ledger.record import Divergence
from properties.operators import operator
from properties.operators.constraints import window
from properties.special import Special
from properties.subjects import Subject
from refimpl.geometry import blind

CONVOLUTIONS = ("conv1d", "conv2d", "conv3d")


def _dilated_window_in_padding(case: Case, subject: Subject) -> bool:
    """Whether some window of a dilated convolution has no tap inside the input."""
    given, kernel = case.arguments, window(case)
    if set(given["dilation"]) == {1} or isinstance(given["padding"], str) or max(given["padding"]) > COMPUTED:
        return False
    outputs = formula(operator(f"conv{len(kernel)}d"), case)
    if outputs is None:
        return False
    per_axis = (outputs, case.shapes["input"], kernel, given["stride"], given["padding"], given["dilation"])
    return any(blind(*axis) for axis in zip(*(values[-len(kernel) :] for values in per_axis), strict=True))


def _odd_input(case: Case, subject: Subject) -> bool:
    """Whether the input holds NaN or an infinity, and a matrix product's inner size is no multiple of 32."""
    if "other" in case.shapes and case.shapes["other"][0] % 32 == 0:
        return False
    return not np.isfinite(case.tensor("input", case.shapes["input"], subject.format)).all()


ENTRIES: tuple[Divergence, ...] = (
    Divergence(
        id="conv-float16-window-in-padding",
        severity="crash",
        operators=CONVOLUTIONS,
        laws=(),
        devices=("cpu",),
        dtypes=("float16",),
        holds=_dilated_window_in_padding,
        what="a dilated convolution with a window that sees nothing but padding ends the process with a segmentation "
        "fault",
        why="torch.nn.Conv1d: padding has no limit; other dtypes and older processors give zero",
        versions=("2.13.0",),
        upstream=None,
        operator="conv1d",
        needing="avx512_fp16",
        example=Case(
            shapes={"input": (16, 1), "weight": (1, 16, 2)},
            arguments={"stride": (4,), "padding": (3,), "dilation": (2,), "groups": 1},
        ),
    ),
    Divergence(
        id="conv-bfloat16-window-in-padding",
        severity="silent wrong value",
        operators=CONVOLUTIONS,
        laws=(),
        devices=("cpu",),
        dtypes=("bfloat16",),
        holds=_dilated_window_in_padding,
        what="a dilated convolution with a window that sees nothing but padding multiplies memory that was never "
        "written: with fresh memory filled, as MALLOC_PERTURB_=85 does, the output is not zero",
        why="torch.nn.Conv1d: the input is padded with zeros, so the output is the bias",
        versions=("2.13.0",),
        upstream=None,
        operator="conv3d",
        needing="amx_bf16",
        example=Case(
            shapes={"input": (1, 3, 8, 8, 1), "weight": (3, 3, 1, 1, 2)},
            arguments={"stride": (1, 1, 4), "padding": (0, 0, 1), "dilation": (1, 1, 2), "groups": 1},
        ),
    ),
    Divergence(
        id="amx-bfloat16-infinity-times-zero",
        severity="silent wrong value",
        operators=("matmul", *CONVOLUTIONS),
        laws=("special values",),
        devices=("cpu",),
        dtypes=("bfloat16",),
        holds=_odd_input,
        what="tiles are filled up with elements of the neighbouring row or position, which meet weights of zero: where "
        "those are NaN or infinite, outputs that do not depend on them become NaN",
        why="torch.matmul: an output element is the product of its own row and column",
        versions=("2.13.0",),
        upstream="https://github.com/uxlfoundation/oneDNN/issues/5717",
        operator="conv1d",
        needing="amx_bf16",
        example=Special(
            shapes={"input": (1, 1, 3), "weight": (1, 1, 2)},
            arguments={"stride": (1,), "padding": (0,), "dilation": (1,), "groups": 1},
            fill="normal",
            seed=1,
            palette="nan",
        ),
    ),
)
