"""Output sizes of windows that slide over an axis: exact Python integers, one cited formula each.

All sizes are counts of elements along one axis. ``padding`` is torch's, per side; the chapter's ``p`` is the
total of an axis, ``p = 2·padding``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def per_axis(value: int | Sequence[int], axes: int) -> tuple[int, ...]:
    """Spell out an argument per axis: one integer stands for all of them.

    >>> per_axis(2, 3)
    (2, 2, 2)
    >>> per_axis((3, 5), 2)
    (3, 5)
    """
    if isinstance(value, int):
        return (value,) * axes
    if len(value) != axes:
        raise ValueError(f"{tuple(value)} gives {len(value)} values for {axes} spatial axes")
    return tuple(int(v) for v in value)


def effective_kernel(kernel: int, dilation: int = 1) -> int:
    """Elements that a dilated kernel spans: ``dilation·(kernel − 1) + 1``.

    >>> effective_kernel(3), effective_kernel(3, dilation=2)
    (3, 5)
    """
    _at_least(1, kernel=kernel, dilation=dilation)
    return dilation * (kernel - 1) + 1


def convolution_output(size: int, kernel: int, stride: int = 1, padding: int = 0, dilation: int = 1) -> int:
    """Output size of a convolution or a floor-mode pooling window.

    ``⌊(size + 2·padding − dilation·(kernel − 1) − 1) / stride⌋ + 1``

    Raises ValueError when the window does not fit in the padded input.
    Source: torch.nn.Conv2d and torch.nn.MaxPool2d, "Shape".

    >>> convolution_output(8, kernel=3, padding=1)
    8
    >>> convolution_output(8, kernel=3, padding=1, stride=2)
    4
    >>> convolution_output(8, 3, 3), convolution_output(8, 5, 4, padding=1)   # S11
    (2, 2)
    """
    _at_least(1, stride=stride)
    _at_least(0, size=size, padding=padding)
    room = size + 2 * padding - effective_kernel(kernel, dilation)
    if room < 0:
        raise ValueError(
            f"a window of {effective_kernel(kernel, dilation)} does not fit in {size} + 2·{padding} elements"
        )
    return room // stride + 1


def chapter_output(size: int, kernel: int, stride: int = 1, total_padding: int = 0) -> int:
    """Output size as the chapter prints it (S11): ``⌊(n − k + p + s) / s⌋``, ``p`` the TOTAL padding.

    >>> chapter_output(8, kernel=3, stride=2, total_padding=2)
    4
    """
    return (size - kernel + total_padding + stride) // stride


def pooling_output(
    size: int,
    kernel: int,
    stride: int | None = None,
    padding: int = 0,
    dilation: int = 1,
    ceil_mode: bool = False,
) -> int:
    """Output size of a pooling window; ``stride`` defaults to ``kernel`` (S16).

    In ceil mode the division rounds up, then a last window is dropped if it would start at or beyond
    ``size + padding``, the input with its left padding: such a window would see nothing but right padding.
    Source: torch.nn.MaxPool2d, "Shape" and the note on ``ceil_mode``.

    >>> pooling_output(4, kernel=3, stride=2, padding=1)
    2
    >>> pooling_output(5, kernel=2, ceil_mode=True), pooling_output(5, kernel=2)
    (3, 2)
    >>> pooling_output(3, kernel=2, stride=2, padding=1, ceil_mode=True)   # a third window would start at 4
    2
    """
    stride = kernel if stride is None else stride
    outputs = convolution_output(size, kernel, stride, padding, dilation)
    if not ceil_mode:
        return outputs
    room = size + 2 * padding - effective_kernel(kernel, dilation)
    outputs = -(-room // stride) + 1
    if (outputs - 1) * stride >= size + padding:
        outputs -= 1
    return outputs


def same_padding(kernel: int) -> int:
    """Padding per side with which an odd kernel keeps the size: ``(kernel − 1) / 2`` (S10).

    >>> same_padding(3), same_padding(5)
    (1, 2)
    """
    if kernel % 2 == 0:
        raise ValueError(f"kernel={kernel} is even: no equal padding on both sides keeps the size")
    return (kernel - 1) // 2


def receptive_field(layers: Iterable[tuple[int, int, int]]) -> int:
    """Input elements along one axis that can affect one output element (S9).

    ``layers`` lists ``(kernel, stride, dilation)`` from the input on. With ``jump`` the distance in the input
    between neighbouring elements of the current feature map, each layer adds ``(effective − 1)·jump``.

    >>> receptive_field([(3, 1, 1), (3, 1, 1)])
    5
    >>> receptive_field([(5, 1, 1), (2, 2, 1), (5, 1, 1), (2, 2, 1)])   # LeNet's convolutional part
    16
    """
    field, jump = 1, 1
    for kernel, stride, dilation in layers:
        field += (effective_kernel(kernel, dilation) - 1) * jump
        jump *= stride
    return field


def _at_least(least: int, **values: int) -> None:
    for name, value in values.items():
        if value < least:
            raise ValueError(f"{name}={value} must be at least {least}")
