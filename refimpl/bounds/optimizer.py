"""Updates with their errors."""

from __future__ import annotations

from refimpl import optimizer
from refimpl.bounds.common import rounded_constant, with_error_of
from refimpl.rounding import Computed


def sgd_step(parameter: Computed, gradient: Computed, lr: float, weight_decay: float = 0.0) -> Computed:
    """``p − lr·(g + λp)``; lr and λ are rounded to the subject's precision first, one rounding each."""
    rate, decay = (rounded_constant(value, parameter) for value in (lr, weight_decay))
    direction = (gradient + decay * parameter).stored() if weight_decay else gradient
    computed = parameter - rate * direction
    value = optimizer.sgd_step(parameter.value, gradient.value, lr, weight_decay=weight_decay)[0]
    return with_error_of(value, computed)
