"""ATen's losses of embeddings."""

from __future__ import annotations

import numpy as np

from properties.cases.case import Case
from properties.ledger.record import WITH_GRADIENTS, known
from properties.operators import operator
from properties.subjects import Subject
from refimpl.arrays import Array


def _rows(name: str, case: Case, subject: Subject) -> Array:
    """An operand of a cosine embedding loss."""
    return operator("cosine_embedding_loss").filled(name, case.shapes[name], case, subject.format)


@known(
    "cosine-embedding-loss-overflows",
    ("cosine_embedding_loss",),
    severity="silent wrong value",
    dtypes=("float16",),
    upstream="https://github.com/pytorch/pytorch/issues/69512",
    why="torch.nn.CosineEmbeddingLoss: a cosine; torch.nn.functional.cosine_similarity divides by each norm",
    example=Case({"input1": (1, 65), "input2": (1, 65)}, {}, "wide"),
)
def _large_norms(case: Case, subject: Subject) -> bool:
    """The product of both squares of norms, of which the root is taken, is past what float16 holds, or zero there."""
    squares = np.prod([(_rows(name, case, subject) ** 2).sum(-1) for name in case.shapes if name != "target"], axis=0)
    return bool(((squares > subject.format.storage.largest) | (squares <= 2.0**-25)).any())


@known(
    "cosine-embedding-loss-gradient-overflows",
    ("cosine_embedding_loss",),
    severity="wrong gradient",
    laws=WITH_GRADIENTS,
    dtypes=("float16",),
    why="the gradient, at most the cotangent over a norm, is a number of float16",
    example=Case({"input1": (6, 1), "input2": (6, 1)}, {"reduction": "none"}, "one-hot", seed=11119),
)
def _small_norms(case: Case, subject: Subject) -> bool:
    """On the way back the cotangent is divided by the product of both squares of norms: past what float16 holds."""
    about, largest = operator("cosine_embedding_loss"), subject.format.storage.largest
    x, y = (_rows(name, case, subject) for name in ("input1", "input2"))
    squares, cosines = (x**2).sum(-1) * (y**2).sum(-1), (x * y).sum(-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        apart, cosine = about.given["target"](case, subject.format) < 0, cosines / np.sqrt(squares)
        flat = apart & ~(cosine > case.arguments.get("margin", 0.0))
        g = np.where(flat, 0.0, about.cotangent(case, subject.format))
        g = g / cosines.size if case.arguments.get("reduction", "mean") == "mean" else g
        first = np.abs(g * cosines) / squares
        return bool((np.maximum(first, first / np.sqrt(squares) / 2.0) > largest).any())


@known(
    "triplet-margin-loss-gradient-divides-by-zero",
    ("triplet_margin_loss",),
    severity="wrong gradient",
    laws=WITH_GRADIENTS,
    dtypes=("float16",),
    upstream="https://github.com/pytorch/pytorch/issues/43211",
    why="the gradient by an element is at most the cotangent, sgn(e)·(|e|/d)^{p−1}, and that of p = 2 is so",
    example=Case({"anchor": (1,), "positive": (1,), "negative": (1,)}, {"p": 3.0}, "ties"),
)
def _small_distances(case: Case, subject: Subject) -> bool:
    """With p = 3 the gradient is e·|e| times the cotangent over the distance's square, of float16: NaN where that
    square is zero, as of equal rows, and infinite where the quotient is past the largest number."""
    if case.arguments.get("p") != 3.0:
        return False
    about, given, format = operator("triplet_margin_loss"), case.arguments, subject.format
    a, p, n = (about.operands(case, format)[name] for name in ("anchor", "positive", "negative"))
    near, far, other = (np.linalg.norm(x - y + given.get("eps", 1e-6), 3.0, -1) for x, y in ((a, p), (a, n), (p, n)))
    swapped = bool(given.get("swap")) & (other < far)
    active = given.get("margin", 1.0) + near - np.where(swapped, other, far) >= 0.0
    g = np.abs(about.cotangent(case, format)) / (near.size if given.get("reduction", "mean") == "mean" else 1)
    used = [(near, active), (far, active & ~swapped)] + [(other, active & swapped)] * bool(given.get("swap"))
    return any(
        ((d > 0.0) & ((d**2 <= 2.0**-25) | (taken & (g > format.storage.largest * d**2)))).any() for d, taken in used
    )
