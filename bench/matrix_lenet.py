"""LeNet's convolutions as matrix products that see their pooling.

A value of the 2×2 average pool depends on four neighbouring outputs of a 5×5 convolution, and so on one window of 6×6
inputs. With the windows as columns, all four outputs of all O channels are one product::

    (4·O, C·6·6) @ (C·6·6, U·U·N)

of a matrix that holds each kernel at four offsets and zeros elsewhere. It costs 36/25 of the direct algorithm's
multiplications, on shapes that matrix products are fast on, and windows that overlap less than a kernel's would. A
product with an exact zero adds an exact zero, so the error bound is the convolution's own. The batch is the
innermost axis: every other operation then runs over contiguous vectors, whatever the size of the image.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

KERNEL = 5
WINDOW = KERNEL + 1
OFFSETS = tuple(product((0, 1), repeat=2))


class MatrixLeNet(nn.Sequential):
    """A LeNet (S18) with the layers, and so the parameters and their names, of another; (N, 1, 28, 28) to (N, 10)."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__(*net.children())

    def forward(self, images: Tensor) -> Tensor:
        """Logits of images: the same sums of products as the layers', in another order."""
        layers: list[Any] = [layer for layer in self if isinstance(layer, nn.Conv2d | nn.Linear)]
        conv1, conv2, dense1, dense2, dense3 = layers
        n, _, h, w = images.shape
        x = F.pad(images.reshape(n, h * w).t().reshape(1, h, w, n), (0, 0, 2, 2, 2, 2))
        x = convolve_and_pool(x, conv1.weight, conv1.bias)
        x = convolve_and_pool(x, conv2.weight, conv2.bias).flatten(0, 2)
        for dense in (dense1, dense2):
            x = torch.sigmoid(dense.weight @ x + dense.bias[:, None])
        return (dense3.weight @ x + dense3.bias[:, None]).t()


def convolve_and_pool(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """5×5 convolution, sigmoid, 2×2 average pool. x: (C, H, W, N); weight: (O, C, 5, 5). Returns (O, U, V, N).

    U = (H−4)/2 and V = (W−4)/2, H and W even.
    """
    _, u, v, n = _window_shape(x.shape)
    products = spread(weight) @ Windows.apply(x)
    return torch.sigmoid(products.view(4, -1, u, v, n) + bias.view(-1, 1, 1, 1)).mean(dim=0)


def _window_shape(shape: Sequence[int]) -> tuple[int, int, int, int]:
    """C, U, V and N of an input (C, H, W, N)."""
    c, h, w, n = shape
    return c, (h - KERNEL + 1) // 2, (w - KERNEL + 1) // 2, n


def spread(weight: Tensor) -> Tensor:
    """A kernel at the four offsets within a 6×6 window. weight: (O, C, 5, 5). Returns (4·O, C·36)."""
    placed = [F.pad(weight, (right, 1 - right, down, 1 - down)) for down, right in OFFSETS]
    return torch.stack(placed).reshape(4 * weight.shape[0], -1)


class Windows(torch.autograd.Function):
    """The 6×6 windows of (C, H, W, N) at every second place, as the columns of a matrix (C·6·6, U·V·N).

    A function of its own for the sake of its gradient: torch's scatters, this one gathers, which a compiler can fuse
    with what follows.
    """

    @staticmethod
    def forward(x: Tensor) -> Tensor:
        """Copy every window."""
        x = x.contiguous()
        c, u, v, n = _window_shape(x.shape)
        channel, row, column, example = x.stride()
        shape = (c, WINDOW, WINDOW, u, v, n)
        windows = x.as_strided(shape, (channel, row, column, 2 * row, 2 * column, example))
        copied = windows.clone(memory_format=torch.contiguous_format)
        # Not reshaped: then inductor copies along the matrix's two axes, and divides to find where each element is.
        return copied.as_strided((c * WINDOW**2, u * v * n), (u * v * n, 1))

    @staticmethod
    def setup_context(ctx: torch.autograd.function.FunctionCtx, inputs: tuple[Tensor], output: Tensor) -> None:
        """The gradient needs nothing but the input's shape."""
        ctx.shape = inputs[0].shape  # type: ignore[attr-defined]

    @staticmethod
    def backward(ctx: torch.autograd.function.FunctionCtx, g: Tensor) -> Tensor:
        """Add up what each element gave to its windows: row 2u+p was in window u−a at row 2a+p, a = 0, 1, 2."""
        c, u, v, n = _window_shape(ctx.shape)  # type: ignore[attr-defined]
        g = g.reshape(c, 3, 2, 3, 2, u, v, n)
        moved = [F.pad(g[:, a, :, b], (0, 0, b, 2 - b, a, 2 - a)) for a, b in product(range(3), repeat=2)]
        total = sum(moved[1:], start=moved[0])  # (C, 2, 2, U+2, V+2, N)
        return total.permute(0, 3, 1, 4, 2, 5).reshape(c, 2 * u + 4, 2 * v + 4, n)
