"""Kernels that oneDNN has for some processors alone, and that read what is no part of their operands."""

from __future__ import annotations

import numpy as np

from properties.cases import Case
from properties.ledger.record import Divergence
from properties.special import Special
from properties.subjects import Subject

CONVOLUTIONS = ("conv1d", "conv2d", "conv3d")


def _odd_input(case: Case, subject: Subject) -> bool:
    """Whether the input holds NaN or an infinity, and a matrix product's inner size is no multiple of 32."""
    if "other" in case.shapes and case.shapes["other"][0] % 32 == 0:
        return False
    return not np.isfinite(case.tensor("input", case.shapes["input"], subject.format)).all()


ENTRIES: tuple[Divergence, ...] = (
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
        having="amx_bf16",
        example=Special(
            shapes={"input": (1, 1, 3), "weight": (1, 1, 2)},
            arguments={"stride": (1,), "padding": (0,), "dilation": (1,), "groups": 1},
            fill="normal",
            seed=1,
            palette="nan",
        ),
    ),
)
