"""One size large at a time, at and around the tiles in which kernels work; all else is small, so that loops are cheap.

A kernel that is right for short rows, few images and small windows may be wrong past the end of its first tile, for a
whole number of tiles, or in what is left over. Libraries take tiles of 32 to 1,024, and count in 16 bits now and then.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from hypothesis import strategies as st

from properties.cases.case import COIN, Axis, Case, Geometry, among, cases, convolution_of, whole

Sized = Callable[[int], st.SearchStrategy[Geometry]]
"""Shapes and arguments with one size as large as it is told."""
Kinds = Mapping[str, Sized]
"""What can be large, each by a name of its own."""
Windows = Callable[[st.DrawFn, int], Axis]

SIZES = (
    among(65_536), whole(256, 511).map(lambda half: 2 * half + 1), among(4097, 4095, 4096), among(256),
    among(1024), among(128), among(512), among(65_537, 65_535), among(64), among(1023, 1025, 511, 513), among(4096),
    whole(512, 2047).map(lambda half: 2 * half + 1), among(63, 65, 127, 129, 255, 257),
)  # fmt: skip
"""Sizes in the order in which they are dealt. What is wrong from some size on shows at the first; what is wrong for one
size, or for odd ones, at another."""
HUGE = 4000
"""Above this all else is as small as can be."""
FEW = (1, 2, 3)
TWO = (1, 2)
ONE = (1,)
POINT = Axis(1, 1, 1, 0, 1)
SHORT = among(Axis(3, 2, 1, 0, 1), Axis(2, 1, 1, 0, 1), Axis(3, 3, 1, 1, 1))


def in_turn(kinds: Kinds, exact: bool) -> tuple[st.SearchStrategy[Case], ...]:
    """Cases of each kind with the first size, then of each with the second, and so on.

    exact: whether to fill all of every other size with integers, the first ones included. They show a term that is left
    out, however many there are; real values show how they are added up.
    """
    rounds = [[cases(size.flatmap(kind)) for kind in kinds.values()] for size in SIZES]
    if exact:
        rounds[::2] = [[case.map(Case.with_integers) for case in round] for round in rounds[::2]]
    return tuple(case for round in rounds for case in round)


def at_most(most: int, kinds: Kinds, *names: str) -> Kinds:
    """The same kinds, those that are named up to a size: larger ones take too long, in torch or in the loops."""

    def capped(kind: Sized) -> Sized:
        return lambda size: kind(min(size, most))

    return {name: capped(kind) if name in names else kind for name, kind in kinds.items()}


def mapped(change: Callable[[st.SearchStrategy[Geometry]], st.SearchStrategy[Geometry]], kinds: Kinds) -> Kinds:
    """The kinds of a layer whose geometry is another's, changed."""

    def changed(kind: Sized) -> Sized:
        return lambda size: change(kind(size))

    return {name: changed(kind) for name, kind in kinds.items()}


def each(make: Callable[..., Geometry], **few: tuple[int, ...]) -> Kinds:
    """A kind for each number, which is large while the others are one of a few, or, of what is huge, the least.

    make: makes shapes and arguments of ``draw`` and all of the numbers, by their names.
    """

    @st.composite
    def large(draw: st.DrawFn, name: str, size: int) -> Geometry:
        small = {other: min(choice) if size > HUGE else draw(among(*choice)) for other, choice in few.items()}
        return make(draw, **{**small, name: size})

    return {name: partial(large, name) for name in few}


def each_axis(axes: int, make: Callable[[st.DrawFn, list[Axis]], Geometry], **windows: Windows) -> Kinds:
    """A kind for each axis and each way in which a window on it can be large; make: as for :func:`each`."""

    @st.composite
    def large(draw: st.DrawFn, axis: int, window: Windows, size: int) -> Geometry:
        drawn = [POINT] * axes if size > HUGE else short_axes(draw, axes)
        drawn[axis] = window(draw, size)
        return make(draw, drawn)

    ways = [(axis, name) for axis in range(axes) for name in windows]
    return {f"{name} of axis {axis}": partial(large, axis, windows[name]) for axis, name in ways}


def huge(windows: list[Axis]) -> bool:
    """True if some axis is so long that all else is 1."""
    return max(w.size for w in windows) > HUGE


def short_axes(draw: st.DrawFn, axes: int) -> list[Axis]:
    """Windows of one element on axes of one element, but for one that is short."""
    windows = [POINT] * axes
    windows[draw(whole(0, axes - 1))] = draw(SHORT)
    return windows


