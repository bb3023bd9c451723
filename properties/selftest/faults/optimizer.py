"""Faults of the optimizer."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from properties.selftest.faults.record import WIDE, fault
from properties.worker.programs.optimizer import sgd, sgd_steps


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


@fault("agreement", "sgd_steps")
def overflowing_step_taken(steps: tuple[str, ...], **given: Any) -> dict[str, Tensor]:
    """SGD that skips no step and leaves out what overflows."""
    taken = tuple("scaled" if step == "overflowing" else step for step in steps)
    return sgd_steps(steps=taken, **given)


@fault("agreement", "sgd_steps")
def scaled_twice(steps: tuple[str, ...], **given: Any) -> dict[str, Tensor]:
    """SGD that leaves a factor of two in gradients that were scaled."""
    factors = torch.tensor([2.0 if step == "scaled" else 1.0 for step in steps])
    for name in [name for name in given if name.startswith("gradients")]:
        given[name] = given[name] * factors.to(given[name]).view(-1, *(1,) * (given[name].ndim - 1))
    return sgd_steps(steps=steps, **given)


@fault("agreement", "sgd_steps")
def four_parameters_at_most(**given: Any) -> dict[str, Tensor]:
    """SGD that moves the first four parameters of a list."""
    results = sgd_steps(**given)
    left = range(4, len(given["dtypes"]))
    return results | {f"output {i}": given[f"parameter {i}"].clone() for i in left}


@fault("agreement", "sgd_steps")
def missing_gradient_of_zeros(frozen: int, **given: Any) -> dict[str, Tensor]:
    """SGD that takes a missing gradient for zeros, so that velocities begin and weights decay."""
    for i in range(1, len(given["dtypes"]), 2):
        given[f"gradients {i}"] = given[f"gradients {i}"].clone()
        given[f"gradients {i}"][:frozen] = 0.0
    return sgd_steps(frozen=0, **given)


@fault("agreement", "sgd_steps", dtypes=WIDE)
def one_dtype_for_all(dtypes: tuple[str | None, ...], **given: Any) -> dict[str, Tensor]:
    """SGD that keeps all parameters of a list in the dtype of the last."""
    return sgd_steps(dtypes=dtypes[-1:] * len(dtypes), **given)


@fault("agreement", "sgd_steps")
def scale_never_grows(**given: Any) -> dict[str, Tensor]:
    """SGD with a scale that overflowing steps halve and no step doubles."""
    results, scale = sgd_steps(**given), given["scale"]
    for step in given["steps"]:
        scale *= 0.5 if step == "overflowing" else 1.0
    return results | ({"scale": torch.full_like(results["scale"], scale)} if "scale" in results else {})
