"""oneDNN's bfloat16 products, which multiply infinities with the zeros that fill up a tile, and so make NaN of them."""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np

from properties.cases.case import Case
from properties.edges.special_values import Special, specials
from properties.ledger.examples import convolution, transposed
from properties.ledger.record import CONVOLUTIONS, TRANSPOSED, known
from properties.subjects import Subject
from refimpl.arrays import Array, batched
from refimpl.convolution import cross_correlate

filled_up = functools.partial(
    known, dtypes=("bfloat16",), upstream="https://github.com/uxlfoundation/oneDNN/issues/5717"
)
"""Register a NaN that comes of a zero that fills up a tile or the channels."""
alone = functools.partial(filled_up, having="avx512_f", lacking="avx512_bf16")
"""Register one of processors that have AVX-512, and nothing of it for bfloat16."""
in_pairs = functools.partial(
    filled_up,
    having="avx512_bf16",
    lacking="amx_bf16",
    chance="one case in ten shows it; it takes an element without a partner, and what else is not known",
)
"""Register one of processors that multiply pairs of bfloat16, without matrix units; their matrix products are right."""
LAYERS = (*CONVOLUTIONS, *TRANSPOSED)
PRODUCTS = ("matmul", "linear", *LAYERS)
IN_GRADIENTS = (
    "in the gradients, as in the output, tiles are filled up with neighbouring elements, which are multiplied with "
    "zeros: where those elements are NaN or infinite, others that do not depend on them become NaN"
)


ODD_INPUT: dict[str, Any] = {
    "severity": "silent wrong value",
    "laws": ("special values",),
    "why": "torch.matmul: an output element is the product of its own row and column",
    "operator": "conv1d",
    "example": Special(*convolution((1, 1, 3), (1, 1, 2)), "normal", seed=1, palette="nan"),
}


@filled_up("bfloat16-infinity-times-zero", PRODUCTS, having="amx_bf16", **ODD_INPUT)
@alone("avx512-bfloat16-infinity-times-zero", PRODUCTS, **ODD_INPUT)
def _odd_input(case: Case, subject: Subject) -> bool:
    """Tiles are filled up with elements of the neighbouring row or position, which are multiplied with weights of zero:
    where those elements are NaN or infinite, outputs that do not depend on them become NaN."""
    # Of a matrix product, only where the inner size is no multiple of 32.
    weight = case.shapes.get("weight", ())
    inner = weight[1] if len(weight) == 2 else case.shapes.get("other", (1,))[0]
    return inner % 32 != 0 and not np.isfinite(case.tensor("input", case.shapes["input"], subject.format)).all()


@in_pairs(
    "avx512-bfloat16-infinity-times-zero-in-pairs",
    LAYERS,
    chance="in one case in three a kernel is chosen that pairs so; which it is, is not known",
    **ODD_INPUT,
)
def _odd_input_in_pairs(case: Case, subject: Subject) -> bool:
    """Where the channels of a group are odd, the last is multiplied with its neighbour in memory by a weight of zero:
    where that neighbour is NaN or infinite, outputs become NaN that do not depend on it, or would be infinite."""
    if not _may_lack_a_partner(case) or not _odd_input(case, subject):
        return False
    if "output_padding" not in case.arguments and case.layout("input") == "contiguous" and case.arguments["groups"] > 1:
        return False
    return not _neighbours_are_known(case) or _reaches_a_neighbour(case, subject)


def _neighbours_are_known(case: Case) -> bool:
    """True of convolutions of zeros around the input that lies in order, or in channels_last as a batch in one group.

    Which elements are paired is not known of transposed convolutions, and of others.
    """
    given, layout = case.arguments, case.layout("input")
    if "output_padding" in given or "padding_mode" in given or isinstance(given["padding"], str):
        return False
    in_one_group = given["groups"] == 1 and len(case.shapes["input"]) == len(case.shapes["weight"])
    return layout == "contiguous" or (layout == "channels_last" and in_one_group)


