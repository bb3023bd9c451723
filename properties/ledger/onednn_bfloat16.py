"""oneDNN's bfloat16 products, which multiply infinities with the zeros that fill up a tile, and so make NaN of them."""

from __future__ import annotations

import functools

import numpy as np

from properties.cases.case import Case
from properties.edges.special_values import Special, specials
from properties.ledger.examples import convolution, transposed
from properties.ledger.record import CONVOLUTIONS, TRANSPOSED, known
from properties.subjects import Subject
from properties.subjects.devices import instructions

filled_up = functools.partial(
    known,
    dtypes=("bfloat16",),
    upstream="https://github.com/uxlfoundation/oneDNN/issues/5717",
    chance="with AVX-512's bfloat16 and no matrix units one case in ten shows it, and what else it takes is not known",
)
"""Register a NaN that comes of a zero that fills up a tile or the channels."""
PRODUCTS = ("matmul", "linear", *CONVOLUTIONS, *TRANSPOSED)
IN_GRADIENTS = (
    "in the gradients, as in the output, tiles are filled up with neighbouring elements, which are multiplied with "
    "zeros: where those elements are NaN or infinite, others that do not depend on them become NaN"
)


@filled_up(
    "bfloat16-infinity-times-zero",
    PRODUCTS,
    severity="silent wrong value",
    laws=("special values",),
    having="avx512_f",
    why="torch.matmul: an output element is the product of its own row and column",
    operator="conv1d",
    example=Special(*convolution((1, 1, 3), (1, 1, 2)), "normal", seed=1, palette="nan"),
)
def _odd_input(case: Case, subject: Subject) -> bool:
    """Tiles are filled up with elements of the neighbouring row or position, which are multiplied with weights of zero:
    where those elements are NaN or infinite, outputs that do not depend on them become NaN."""
    # Of a matrix product, only where the inner size is no multiple of 32.
    weight = case.shapes.get("weight", ())
    inner = weight[1] if len(weight) == 2 else case.shapes.get("other", (1,))[0]
    if inner % 32 == 0 or _exact_product(case) or _even_channels(case):
        return False
    return not np.isfinite(case.tensor("input", case.shapes["input"], subject.format)).all()


def _exact_product(case: Case) -> bool:
    """True if this is a matrix product and the processor multiplies pairs.

    That kernel fills nothing up; those for matrix units, and for AVX-512 alone, do.
    """
    product = "other" in case.shapes or len(case.shapes["weight"]) == 2
    return product and _in_pairs()


def _in_pairs() -> bool:
    """True if the processor has AVX-512's bfloat16, which multiplies pairs, without matrix units."""
    return "avx512_bf16" in instructions() and "amx_bf16" not in instructions()


def _even_channels(case: Case) -> bool:
    """True if this is a convolution of pairs of channels, which none is missing from."""
    forward = "other" not in case.shapes and len(case.shapes["weight"]) > 2 and "output_padding" not in case.arguments
    return forward and _in_pairs() and case.shapes["weight"][1] % 2 == 0


@filled_up(
    "bfloat16-infinity-times-zero-in-gradients",
    PRODUCTS,
    severity="wrong gradient",
    laws=("special gradients",),
    having="amx_bf16",
    what=IN_GRADIENTS,
    why="torch.matmul: an output element is the product of its own row and column, and so is one of a gradient",
    example=Special({"input": (17, 15), "other": (15, 17)}, {}, "normal", seed=2, palette="inf"),
)
@filled_up(
    "avx512-bfloat16-infinity-times-zero-in-gradients",
    PRODUCTS,
    severity="wrong gradient",
    laws=("special gradients",),
    having="avx512_f",
    lacking="amx_bf16",
    what=f"without matrix units, too, of matrix products only if the processor has no bfloat16: {IN_GRADIENTS}",
    why="torch.matmul: an output element is the product of its own row and column, and so is one of a gradient",
    operator="conv_transpose2d",
    example=Special(*transposed((1, 1, 1, 4), (1, 1, 1, 2)), "normal", seed=12, palette="nan"),
)
def _odd_values(case: Case, subject: Subject) -> bool:
    # Operands and the incoming gradient hold NaN or infinities.
    odd = isinstance(case, Special) and not np.isfinite(specials(case.palette, subject.format.storage)).all()
    return odd and not _exact_product(case)


@filled_up(
    "bfloat16-infinite-weight-times-zero",
    (*CONVOLUTIONS, *TRANSPOSED),
    severity="silent wrong value",
    laws=("special values",),
    having="avx512_f",
    lacking="amx_bf16",
    why="torch.nn.Conv1d: the output is a sum over the input channels that there are",
    operator="conv1d",
    example=Special(*convolution((1, 2, 2), (4, 1, 1), groups=2), "normal", palette="inf"),
)
def _odd_weight(case: Case, subject: Subject) -> bool:
    """Without tiles, weights are multiplied with zeros that fill up the channels: outputs that should be infinite, as a
    weight is, become NaN."""
    infinite = not np.isfinite(case.tensor("weight", case.shapes["weight"], subject.format)).all()
    return infinite and not _even_channels(case)
