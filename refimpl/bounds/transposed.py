"""Transposed convolutions with their errors."""

from __future__ import annotations

from typing import Any

from refimpl import transposed
from refimpl.bounds.convolution import sliding, sliding_gradients
from refimpl.rounding import Computed


def conv_transpose(x: Computed, weight: Computed, bias: Computed | None = None, **arguments: Any) -> Computed:
    """:func:`refimpl.transposed.conv_transpose`: n is the taps that reach an element × C_in/groups."""
    channels = weight.shape[0] // int(arguments.get("groups", 1))
    return sliding(transposed.conv_transpose, channels, x, weight, bias, arguments, transposed=True)


def conv_transpose_gradients(
    cotangent: Computed, x: Computed, weight: Computed, bias: Computed | None = None, **arguments: Any
) -> tuple[Computed, ...]:
    """Gradients of a transposed convolution to x, weight and, where there is one, bias.

    n is valid taps × C_out/groups for x, and batch × positions of x whose tap lies in the output for weight.
    """
    loops = (transposed.input_gradient, transposed.weight_gradient)
    return sliding_gradients(*loops, weight.shape[1], cotangent, x, weight, bias, arguments, transposed=True)
