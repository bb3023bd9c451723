"""Infinities that oneDNN's bfloat16 products multiply with the zeros that fill up a tile, and so make NaN of."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from properties.cases.case import Case
from properties.edges.special_values import Special, specials
from properties.ledger.record import CONVOLUTIONS, TRANSPOSED, Divergence
from properties.subjects import Subject
from properties.subjects.devices import instructions


def _exact_product(case: Case) -> bool:
    """Whether this is a matrix product and the processor has AVX-512's bfloat16 without matrix units.

    That kernel fills nothing up; those for matrix units, and for AVX-512 alone, do.
    """
    product = "other" in case.shapes or len(case.shapes["weight"]) == 2
    return product and "avx512_bf16" in instructions() and "amx_bf16" not in instructions()


def _odd_input(case: Case, subject: Subject) -> bool:
    """Whether the input holds NaN or an infinity, and a matrix product's inner size is no multiple of 32."""
    weight = case.shapes.get("weight", ())
    inner = weight[1] if len(weight) == 2 else case.shapes.get("other", (1,))[0]
    if inner % 32 == 0 or _exact_product(case):
        return False
    return not np.isfinite(case.tensor("input", case.shapes["input"], subject.format)).all()


def _odd_weight(case: Case, subject: Subject) -> bool:
    """Whether the weight holds NaN or an infinity."""
    return not np.isfinite(case.tensor("weight", case.shapes["weight"], subject.format)).all()


def _odd_values(case: Case, subject: Subject) -> bool:
    """Whether operands and cotangent hold NaN or infinities."""
    odd = isinstance(case, Special) and not np.isfinite(specials(case.palette, subject.format.storage)).all()
    return odd and not _exact_product(case)


IN_GRADIENTS = Divergence(
    id="bfloat16-infinity-times-zero-in-gradients",
    severity="wrong gradient",
    operators=("matmul", "linear", *CONVOLUTIONS, *TRANSPOSED),
    laws=("special gradients",),
    devices=("cpu",),
    dtypes=("bfloat16",),
    holds=_odd_values,
    what="in the gradients, as in the output, tiles are filled up with neighbouring elements, which meet zeros: "
    "where those are NaN or infinite, elements that do not depend on them become NaN",
    why="torch.matmul: an output element is the product of its own row and column, and so is one of a gradient",
    upstream="https://github.com/uxlfoundation/oneDNN/issues/5717",
    operator="matmul",
    having="amx_bf16",
    example=Special(shapes={"input": (17, 15), "other": (15, 17)}, arguments={}, fill="normal", seed=2, palette="inf"),
)
ENTRIES: tuple[Divergence, ...] = (
    Divergence(
        id="bfloat16-infinity-times-zero",
        severity="silent wrong value",
        operators=("matmul", "linear", *CONVOLUTIONS, *TRANSPOSED),
        laws=("special values",),
        devices=("cpu",),
        dtypes=("bfloat16",),
        holds=_odd_input,
        what="tiles are filled up with elements of the neighbouring row or position, which meet weights of zero: where "
        "those are NaN or infinite, outputs that do not depend on them become NaN",
        why="torch.matmul: an output element is the product of its own row and column",
        upstream="https://github.com/uxlfoundation/oneDNN/issues/5717",
        operator="conv1d",
        having="avx512_f",
        example=Special(
            shapes={"input": (1, 1, 3), "weight": (1, 1, 2)},
            arguments={"stride": (1,), "padding": (0,), "dilation": (1,), "groups": 1},
            fill="normal",
            seed=1,
            palette="nan",
        ),
    ),
    IN_GRADIENTS,
    replace(
        IN_GRADIENTS,
        id=f"avx512-{IN_GRADIENTS.id}",
        what=f"without matrix units, too, but of products only if the processor has no bfloat16: {IN_GRADIENTS.what}",
        having="avx512_f",
        lacking="amx_bf16",
        operator="conv_transpose2d",
        example=Special(
            shapes={"input": (1, 1, 1, 4), "weight": (1, 1, 1, 2)},
            arguments={"stride": (1, 1), "padding": (0, 0), "output_padding": (0, 0), "groups": 1, "dilation": (1, 1)},
            fill="normal",
            seed=12,
            palette="nan",
        ),
    ),
    Divergence(
        id="bfloat16-infinite-weight-times-zero",
        severity="silent wrong value",
        operators=(*CONVOLUTIONS, *TRANSPOSED),
        laws=("special values",),
        devices=("cpu",),
        dtypes=("bfloat16",),
        holds=_odd_weight,
        what="without tiles, weights are multiplied with zeros that fill up the channels: outputs that should be "
        "infinite, as a weight is, become NaN",
        why="torch.nn.Conv1d: the output is a sum over the input channels that there are",
        upstream="https://github.com/uxlfoundation/oneDNN/issues/5717",
        operator="conv1d",
        having="avx512_f",
        lacking="amx_bf16",
        example=Special(
            shapes={"input": (1, 2, 2), "weight": (4, 1, 1)},
            arguments={"stride": (1,), "padding": (0,), "dilation": (1,), "groups": 2},
            fill="normal",
            palette="inf",
        ),
    ),
)
