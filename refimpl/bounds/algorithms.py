"""Convolutions by algorithms that are stable only in norm: what they may be off by, from the norms of their operands.

A sum of products is off by a share of Σ|x||w|, element by element, in whatever order it is formed. Winograd's algorithm
and the fast Fourier transform form other products first, of sums over a tile or over the whole image, and what these
round reaches every output of the tile or the image, however small it is. They are right all the same, and bounded by
norms of one image and channel: ``‖x‖₁``, ``‖x‖₂`` and ``‖x‖_∞``. An implementation may choose for each case, so its
bound is this and the sum's together, in which the rounding of a bias is, too.

Sources: Higham, *Accuracy and Stability of Numerical Algorithms*, 2nd ed., ch. 24 (the transform); Barabasz et al.,
"Error Analysis and Improving the Accuracy of Winograd Convolution for Deep Neural Networks" (ACM TOMS 46, 2020).
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from refimpl.arrays import Array
from refimpl.geometry import effective_kernel, per_axis
from refimpl.rounding import IN_NORM, LARGE_WINOGRAD, WINOGRAD, Computed, Precision, gamma

POINTS = tuple(map(Fraction, (0, 1, -1, 2, -2)))
"""Where Winograd's polynomials are evaluated, beside infinity: those of F(2, 3), F(4, 3) and F(2, 5)."""
LARGEST_TILE = len(POINTS) + 1
TILES = {WINOGRAD: 2, LARGE_WINOGRAD: 4}
"""How many outputs a tile has along an axis, at most."""
Matrix = list[list[Fraction]]


def winograd_matrices(outputs: int, taps: int) -> tuple[Matrix, Matrix, Matrix]:
    """``Aᵀ``, G and ``Bᵀ`` of F(m, r): ``y = Aᵀ[(G·w) ∘ (Bᵀ·x)]`` for m outputs and r taps, x of m + r − 1 elements.

    With n = m + r − 1 points a_j, the last of which is infinity, and ``f_j = Π_{k≠j} (a_j − a_k)``:
    ``A_ij = a_jⁱ``, ``G_jk = a_jᵏ / f_j``, and row j of ``Bᵀ`` has the coefficients of ``Π_{k≠j} (x − a_k)``.
    Source: Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks" (CVPR 2016), but for signs.

    >>> A, G, B = (np.array(m, dtype=float) for m in winograd_matrices(2, 3))
    >>> A @ ((G @ [1.0, 2.0, 3.0]) * (B @ [5.0, 6.0, 7.0, 8.0]))
    array([38., 44.])
    >>> A, G, B = (np.array(m, dtype=float) for m in winograd_matrices(4, 3))
    >>> (A @ ((G @ [1.0, 2.0, 3.0]) * (B @ np.arange(6.0)))).round(9)
    array([ 8., 14., 20., 26.])
    """
    points = POINTS[: outputs + taps - 2]
    others = [[b for b in points if b != a] for a in points]
    last = [Fraction(0)] * len(points)
    f = [math.prod((a - b for b in rest), start=Fraction(1)) for a, rest in zip(points, others, strict=True)]
    to_output = [[*(a**i for a in points), Fraction(i == outputs - 1)] for i in range(outputs)]
    of_kernel = [[a**k / f_j for k in range(taps)] for a, f_j in zip(points, f, strict=True)]
    of_kernel.append([Fraction(k == taps - 1) for k in range(taps)])
    of_input = [[*_polynomial(rest), *last[: len(points) - len(rest)]] for rest in others] + [_polynomial(points)]
    return to_output, of_kernel, of_input


def _polynomial(roots: Sequence[Fraction]) -> list[Fraction]:
    """Coefficients of ``Π (x − root)``, that of x⁰ first."""
    coefficients = [Fraction(1)]
    for root in roots:
        shifted, scaled = [Fraction(0), *coefficients], [-root * c for c in coefficients] + [Fraction(0)]
        coefficients = [a + b for a, b in zip(shifted, scaled, strict=True)]
    return coefficients


@functools.cache
def winograd_growth(outputs: int, taps: int) -> tuple[float, int]:
    """``K = max_i Σ_j |A_ij|·max_k|G_jk|·Σ_l|B_jl|`` of one axis, and the roundings of its three transforms.

    ``|Aᵀ|[(|G||w|) ∘ (|Bᵀ||x|)] ≤ K·‖w‖₁·‖x‖_∞``. A row of so many numbers that are not zero makes as many roundings as
    its sum and its constants take, and constants of G may be rounded.

    >>> winograd_growth(2, 3)[0], round(winograd_growth(4, 3)[0], 1)
    (4.0, 29.3)
    """
    a, g, b = winograd_matrices(outputs, taps)
    rows = zip(g, b, strict=True)
    weights = [max(map(abs, of_kernel)) * sum(map(abs, of_input)) for of_kernel, of_input in rows]
    growth = max(sum(abs(c) * w for c, w in zip(row, weights, strict=True)) for row in a)
    return float(growth), 1 + sum(max(sum(c != 0 for c in row) for row in matrix) for matrix in (a, g, b))