def _reaches_a_neighbour(case: Case, subject: Subject) -> bool:
    """True if an output that should be no NaN takes an element of the last channel before one that is not finite."""
    x, weight = (case.tensor(name, case.shapes[name], subject.format) for name in ("input", "weight"))
    finite = np.isfinite(batched(x, weight.ndim - 2))
    spoilt = np.zeros(finite.shape)
    spoilt[:, -1] = _before_others(finite, case.layout("input") == "channels_last")[:, -1]
    taken = cross_correlate(spoilt.reshape(x.shape), np.ones(weight.shape), **case.arguments) > 0
    with np.errstate(invalid="ignore"):
        return bool((taken & ~np.isnan(cross_correlate(x, weight, **case.arguments))).any())


def _before_others(finite: Array, innermost: bool) -> Array:
    """True for each element that one follows in memory that is not finite: in its plane, or where channels are last."""
    ordered = np.moveaxis(finite, 1, -1) if innermost else finite
    rows = ordered.reshape(-1, ordered.size if innermost else math.prod(finite.shape[2:]))
    before = np.zeros(rows.shape, dtype=bool)
    before[:, :-1] = ~rows[:, 1:]
    found = before.reshape(ordered.shape)
    return np.moveaxis(found, -1, 1) if innermost else found


def _may_lack_a_partner(case: Case) -> bool:
    """True unless this is a convolution of pairs of channels; which channels a transposed one pairs is not known."""
    return "output_padding" in case.arguments or case.shapes["weight"][1] % 2 == 1


ODD_VALUES: dict[str, Any] = {
    "severity": "wrong gradient",
    "laws": ("special gradients",),
    "what": IN_GRADIENTS,
    "why": "torch.matmul: an output element is the product of its own row and column, and so is one of a gradient",
}
IN_TRANSPOSED = Special(*transposed((1, 1, 1, 4), (1, 1, 1, 2)), "normal", seed=12, palette="nan")


@filled_up(
    "bfloat16-infinity-times-zero-in-gradients",
    PRODUCTS,
    having="amx_bf16",
    example=Special({"input": (17, 15), "other": (15, 17)}, {}, "normal", seed=2, palette="inf"),
    **ODD_VALUES,
)
@alone(
    "avx512-bfloat16-infinity-times-zero-in-gradients",
    PRODUCTS,
    operator="conv_transpose2d",
    example=IN_TRANSPOSED,
    **ODD_VALUES,
)
@in_pairs(
    "avx512-bfloat16-infinity-times-zero-in-gradients-in-pairs",
    LAYERS,
    operator="conv_transpose2d",
    example=IN_TRANSPOSED,
    **ODD_VALUES,
)
def _odd_values(case: Case, subject: Subject) -> bool:
    # Operands and the incoming gradient hold NaN or infinities.
    return isinstance(case, Special) and not np.isfinite(specials(case.palette, subject.format.storage)).all()


ODD_WEIGHT: dict[str, Any] = {
    "severity": "silent wrong value",
    "laws": ("special values",),
    "why": "torch.nn.Conv1d: the output is a sum over the input channels that there are",
    "operator": "conv1d",
    "example": Special(*convolution((1, 2, 2), (4, 1, 1), groups=2), "normal", palette="inf"),
}


@alone("bfloat16-infinite-weight-times-zero", LAYERS, **ODD_WEIGHT)
def _odd_weight(case: Case, subject: Subject) -> bool:
    """Without tiles, weights are multiplied with zeros that fill up the channels: outputs that should be infinite, as a
    weight is, become NaN."""
    return not np.isfinite(case.tensor("weight", case.shapes["weight"], subject.format)).all()


@in_pairs("bfloat16-infinite-weight-times-zero-in-pairs", LAYERS, **ODD_WEIGHT)
def _odd_weight_in_pairs(case: Case, subject: Subject) -> bool:
    """Where the channels of a group are odd, the last one's weights are multiplied with zero: outputs that should be
    infinite, as a weight is, become NaN."""
    return _may_lack_a_partner(case) and _odd_weight(case, subject)
