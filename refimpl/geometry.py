"""Output sizes of windows that slide over an axis: exact Python integers, one cited formula each.

All sizes are counts of elements along one axis. ``padding`` is torch's, per side; the chapter's is the total of an
axis, ``total_padding = 2·padding``.
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
    """Output size as the chapter prints it (S11): ``⌊(size − kernel + total_padding + stride) / stride⌋``.

    The chapter calls them n, k, p and s, each with the axis's index.

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
    ``size + padding``, the input with its left padding: such a window would see nothing but right padding. A first
    window larger than the padded input stays where it reaches beyond it by less than the stride.
    Source: torch.nn.MaxPool2d, "Shape" and the note on ``ceil_mode``.

    >>> pooling_output(4, kernel=3, stride=2, padding=1)
    2
    >>> pooling_output(5, kernel=2, ceil_mode=True), pooling_output(5, kernel=2)
    (3, 2)
    >>> pooling_output(3, kernel=2, stride=2, padding=1, ceil_mode=True)   # a third window would start at 4
    2
    >>> pooling_output(1, kernel=3, ceil_mode=True)
    1
    """
    stride = kernel if stride is None else stride
    if not ceil_mode:
        return convolution_output(size, kernel, stride, padding, dilation)
    _at_least(1, stride=stride)
    _at_least(0, size=size, padding=padding)
    room = size + 2 * padding - effective_kernel(kernel, dilation)
    outputs = -(-room // stride) + 1
    if (outputs - 1) * stride >= size + padding:
        outputs -= 1
    if outputs < 1:
        raise ValueError(f"no window of {effective_kernel(kernel, dilation)} starts in {size} + 2·{padding} elements")
    return outputs


def same_padding(kernel: int) -> int:
    """Padding per side with which an odd kernel keeps the size: ``(kernel − 1) / 2`` (S10).

    >>> same_padding(3), same_padding(5)
    (1, 2)
    """
    if kernel % 2 == 0:
        raise ValueError(f"kernel={kernel} is even: no equal padding on both sides keeps the size")
    return (kernel - 1) // 2


def same_split(kernel: int, dilation: int = 1) -> tuple[int, int]:
    """Padding before and after an axis with which a window of stride 1 keeps the size: "same".

    The total is ``dilation·(kernel − 1)``; where it is odd, the extra element is after.
    Source: torch.nn.functional.conv1d, ``padding='same'``; torch pads half of the total, rounded down, before.

    >>> same_split(3), same_split(4), same_split(4, dilation=2)
    ((1, 1), (1, 2), (3, 3))
    """
    total = effective_kernel(kernel, dilation) - 1
    return total // 2, total - total // 2


def transposed_output(
    size: int, kernel: int, stride: int = 1, padding: int = 0, output_padding: int = 0, dilation: int = 1
) -> int:
    """Output size of a transposed convolution, of which ``size`` is the input's.

    ``(size − 1)·stride − 2·padding + dilation·(kernel − 1) + output_padding + 1``

    ``output_padding`` chooses among the sizes that the convolution maps to ``size``. Raises ValueError where it is
    not smaller than the stride or the dilation, and where the padding takes more elements than there are; where it
    takes all, the output is empty.
    Source: torch.nn.ConvTranspose2d, "Shape" and the note on ``output_padding``.

    >>> transposed_output(3, kernel=3, stride=2), transposed_output(3, kernel=3, stride=2, output_padding=1)
    (7, 8)
    >>> convolution_output(7, kernel=3, stride=2), convolution_output(8, kernel=3, stride=2)
    (3, 3)
    >>> transposed_output(1, kernel=2, padding=1), transposed_output(0, kernel=3)
    (0, 2)
    """
    _at_least(1, stride=stride)
    _at_least(0, size=size, padding=padding, output_padding=output_padding)
    if output_padding >= max(stride, dilation):
        raise ValueError(f"output_padding={output_padding} must be smaller than stride={stride} or dilation={dilation}")
    output = (size - 1) * stride - 2 * padding + effective_kernel(kernel, dilation) + output_padding
    if output < 0:
        raise ValueError(f"padding={padding} leaves {output} elements of the output")
    return output


def adaptive_window(position: int, size: int, outputs: int) -> tuple[int, int]:
    """First element of an adaptive pooling window and the one after its last.

    ``⌊position·size / outputs⌋`` and ``⌈(position + 1)·size / outputs⌉``: windows cover the input, may overlap by
    one element, and repeat elements where there are more outputs than inputs.
    Source: torch.nn.AdaptiveAvgPool2d; the formula is in ATen/native/AdaptivePooling.h, start_index and end_index.

    >>> [adaptive_window(i, 5, 3) for i in range(3)]
    [(0, 2), (1, 4), (3, 5)]
    >>> [adaptive_window(i, 2, 3) for i in range(3)]
    [(0, 1), (0, 2), (1, 2)]
    """
    return position * size // outputs, -(-(position + 1) * size // outputs)


def fractional_starts(size: int, kernel: int, outputs: int, sample: float) -> tuple[int, ...]:
    """First element of each window of a fractional pooling, from one sample in [0, 1).

    ``⌊(i + sample)·α⌋ − ⌊sample·α⌋`` with ``α = (size − kernel) / (outputs − 1)``, and ``size − kernel`` for the last.
    The sample is taken as the ratio of integers that it is, so nothing is rounded. Raises ValueError where
    ``kernel + outputs − 1`` exceeds the size. Source: torch.nn.FractionalMaxPool2d for the condition;
    ATen/native/FractionalMaxPooling.h, generate_intervals, for the formula.

    >>> fractional_starts(6, kernel=2, outputs=3, sample=0.0), fractional_starts(8, 2, 5, sample=0.5)
    ((0, 2, 4), (0, 2, 3, 5, 6))
    >>> fractional_starts(7, kernel=3, outputs=1, sample=0.5)
    (4,)
    """
    _at_least(1, kernel=kernel)
    _at_least(0, outputs=outputs)
    if kernel + outputs - 1 > size:
        raise ValueError(
            f"{outputs} windows of {kernel} do not fit in {size} elements: {kernel} + {outputs} − 1 > {size}"
        )
    above, below = float(sample).as_integer_ratio()
    free, steps = size - kernel, outputs - 1
    floors = [(i * below + above) * free // (steps * below) for i in range(steps)]
    return (*(floor - floors[0] for floor in floors), free) if outputs else ()


def padded_size(size: int, before: int, after: int) -> int:
    """Size after padding: ``size + before + after``; a negative amount crops. Raises ValueError below zero.

    Source: torch.nn.ZeroPad2d, "Shape".

    >>> padded_size(4, 1, 2), padded_size(4, -1, 2), padded_size(4, -1, -3)
    (7, 5, 0)
    """
    padded = size + before + after
    if padded < 0:
        raise ValueError(f"cropping ({before}, {after}) leaves {padded} of {size} elements")
    return padded


def unpooled_size(size: int, kernel: int, stride: int | None = None, padding: int = 0) -> int:
    """Output size of max unpooling where none is asked for: ``(size − 1)·stride − 2·padding + kernel``.

    ``stride`` defaults to ``kernel``. Source: torch.nn.MaxUnpool2d, "Shape".

    >>> unpooled_size(2, kernel=2), unpooled_size(3, kernel=3, stride=2, padding=1)
    (4, 5)
    """
    return (size - 1) * (kernel if stride is None else stride) - 2 * padding + kernel


def reaches(start: int, steps: int, step: int, size: int) -> bool:
    """True if one of ``steps`` positions, ``start`` and a ``step`` apart, lies in an input of ``size`` elements.

    The taps of a window are such positions, a dilation apart; so are the places of one tap in all windows, a stride
    apart.

    >>> reaches(-1, steps=2, step=1, size=3), reaches(-1, steps=2, step=2, size=1)
    (True, False)
    """
    first = max(0, -(start // step))
    return first < steps and start + first * step < size


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
