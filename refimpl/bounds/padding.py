"""Padding, unfold and fold with their errors: elements are moved, and only where several meet are they added.

Where m elements meet, their sum has m − 1 additions: ``γ_{m−1}·scatter(|g|)``. So an element that is alone, or that
meets none, has no error.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from refimpl import padding as paddings
from refimpl import unfolding
from refimpl.arrays import Array
from refimpl.bounds.convolution import convolution_gradients, cross_correlate
from refimpl.rounding import Computed, round_to


def pad(x: Computed, padding: Sequence[int], mode: str = "constant", value: float = 0.0) -> Computed:
    """:func:`refimpl.padding.pad` moves elements; a constant that the storage has not is rounded to it."""
    rounding = abs(float(round_to(np.asarray(value), x.format.storage)) - value)
    padded = paddings.pad(x.value, padding, mode, value)
    if x.error is None and not rounding:
        return Computed(padded, x.format)
    return Computed(padded, x.format, paddings.pad(x.off, padding, mode, rounding))


def pad_gradients(
    cotangent: Computed, x: Computed, padding: Sequence[int], mode: str = "constant", value: float = 0.0
) -> tuple[Computed, ...]:
    """Gradient of padding: m is how often an element was taken."""
    return (summed(cotangent, lambda g: paddings.pad_gradient(g, x.shape, padding, mode)),)


def padded_convolution(
    x: Computed, weight: Computed, bias: Computed | None = None, padding_mode: str = "zeros", **arguments: Any
) -> Computed:
    """:func:`refimpl.padding.padded_convolution`: exact padding, then the bound of the convolution."""
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


def unfold(x: Computed, **arguments: Any) -> Computed:
    """:func:`refimpl.unfolding.unfold` moves elements and computes nothing."""
    return x.map(lambda a: unfolding.unfold(a, **arguments))


def unfold_gradients(cotangent: Computed, x: Computed, **arguments: Any) -> tuple[Computed, ...]:
    """Gradient of unfold, a fold: m is the windows that hold an element."""
    return (summed(cotangent, lambda g: unfolding.unfold_gradient(g, x.shape, **arguments)),)


def fold(x: Computed, **arguments: Any) -> Computed:
    """:func:`refimpl.unfolding.fold`: m is the windows that hold an element."""
    return summed(x, lambda a: unfolding.fold(a, **arguments))


def fold_gradients(cotangent: Computed, x: Computed, **arguments: Any) -> tuple[Computed, ...]:
    """Gradient of fold, an unfold, which moves elements and computes nothing."""
    return (cotangent.map(lambda g: unfolding.fold_gradient(g, **arguments)),)


def summed(x: Computed, scatter: Callable[[Array], Array]) -> Computed:
    """Elements added where they meet, m of them: ``γ_{m−1}·scatter(|x̂|) + scatter(e)``; exact if none meet."""
    additions = np.maximum(scatter(np.ones(x.shape)) - 1.0, 0.0)
    if x.error is None and not additions.any():
        return x.map(scatter)
    return x.scattered(scatter, additions).stored()


def _unpadded(weight: Computed, padding_mode: str, **arguments: Any) -> tuple[tuple[int, ...], str, dict[str, Any]]:
    """What is padded and how, and the convolution's arguments without its padding."""
    sides = {name: arguments[name] for name in ("padding", "dilation") if name in arguments}
    window = {name: value for name, value in arguments.items() if name != "padding"}
    amounts = paddings.convolution_padding(weight.shape[2:], **sides)
    return amounts, paddings.mode_of(padding_mode), window