def many_taps(draw: st.DrawFn, taps: int) -> Axis:
    """A window of so many taps, with up to three positions."""
    stride, padding = draw(among(*FEW)), draw(among(0, 1))
    steps = 0 if taps > HUGE else draw(whole(0, 2))
    return Axis(taps + stride * steps - 2 * padding, taps, stride, padding, 1)


def many_positions(draw: st.DrawFn, positions: int) -> Axis:
    """A window of few taps, with so many positions."""
    kernel, stride = draw(among(*FEW)), 1 if positions > HUGE else draw(among(*TWO))
    padding = draw(among(0, kernel // 2))
    return Axis(kernel + stride * (positions - 1) - 2 * padding, kernel, stride, padding, 1)


def convolution(axes: int) -> Kinds:
    """A convolution's images, channels, groups, taps and positions; the gradient of its bias sums images, positions."""

    def of_numbers(draw: st.DrawFn, images: int, inputs: int, outputs: int, groups: int) -> Geometry:
        return convolution_of(short_axes(draw, axes), (images,), inputs, outputs, groups, images > 1 or draw(COIN))

    def of_windows(groups: int, draw: st.DrawFn, windows: list[Axis]) -> Geometry:
        images, inputs, outputs = (1 if huge(windows) else draw(among(*TWO)) for _ in range(3))
        return convolution_of(windows, (images,), inputs, outputs, groups, bias=True)

    numbers = each(of_numbers, images=ONE, inputs=TWO, outputs=TWO, groups=ONE)
    return {
        **at_most(4097, numbers, "groups"),
        **each_axis(axes, partial(of_windows, 1), taps=many_taps, positions=many_positions),
        **each_axis(axes, partial(of_windows, 2), taps_of_groups=many_taps),
    }


def pooling(
    axes: int,
    arguments: Callable[[st.DrawFn, list[Axis]], dict[str, Any]],
    padded: bool = True,
    longest: int = 65_537,
) -> Kinds:
    """A pooling's images, channels, windows and positions; arguments: those of a layer with such windows.

    longest: the most taps of a window.
    """

    def of_windows(draw: st.DrawFn, windows: list[Axis], images: int = 1, channels: int = 1) -> Geometry:
        if not padded:
            windows = [replace(w, size=w.size + 2 * w.padding, padding=0) for w in windows]
        return {"input": (images, channels, *(w.size for w in windows))}, arguments(draw, windows)

    def of_planes(draw: st.DrawFn, images: int, channels: int) -> Geometry:
        return of_windows(draw, short_axes(draw, axes), images, channels)

    return {
        **each(of_planes, images=TWO, channels=TWO),
        **each_axis(
            axes, of_windows, taps=lambda draw, size: many_taps(draw, min(size, longest)), positions=many_positions
        ),
    }


def adaptive(axes: int) -> Kinds:
    """The images, channels, windows and positions of a pooling to a size."""

    def of_planes(draw: st.DrawFn, images: int, channels: int) -> Geometry:
        spatial = tuple(draw(among(*TWO)) for _ in range(axes))
        return {"input": (images, channels, *spatial)}, {"output_size": tuple(draw(whole(1, s + 1)) for s in spatial)}

    def of_axes(draw: st.DrawFn, windows: list[Axis]) -> Geometry:
        """Of an Axis the kernel is taken for the number of outputs."""
        size = {"output_size": tuple(w.kernel for w in windows)}
        images, channels = (1 if huge(windows) else draw(among(*TWO)) for _ in range(2))
        return {"input": (images, channels, *(w.size for w in windows))}, size

    def long_windows(draw: st.DrawFn, size: int) -> Axis:
        outputs = 1 if size > HUGE else draw(among(*FEW))
        return Axis(size * outputs - draw(whole(0, outputs - 1)), outputs, 1, 0, 1)

    def many_outputs(draw: st.DrawFn, size: int) -> Axis:
        return Axis(size + draw(whole(-3, 3)), size, 1, 0, 1)

    return {
        **each(of_planes, images=TWO, channels=TWO),
        **each_axis(
            axes, of_axes, windows=long_windows, positions=lambda draw, size: many_outputs(draw, min(size, 4097))
        ),
    }


def planes(axes: int, arguments: Mapping[str, Any]) -> Kinds:
    """The images, channels and sizes of an input for arguments that any size allows."""
    names = [f"size of axis {axis}" for axis in range(axes)]

    def make(draw: st.DrawFn, **sizes: int) -> Geometry:
        return {"input": tuple(sizes.values())}, dict(arguments)

    return at_most(4097, each(make, images=TWO, channels=TWO, **dict.fromkeys(names, (2, 3, 4))), *names)
