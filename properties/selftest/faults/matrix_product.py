"""Faults of products of batches of matrices, and of matrices with vectors."""

from __future__ import annotations

import torch
from torch import Tensor

from properties.selftest.faults.record import EVERY, WIDE, as_if_contiguous, fault, with_slope_of


@fault("agreement", "bmm", dtypes=(*EVERY, "int16"))
def one_matrix_for_all(input: Tensor, mat2: Tensor) -> Tensor:
    """Batched product that takes the first of the second factors for all of them from the third on."""
    shared = torch.where((torch.arange(len(mat2)) < 2)[:, None, None], mat2, mat2[:1])
    return torch.bmm(input, shared)


@fault("gradients", "bmm")
def untransposed_square_backward(input: Tensor, mat2: Tensor) -> Tensor:
    """Batched product whose gradient takes square second factors for their transposes."""
    square = mat2.shape[1] == mat2.shape[2]
    return with_slope_of(torch.bmm(input, mat2), torch.bmm(input, mat2.mT if square else mat2))


@fault("layouts", "bmm", dtypes=WIDE)
def transposes_ignored(input: Tensor, mat2: Tensor) -> Tensor:
    """Batched product that reads its second factors' memory in order, whatever their strides."""
    return torch.bmm(input, as_if_contiguous(mat2))


@fault("agreement", "mv")
def last_row_left_out(input: Tensor, vec: Tensor) -> Tensor:
    """Product of a matrix and a vector that gives zero for the last of an odd number of rows."""
    y = torch.mv(input, vec)
    return torch.where(torch.arange(len(y)) == len(y) - 1, 0, y) if len(y) % 2 and len(y) > 1 else y


@fault("agreement", "broadcast_matmul")
def batch_of_the_second(input: Tensor, other: Tensor) -> Tensor:
    """Matrix product that gives the first of a batch of products everywhere where a batch is broadcast."""
    y = torch.matmul(input, other)
    return y[:, :1].expand(y.shape).clone() if input.ndim == 4 and other.ndim == 3 else y


@fault("gradients", "broadcast_matmul")
def shared_factor_of_one(input: Tensor, other: Tensor) -> Tensor:
    """Matrix product in which the gradient to a factor that a batch shares is that of the batch's last product."""
    if other.ndim != 3 or input.ndim != 2:
        return torch.matmul(input, other)
    others = [*input.detach().expand(len(other), *input.shape)[:-1], input]
    return torch.stack([each @ one for each, one in zip(others, other, strict=True)])


@fault("agreement", "mul", dtypes=(*EVERY, "int8"))
def rows_taken_for_columns(input: Tensor, other: Tensor) -> Tensor:
    """Product of elements that takes a vector for a column where it fits as one."""
    column = other.ndim == 1 and input.ndim == 2 and input.shape[0] == input.shape[1]
    return torch.mul(input, other[:, None] if column else other)


@fault("gradients", "mul")
def scale_of_the_first_column(input: Tensor, other: Tensor) -> Tensor:
    """Product of elements whose gradient to a column is that of the first of the elements which it stands for."""
    column = other.ndim == 2 and other.shape[1] == 1 < input.shape[-1]
    kept = (torch.arange(input.shape[-1]) == 0) if column else torch.ones(1, dtype=torch.bool)
    return with_slope_of(torch.mul(input, other), torch.where(kept, input * other, input * other.detach()))
