"""An answer to a task of KernelBench's form that passes the task's own check, and is wrong: see in which part.

    tox run -e check -- examples/answer.py

The window is padded with zeros, not with −∞. The task's inputs are never negative, and so it makes no difference there.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Model(nn.Module):
    """The task: what is to be computed."""

    def __init__(self, kernel_size: int, stride: int, padding: int) -> None:
        super().__init__()
        self.pool = nn.MaxPool2d(kernel_size, stride, padding)

    def forward(self, x: Tensor) -> Tensor:
        """The largest element of each window."""
        return self.pool(x)


class ModelNew(nn.Module):
    """The answer."""

    def __init__(self, kernel_size: int, stride: int, padding: int) -> None:
        super().__init__()
        self.kernel_size, self.stride, self.padding = kernel_size, stride, padding

    def forward(self, x: Tensor) -> Tensor:
        """The largest element of each window of a padded copy."""
        padded = F.pad(x, (self.padding,) * 4)
        windows = padded.unfold(2, self.kernel_size, self.stride).unfold(3, self.kernel_size, self.stride)
        return windows.amax((-2, -1))


batch_size, channels, height, width = 16, 32, 64, 64
kernel_size, stride, padding = 3, 2, 1


def get_inputs() -> list[Tensor]:
    """A batch of images."""
    return [torch.rand(batch_size, channels, height, width)]


def get_init_inputs() -> list[int]:
    """The arguments of both constructors."""
    return [kernel_size, stride, padding]
