"""What the machine can do at most, and what LeNet asks of it: FLOP, bytes, matrix-product peak, copy bandwidth."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import prod

import torch
from torch import Tensor, nn

from bench.measure import seconds
from properties.subjects import devices

SIZE = 2048  # of the square matrices: large enough that a product of them is bound by arithmetic
SMALLEST = 256  # where that takes too long: processors without bfloat16 compute it number by number
PATIENCE = 1.0  # seconds that a product may take
COPIED = 2**26  # numbers of four bytes: far beyond any cache
FLOAT_BYTES = 4


@dataclass(frozen=True)
class Work:
    """FLOP and the bytes that must at least move for a number of examples: each operand once, each result once."""

    flop: int = 0
    bytes: int = 0

    def __add__(self, other: Work) -> Work:
        return Work(self.flop + other.flop, self.bytes + other.bytes)


def layer_work(layer: nn.Module, x: Tensor, first: bool = False) -> tuple[Work, Work]:
    """A layer's work on its input x (N, …), forward and backward.

    FLOP are those of the direct algorithm, a multiplication and an addition for each product of a convolution or a
    dense layer, N·outputs·2·(numbers that each output is a sum of); other layers count as none. Backward costs that
    twice, to the input and to the weight, or once where it is the ``first`` layer, whose input needs no gradient.
    """
    y = layer(x)
    own = sum(p.numel() for p in layer.parameters())
    macs = y.numel() * prod(layer.weight.shape[1:]) if isinstance(layer, nn.Conv2d | nn.Linear) else 0
    forward = Work(2 * macs, FLOAT_BYTES * (x.numel() + own + y.numel()))
    to_input = 0 if first else x.numel()
    return forward, Work(2 * macs * (1 if first else 2), FLOAT_BYTES * (y.numel() + x.numel() + to_input + 2 * own))


def training_work(net: nn.Module, images: Tensor) -> tuple[Work, Work]:
    """The work of a network's forward and backward pass on images (N, 1, H, W).

    >>> from bench.lenet import initial_lenet
    >>> [work.flop for work in training_work(initial_lenet(), torch.zeros(1, 1, 28, 28))]
    [833040, 1430880]
    """
    forward = backward = Work()
    with torch.no_grad():
        x = images
        for position, layer in enumerate(net.children()):
            there, back = layer_work(layer, x, first=position == 0)
            forward, backward, x = forward + there, backward + back, layer(x)
    return forward, backward


def products(device: str, dtype: torch.dtype, size: int = SIZE) -> tuple[Callable[[], float], int]:
    """A product of two square matrices: a call that returns its seconds, and its FLOP."""
    a, b = (torch.rand(size, size, device=device).to(dtype) for _ in range(2))
    out = torch.empty_like(a)
    return _timed(lambda: torch.mm(a, b, out=out), device), 2 * size**3


def affordable_size(device: str, dtype: torch.dtype) -> int:
    """The largest size, up to ``SIZE``, of which a product takes no longer than ``PATIENCE``, judged by half of it."""
    size = SMALLEST
    while size < SIZE:
        run, _ = products(device, dtype, size)
        run()
        if 2**3 * run() > PATIENCE:
            break
        size *= 2
    return size


def copies(device: str, numbers: int = COPIED) -> tuple[Callable[[], float], int]:
    """A copy from memory to memory: a call that returns its seconds, and its bytes, read and written."""
    source = torch.rand(numbers, device=device)
    target = torch.empty_like(source)
    return _timed(lambda: target.copy_(source), device), 2 * source.element_size() * numbers


def _timed(work: Callable[[], object], device: str) -> Callable[[], float]:
    return lambda: seconds(work, lambda: devices.synchronize(device))