def winograd_share(
    taps: Sequence[int], terms: int, precision: Precision, outputs: int = 2, to_kernel: bool = False
) -> float:
    """What Winograd's algorithm may be off by as a share of ``Σ ‖w‖₁·‖x‖_∞``: ``γ_N·Π K``, N all roundings on a path.

    N is the transforms' of each axis, one product, and the additions of ``terms`` results. Tiles have so many outputs
    and six elements along an axis, at most. to_kernel: of the gradient to the kernel, whose outputs are the taps, and
    whose taps a tile of the cotangent. Zero where the algorithm is not defined: for more than five taps, or for a
    single one alone.

    >>> from refimpl.rounding import FLOAT32
    >>> winograd_share((3, 3), 8, FLOAT32) > winograd_share((3, 1), 8, FLOAT32) > winograd_share((1, 1), 8, FLOAT32)
    True
    """
    if max(taps) == 1 or max(taps) >= LARGEST_TILE:
        return 0.0
    growths = [_largest_growth(size, outputs, to_kernel) for size in taps if size > 1]
    roundings = sum(r for _, r in growths) + 1 + terms
    return float(gamma(roundings, precision)) * math.prod(growth for growth, _ in growths)


def _largest_growth(taps: int, outputs: int, to_kernel: bool) -> tuple[float, int]:
    """That of the tile for which it is largest."""
    tiles = [(m, taps) for m in range(2, min(outputs, LARGEST_TILE - taps + 1) + 1)]
    found = [winograd_growth(*(reversed(tile) if to_kernel else tile)) for tile in tiles]
    return max(growth for growth, _ in found), max(roundings for _, roundings in found)


def fft_share(lengths: Sequence[int], terms: int, precision: Precision) -> float:
    """What a convolution by transforms may be off by as a share of ``Σ ‖x‖₂·‖w‖₁``: ``(1 + ε)³·(1 + γ_{N}) − 1``.

    A transform of length 2ᵗ is off by ε = tη/(1 − tη) in norm, where η = u + γ₄·(√2 + u) (Higham, thm. 24.2, weights
    within u); t is that of all axes together, with a stage more each for transforms of real numbers. Of a kernel each
    frequency is off by ``ε·‖w‖₁`` at most, since a path meets t such factors, and ``‖X‖₂ = √n·‖x‖₂``. So products of
    two transforms are off by ``√n·‖x‖₂‖w‖₁·((1 + ε)² − 1)``, complex products and the sum of ``terms`` channels by γ_N
    more, N = terms + 4, and the transform back, which divides by √n in norm, by ε once more. No element of a vector is
    off by more than the norm.

    Transforms of other lengths by factors up to 7 have as few roundings for a factor of two.

    >>> from refimpl.rounding import FLOAT32
    >>> round(fft_share((8, 8), 1, FLOAT32) / FLOAT32.unit_roundoff)
    165
    """
    stages = sum(math.ceil(math.log2(max(n, 2))) + 1 for n in lengths)
    u = precision.unit_roundoff
    eta = u + float(gamma(4, precision)) * (math.sqrt(2) + u)
    if stages * eta >= 1.0:
        return math.inf
    one = stages * eta / (1.0 - stages * eta)
    return (1.0 + one) ** 3 * (1.0 + float(gamma(terms + 4, precision))) - 1.0


def rounding_in_norm(
    taking: str, first: Computed, second: Computed, kernel: Sequence[int], image: Sequence[int], groups: int,
    arguments: Mapping[str, Any], to_kernel: bool = False,
) -> Array | None:  # fmt: skip
    """What the algorithm of the operands' format may be off by, in a shape that broadcasts to the result's.

    taking: which of an image's (n), group's (g) and channels' (c, k) axes each operand has, and the result, as
    einsum says it, "ngc,gkc->ngk". image: the sizes of the larger side. to_kernel: the result is a gradient to the
    kernel, and ``first`` its cotangent. None where sums are formed element by element.
    """
    algorithm, axes, precision = first.format.algorithm, len(kernel), first.precision
    steps = [per_axis(arguments.get(name, 1), axes) for name in ("stride", "dilation")]
    if algorithm not in IN_NORM or (algorithm in TILES and any(s != 1 for step in steps for s in step)):
        return None
    names = taking.replace("->", ",").split(",")
    left, right = (_planes(x, of, axes, groups) for x, of in zip((first, second), names, strict=False))
    contracted = (set(names[0]) & set(names[1])) - set(names[2])
    terms = dict(zip(names[0], left[1].shape, strict=True))[contracted.pop()]
    if algorithm in TILES:
        one, other = (left[1], right[np.inf]) if to_kernel else (left[np.inf], right[1])
        terms *= math.prod(image) if to_kernel else 1
        result = winograd_share(kernel, terms, precision, TILES[algorithm], to_kernel) * np.einsum(taking, one, other)
    else:
        padding = arguments.get("padding", 0)
        effective = [effective_kernel(k, d) for k, d in zip(kernel, steps[1], strict=True)]
        pads = effective if isinstance(padding, str) else [2 * p for p in per_axis(padding, axes)]
        lengths = [n + p + k for n, p, k in zip(image, pads, effective, strict=True)]
        norms = np.minimum(np.einsum(taking, left[2], right[1]), np.einsum(taking, left[1], right[2]))
        result = fft_share(lengths, terms, precision) * norms
    a, b, c = result.shape
    result = result.reshape(*((a * b, c) if to_kernel else (a, b * c)), *(1,) * axes)
    unbatched = not to_kernel and first.value.ndim == axes + 1
    return result[0] if unbatched else result


def _planes(x: Computed, of: str, axes: int, groups: int) -> dict[float, Array]:
    """Norms 1, 2 and ∞ of each plane: (N, groups, channels) of images, (groups, channels, channels) of a kernel."""
    values = x.reach[None] if x.value.ndim == axes + 1 else x.reach
    first, second = values.shape[:2]
    shape = (groups, first // groups, second) if of.startswith("g") else (first, groups, second // groups)
    flat = values.reshape(*shape, math.prod(values.shape[2:]))
    return {1: flat.sum(-1), 2: np.sqrt((flat**2).sum(-1)), np.inf: flat.max(-1, initial=0.0)}
