"""The catalogue: every operator that the suite verifies."""

from __future__ import annotations

from properties.operators import convolution, dense, losses, pointwise, pooling, updates
from properties.operators.record import Operator

CATALOGUE: tuple[Operator, ...] = (
    *convolution.OPERATORS,
    *pooling.OPERATORS,
    *dense.OPERATORS,
    *pointwise.OPERATORS,
    *losses.OPERATORS,
    *updates.OPERATORS,
)


def operator(name: str) -> Operator:
    """The operator of that name. Raises KeyError where there is none."""
    return {o.name: o for o in CATALOGUE}[name]


__all__ = ["CATALOGUE", "Operator", "operator"]
