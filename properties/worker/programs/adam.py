"""Steps of torch.optim.Adam and torch.optim.AdamW as torch computes them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from properties.worker.programs.optimizer import in_turn, kept_in


def adam_steps(**given: Any) -> dict[str, Tensor]:
    """Several steps of torch.optim.Adam on a list of parameters, and the moments and steps that it keeps of each."""
    _decline_some(**given)
    return in_turn(torch.optim.Adam, moments(), **given)


def adamw_steps(**given: Any) -> dict[str, Tensor]:
    """The same of torch.optim.AdamW."""
    _decline_some(**given)
    return in_turn(torch.optim.AdamW, moments(), **given)


def moments() -> dict[str, str]:
    """What Adam keeps of a parameter, under its own names."""
    return {name: name for name in ("exp_avg", "exp_avg_sq", "max_exp_avg_sq", "step")}


def _decline_some(dtypes: Sequence[str | None], eps: float, **given: Any) -> None:
    """Raise NotImplementedError where a dtype takes eps for zero, by which a gradient of zero is divided.

    The same for a long list whose step is compiled, which takes minutes.
    """
    own = given["parameter 0"].dtype
    if any(0.0 < eps < torch.finfo(kept_in(dtype, own)).smallest_normal for dtype in dtypes):
        raise NotImplementedError(f"float16 has no {eps}")
    if given.get("compiled") and len(dtypes) > 5:
        raise NotImplementedError("to compile a step of more than five parameters takes minutes")
