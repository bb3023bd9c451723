"""Convolutions whose padding is not zeros, and their gradients: pad, then convolve."""

from __future__ import annotations

from typing import Any

import numpy as np

from refimpl import convolution
from refimpl.arrays import Array, Axes
from refimpl.convolution import Padding
from refimpl.padding import convolution_padding, mode_of, pad, pad_gradient


def padded_convolution(
    x: Array,
    weight: Array,
    bias: Array | None = None,
    stride: Axes = 1,
    padding: Padding = 0,
    dilation: Axes = 1,
    groups: int = 1,
    padding_mode: str = "zeros",
) -> Array:
    """A convolution layer with its ``padding_mode``: pad, then :func:`refimpl.convolution.cross_correlate`.

    Operands, shapes and errors as there; padding_mode: "zeros", "reflect", "replicate" or "circular".
    Source: torch.nn.Conv2d.

    >>> padded_convolution(np.array([[1, 2, 3]]), np.array([[[1, 10, 100]]]), padding=1, padding_mode="circular")
    array([[213., 321., 132.]])
    """
    window: dict[str, Any] = {"stride": stride, "dilation": dilation, "groups": groups}
    padded = pad(x, convolution_padding(np.shape(weight)[2:], padding, dilation), mode_of(padding_mode))
    return convolution.cross_correlate(padded, weight, bias, **window)


def padded_convolution_gradients(
    cotangent: Array,
    x: Array,
    weight: Array,
    bias: Array | None = None,
    stride: Axes = 1,
    padding: Padding = 0,
    dilation: Axes = 1,
    groups: int = 1,
    padding_mode: str = "zeros",
) -> tuple[Array, ...]:
    """Gradients of :func:`padded_convolution` to x, weight and, where there is one, bias: the two steps back.

    cotangent: as the output; the rest as there.

    >>> x, weight = np.array([[1., 2, 3]]), np.array([[[1., 10, 100]]])
    >>> padded_convolution_gradients(np.array([[1., 0, 0]]), x, weight, padding=1, padding_mode="circular")
    (array([[ 10., 100.,   1.]]), array([[[3., 1., 2.]]]))
    """
    window: dict[str, Any] = {"stride": stride, "dilation": dilation, "groups": groups}
    amounts, mode = convolution_padding(np.shape(weight)[2:], padding, dilation), mode_of(padding_mode)
    padded = pad(x, amounts, mode)
    to_padded = convolution.input_gradient(cotangent, padded.shape, weight, **window)
    gradients = (
        pad_gradient(to_padded, np.shape(x), amounts, mode),
        convolution.weight_gradient(cotangent, padded, np.shape(weight), **window),
    )
    return gradients if bias is None else (*gradients, convolution.bias_gradient(cotangent, np.ndim(weight) - 2))
