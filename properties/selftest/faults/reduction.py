"""Faults of reductions over axes."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from properties.selftest.faults.record import EVERY, WIDE, as_if_contiguous, fault, with_slope_of


@fault("agreement", "sum", dtypes=(*EVERY, "int32"))
def sum_without_its_tail(input: Tensor, dim: Any, keepdim: bool) -> Tensor:
    """Sum over one axis that leaves out the tail of 32 elements."""
    whole = input.shape[dim] // 32 * 32 if isinstance(dim, int) else 0
    return torch.sum(input.narrow(dim, 0, whole) if whole else input, dim, keepdim, dtype=input.dtype)


@fault("layouts", "sum")
def sum_of_memory(input: Tensor, dim: Any, keepdim: bool) -> Tensor:
    """Sum that reads its input's memory in order, whatever its strides."""
    return torch.sum(as_if_contiguous(input), dim, keepdim, dtype=input.dtype)


@fault("agreement", "mean")
def mean_of_the_last_axis(input: Tensor, dim: Any, keepdim: bool) -> Tensor:
    """Mean over several axes that divides by the size of the last one of them."""
    divisor = input.shape[dim[-1]] if isinstance(dim, tuple) else input.numel() // input.sum(dim).numel()
    return torch.sum(input.double(), dim, keepdim).div(divisor).to(input.dtype)


@fault("gradients", "mean")
def mean_of_undivided_gradient(input: Tensor, dim: Any, keepdim: bool) -> Tensor:
    """Mean whose gradient is not divided by the number of elements."""
    return with_slope_of(torch.mean(input, dim, keepdim), torch.sum(input, dim, keepdim))


@fault("agreement", "max")
def index_of_the_last_maximum(input: Tensor, dim: int, keepdim: bool) -> tuple[Tensor, Tensor]:
    """Maximum with the index of the last of equal elements."""
    values, indices = torch.max(input.flip(dim), dim, keepdim)
    return values, input.shape[dim] - 1 - indices


@fault("gradients", "max", dtypes=WIDE)
def gradient_shared_by_equals(input: Tensor, dim: int, keepdim: bool) -> tuple[Tensor, Tensor]:
    """Maximum whose gradient is shared by equal elements."""
    values, indices = torch.max(input.detach(), dim, keepdim)
    return with_slope_of(values, torch.amax(input, dim, keepdim)), indices


@fault("special maxima", "min", dtypes=WIDE)
def nan_lost_in_a_minimum(input: Tensor, dim: int, keepdim: bool) -> tuple[Tensor, Tensor]:
    """Minimum that passes over NaN."""
    values, indices = torch.min(input.nan_to_num(torch.inf, torch.inf, -torch.inf), dim, keepdim)
    return values, indices


@fault("agreement", "argmax", dtypes=(*EVERY, "int8"))
def index_within_the_last_axis(input: Tensor, dim: int | None, keepdim: bool) -> Tensor:
    """Index of the largest of all elements that is counted along the last axis alone."""
    index = torch.argmax(input, dim, keepdim)
    return index % input.shape[-1] if dim is None else index


@fault("agreement", "argmin")
def index_of_the_smallest_size(input: Tensor, dim: int | None, keepdim: bool) -> Tensor:
    """Index of the smallest element that looks at sizes without signs."""
    return torch.argmin(input.abs(), dim, keepdim)


@fault("agreement", "logsumexp", dtypes=WIDE)
def logsumexp_without_shift(input: Tensor, dim: Any, keepdim: bool) -> Tensor:
    """Logarithm of a sum of exponentials that overflow, since the largest is not taken off."""
    return input.exp().sum(dim, keepdim).log()


@fault("special rows", "logsumexp", dtypes=WIDE)
def logsumexp_of_nothing(input: Tensor, dim: Any, keepdim: bool) -> Tensor:
    """Logarithm of a sum of exponentials that is NaN where every element is −∞."""
    largest = input.amax(dim, keepdim=True)
    total = (input - largest).exp().sum(dim, keepdim=True).log() + largest
    total = torch.where(input.amax(dim, keepdim=True) == torch.inf, torch.inf, total)
    return total.reshape(torch.logsumexp(input.detach(), dim, keepdim).shape)


@fault("agreement", "cumsum", dtypes=(*EVERY, "int16"))
def cumsum_by_blocks(input: Tensor, dim: int) -> Tensor:
    """Cumulative sum by blocks of 16 elements, none of which takes what was summed before."""
    blocks = [torch.cumsum(block, dim, dtype=input.dtype) for block in input.split(16, dim)]
    return torch.cat(blocks, dim)


@fault("gradients", "cumsum")
def cumsum_of_forward_gradient(input: Tensor, dim: int) -> Tensor:
    """Cumulative sum whose gradient is summed from the first element on, too."""
    return with_slope_of(torch.cumsum(input, dim), input.flip(dim).cumsum(dim).flip(dim))


@fault("agreement", "cumprod")
def cumprod_of_sizes(input: Tensor, dim: int) -> Tensor:
    """Cumulative product by logarithms, which loses signs."""
    return input.double().abs().log().cumsum(dim).exp().to(input.dtype)


@fault("gradients", "cumprod")
def cumprod_of_no_zero(input: Tensor, dim: int) -> Tensor:
    """Cumulative product whose gradient is NaN where an element is zero, since it divides by each of them."""
    y = torch.cumprod(input, dim)
    return with_slope_of(y, torch.where(input.detach() == 0, torch.nan * y, y))


@fault("agreement", "argmax", dtypes=(*EVERY, "int8"))
def last_of_equal_elements(input: Tensor, dim: int | None, keepdim: bool) -> Tensor:
    """Index of the largest element that is the last of equal ones."""
    if dim is None or not input.ndim:
        return torch.argmax(input, dim, keepdim)
    return input.shape[dim] - 1 - torch.argmax(input.flip(dim), dim, keepdim)
