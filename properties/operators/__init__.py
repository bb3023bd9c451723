"""The catalogue: every operator that the suite verifies."""

from __future__ import annotations

from properties.operators import (
    activation,
    adaptive_pooling,
    convolution,
    dense,
    fractional_pooling,
    loss,
    optimizer,
    padded_convolution,
    padding,
    pooling,
    power_pooling,
    soft_targets,
    transposed,
    unfolding,
    unpooling,
)
from properties.operators.record import Operator

CATALOGUE: tuple[Operator, ...] = (
    *convolution.OPERATORS,
    *pooling.OPERATORS,
    *adaptive_pooling.OPERATORS,
    *power_pooling.OPERATORS,
    *unpooling.OPERATORS,
    *fractional_pooling.OPERATORS,
    *dense.OPERATORS,
    *activation.OPERATORS,
    *loss.OPERATORS,
    *soft_targets.OPERATORS,
    *optimizer.OPERATORS,
    *padded_convolution.OPERATORS,
    *transposed.OPERATORS,
    *padding.OPERATORS,
    *unfolding.OPERATORS,
)


def operator(name: str) -> Operator:
    """The operator of that name. Raises KeyError where there is none."""
    return {o.name: o for o in CATALOGUE}[name]


__all__ = ["CATALOGUE", "Operator", "operator"]
