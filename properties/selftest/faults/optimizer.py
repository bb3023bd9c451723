"""Faults of the optimizer."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from properties.selftest.faults.record import fault
from properties.worker.programs.optimizer import sgd


@fault("agreement", "sgd")
def weight_decay_sign(parameter: Tensor, gradient: Tensor, **options: Any) -> dict[str, Tensor]:
    """SGD whose weight decay adds to the step with the wrong sign."""
    sign = 2.0 if options.get("maximize") else -2.0
    return sgd(parameter, gradient + sign * options.get("weight_decay", 0.0) * parameter, **options)


@fault("agreement", "sgd")
def weight_decay_maximized(parameter: Tensor, gradient: Tensor, **options: Any) -> dict[str, Tensor]:
    """SGD that maximizes by turning the weight decay round with the gradient."""
    twice = 2.0 * options.get("weight_decay", 0.0) * options.get("maximize", False)
    return sgd(parameter, gradient + twice * parameter, **options)


@fault("agreement", "sgd")
def decoupled_weight_decay(
    parameter: Tensor, gradient: Tensor, weight_decay: float = 0.0, **options: Any
) -> dict[str, Tensor]:
    """SGD whose weight decay does not depend on the learning rate."""
    stepped = sgd(parameter, gradient, **options)
    return {**stepped, "output": stepped["output"] - weight_decay * parameter}


@fault("agreement", "sgd", dtypes=("float64",))
def learning_rate_in_float32(parameter: Tensor, gradient: Tensor, lr: float, **options: Any) -> dict[str, Tensor]:
    """SGD that keeps its learning rate in float32."""
    return sgd(parameter, gradient, lr=float(torch.tensor(lr, dtype=torch.float32)), **options)


@fault("agreement", "sgd")
def plain_momentum(parameter: Tensor, gradient: Tensor, nesterov: bool = False, **options: Any) -> dict[str, Tensor]:
    """SGD that takes plain momentum for Nesterov's."""
    return sgd(parameter, gradient, **options)


@fault("agreement", "sgd")
def dampened_first_step(
    parameter: Tensor, gradient: Tensor, momentum_buffer: Tensor | None = None, **options: Any
) -> dict[str, Tensor]:
    """SGD that applies dampening on the first step too."""
    if options.get("momentum") and momentum_buffer is None:
        momentum_buffer = torch.zeros_like(parameter)
    return sgd(parameter, gradient, momentum_buffer, **options)


@fault("agreement", "sgd")
def forgotten_velocity(parameter: Tensor, gradient: Tensor, **options: Any) -> dict[str, Tensor]:
    """SGD that steps with its velocity and keeps the gradient for the next."""
    stepped = sgd(parameter, gradient, **options)
    return stepped | ({"velocity": gradient.clone()} if "velocity" in stepped else {})
