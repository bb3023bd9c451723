"""ATen's losses of embeddings."""

from __future__ import annotations

import math
from functools import reduce

import numpy as np

from properties.cases.case import Case
from properties.ledger.record import WITH_GRADIENTS, known
from properties.operators import operator
from properties.subjects import Subject
from refimpl.arrays import Array
from refimpl.rounding import round_to


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
    """The product of both squares of norms, of which the root is taken, is zero in float16, or past what that holds, so
    that the cosine is taken for zero: right in rows of y = −1 where neither is above the margin."""
    margin, x, y = case.arguments.get("margin", 0.0), *(_rows(name, case, subject) for name in ("input1", "input2"))
    apart = operator("cosine_embedding_loss").given["target"](case, subject.format) < 0
    with np.errstate(invalid="ignore"):  # of infinities
        squares, along = (x**2).sum(-1) * (y**2).sum(-1), (x * y).sum(-1)
        flat = apart & (margin >= 0.0) & (along <= margin * np.sqrt(squares))
    return bool(((squares > subject.format.storage.largest) & ~flat | (squares <= 2.0**-25)).any())


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
    """On the way back the cotangent is divided by the product of both squares of norms, past what float16 holds, or
    that is left once it is multiplied by one of them."""
    about, largest = operator("cosine_embedding_loss"), subject.format.storage.largest
    x, y = (_rows(name, case, subject) for name in ("input1", "input2"))
    each, cosines = ((x**2).sum(-1), (y**2).sum(-1)), (x * y).sum(-1)
    squares = each[0] * each[1]
    with np.errstate(divide="ignore", invalid="ignore"):
        apart, cosine = about.given["target"](case, subject.format) < 0, cosines / np.sqrt(squares)
        flat = apart & ~(cosine > case.arguments.get("margin", 0.0))
        g = np.where(flat, 0.0, about.cotangent(case, subject.format))
        g = g / cosines.size if case.arguments.get("reduction", "mean") == "mean" else g
        first = np.abs(g * cosines) / squares
        to_root = first / np.sqrt(squares) / 2.0
        return bool((np.max([first, to_root, *(to_root * square for square in each)], axis=0) > largest).any())


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
    largest, shares = subject.format.storage.largest, np.abs(_share(case, subject))
    for *_, e, taken in _distances(case, subject):
        d = np.linalg.norm(e, 3.0, -1)
        if ((d > 0.0) & ((d**2 <= 2.0**-25) | (taken & (shares > largest * d**2)))).any():
            return True
    return False


def _share(case: Case, subject: Subject) -> Array:
    """The cotangent of each row: that of a mean, divided."""
    g, rows = operator("triplet_margin_loss").cotangent(case, subject.format), case.shapes["anchor"][:-1]
    return np.broadcast_to(g / (math.prod(rows) if case.arguments.get("reduction", "mean") == "mean" else 1), rows)


@known(
    "triplet-margin-loss-second-gradient-at-zero",
    ("triplet_margin_loss",),
    severity="wrong gradient",
    laws=("gradients of gradients",),
    why="the gradient of no distance is set to zero, and what is zero for every cotangent has the gradient zero; of a "
    "single element the slope is a sign, whose derivative is zero",
    example=Case({"anchor": (1,), "positive": (1,), "negative": (1,)}, {"eps": 0.5}, "ties", seed=2),
)
def _no_distance(case: Case, subject: Subject) -> bool:
    """Differentiated once more, the gradient of a distance of zero is NaN to its operands, or, with p = 3 and where the
    row counts, to the cotangent: zero over zero, which is masked in the first gradient alone."""
    p = case.arguments.get("p", 2.0)
    found = [(e == 0.0).all(axis=-1) & (taken | (p == 2.0)) for *_, e, taken in _distances(case, subject)]
    return p != 1.0 and bool(np.any(found))


@known(
    "triplet-margin-loss-second-gradient-overflows",
    ("triplet_margin_loss",),
    severity="wrong gradient",
    laws=("gradients of gradients",),
    dtypes=("float16",),
    why="the second gradient is (p − 1)·((|e|/d)^{p−2}·h − v·⟨v, h⟩)·g/d, v the slopes: zero for one element, and a "
    "number of float16 unless d is as small as 1/65504",
    example=Case({"anchor": (1,), "positive": (1,), "negative": (1,)}, {}, "ties"),
)
def _small_distances_bent(case: Case, subject: Subject) -> bool:
    """Autograd divides cotangent and direction by the distance, with p = 3 by its fifth power, past what float16 holds,
    before it takes a difference or multiplies by what is as small."""
    directions = operator("triplet_margin_loss").directions(case, subject.format)
    shares, p = _share(case, subject), case.arguments.get("p", 2.0)
    with np.errstate(all="ignore"):
        for x, y, e, taken in _distances(case, subject):
            values = (e, directions[x] - directions[y], np.where(taken, shares, 0.0)[..., None])
            e, t, s = (value.astype(np.float16) for value in values)
            if p != 1.0 and not np.isfinite(_bent(e, t, s, p)).all():
                return True
    return False


