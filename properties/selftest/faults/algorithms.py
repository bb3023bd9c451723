"""Convolutions by algorithms that are stable only in norm, and averages by reciprocals, right ones and faulty ones.

The faults are held to the bound of their algorithm, not to that of sums and quotients, which any of them breaks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from properties.selftest.faults.correct import widened
from properties.selftest.faults.record import WIDE, correct, fault
from refimpl.rounding import FFT, RECIPROCAL, WINOGRAD


def transformed(
    input: Tensor, weight: Tensor, bias: Tensor | None, stride: Sequence[int], padding: Sequence[int],
    dilation: Sequence[int], groups: int, length: Callable[[int], int] = lambda size: 1 << (size - 1).bit_length(),
    spectrum: Callable[[Tensor], Tensor] = torch.conj,
) -> Tensor:  # fmt: skip
    """Convolution over two axes by Fourier transforms of a length, a power of two by default.

    Correlation is a product with the conjugate spectrum. Of the circular result those elements are kept to which no
    wrapped ones contribute, where the length is the padded size at least.
    """
    x, w, b = widened(input, weight, bias)
    if not x.numel():
        return F.conv2d(input, weight, bias, stride, padding, dilation, groups)
    padded = F.pad(x if x.ndim == 4 else x[None], (padding[1], padding[1], padding[0], padding[0]))
    wide = torch.zeros(*w.shape[:2], *(d * (k - 1) + 1 for k, d in zip(w.shape[2:], dilation, strict=True)),
                       dtype=w.dtype)  # fmt: skip
    wide[..., :: dilation[0], :: dilation[1]] = w
    sizes = [length(size) for size in padded.shape[2:]]
    images = torch.fft.rfft2(padded, s=sizes).unflatten(1, (groups, -1))
    kernels = torch.fft.rfft2(wide, s=sizes).unflatten(0, (groups, -1))
    product = torch.einsum("ngchw,gkchw->ngkhw", images, spectrum(kernels)).flatten(1, 2)
    rows, columns = (size - k + 1 for size, k in zip(padded.shape[2:], wide.shape[2:], strict=True))
    output = torch.fft.irfft2(product, s=sizes)[..., : rows : stride[0], : columns : stride[1]]
    output = output if b is None else output + b[:, None, None]
    return (output if x.ndim == 4 else output[0]).to(input.dtype)


@correct("conv2d", dtypes=("float32", "bfloat16"), algorithm=FFT)
def by_fourier_transform(input: Tensor, weight: Tensor, bias: Tensor | None = None, **arguments: Any) -> Tensor:
    """Convolution by fast Fourier transforms."""
    return transformed(input, weight, bias, **arguments)


A = [[1.0, 1.0, 1.0, 0.0], [0.0, 1.0, -1.0, -1.0]]
B = [[1.0, 0.0, -1.0, 0.0], [0.0, 1.0, 1.0, 0.0], [0.0, -1.0, 1.0, 0.0], [0.0, 1.0, 0.0, -1.0]]
G = [[1.0, 0.0, 0.0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0.0, 0.0, 1.0]]
"""Lavin and Gray's matrices of F(2, 3)."""


def tiled(
    input: Tensor, weight: Tensor, bias: Tensor | None, to_output: list[list[float]] = A, of_kernel: Any = G,
    last: int = 1, **arguments: Any,
) -> Tensor:  # fmt: skip
    """Convolution of 3×3 kernels in steps of one by Winograd's F(2×2, 3×3); torch's own for any other.

    last: how many columns of the last tiles are kept of an odd number of columns.
    """
    ones, (x, w, b) = arguments["stride"] == arguments["dilation"] == (1, 1), widened(input, weight, bias)
    if not (ones and weight.shape[2:] == (3, 3)):
        return F.conv2d(x, w, b, **arguments).to(input.dtype)
    a, of_input, g = (torch.tensor(m, dtype=x.dtype) for m in (to_output, B, of_kernel))
    (rows, columns), groups = arguments["padding"], arguments["groups"]
    image = x if x.ndim == 4 else x[None]
    height, width = (size + 2 * p - 2 for size, p in zip(image.shape[2:], (rows, columns), strict=True))
    padded = F.pad(image, (columns, columns + width % 2, rows, rows + height % 2))
    tiles = padded.unfold(2, 4, 2).unfold(3, 4, 2).unflatten(1, (groups, -1))
    data = of_input @ tiles @ of_input.T
    kernels = (g @ w @ g.T).unflatten(0, (groups, -1))
    made = a @ torch.einsum("ngcxyij,gkcij->ngkxyij", data, kernels) @ a.T
    output = made.flatten(1, 2).transpose(3, 4).flatten(4, 5).flatten(2, 3)[..., :height, :width]
    if width % 2 and last == 0:
        output = torch.cat([output[..., :-1], torch.zeros_like(output[..., -1:])], -1)
    output = output if b is None else output + b[:, None, None]
    return (output if x.ndim == 4 else output[0]).to(input.dtype)


@correct("conv2d", dtypes=("float32", "bfloat16"), algorithm=WINOGRAD)
def by_winograd(input: Tensor, weight: Tensor, bias: Tensor | None = None, **arguments: Any) -> Tensor:
    """Convolution of 3×3 kernels by Winograd's F(2×2, 3×3)."""
    return tiled(input, weight, bias, **arguments)


