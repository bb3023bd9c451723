"""Initial values as torch computes them."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def xavier_uniform(empty: Tensor, seed: int, gain: float = 1.0) -> Tensor:
    """torch.nn.init.xavier_uniform_ of a tensor, from a seed."""
    torch.manual_seed(seed)
    return nn.init.xavier_uniform_(empty.clone(), gain)


def xavier_normal(empty: Tensor, seed: int, gain: float = 1.0) -> Tensor:
    """torch.nn.init.xavier_normal_ of a tensor, from a seed."""
    torch.manual_seed(seed)
    return nn.init.xavier_normal_(empty.clone(), gain)
