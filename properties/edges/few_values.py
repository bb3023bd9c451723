"""Few values in many places: whatever an activation makes of a value, it makes of it wherever the value stands.

Whole vectors and the tail behind them, whole tiles and the rest, are computed by code of their own. So what is promised
for no value alone, such as the slope at NaN, is promised for all elements that are equal.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import strategies as st

from properties.edges.special_losses import PALETTES
from properties.edges.special_values import Special, specials
from properties.operators import Operator
from properties.verdicts.expected import Expected, off
from refimpl.arrays import Array
from refimpl.rounding import Format

KINDS = 3
"""Rows that differ; of a function of single values, values that do."""
LITTLE = -1000.0
"""Stands for −∞ where a bound is asked for: its exponential is zero in every format."""


@dataclass(frozen=True)
class FewValues(Special):
    """A case whose operands, and the cotangent, hold a few rows many times, all of them in the same order."""

    def tensor(self, name: str, shape: tuple[int, ...], format: Format, scale: int = 1) -> Array:
        """Rows of special and normal values along the axis "dim", or single values without one."""
        axis = self.arguments.get("dim")
        classes, others = (1, shape) if axis is None else (shape[axis], np.delete(shape, axis))
        kinds = Special(self.shapes, self.arguments, self.fill, self.seed, palette=self.palette)
        values = Special.tensor(kinds, name, (KINDS, classes), format)
        values[0, 0] = np.random.default_rng(self.seed).choice(specials(self.palette, format.storage))
        placed = values[np.random.default_rng([self.seed, 2]).integers(KINDS, size=tuple(others))]
        return placed[..., 0] if axis is None else np.moveaxis(placed, -1, axis)


@st.composite
def few_values(draw: st.DrawFn, operator: Operator) -> FewValues:
    """An operator's case with few values."""
    case = draw(operator.cases)
    return FewValues(case.shapes, case.arguments, "normal", case.seed, palette=draw(st.sampled_from(PALETTES)))


def alike(seen: Array, near: Expected, format: Format, operands: list[Array], arguments: Mapping[str, Any]) -> Expected:
    """What was seen where the same row stands for the first time; both may be off by the bound of what is near."""
    axis = arguments.get("dim")

    def rows(values: Array) -> Array:
        return values.reshape(-1, 1) if axis is None else np.moveaxis(values, axis, -1).reshape(-1, values.shape[axis])

    bits = np.concatenate([rows(values).view(np.int64) for values in operands], axis=1)
    _, first, kinds = np.unique(bits, axis=0, return_index=True, return_inverse=True)
    found = rows(seen)[first][kinds.reshape(-1)]
    shape = seen.shape if axis is None else np.moveaxis(seen, axis, -1).shape
    wanted = found.reshape(shape) if axis is None else np.moveaxis(found.reshape(shape), -1, axis)
    return Expected.off_by(wanted, 2.0 * off(near, format))


def without_special(values: Array, operator: Operator) -> Array:
    """Values for which there is a bound."""
    if operator.has("falling"):
        return -np.nan_to_num(-values, nan=0.0, posinf=0.0, neginf=LITTLE)
    return np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=LITTLE)


def spread(operands: Mapping[str, Array]) -> list[Array]:
    """The operands on which an element's result depends, each as large as the input: a weight is its channel's."""
    x, *weights = operands.values()
    shapes = [(-1, *(1,) * (x.ndim - 2)) if len(weight) > 1 else (1,) for weight in weights]
    return [x, *(np.broadcast_to(w.reshape(s), x.shape).copy() for w, s in zip(weights, shapes, strict=True))]
