"""The catalogue: every operator that the suite verifies.

Each module of this folder with ``OPERATORS`` is a family of them, found by scanning: a new one is a file, and no list
names it.
"""

from __future__ import annotations

import importlib
import pkgutil

from properties.operators.record import Operator

ORDER = ("convolution", "pooling", "adaptive_pooling", "power_pooling", "unpooling", "fractional_pooling", "dense",
         "activation", "loss", "soft_targets", "optimizer", "padded_convolution", "transposed", "padding",
         "unfolding")  # fmt: skip
"""Families are held and reported in this order; one that is not named here follows these, by its name."""


def _families() -> list[str]:
    names = sorted(found.name for found in pkgutil.iter_modules(__path__))
    return sorted(names, key=lambda name: ORDER.index(name) if name in ORDER else len(ORDER))


CATALOGUE: tuple[Operator, ...] = tuple(
    each for name in _families() for each in getattr(importlib.import_module(f"{__name__}.{name}"), "OPERATORS", ())
)


def operator(name: str) -> Operator:
    """The operator of that name. Raises KeyError where there is none."""
    return {o.name: o for o in CATALOGUE}[name]


__all__ = ["CATALOGUE", "Operator", "operator"]
