"""Running a program in eager torch: arrays in, arrays or an error out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch

Array = np.ndarray
COTANGENT = "cotangent of the output"
Tensors = torch.Tensor | tuple[torch.Tensor, ...] | dict[str, torch.Tensor]
Program = Callable[..., Tensors]


@dataclass(frozen=True)
class Observed:
    """A tensor as a subject returned it: its values (None on ``meta``) and what else a caller sees of it."""

    values: Array | None
    shape: tuple[int, ...]
    dtype: str
    device: str


@dataclass(frozen=True)
class Outcome:
    """What came of a call: outputs and gradients by name, or an error; and which operands it changed in place."""

    outputs: dict[str, Observed] = field(default_factory=dict)
    gradients: dict[str, Observed] = field(default_factory=dict)
    error: str | None = None
    changed: tuple[str, ...] = ()

    def part(self, select: Callable[[Array], Array]) -> Outcome:
        """The same outcome with only a part of its output, for laws about some elements."""
        if self.error:
            return self
        whole = self.outputs["output"]
        values = select(np.asarray(whole.values))
        return replace(self, outputs={"output": replace(whole, values=values, shape=values.shape)})


def execute(
    program: Program,
    operands: dict[str, Array],
    arguments: dict[str, Any],
    cotangent: Array | None,
    device: str,
    dtype: str,
) -> Outcome:
    """Call ``program`` on tensors made of ``operands`` and report everything that can be seen of the result.

    Outputs are named "output" (a tensor), "output", "indices" (a pair) or as the program names them (a dict).
    With a cotangent, gradients of ``⟨cotangent, output⟩`` to every operand come along.
    """
    tensors = {name: _tensor(values, device, dtype) for name, values in operands.items()}
    for tensor in tensors.values():
        tensor.requires_grad_(cotangent is not None and tensor.is_floating_point())
    try:
        outputs = _named(program(**tensors, **arguments))
        gradients = {}
        if cotangent is not None:
            outputs["output"].backward(_tensor(cotangent, device, dtype))
            gradients = {name: _observed(t.grad) for name, t in tensors.items() if t.grad is not None}
        observed = {name: _observed(tensor) for name, tensor in outputs.items()}
    except Exception as error:
        kind = "OutOfMemory" if _out_of_memory(error) else type(error).__name__
        return Outcome(error=f"{kind}: {error}")
    return Outcome(observed, gradients, changed=_changed(tensors, operands))


def _tensor(values: Array, device: str, dtype: str) -> torch.Tensor:
    # torch cannot take negative strides; integers (class labels) keep their own dtype.
    tensor = torch.from_numpy(np.array(values))
    return tensor.to(device=device, dtype=getattr(torch, dtype) if tensor.is_floating_point() else None)


def _named(result: Tensors) -> dict[str, torch.Tensor]:
    if isinstance(result, dict):
        return dict(result)
    results = result if isinstance(result, tuple) else (result,)
    return dict(zip(("output", "indices"), results, strict=False))


def _observed(tensor: torch.Tensor) -> Observed:
    values = None
    if tensor.device.type != "meta":
        host = tensor.detach().cpu()
        values = host.to(torch.float64).numpy() if host.is_floating_point() else host.numpy()
    dtype = str(tensor.dtype).removeprefix("torch.")
    return Observed(values, tuple(tensor.shape), dtype, tensor.device.type)


def _changed(tensors: dict[str, torch.Tensor], operands: dict[str, Array]) -> tuple[str, ...]:
    now = {name: _observed(tensor).values for name, tensor in tensors.items()}
    return tuple(
        name
        for name, values in now.items()
        if values is not None and not np.array_equal(values, operands[name], equal_nan=values.dtype.kind == "f")
    )


def _out_of_memory(error: Exception) -> bool:
    """Torch reports exhausted memory of the CPU as a RuntimeError."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return "allocate memory" in str(error) or "bad_alloc" in str(error)


def encode(outcome: Outcome) -> tuple[dict[str, Any], dict[str, Array]]:
    """An outcome as a message's header and arrays."""
    tensors, arrays = [], {}
    for group in ("outputs", "gradients"):
        for name, observed in getattr(outcome, group).items():
            tensors.append([group, name, observed.shape, observed.dtype, observed.device])
            if observed.values is not None:
                arrays[f"{group} {name}"] = observed.values
    return {"error": outcome.error, "changed": outcome.changed, "tensors": tensors}, arrays


def decode(header: dict[str, Any], arrays: dict[str, Array]) -> Outcome:
    """The outcome that :func:`encode` made a message of."""
    groups: dict[str, dict[str, Observed]] = {"outputs": {}, "gradients": {}}
    for group, name, shape, dtype, device in header["tensors"]:
        groups[group][name] = Observed(arrays.get(f"{group} {name}"), shape, dtype, device)
    return Outcome(groups["outputs"], groups["gradients"], header["error"], header["changed"])
