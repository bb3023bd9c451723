"""Correct kernels in unusual orders: no law may fail them.

In sixteen bits they compute in float32 and round once, forward and backward, as the bounds have it.
"""

from __future__ import annotations

import itertools
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from properties.selftest.faults.record import WIDE, correct


def widened(*tensors: Tensor | None) -> list[Any]:
    """Sixteen bits as float32; whatever is wider as it is."""
    return [t.float() if t is not None and t.element_size() == 2 else t for t in tensors]


@correct("conv2d", dtypes=WIDE)
def mirrored_twice(input: Tensor, weight: Tensor, bias: Tensor | None = None, **arguments: Any) -> Tensor:
    """Convolution of the mirrored image by the mirrored kernel, unit stride."""
    if arguments["stride"] != (1, 1):
        return F.conv2d(input, weight, bias, **arguments)
    return F.conv2d(input.flip(-1, -2), weight.flip(2, 3), bias, **arguments).flip(-1, -2)


@correct("conv1d")
def tap_by_tap(input: Tensor, weight: Tensor, bias: Tensor | None = None, **arguments: Any) -> Tensor:
    """Convolution summed tap by tap, the last tap first."""
    x, w, b = widened(input, weight, bias)
    output: float | Tensor = 0.0
    for tap in reversed(range(w.shape[2])):
        alone = torch.where(torch.arange(w.shape[2]) == tap, w, 0.0)
        output = output + F.conv1d(x, alone, None, **arguments)
    return (output if b is None else output + b[:, None]).to(input.dtype)  # type: ignore[union-attr]


@correct("conv2d")
def by_patches(input: Tensor, weight: Tensor, bias: Tensor | None = None, **arguments: Any) -> Tensor:
    """Convolution as one matrix product with the patches of the image (im2col)."""
    x, w, b = widened(input, weight, bias)
    rows, columns = arguments["padding"]
    windows = F.pad(x, (columns, columns, rows, rows))
    for kernel, stride, dilation in zip(w.shape[2:], arguments["stride"], arguments["dilation"], strict=True):
        # Each turn takes the first axis that is still an image's and puts the window's at the end.
        windows = windows.unfold(-2, dilation * (kernel - 1) + 1, stride)[..., ::dilation]
    patches = windows.unflatten(-5, (arguments["groups"], -1))
    product = torch.einsum("...gchwij,gocij->...gohw", patches, w.unflatten(0, (arguments["groups"], -1)))
    output = product.flatten(-4, -3)
    return (output if b is None else output + b.view(-1, 1, 1)).to(input.dtype)


@correct("conv2d")
def group_by_group(input: Tensor, weight: Tensor, bias: Tensor | None = None, **arguments: Any) -> Tensor:
    """Convolution of one group after the other."""
    x, w, b = widened(input, weight, bias)
    groups = arguments.pop("groups")
    parts = zip(x.chunk(groups, -3), w.chunk(groups), [None] * groups if b is None else b.chunk(groups), strict=True)
    return torch.cat([F.conv2d(*part, **arguments) for part in parts], dim=-3).to(input.dtype)


@correct("conv1d")
def channels_last_to_first(input: Tensor, weight: Tensor, bias: Tensor | None = None, **arguments: Any) -> Tensor:
    """Convolution that adds its channels up from the last to the first, after the bias."""
    x, w, b = widened(input, weight, bias)
    if arguments["groups"] > 1:
        return F.conv1d(x, w, b, **arguments).to(input.dtype)
    output = 0.0 if b is None else b[:, None]
    for channel in reversed(range(w.shape[1])):
        output = output + F.conv1d(x[..., channel : channel + 1, :], w[:, channel : channel + 1], **arguments)
    return output.to(input.dtype)  # type: ignore[union-attr]


@correct("conv3d")
def wide_accumulator(input: Tensor, weight: Tensor, bias: Tensor | None = None, **arguments: Any) -> Tensor:
    """Convolution accumulated in float64 and rounded once."""
    wide = None if bias is None else bias.double()
    return F.conv3d(input.double(), weight.double(), wide, **arguments).to(input.dtype)


