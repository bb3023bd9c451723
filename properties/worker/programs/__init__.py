"""What subjects run: torch calls with operands and arguments by name.

torch only, and nothing else of the suite, so that a worker under another interpreter can run them. A program is a
function of a module here or of torch itself; a worker finds it by its name. Modules that are listed below are loaded
before workers are forked; any other is when it is first asked for. Whatever torch.nn.functional computes is called
through the module's own ``F``, for which kernels can stand.
"""

from __future__ import annotations

from properties.worker.programs import (
    activation,
    adam,
    adaptive_pooling,
    convolution,
    dense,
    dropout,
    elementwise_loss,
    embedding_loss,
    fractional_pooling,
    initializer,
    interpolation,
    lenet,
    loss,
    margin_loss,
    matrix_product,
    modules,
    normalization,
    optimizer,
    padded_convolution,
    padding,
    piecewise_activation,
    pooling,
    power_pooling,
    reduction,
    residual,
    rewrites,
    shuffling,
    smooth_activation,
    soft_targets,
    tasks,
    transposed,
    unfolding,
    unpooling,
)

VIEWS = (dense.flatten, dense.unflatten, modules.module, dropout.dropout, dropout.feature_dropout,
         dropout.alpha_dropout, dropout.feature_alpha_dropout)  # fmt: skip
"""The programs whose output may share memory with an operand, as torch documents."""

STEPS = (optimizer.sgd, optimizer.sgd_steps, adam.adam_steps, adam.adamw_steps)
"""The programs of which a part is compiled: torch.compile makes no parameters within a graph, but compiles a step."""

__all__ = [
    "STEPS",
    "VIEWS",
    "activation",
    "adam",
    "adaptive_pooling",
    "convolution",
    "dense",
    "dropout",
    "elementwise_loss",
    "embedding_loss",
    "fractional_pooling",
    "initializer",
    "interpolation",
    "lenet",
    "loss",
    "margin_loss",
    "matrix_product",
    "modules",
    "normalization",
    "optimizer",
    "padded_convolution",
    "padding",
    "piecewise_activation",
    "pooling",
    "power_pooling",
    "reduction",
    "residual",
    "rewrites",
    "shuffling",
    "smooth_activation",
    "soft_targets",
    "tasks",
    "transposed",
    "unfolding",
    "unpooling",
]
