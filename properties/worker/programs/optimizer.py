"""Updates and initial values as torch computes them."""

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


def xavier_uniform(empty: Tensor, seed: int, gain: float = 1.0) -> Tensor:
    """torch.nn.init.xavier_uniform_ of a tensor, from a seed."""
    torch.manual_seed(seed)
    return nn.init.xavier_uniform_(empty.clone(), gain)


def xavier_normal(empty: Tensor, seed: int, gain: float = 1.0) -> Tensor:
    """torch.nn.init.xavier_normal_ of a tensor, from a seed."""
    torch.manual_seed(seed)
    return nn.init.xavier_normal_(empty.clone(), gain)
