"""Steps of optimizers as torch computes them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

Compiler = Callable[[Callable[..., Any]], Callable[..., Any]]


def sgd(
    parameter: Tensor,
    gradient: Tensor,
    momentum_buffer: Tensor | None = None,
    compiled: Compiler | None = None,
    **options: Any,
) -> dict[str, Tensor]:
    """One step of torch.optim.SGD: the parameter and, with momentum, the velocity that is kept for the next.

    compiled: what compiles the optimizer's step, if anything does.
    """
    if options.get("fused") and parameter.device.type == "meta":
        raise NotImplementedError("SGD has no fused form on the meta device")
    stepped = nn.Parameter(parameter.clone())
    stepped.grad = gradient.clone()
    optimizer = torch.optim.SGD([stepped], **options)
    if momentum_buffer is not None:
        optimizer.state[stepped]["momentum_buffer"] = momentum_buffer.clone()
    _compile_step(optimizer, compiled)
    optimizer.step()
    velocity = optimizer.state[stepped].get("momentum_buffer")
    return {"output": stepped.detach()} | ({} if velocity is None else {"velocity": velocity})


def sgd_steps(**given: Any) -> dict[str, Tensor]:
    """Several steps of torch.optim.SGD on a list of parameters (:func:`in_turn`).

    Returns the velocities that are kept beside the parameters and, with momentum, how many these are ("kept").
    """
    results = in_turn(torch.optim.SGD, {"momentum_buffer": "velocity"}, **given)
    kept = sum(name.startswith("velocity") for name in results)
    return results | ({"kept": results["output"].new_tensor(kept)} if given.get("momentum") else {})


def in_turn(
    kind: type[torch.optim.Optimizer],
    state: Mapping[str, str],
    steps: Sequence[str],
    dtypes: Sequence[str | None],
    frozen: int,
    scale: float,
    compiled: Compiler | None = None,
    **given: Any,
) -> dict[str, Tensor]:
    """Several steps of an optimizer on a list of parameters, some of them by way of torch.amp.GradScaler.

    given: "parameter i" and "gradients i", one for each step, and options. A "scaled" step gets gradients times the
    scaler's scale, an "overflowing" one has an infinite element, too; a "plain" one knows no scaler. The parameters of
    odd i have no gradients in the first ``frozen`` steps. dtypes: of each parameter, see :func:`kept_in`. Returns the
    parameters ("output", "output 1" …), what the optimizer keeps of them, and the scale. state: what it keeps, and how
    that is named in the results. compiled: see :func:`sgd`.
    """
    operands = {name: given.pop(name) for name in list(given) if isinstance(given[name], Tensor)}
    first, count = operands["parameter 0"], len(dtypes)
    kinds = [kept_in(dtype, first.dtype) for dtype in dtypes]
    scaled = any(step != "plain" for step in steps)
    _decline(first.device.type, scaled, bool(given.get("fused")), torch.float16 in kinds)
    parameters = [nn.Parameter(operands[f"parameter {i}"].to(dtype, copy=True)) for i, dtype in enumerate(kinds)]
    optimizer = kind(parameters, **given)
    _compile_step(optimizer, compiled)
    scaler = torch.amp.GradScaler(first.device.type, init_scale=scale, growth_interval=2) if scaled else None
    for t, step in enumerate(steps):
        for i, parameter in enumerate(parameters):
            gradient = operands[f"gradients {i}"][t].to(parameter.dtype, copy=True).contiguous()
            parameter.grad = None if i % 2 and t < frozen else gradient
        if scaler is None or step == "plain":
            optimizer.step()
        else:
            _scaled_step(scaler, optimizer, parameters, overflowing=step == "overflowing")
    results = {name: p.detach() for name, p in zip(numbered("output", count), parameters, strict=True)}
    for kept, named in state.items():
        values = zip(numbered(named, count), (optimizer.state[p].get(kept) for p in parameters), strict=True)
        results |= {name: value for name, value in values if value is not None}
    results |= {"scale": torch.tensor(scaler.get_scale())} if scaler else {}
    return {name: result.to(first) for name, result in results.items()}


def _compile_step(optimizer: torch.optim.Optimizer, compiled: Compiler | None) -> None:
    if compiled:
        optimizer.step = compiled(optimizer.step)  # type: ignore[method-assign]


def numbered(name: str, count: int) -> list[str]:
    """The names of several results: "name", "name 1", "name 2" …"""
    return [f"{name} {i}" if i else name for i in range(count)]


def kept_in(dtype: str | None, own: torch.dtype) -> torch.dtype:
    """A dtype by its name, if ``own`` has all of its numbers, else ``own``."""
    wanted = torch.finfo(getattr(torch, dtype) if dtype else own)
    fits = wanted.eps > torch.finfo(own).eps and wanted.max <= torch.finfo(own).max
    return getattr(torch, wanted.dtype) if fits else own


def _decline(device: str, scaled: bool, fused: bool, halves: bool) -> None:
    """Raise NotImplementedError for what torch refuses."""
    if device == "meta" and (scaled or fused):
        raise NotImplementedError("neither GradScaler nor fused SGD has a form on the meta device")
    if scaled and halves and not fused:
        raise NotImplementedError("GradScaler unscales no float16 gradients; a fused optimizer does")


def _scaled_step(
    scaler: torch.amp.GradScaler, optimizer: torch.optim.Optimizer, parameters: list[nn.Parameter], overflowing: bool
) -> None:
    """A step on gradients times the scale, which overflow in the last element that there is."""
    factor = scaler.scale(torch.ones((), device=parameters[0].device)).item()
    gradients = [p.grad for p in parameters if p.grad is not None]
    for gradient in gradients:
        gradient.mul_(factor)
    if overflowing:
        [gradient for gradient in gradients if gradient.numel()][-1].view(-1)[-1] = torch.inf
    scaler.step(optimizer)
    scaler.update()
