"""Losses of rows of scores with their errors. Scores are exact; each step may be stored, sums over a row are formed in
the accumulator. Where errors may take a difference to the other side of zero, its slope is that of either side.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from refimpl import margin_loss as loops
from refimpl.arrays import Array
from refimpl.bounds import elementwise_loss, smooth_activation
from refimpl.bounds.activation import sigmoid
from refimpl.bounds.common import column, exact, exactly_added, product
from refimpl.bounds.embedding_loss import loss as loss
from refimpl.bounds.embedding_loss import loss_gradients as loss_gradients
from refimpl.bounds.embedding_loss import loss_second as loss_second
from refimpl.bounds.piecewise_activation import narrow
from refimpl.embedding_loss import Terms
from refimpl.rounding import Computed

Gradients = tuple[Computed, tuple[Computed, ...]]


def multi_margin_loss(
    share: Computed, x: Computed, target: Array, p: int = 1, margin: float = 1.0, weight: Sequence[float] | None = None
) -> Gradients:
    """The class's weight times a difference of two roundings, or its square, over C, or times 1/C."""
    classes = x.shape[-1]
    w = np.ones(classes) if weight is None else np.asarray(weight, dtype=np.float64)
    terms = loops.multi_margin_loss(x.value, target, p, margin, weight)
    return _margins(share, x, terms, loops.right_class(target, classes), w[np.asarray(target)], p, margin)


def multilabel_margin_loss(share: Computed, x: Computed, target: Array) -> Gradients:
    """The same of several classes, without weights."""
    terms, right = loops.multilabel_margin_loss(x.value, target), loops.right_classes(target)
    return _margins(share, x, terms, right, np.ones(x.shape[:-1]), 1, 1.0)


def multilabel_soft_margin_loss(
    share: Computed, x: Computed, target: Array, weight: Sequence[float] | None = None
) -> Gradients:
    """A sum of cross-entropies over C; the slope is that of a sigmoid or of the log of one."""
    values, slopes = loops.multilabel_soft_margin_loss(x.value, target, weight)
    terms, slope, _ = _soft(x, target, weight)
    per_class = (exact(1.0, x) / exact(x.shape[-1], x)).stored()
    total = product(terms.sum(axis=-1).stored(), per_class)
    gradient = product(column(share), per_class, slope)
    return _kept(values, total), (_kept(share.value[..., None] * slopes[0], gradient),)


def multilabel_soft_margin_second(
    share: Computed, x: Computed, h: Computed, target: Array, weight: Sequence[float] | None = None
) -> Gradients:
    """``Σh·slope/C``, and ``s·h·σ·(1 − σ)/C``, where σ may be that of x or of −x, and each product is stored."""
    values, bends = loops.multilabel_soft_margin_second(x.value, h.value, target, weight)
    _, slope, curvature = _soft(x, target, weight)
    per_class = (exact(1.0, x) / exact(x.shape[-1], x)).stored()
    along = product(h, slope, per_class).sum(axis=-1).stored()
    bent = product(column(share), h, per_class, curvature)
    return _kept(values, along), (_kept(share.value[..., None] * bends[0], bent),)


def _soft(x: Computed, target: Array, weight: Sequence[float] | None) -> tuple[Computed, Computed, Computed]:
    """Value, slope and curvature of a class, by what is made of x or of −x, each stored."""
    w, t = None if weight is None else np.asarray(weight), Computed.operand(target, x.format)
    terms, (slope, _), ((curvature, _), _) = elementwise_loss.binary_cross_entropy_with_logits(narrow(x), t, w)
    assert isinstance(slope, Computed)
    assert isinstance(curvature, Computed)
    size, one = 1.0 if w is None else np.abs(w), exact(1.0, narrow(x))
    logs = [smooth_activation.logsigmoid(narrow(each))[1].off for each in (x, -x)]
    bends = [(s * (one - s)).off for s in (sigmoid(narrow(each)) for each in (x, -x))]
    found = (
        (terms.value, terms.off),
        (slope.value, slope.off + np.maximum(*logs) * size),
        (curvature.value, curvature.off + np.maximum(*bends) * size),
    )
    stored = [Computed(value, x.format, off).stored() for value, off in found]
    return stored[0], stored[1], stored[2]


def _margins(
    share: Computed, x: Computed, terms: Terms, right: Array, weight: Array, p: int, margin: float
) -> Gradients:
    """Of each label and each class that is none: ``(margin − x_y) + x_j``, and what is made of it."""
    pairs = right[..., :, None] & ~right[..., None, :]
    of_label, of_class = x.map(lambda v: v[..., :, None]), x.map(lambda v: v[..., None, :])
    inside = exactly_added(exactly_added(exact(margin, x), -narrow(of_label)), narrow(of_class))
    inside = Computed(inside.value, x.format, inside.off)
    surely, turns = inside.value > inside.off, np.abs(inside.value) <= inside.off
    turns = turns & (inside.off > 0.0)
    per_class = (exact(1.0, x) / exact(x.shape[-1], x)).stored()
    w = Computed.operand(np.broadcast_to(weight[..., None, None], pairs.shape), x.format)

    def counted(part: Computed) -> Computed:
        part = Computed(np.broadcast_to(part.value, pairs.shape), x.format, np.broadcast_to(part.off, pairs.shape))
        off = np.where(pairs & turns, part.reach, np.where(pairs & surely, part.off, 0.0))
        return Computed(np.where(pairs & (inside.value > 0.0), part.value, 0.0), x.format, off)

    powers = product(w, per_class, *([inside] * p))
    steepness = exact(1.0, x) if p == 1 else inside.map(lambda v: 2.0 * v)
    spread = share.map(lambda g: np.broadcast_to(g[..., None, None], pairs.shape))
    slopes = counted(product(spread, w, per_class, steepness))
    value = counted(powers).sum(axis=(-2, -1)).stored()
    to_class, to_label = slopes.sum(axis=-2).stored(), slopes.sum(axis=-1).stored()
    gradient = (to_class - to_label).stored()
    return _kept(terms[0], value), (_kept(share.value[..., None] * terms[1][0], gradient),)


def _kept(value: Array, computed: Computed) -> Computed:
    return Computed(value, computed.format, np.broadcast_to(computed.off, np.shape(value)))
