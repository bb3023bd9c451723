"""Steps of optimizers as torch computes them."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


def sgd(
    parameter: Tensor, gradient: Tensor, momentum_buffer: Tensor | None = None, **options: Any
) -> dict[str, Tensor]:
    """One step of torch.optim.SGD: the parameter and, with momentum, the velocity that is kept for the next."""
    if options.get("fused") and parameter.device.type == "meta":
        raise NotImplementedError("SGD has no fused form on the meta device")
    stepped = nn.Parameter(parameter.clone())
    stepped.grad = gradient.clone()
    optimizer = torch.optim.SGD([stepped], **options)
    if momentum_buffer is not None:
        optimizer.state[stepped]["momentum_buffer"] = momentum_buffer.clone()
    optimizer.step()
    velocity = optimizer.state[stepped].get("momentum_buffer")
    return {"output": stepped.detach()} | ({} if velocity is None else {"velocity": velocity})
