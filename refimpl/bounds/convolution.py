"""Convolutions with their errors."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from refimpl import convolution, transposed
from refimpl.arrays import Array
from refimpl.bounds.common import bilinear
from refimpl.rounding import Computed


def cross_correlate(x: Computed, weight: Computed, bias: Computed | None = None, **arguments: Any) -> Computed:
    """:func:`refimpl.convolution.cross_correlate`: n valid taps × C_in/groups."""
    return bilinear(partial(convolution.cross_correlate, **arguments), x, weight, bias)


def convolve(x: Computed, weight: Computed, bias: Computed | None = None, **arguments: Any) -> Computed:
    """:func:`refimpl.convolution.convolve`, bounded like the cross-correlation that it mirrors."""
    return bilinear(partial(convolution.convolve, **arguments), x, weight, bias)


def convolution_gradients(
    cotangent: Computed, x: Computed, weight: Computed, bias: Computed | None = None, **arguments: Any
) -> tuple[Computed, ...]:
    """Gradients of a convolution to x, weight and, where there is one, bias.

    n is the number of taps that reach an element × C_out/groups for x, and batch × output positions for the others.
    """

    def to_x(g: Array, w: Array) -> Array:
        return convolution.input_gradient(g, x.shape, w, **arguments)

    def to_weight(g: Array, a: Array) -> Array:
        return convolution.weight_gradient(g, a, weight.shape, **arguments)

    gradients = (bilinear(to_x, cotangent, weight), bilinear(to_weight, cotangent, x))
    return gradients if bias is None else (*gradients, _bias_gradient(cotangent, len(weight.shape) - 2))


def conv_transpose(x: Computed, weight: Computed, bias: Computed | None = None, **arguments: Any) -> Computed:
    """:func:`refimpl.transposed.conv_transpose`: n is the taps that reach an element × C_in/groups."""
    return bilinear(partial(transposed.conv_transpose, **arguments), x, weight, bias)


def conv_transpose_gradients(
    cotangent: Computed, x: Computed, weight: Computed, bias: Computed | None = None, **arguments: Any
) -> tuple[Computed, ...]:
    """Gradients of a transposed convolution to x, weight and, where there is one, bias.

    n is valid taps × C_out/groups for x, and batch × positions of x whose tap lies in the output for weight.
    """

    def to_x(g: Array, w: Array) -> Array:
        return transposed.input_gradient(g, x.shape, w, **arguments)

    def to_weight(g: Array, a: Array) -> Array:
        return transposed.weight_gradient(g, a, weight.shape, **arguments)

    gradients = (bilinear(to_x, cotangent, weight), bilinear(to_weight, cotangent, x))
    return gradients if bias is None else (*gradients, _bias_gradient(cotangent, len(weight.shape) - 2))


def _bias_gradient(cotangent: Computed, axes: int) -> Computed:
    """A sum over batch and positions."""
    terms = convolution.bias_gradient(np.ones(cotangent.shape), axes)
    return cotangent.scattered(lambda g: convolution.bias_gradient(g, axes), terms).stored()
