"""Convolutions with their errors."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from refimpl import convolution
from refimpl.arrays import Array
from refimpl.bounds.algorithms import rounding_in_norm
from refimpl.bounds.common import bilinear
from refimpl.geometry import per_axis
from refimpl.rounding import Computed


def cross_correlate(x: Computed, weight: Computed, bias: Computed | None = None, **arguments: Any) -> Computed:
    """:func:`refimpl.convolution.cross_correlate`: n valid taps × C_in/groups."""
    return sliding(convolution.cross_correlate, weight.shape[1], x, weight, bias, arguments)


def convolve(x: Computed, weight: Computed, bias: Computed | None = None, **arguments: Any) -> Computed:
    """:func:`refimpl.convolution.convolve`, bounded like the cross-correlation that it mirrors."""
    return sliding(convolution.convolve, weight.shape[1], x, weight, bias, arguments)


def convolution_gradients(
    cotangent: Computed, x: Computed, weight: Computed, bias: Computed | None = None, **arguments: Any
) -> tuple[Computed, ...]:
    """Gradients of a convolution to x, weight and, where there is one, bias.

    n is the number of taps that reach an element × C_out/groups for x, and batch × output positions for the others.
    """
    loops = (convolution.input_gradient, convolution.weight_gradient)
    kernels = weight.shape[0] // int(arguments.get("groups", 1))
    return sliding_gradients(*loops, kernels, cotangent, x, weight, bias, arguments)


def sliding(
    layer: Callable[..., Array],
    channels: int,
    x: Computed,
    weight: Computed,
    bias: Computed | None,
    arguments: dict[str, Any],
    transposed: bool = False,
) -> Computed:
    """A layer of kernels that slide, each output of which sums the taps of so many channels."""
    taps = layer(_ones(x, weight), _ones(weight, weight), **_ungrouped(arguments))
    in_norm = _in_norm("ngc,gck->ngk" if transposed else "ngc,gkc->ngk", x, weight, x, weight, arguments, transposed)
    return bilinear(partial(layer, **arguments), x, weight, bias, _as_in(x, weight, taps * channels), in_norm)


def sliding_gradients(
    input_gradient: Callable[..., Array],
    weight_gradient: Callable[..., Array],
    channels: int,
    cotangent: Computed,
    x: Computed,
    weight: Computed,
    bias: Computed | None,
    arguments: dict[str, Any],
    transposed: bool = False,
) -> tuple[Computed, ...]:
    """Gradients of a layer of kernels that slide, whose gradient to x sums the taps of so many channels."""

    def to_x(g: Array, w: Array) -> Array:
        return input_gradient(g, x.shape, w, **arguments)

    def to_weight(g: Array, a: Array) -> Array:
        return weight_gradient(g, a, weight.shape, **arguments)

    g, a, w = (_ones(operand, weight) for operand in (cotangent, x, weight))
    taps = _as_in(x, weight, input_gradient(g, a.shape, w, **_ungrouped(arguments)) * channels)
    positions = weight_gradient(g, a, w.shape, **_ungrouped(arguments)) * _images(x, weight)
    kernel = "gck" if transposed else "gkc"
    of_x = _in_norm(f"ngk,{kernel}->ngc", cotangent, weight, x, weight, arguments, transposed)
    of_weight = _in_norm(f"ngk,ngc->{kernel}", cotangent, x, x, weight, arguments, transposed)
    gradients = (
        bilinear(to_x, cotangent, weight, terms=taps, in_norm=of_x),
        bilinear(to_weight, cotangent, x, terms=positions, in_norm=of_weight),
    )
    return gradients if bias is None else (*gradients, _bias_gradient(cotangent, len(weight.shape) - 2))


def _in_norm(
    taking: str,
    first: Computed,
    second: Computed,
    x: Computed,
    weight: Computed,
    arguments: dict[str, Any],
    transposed: bool,
) -> Array | None:
    """What the format's algorithm may be off by more, for a product of x, weight and cotangent."""
    kernel = weight.shape[2:]
    strides = per_axis(arguments.get("stride", 1), len(kernel)) if transposed else (1,) * len(kernel)
    image = [size * stride for size, stride in zip(x.shape[-len(kernel) :], strides, strict=True)]
    groups, to_kernel = int(arguments.get("groups", 1)), taking.split("->")[1].startswith("g")
    return rounding_in_norm(taking, first, second, kernel, image, groups, arguments, to_kernel)


# Which taps meet is the same in every image and channel: they are counted in one image of one channel.


def _ones(operand: Computed, weight: Computed) -> Array:
    """One image of one channel, or one kernel of one channel, of an operand's sizes."""
    return np.ones((1, 1, *operand.shape[2 - len(weight.shape) :]))


def _ungrouped(arguments: dict[str, Any]) -> dict[str, Any]:
    return {**arguments, "groups": 1}


def _as_in(x: Computed, weight: Computed, counts: Array) -> Array:
    """Counts in one image as they broadcast to x's batch, or to the single image that x is."""
    return counts if len(x.shape) == len(weight.shape) else counts[0]


def _images(x: Computed, weight: Computed) -> int:
    return x.shape[0] if len(x.shape) == len(weight.shape) else 1


def _bias_gradient(cotangent: Computed, axes: int) -> Computed:
    """A sum over batch and positions."""
    terms = convolution.bias_gradient(np.ones(cotangent.shape), axes)
    return cotangent.scattered(lambda g: convolution.bias_gradient(g, axes), terms).stored()