@correct("linear")
def pairwise(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Linear layer whose products are summed pairwise."""
    x, w, b = widened(input, weight, bias)
    terms = x[..., None, :] * w
    while terms.shape[-1] > 1:
        terms = F.pad(terms, (0, terms.shape[-1] % 2))
        terms = terms[..., ::2] + terms[..., 1::2]
    return (terms[..., 0] if b is None else terms[..., 0] + b).to(input.dtype)


@correct("linear")
def blocked(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Linear layer by blocks of eight features, the bias first."""
    x, w, b = widened(input, weight, bias)
    total = 0.0 if b is None else b
    for features in zip(x.split(8, dim=-1), w.split(8, dim=-1), strict=True):
        total = total + F.linear(*features)
    return total.to(input.dtype)  # type: ignore[union-attr]


@correct("linear")
def compensated(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Linear layer with Kahan's compensated summation."""
    x, w, b = widened(input, weight, bias)
    total, lost = 0.0, 0.0
    for feature, weights in zip(x[..., None].unbind(-2), w.unbind(1), strict=True):
        term = feature * weights - lost
        sum_ = total + term
        lost = ((sum_ - total) - term).detach()
        total = sum_
    return (total if b is None else total + b).to(input.dtype)  # type: ignore[union-attr]


@correct("matmul")
def fused_multiply_add(input: Tensor, other: Tensor) -> Tensor:
    """Matrix product whose every step multiplies and adds with one rounding, from the last term to the first."""
    x, y = widened(input, other)
    total = torch.zeros(len(x), y.shape[1], dtype=x.dtype)
    terms = zip(reversed(x.double().unbind(1)), reversed(y.double().unbind(0)), strict=True)
    for column, row in terms:
        total = torch.addcmul(total.double(), column[:, None], row).to(x.dtype)
    return total.to(input.dtype)


@correct("matmul")
def quadrants(input: Tensor, other: Tensor) -> Tensor:
    """Matrix product by recursion on halves of the terms."""
    x, y = widened(input, other)
    return _halved(x, y).to(input.dtype)


def _halved(x: Tensor, y: Tensor) -> Tensor:
    half = len(y) // 2
    return x * y if half == 0 else _halved(x[:, :half], y[:half]) + _halved(x[:, half:], y[half:])


@correct("avg_pool2d")
def average_shift_by_shift(input: Tensor, **arguments: Any) -> Tensor:
    """Average pooling that adds the shifted images up, the last shift first, and divides once."""
    (x,) = widened(input)
    size, padding = arguments["kernel_size"], arguments["padding"]
    stride = arguments.get("stride", size)
    ones = torch.ones_like(x.detach())
    counted = F.avg_pool2d(ones, **arguments) if "divisor_override" not in arguments else None
    seen = F.avg_pool2d(ones, **{**arguments, "divisor_override": 1})
    rows, columns = seen.shape[-2:]
    beyond = [p + k + s for p, k, s in zip(padding, size, stride, strict=True)]
    padded = F.pad(x, (padding[1], beyond[1], padding[0], beyond[0]))
    total = torch.zeros_like(seen)
    for i, j in reversed(list(itertools.product(*map(range, size)))):
        window = padded[..., i : i + stride[0] * (rows - 1) + 1 : stride[0], :]
        total = total + window[..., j : j + stride[1] * (columns - 1) + 1 : stride[1]]
    divisor = arguments["divisor_override"] if counted is None else (seen / counted).round()
    return (total / divisor).to(input.dtype)


@correct("max_pool1d", dtypes=WIDE)
def plane_of_one_row(input: Tensor, **arguments: Any) -> tuple[Tensor, Tensor]:
    """Max pooling of a row as that of a plane."""
    ceil_mode, padding = arguments.pop("ceil_mode"), arguments.pop("padding")
    planar: dict[str, Any] = {name: (1, *value) for name, value in arguments.items()}
    planar |= {"ceil_mode": ceil_mode, "padding": (0, *padding)}
    values, indices = F.max_pool2d(input[..., None, :], return_indices=True, **planar)
    return values[..., 0, :], indices[..., 0, :]


@correct("softmax")
def softmax_in_float64(input: Tensor, dim: int) -> Tensor:
    """Softmax in float64, rounded once."""
    return F.softmax(input.double(), dim=dim).to(input.dtype)


@correct("sigmoid")
def sigmoid_by_halves(input: Tensor) -> Tensor:
    """Sigmoid by its two stable halves."""
    (x,) = widened(input)
    power = torch.where(x >= 0, -x, x).exp()
    return torch.where(x >= 0, 1 / (1 + power), power / (1 + power)).to(input.dtype)
