"""Planted faults, which the laws must catch, and correct kernels in unusual orders, which they must not.

Each is a program with the signature of the torch function that it stands for. The faults are of the kinds that
kernels really have: a wrong tap, a flipped kernel, a forgotten argument, a narrow accumulator, a wrong tail lane.
Every module of this folder is loaded, and registers its own.
"""

from __future__ import annotations

import importlib
import pkgutil

from properties.selftest.faults.record import CORRECT, FAULTS, Planted

for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")

__all__ = ["CORRECT", "FAULTS", "Planted"]
