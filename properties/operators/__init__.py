"""The catalogue: every operator that the suite verifies.

Each module of this folder with ``OPERATORS`` is a family of them, found by scanning: a new one is a file, and no list
names it.
"""

from __future__ import annotations

import difflib
import importlib
import pkgutil
from collections.abc import Iterable
from dataclasses import replace

from properties.operators.record import Operator

CHAPTER = ("convolution", "pooling", "adaptive_pooling", "power_pooling", "unpooling", "fractional_pooling", "dense",
         "activation", "loss", "soft_targets", "optimizer", "padded_convolution", "transposed", "padding",
         "unfolding")  # fmt: skip
"""The families that LeNet is made of, and those beside them, in the order in which they are held and reported. One that
is not named here follows these, by its name, and is dealt fewer cases in a usual run."""
ALL = "all"


def _families() -> list[str]:
    names = sorted(found.name for found in pkgutil.iter_modules(__path__))
    return sorted(names, key=lambda name: CHAPTER.index(name) if name in CHAPTER else len(CHAPTER))


CATALOGUE: tuple[Operator, ...] = tuple(
    replace(each, family=name)
    for name in _families()
    for each in getattr(importlib.import_module(f"{__name__}.{name}"), "OPERATORS", ())
)


def operator(name: str) -> Operator:
    """The operator of that name. Raises KeyError where there is none."""
    return {o.name: o for o in CATALOGUE}[name]


def chosen(names: Iterable[str]) -> list[Operator]:
    """The operators of these names: their own, those of families, "chapter", or "all". Raises ValueError.

    >>> [str(each) for each in chosen(["tanh", "unfolding"])]
    ['tanh', 'unfold', 'fold']
    """
    wanted = set(names)
    words = {ALL, "chapter", *(o.family for o in CATALOGUE), *(o.name for o in CATALOGUE)}
    for name in sorted(wanted - words):
        near = difflib.get_close_matches(name, words, n=3, cutoff=0.3)
        raise ValueError(f"{name!r} is no operator and no family; the nearest: {', '.join(near) or 'chapter, all'}")
    return [o for o in CATALOGUE if wanted & {ALL, o.name, o.family, "chapter" if o.family in CHAPTER else ALL}]


__all__ = ["ALL", "CATALOGUE", "CHAPTER", "Operator", "chosen", "operator"]
