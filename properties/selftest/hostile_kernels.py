"""Kernels with torch's names and signatures, each hostile in a way of its own, for ``--kernels``.

max_pool3d is missing.
"""

from __future__ import annotations

import ctypes
import os
import sys
from typing import Any

import torch
from torch import Tensor


def conv1d(*operands: Tensor | None, **arguments: Any) -> Tensor:
    """Ends the process."""
    os._exit(3)


def conv2d(*operands: Tensor | None, **arguments: Any) -> Tensor:
    """Asks Python to end."""
    sys.exit(3)


def conv3d(*operands: Any, **arguments: Any) -> Tensor:
    """Reads address 0."""
    ctypes.string_at(0)
    return torch.conv3d(*operands, **arguments)


def linear(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Prints megabytes, and is right."""
    print("x" * 2_000_000)
    os.write(2, b"y" * 2_000_000)
    return torch.nn.functional.linear(input, weight, bias)


def sigmoid(input: Tensor) -> Tensor:
    """Overwrites its input."""
    return input.sigmoid_().clone()


def softmax(input: Tensor, dim: int) -> Tensor:
    """Returns a view of its input."""
    return input[:]


def log_softmax(input: Tensor, dim: int) -> Tensor:
    """Returns float64 whatever it is given."""
    return torch.log_softmax(input.double(), dim)


def cross_entropy(input: Tensor, target: Tensor, *rest: Any, **options: Any) -> None:
    """Returns nothing."""


def avg_pool1d(input: Tensor, **arguments: Any) -> Tensor:
    """Says that it is interrupted."""
    raise KeyboardInterrupt


def avg_pool2d(input: Tensor, **arguments: Any) -> Tensor:
    """Says that it is not written yet."""
    raise NotImplementedError("no avg_pool2d yet")


def avg_pool3d(input: Tensor, **arguments: Any) -> str:
    """Returns text."""
    return "output"


def max_pool1d(input: Tensor, **arguments: Any) -> Tensor:
    """Takes more memory than there is."""
    return torch.empty(2**40)


def max_pool2d(input: Tensor, return_indices: bool = False, **arguments: Any) -> Tensor:
    """Returns no indices."""
    return torch.max_pool2d(input, **arguments)
