"""Planted faults, which the laws must catch, and correct kernels in unusual orders, which they must not.

Each is a program with the signature of the torch function that it stands for. The faults are of the kinds that
kernels really have: a wrong tap, a flipped kernel, a forgotten argument, a narrow accumulator, a wrong tail lane.
"""

from __future__ import annotations

from properties.faults import convolution, correct, dense, gradients, pointwise, pooling, second, settings, special
from properties.faults.record import CORRECT, FAULTS, Planted

__all__ = [
    "CORRECT", "FAULTS", "Planted", "convolution", "correct", "dense", "gradients", "pointwise", "pooling", "second",
    "settings", "special",
]  # fmt: skip
