"""Updates with their errors."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from refimpl import optimizer
from refimpl.bounds.common import rounded_constant, with_error_of
from refimpl.rounding import Computed


def sgd_step(parameter: Computed, gradient: Computed, lr: float, weight_decay: float = 0.0) -> Computed:
    """``w − lr·(g + λw)``; lr and λ may be rounded to the subject's storage first, and products stored."""
    rate, decay = (rounded_constant(value, parameter) for value in (lr, weight_decay))
    direction = (gradient + (decay * parameter).stored()).stored() if weight_decay else gradient
    computed = parameter - (rate * direction).stored()
    value = optimizer.sgd_step(parameter.value, gradient.value, lr, weight_decay=weight_decay)[0]
    return with_error_of(value, computed)


def momentum_step(
    parameter: Computed,
    gradient: Computed,
    momentum_buffer: Computed | None = None,
    *,
    lr: float,
    momentum: float = 0.0,
    weight_decay: float = 0.0,
    dampening: float = 0.0,
    nesterov: bool = False,
    maximize: bool = False,
) -> tuple[Computed, Computed]:
    """:func:`refimpl.optimizer.sgd_step` with all its options, each line of it stored: w' and v'.

    lr, λ, μ and 1 − τ may be rounded to the storage first, and products stored, as in :func:`sgd_step`.
    """
    decay, mu, fresh, rate = (rounded_constant(v, parameter) for v in (weight_decay, momentum, 1.0 - dampening, lr))
    g = -gradient if maximize else gradient
    direction = (g + (decay * parameter).stored()).stored() if weight_decay else g
    velocity = direction
    if momentum and momentum_buffer is not None:
        velocity = ((mu * momentum_buffer).stored() + (fresh * direction).stored()).stored()
    taken = (direction + (mu * velocity).stored()).stored() if nesterov else velocity
    values = optimizer.sgd_step(
        parameter.value, gradient.value, lr, None if momentum_buffer is None else momentum_buffer.value, momentum,
        weight_decay, dampening, nesterov, maximize,
    )  # fmt: skip
    # Without momentum or decay the velocity is the gradient itself: moved, not computed.
    kept = Computed(values[1], velocity.format, velocity.error)
    return with_error_of(values[0], parameter - (rate * taken).stored()), kept


def momentum_steps(
    parameters: Sequence[Computed], gradients: Iterable[Sequence[Computed | None]], **options: Any
) -> tuple[list[Computed], list[Computed | None]]:
    """:func:`refimpl.optimizer.sgd_steps`: each step begins with the errors of those before it."""
    return optimizer.sgd_steps(parameters, gradients, momentum_step, **options)
