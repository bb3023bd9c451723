"""Layers that normalise as torch computes them."""

from __future__ import annotations

from typing import Any

import torch.nn.functional as F
from torch import Tensor


def layer_norm(input: Tensor, weight: Tensor | None = None, bias: Tensor | None = None, **arguments: Any) -> Tensor:
    """torch.nn.functional.layer_norm."""
    return F.layer_norm(input, weight=weight, bias=bias, **arguments)


def rms_norm(input: Tensor, weight: Tensor | None = None, **arguments: Any) -> Tensor:
    """torch.nn.functional.rms_norm."""
    return F.rms_norm(input, weight=weight, **arguments)


def group_norm(input: Tensor, weight: Tensor | None = None, bias: Tensor | None = None, **arguments: Any) -> Tensor:
    """torch.nn.functional.group_norm."""
    return F.group_norm(input, weight=weight, bias=bias, **arguments)


def instance_norm(input: Tensor, weight: Tensor | None = None, bias: Tensor | None = None, **arguments: Any) -> Tensor:
    """torch.nn.functional.instance_norm."""
    return F.instance_norm(input, weight=weight, bias=bias, **arguments)


def batch_norm(
    input: Tensor,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    running_mean: Tensor | None = None,
    running_var: Tensor | None = None,
    **arguments: Any,
) -> dict[str, Tensor]:
    """torch.nn.functional.batch_norm, and the running statistics that it leaves."""
    assert running_mean is not None
    assert running_var is not None
    mean, var = running_mean.detach().clone(), running_var.detach().clone()
    output = F.batch_norm(input, mean, var, weight, bias, **arguments)
    return {"output": output, "running_mean": mean, "running_var": var}


def local_response_norm(input: Tensor, **arguments: Any) -> Tensor:
    """torch.nn.functional.local_response_norm."""
    return F.local_response_norm(input, **arguments)
