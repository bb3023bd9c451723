"""Convolutions with a padding mode, with their errors."""

from __future__ import annotations

from typing import Any

from refimpl.bounds.convolution import convolution_gradients, cross_correlate
from refimpl.bounds.padding import pad, pad_gradients
from refimpl.padding import convolution_padding, mode_of
from refimpl.rounding import Computed


def padded_convolution(
    x: Computed, weight: Computed, bias: Computed | None = None, padding_mode: str = "zeros", **arguments: Any
) -> Computed:
    """:func:`refimpl.padded_convolution.padded_convolution`: exact padding, then the bound of the convolution."""
    amounts, mode, window = _unpadded(weight, padding_mode, **arguments)
    return cross_correlate(pad(x, amounts, mode), weight, bias, **window)


def padded_convolution_gradients(
    cotangent: Computed,
    x: Computed,
    weight: Computed,
    bias: Computed | None = None,
    padding_mode: str = "zeros",
    **arguments: Any,
) -> tuple[Computed, ...]:
    """Gradients of :func:`padded_convolution`: those of the convolution, the one to x gathered by the padding."""
    amounts, mode, window = _unpadded(weight, padding_mode, **arguments)
    to_padded, *others = convolution_gradients(cotangent, pad(x, amounts, mode), weight, bias, **window)
    return (*pad_gradients(to_padded, x, amounts, mode), *others)


def _unpadded(weight: Computed, padding_mode: str, **arguments: Any) -> tuple[tuple[int, ...], str, dict[str, Any]]:
    """What is padded and how, and the convolution's arguments without its padding."""
    sides = {name: arguments[name] for name in ("padding", "dilation") if name in arguments}
    window = {name: value for name, value in arguments.items() if name != "padding"}
    amounts = convolution_padding(weight.shape[2:], **sides)
    return amounts, mode_of(padding_mode), window