def _distances(case: Case, subject: Subject) -> list[tuple[str, str, Array, Array]]:
    """Both operands of each distance, their difference as it is stored, and the rows in which the distance counts."""
    about, given, format = operator("triplet_margin_loss"), case.arguments, subject.format
    values, eps = about.operands(case, format), round_to(np.asarray(given.get("eps", 1e-6)), format.accumulator)
    pairs = [("anchor", "positive"), ("anchor", "negative"), ("positive", "negative")][: 3 if given.get("swap") else 2]
    e = [round_to(round_to(values[x] - values[y], format.storage) + eps, format.storage) for x, y in pairs]
    near, far, *other = (np.linalg.norm(difference, given.get("p", 2.0), -1) for difference in e)
    swapped = other[0] < far if other else far < far
    active = given.get("margin", 1.0) + near - np.where(swapped, other[0] if other else far, far) >= 0.0
    taken = active, active & ~swapped, active & swapped
    return [(*pair, each, rows) for pair, each, rows in zip(pairs, e, taken, strict=False)]


def _bent(e: Array, t: Array, s: Array, p: float) -> Array:
    """The largest of autograd's steps from ``s·(e/d)``, or with p = 3 from ``(s/d²)·e·|e|``, to its derivative along t,
    in the dtype of the operands; zero where there is no distance."""
    d = np.linalg.norm(e.astype(np.float32), p, -1, keepdims=True).astype(e.dtype)
    if p == 2.0:
        through = _sum(t * s * (e / d / d))
        steps = [t * s / d, t * s * (e / d / d), through, through * (e / d)]
    else:
        power, w = d * d, e * np.abs(e)
        along, straight = _sum(t * w), t * (s / power)
        to_distance = along * (s / power / power) * (2 * d) / power
        to_share = np.where(s != 0.0, along / power, 0.0)
        steps = [straight * np.abs(e), straight * e, to_share, to_distance, to_distance * w]
    return np.where(d > 0.0, reduce(np.maximum, map(np.abs, steps)), 0.0)


def _sum(terms: Array) -> Array:
    """A sum over rows, formed in float32."""
    return terms.astype(np.float32).sum(-1, keepdims=True).astype(terms.dtype)


@known(
    "cosine-embedding-loss-second-gradient-overflows",
    ("cosine_embedding_loss",),
    severity="wrong gradient",
    laws=("gradients of gradients",),
    dtypes=("float16",),
    why="of one element a cosine is a sign, whose second derivative is zero; of several it is of the size of one over "
    "the square of a norm, a number of float16",
    example=Case({"input1": (1,), "input2": (1,)}, {}, "normal", seed=21),
)
def _small_norms_bent(case: Case, subject: Subject) -> bool:
    """Autograd divides cotangent and direction by the fourth power of the root of both squares of norms, past what
    float16 holds, before it multiplies by one of these."""
    about, format, narrow = operator("cosine_embedding_loss"), subject.format, np.float16
    x, y = (_rows(name, case, subject).astype(narrow) for name in ("input1", "input2"))
    directions = about.directions(case, format)
    h, k = (directions[name].astype(narrow) for name in ("input1", "input2"))
    g = about.cotangent(case, format) / (x[..., 0].size if case.arguments.get("reduction", "mean") == "mean" else 1)
    with np.errstate(all="ignore"):
        xx, yy = _sum(x * x), _sum(y * y)
        q = np.sqrt(xx * yy)
        cosine = _sum(x * y) / q
        apart = about.given["target"](case, format) < 0
        flat = apart & (cosine[..., 0] < case.arguments.get("margin", 0.0))
        s = np.where(flat, 0.0, np.where(apart, g, -g)).astype(narrow)[..., None]
        across, hx, ky = _sum(h * y) + _sum(k * x), _sum(h * x + h * x), _sum(k * y + k * y)
        to_root, to_cosine = -s * (cosine / q) / (2 * q), s * ((hx * yy + ky * xx) / (2 * q))
        to_q = (
            -(hx * yy + ky * xx) * (to_root / (2 * q)) * 2 + to_cosine * (cosine / q / q)
            + (to_cosine / q) * (cosine / q) - across * (s / q / q)
        )  # fmt: skip
        to_product = to_q / (2 * q)
        to_x = s / q * k - to_cosine / q / q * y + (to_product * yy + ky * to_root) * x + to_root * yy * h
        to_y = s / q * h - to_cosine / q / q * x + (to_product * xx + hx * to_root) * y + to_root * xx * k
        return not (np.isfinite(to_x) & np.isfinite(to_y)).all()