@fault("agreement", "conv2d", dtypes=WIDE, algorithm=FFT)
def wraps_around(input: Tensor, weight: Tensor, bias: Tensor | None = None, **arguments: Any) -> Tensor:
    """Convolution by Fourier transforms that are one element too short, so that the last output wraps around."""
    return transformed(input, weight, bias, length=lambda size: max(size - 1, 1), **arguments)


@fault("agreement", "conv2d", dtypes=WIDE, algorithm=FFT)
def without_conjugate(input: Tensor, weight: Tensor, bias: Tensor | None = None, **arguments: Any) -> Tensor:
    """Convolution by Fourier transforms that forgets to conjugate the kernel's."""
    return transformed(input, weight, bias, spectrum=lambda spectrum: spectrum, **arguments)


@fault("agreement", "conv2d", dtypes=WIDE, algorithm=FFT)
def without_highest_frequency(input: Tensor, weight: Tensor, bias: Tensor | None = None, **arguments: Any) -> Tensor:
    """Convolution by Fourier transforms that leaves out the highest frequency of the columns."""

    def spectrum(transform: Tensor) -> Tensor:
        kept = torch.arange(transform.shape[-1]) < max(transform.shape[-1] - 1, 1)
        return transform.conj() * kept

    return transformed(input, weight, bias, spectrum=spectrum, **arguments)


@fault("agreement", "conv2d", dtypes=("float64",), algorithm=FFT)
def transform_in_single_precision(
    input: Tensor, weight: Tensor, bias: Tensor | None = None, **arguments: Any
) -> Tensor:
    """Convolution of float64 by Fourier transforms in complex64."""
    b = None if bias is None else bias.float()
    return transformed(input.float(), weight.float(), b, **arguments).to(input.dtype)


@fault("algorithm", "conv2d", dtypes=WIDE, algorithm=WINOGRAD)
def wrong_constant(input: Tensor, weight: Tensor, bias: Tensor | None = None, **arguments: Any) -> Tensor:
    """Convolution by Winograd's algorithm with a sign of the kernel's transform wrong."""
    return tiled(input, weight, bias, of_kernel=[G[0], G[1], [0.5, 0.5, 0.5], G[3]], **arguments)


@fault("algorithm", "conv2d", dtypes=WIDE, algorithm=WINOGRAD)
def tile_past_the_border(input: Tensor, weight: Tensor, bias: Tensor | None = None, **arguments: Any) -> Tensor:
    """Convolution by Winograd's algorithm whose last column is left out where their number is odd."""
    return tiled(input, weight, bias, last=0, **arguments)


@fault("algorithm", "conv2d", dtypes=WIDE, algorithm=WINOGRAD)
def narrow_tiles(input: Tensor, weight: Tensor, bias: Tensor | None = None, **arguments: Any) -> Tensor:
    """Convolution by Winograd's algorithm whose kernel's transform is rounded to eleven bits."""
    constants = [[1.0 + 2.0**-11, 0.0, 0.0], G[1], G[2], G[3]]
    return tiled(input, weight, bias, of_kernel=constants, **arguments)


@fault("algorithm", "conv2d", dtypes=WIDE)
def products_of_sixteen_bits(input: Tensor, weight: Tensor, bias: Tensor | None = None, **arguments: Any) -> Tensor:
    """Convolution that rounds its operands to bfloat16, which no algorithm explains."""
    x, w = (t.bfloat16().to(t.dtype) for t in (input, weight))
    return F.conv2d(x, w, bias, **arguments)


def averaged(input: Tensor, inverse: Callable[[Tensor], Tensor] = torch.reciprocal, **arguments: Any) -> Tensor:
    """Average pooling over two axes by products of sums with the rounded reciprocals of the divisors."""
    (x,) = widened(input)
    ones = torch.ones_like(x.detach())
    total, seen = (F.avg_pool2d(t, **{**arguments, "divisor_override": 1}) for t in (x, ones))
    divisor = (seen / F.avg_pool2d(ones, **arguments)).round()
    return (total * inverse(divisor)).to(input.dtype)


@correct("avg_pool2d", algorithm=RECIPROCAL)
def average_by_reciprocals(input: Tensor, **arguments: Any) -> Tensor:
    """Average pooling that multiplies by the rounded reciprocals of its divisors."""
    return averaged(input, **arguments)


@correct("mean", dtypes=WIDE, algorithm=RECIPROCAL)
def mean_of_shares(input: Tensor, **arguments: Any) -> Tensor:
    """Mean that multiplies each element by the rounded reciprocal of their number before it adds them up."""
    return (input * (input.sum(**arguments).numel() / input.numel())).sum(**arguments)


@fault("agreement", "avg_pool2d", dtypes=("float32",), algorithm=RECIPROCAL)
def reciprocals_of_twenty_bits(input: Tensor, **arguments: Any) -> Tensor:
    """Average pooling that multiplies by reciprocals of twenty bits."""

    def inverse(divisor: Tensor) -> Tensor:
        fraction, exponent = torch.frexp(1 / divisor)
        return torch.ldexp((fraction * 2**20).round() / 2**20, exponent)

    return averaged(input, inverse, **arguments)


@fault("agreement", "mean", dtypes=("float64",), algorithm=RECIPROCAL)
def reciprocal_in_single_precision(input: Tensor, **arguments: Any) -> Tensor:
    """Mean of float64 that multiplies by a reciprocal in float32."""
    total = input.sum(**arguments)
    return total * torch.full_like(total, total.numel() / input.numel(), dtype=torch.float32)
