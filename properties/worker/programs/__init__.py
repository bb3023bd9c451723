"""What subjects run: torch calls with operands and arguments by name.

torch only, and nothing else of the suite, so that a worker under another interpreter can run them. A program is a
function of a module here or of torch itself; a worker finds it by its name. Whatever torch.nn.functional computes is
called through the module's own ``F``, for which kernels can stand.
"""

from __future__ import annotations

from properties.worker.programs import (
    convolution,
    dense,
    further_pooling,
    lenet,
    losses,
    padding,
    pointwise,
    pooling,
    rewrites,
    unfolding,
    updates,
)

VIEWS = (dense.flatten, dense.unflatten)
"""The programs whose output may share memory with an operand, as torch documents."""

__all__ = [
    "VIEWS",
    "convolution",
    "dense",
    "further_pooling",
    "lenet",
    "losses",
    "padding",
    "pointwise",
    "pooling",
    "rewrites",
    "unfolding",
    "updates",
]
