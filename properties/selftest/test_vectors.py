"""Torch's vectors are as wide as the ledger takes them to be."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F

from properties.ledger.aten_activation import lanes


@pytest.mark.parametrize(("function", "widest"), [(F.softshrink, False), (F.elu, True)])
def test_vectors_are_as_wide_as_they_show(function: Callable[..., torch.Tensor], widest: bool) -> None:
    """The slope at NaN tells whole vectors from what is behind them: few kernels are built for AVX-512."""
    count = 4 * lanes(widest=True) - 1
    x = torch.full((count,), math.nan, dtype=torch.bfloat16, requires_grad=True)
    function(x).backward(torch.ones_like(x))
    assert x.grad is not None
    told = x.grad.nan_to_num(-1.0)
    if told.eq(told[0]).all():
        pytest.skip("not run (this torch has one slope at NaN)")
    assert int(told.ne(told[-1]).sum()) == count - count % (2 * lanes(widest=widest))
