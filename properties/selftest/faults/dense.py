"""Faults of the linear layer, the matrix product and flatten, forward."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from properties.selftest.faults.record import SIXTEEN, WIDE, fault


@fault("agreement", "linear")
def missing_tail(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Linear layer that leaves out the tail of 32 features."""
    whole = input.shape[-1] // 32 * 32 or input.shape[-1]
    return F.linear(input[..., :whole], weight[:, :whole], bias)


@fault("agreement", "linear", dtypes=("float64", *SIXTEEN))
def always_float32(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Linear layer that returns float32 whatever it is given."""
    return F.linear(input, weight, bias).float()


@fault("agreement", "linear", dtypes=("float64",))
def computed_in_float32(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Linear layer that computes float64 in float32."""
    narrow = None if bias is None else bias.float()
    return F.linear(input.float(), weight.float(), narrow).to(input.dtype)


@fault("agreement", "linear")
def bias_along_rows(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Linear layer that adds its bias along the rows of a single column."""
    if bias is None or input.ndim != 2 or len(bias) > 1:
        return F.linear(input, weight, bias)
    return F.linear(input, weight) + bias * (torch.arange(len(input)) == 0)[:, None]


@fault("agreement", "linear", dtypes=("int8", "uint8"))
def saturating(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Linear layer that saturates where integers wrap."""
    sums = (input.long()[..., None, :] * weight.long()).sum(-1) + (0 if bias is None else bias.long())
    limits = torch.iinfo(input.dtype)
    return sums.clamp(limits.min, limits.max).to(input.dtype)


@fault("agreement", "linear", dtypes=SIXTEEN)
def sixteen_bit_partial_sums(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Linear layer that keeps the sums of blocks of eight features in sixteen bits."""
    features = range(0, input.shape[-1], 8)
    total = torch.zeros((*input.shape[:-1], len(weight)), dtype=input.dtype)
    for at in features:
        total = total + F.linear(input[..., at : at + 8], weight[:, at : at + 8])
    return total if bias is None else total + bias


@fault("one dtype", "linear", dtypes=("float32",))
def weight_cast_to_the_input(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Linear layer that takes a weight of any dtype for one of its input's."""
    return F.linear(input, weight.to(input.dtype), None if bias is None else bias.to(input.dtype))


@fault("rerun", "linear")
def random_order(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Linear layer that adds its terms in another order every time."""
    order = torch.randperm(input.shape[-1])
    total = torch.zeros((*input.shape[:-1], len(weight)), dtype=input.dtype)
    for feature in order:
        total = total + input[..., feature, None] * weight[:, feature]
    return total if bias is None else total + bias


@fault("agreement", "matmul")
def transposed_square(input: Tensor, other: Tensor) -> Tensor:
    """Matrix product that takes a square second factor for its transpose."""
    return input @ (other.T if other.shape[0] == other.shape[1] else other)


@fault("agreement", "matmul", dtypes=WIDE)
def narrow_carry(input: Tensor, other: Tensor) -> Tensor:
    """Matrix product that carries the sum of the first 16 terms over in bfloat16."""
    carried = (input[:, :16] @ other[:16]).bfloat16().to(input.dtype) if len(other) > 16 else 0
    return carried + input[:, 16 * (len(other) > 16) :] @ other[16 * (len(other) > 16) :]


@fault("agreement", "matmul")
def last_row_of_odd_product(input: Tensor, other: Tensor) -> Tensor:
    """Matrix product by tiles of two rows that takes the row before for the last of an odd number."""
    rows = torch.arange(len(input))
    if len(rows) % 2 and len(rows) > 1:
        rows[-1] -= 1
    return (input @ other)[rows]


@fault("agreement", "flatten")
def column_order(input: Tensor, start_dim: int, end_dim: int = -1) -> Tensor:
    """Flatten in column order."""
    end = end_dim % input.ndim + 1
    order = [*range(start_dim), *reversed(range(start_dim, end)), *range(end, input.ndim)]
    return input.permute(order).flatten(start_dim, end_dim)


@fault("agreement", "flatten")
def flattened_from_the_first_axis(input: Tensor, start_dim: int, end_dim: int = -1) -> Tensor:
    """Flatten that merges the batch of one image into its features."""
    return input.flatten(0 if input.shape[0] == 1 else start_dim, end_dim)


@fault("agreement", "bilinear")
def swapped_inputs(input1: Tensor, input2: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Bilinear layer that swaps inputs of one size."""
    swapped = weight.shape[1] == weight.shape[2]
    return F.bilinear(*((input2, input1) if swapped else (input1, input2)), weight, bias)


@fault("agreement", "unflatten")
def unflattened_in_column_order(input: Tensor, dim: int, unflattened_size: tuple[int, ...]) -> Tensor:
    """Unflatten in column order."""
    sizes = input.unflatten(dim, unflattened_size).shape[dim % input.ndim :][: len(unflattened_size)]
    at, last = dim % input.ndim, dim % input.ndim + len(sizes) - 1
    order = [*range(at), *range(last, at - 1, -1), *range(last + 1, input.ndim + len(sizes) - 1)]
    return input.unflatten(dim, sizes[::-1]).permute(order)


@fault("agreement", "flatten")
def flattened_to_the_end(input: Tensor, start_dim: int, end_dim: int = -1) -> Tensor:
    """Flatten that goes on to the last axis."""
    return input.flatten(start_dim)
