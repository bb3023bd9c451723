"""Cases: the shapes, arguments and values that laws are tried on. Every draw is valid by construction.

A strategy draws the window first (kernel, stride, dilation, padding), then the least input that it fits in, plus
slack; nothing is drawn and thrown away. Values are filled in bulk from a drawn kind and seed, so a case is a few
numbers: cheap to draw, quick to shrink, short to print, and its text pastes back into Python.
"""

from __future__ import annotations

import functools
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from hypothesis import strategies as st

from properties.cases.dealing import among as among
from properties.cases.dealing import dealt, rarely
from properties.worker.call import Setting
from properties.worker.layouts import FAITHFUL, LAYOUTS, OFFSETS, fit
from refimpl.arrays import Array
from refimpl.geometry import effective_kernel
from refimpl.rounding import Format, round_to

INTEGERS = "integers"
LARGEST_INTEGER = 8
REAL_FILLS = ("normal", "wide", "ties", "normal", "wide", "constant", "one-hot")

# Just under, at and over the widths of vector registers and of their unrolled loops, where tails go wrong.
TAILS = (7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65)


@dataclass(frozen=True)
class Case:
    """Shapes by operand, keyword arguments, how values are filled in, and perhaps where they lie in memory."""

    shapes: Mapping[str, tuple[int, ...]]
    arguments: Mapping[str, Any]
    fill: str = INTEGERS
    seed: int = 0
    setting: Setting | None = None

    def tensor(self, name: str, shape: tuple[int, ...], format: Format, scale: int = 1) -> Array:
        """Values for one operand: float64, each a number of the format; integers are multiples of ``scale``."""
        generator = np.random.default_rng([self.seed, zlib.crc32(name.encode())])
        first = name == next(iter(self.shapes), name)
        span = min(12.0, format.storage.largest_exponent / 5)
        values = round_to(_filled(self.fill, shape, generator, first, span) * scale, format.storage)
        return fit(values, self.layout(name))

    def layout(self, name: str) -> str:
        """How an operand, or the "cotangent", lies in memory."""
        return self.setting.layouts.get(name, "contiguous") if self.setting else "contiguous"

    def with_integers(self) -> Case:
        """The same case filled with small integers, for the exact tier."""
        return replace(self, fill=INTEGERS)

    def with_arguments(self, **arguments: Any) -> Case:
        """The same case with some arguments changed."""
        return replace(self, arguments={**self.arguments, **arguments})

    def with_shape(self, name: str, shape: tuple[int, ...]) -> Case:
        """The same case with one operand's shape changed."""
        return replace(self, shapes={**self.shapes, name: shape})


@dataclass(frozen=True)
class Repeated(Case):
    """A case and how often it is run again."""

    times: int = 1


@dataclass(frozen=True)
class Wanting(Case):
    """A case and the operands that alone require a gradient."""

    wanted: tuple[str, ...] = ()


@dataclass(frozen=True)
class Mixed(Case):
    """A case and the operands of another dtype than the subject's."""

    dtypes: Mapping[str, str] = field(default_factory=dict)


def _filled(fill: str, shape: tuple[int, ...], generator: np.random.Generator, first: bool, span: float) -> Array:
    if fill == INTEGERS:
        return generator.integers(-LARGEST_INTEGER, LARGEST_INTEGER + 1, shape).astype(np.float64)
    if fill == "wide":
        return generator.choice([-1.0, 1.0], shape) * np.exp2(generator.uniform(-span, span, shape))
    if fill == "ties":
        return generator.integers(-1, 3, shape) / 2.0
    if fill == "constant" and first:
        return np.full(shape, generator.standard_normal())
    if fill == "one-hot" and first:
        hot = np.zeros(shape)
        if hot.size:
            hot.flat[generator.integers(hot.size)] = generator.standard_normal()
        return hot
    return generator.standard_normal(shape)


@functools.cache
def whole(least: int, most: int) -> st.SearchStrategy[int]:
    """Integers of a range. Strategies are cached, here and below: to make one takes longer than to draw from it."""
    return st.integers(least, most)


@functools.cache
def often(least: int, most: int, *favourites: int) -> st.SearchStrategy[int]:
    """Sizes of a range, three in four of them favourites; in order, so that they shrink to the least that fails."""
    return among(*sorted([*range(least, most + 1), *favourites * (3 * (most - least) // len(favourites))]))


COIN = st.booleans()
PADDED = (False, True, True, True)
BATCHES = {"one": ((1,),), "none": ((),), "many": ((2,), (3,))}
CHANNELS = among(1, 2, 3, 8, 17, 65)
"""In channels_last kernels take vectors of channels, of up to 64 elements of eight bits."""


def unpadded(case: Case) -> Case:
    """The same windows over an input as large as the padded one, so that no border is special."""
    padding = case.arguments.get("padding", ())
    if not any(padding):
        return case
    leading = case.shapes["input"][: -len(padding)]
    spatial = (size + 2 * p for size, p in zip(case.shapes["input"][-len(padding) :], padding, strict=True))
    return case.with_shape("input", (*leading, *spatial)).with_arguments(padding=(0,) * len(padding))


def kernel_size(case: Case) -> tuple[int, ...]:
    """The kernel's sizes, of a pooling or of a bank of weights."""
    kernel = case.arguments.get("kernel_size")
    return tuple(case.shapes["weight"][2:] if kernel is None else kernel)


def window(case: Case) -> list[tuple[int, int, int, int]]:
    """Effective kernel size, stride, padding and dilation along each axis."""
    kernel = kernel_size(case)
    stride, dilation = case.arguments.get("stride", kernel), case.arguments.get("dilation", (1,) * len(kernel))
    padding = case.arguments.get("padding", (0,) * len(kernel))
    axes = zip(kernel, stride, padding, dilation, strict=True)
    return [(effective_kernel(k, d), s, p, d) for k, s, p, d in axes]


def with_spatial(case: Case, sizes: Iterable[int]) -> Case:
    """The same case with an input of other sizes along its last axes."""
    sizes = tuple(sizes)
    return case.with_shape("input", (*case.shapes["input"][: -len(sizes)], *sizes))


def snug(case: Case) -> Case:
    """The same windows over an input just so much larger that the last one ends where the padded input does."""
    windows = window(case)
    sizes = zip(case.shapes["input"][-len(windows) :], windows, strict=True)
    return with_spatial(case, (size + (k - size - 2 * p) % s for size, (k, s, p, _) in sizes))


Geometry = tuple[dict[str, tuple[int, ...]], dict[str, Any]]


@st.composite
def cases(draw: st.DrawFn, geometry: st.SearchStrategy[Geometry]) -> Case:
    """Cases of drawn (shapes, arguments), with a real fill; the exact tier replaces the fill by integers."""
    shapes, arguments = draw(geometry)
    return Case(shapes, arguments, dealt(draw, "fill", REAL_FILLS), draw(whole(0, 2**16 - 1)))


@dataclass(frozen=True)
class Axis:
    """A window on one axis and the number of elements that it slides over."""

    size: int
    kernel: int
    stride: int
    padding: int
    dilation: int


@functools.cache
def sizes(least: int, longest: int) -> st.SearchStrategy[int]:
    """Sizes from ``least`` on: often the least itself or a little more, sometimes near a vector tail."""
    near, tails = tuple(range(least, least + 7)), tuple(size for size in TAILS if least + 7 <= size <= longest)
    return _near_or_tail(near, tails) if longest >= TAILS[-1] // 2 and tails else among(*near, *near, *tails)


@functools.cache
@st.composite
def _near_or_tail(draw: st.DrawFn, near: tuple[int, ...], tails: tuple[int, ...]) -> int:
    return draw(among(*(tails if dealt(draw, "tail", (False, True)) else near)))


@functools.cache
@st.composite
def convolution_axis(draw: st.DrawFn, kernels: int, longest: int, padded: bool = True) -> Axis:
    """A convolution's window: padding may exceed the kernel's reach, where outputs see nothing but zeros."""
    kernel = draw(whole(1, kernels))
    dilation = draw(whole(1, 3))
    effective = effective_kernel(kernel, dilation)
    padding = draw(whole(1, effective + 1)) if padded and dealt(draw, "padded", PADDED) else 0
    size = draw(sizes(max(1, effective - 2 * padding), longest))
    return Axis(size, kernel, draw(whole(1, 4)), padding, dilation)


def convolution_of(
    windows: Sequence[Axis], batch: tuple[int, ...], inputs: int, outputs: int, groups: int, bias: bool
) -> Geometry:
    """Shapes and arguments of a convolution of these windows, with so many input and output channels in each group."""
    shapes = {
        "input": (*batch, groups * inputs, *(w.size for w in windows)),
        "weight": (groups * outputs, inputs, *(w.kernel for w in windows)),
    }
    if bias:
        shapes["bias"] = (groups * outputs,)
    return shapes, {
        "stride": tuple(w.stride for w in windows),
        "padding": tuple(w.padding for w in windows),
        "dilation": tuple(w.dilation for w in windows),
        "groups": groups,
    }


@functools.cache
@st.composite
def pooling_axis(draw: st.DrawFn, kernels: int, longest: int, dilated: bool, padded: bool = True) -> Axis:
    """A pooling window: padding at most half of the kernel size, as torch demands."""
    kernel = draw(whole(1, kernels))
    dilation = draw(whole(1, 3)) if dilated else 1
    effective = effective_kernel(kernel, dilation)
    padding = draw(whole(1, kernel // 2)) if padded and kernel > 1 and dealt(draw, "padded", PADDED) else 0
    size = draw(sizes(max(1, effective - 2 * padding), longest))
    return Axis(size, kernel, draw(whole(1, kernels + 1)), padding, dilation)


@functools.cache
@st.composite
def batches(draw: st.DrawFn) -> tuple[int, ...]:
    """The leading axes: a batch of 1 to 3, or none; now and then a batch of nothing, which is a law's own matter."""
    batch = draw(among(*BATCHES[dealt(draw, "batch", tuple(BATCHES))]))
    return (0,) if rarely(draw) else batch


@functools.cache
def longest_axis(axes: int, long: int) -> st.SearchStrategy[tuple[int, ...]]:
    """How long each axis may be: one of them up to ``long``, the others short, to keep a case small."""
    return among(*(tuple(long if a == chosen else 8 for a in range(axes)) for chosen in range(axes)))


KINDS_OF_LAYOUTS = tuple(name for name in LAYOUTS if name not in (*OFFSETS[1:], "axis 1 innermost"))
"""One of all that start off alignment, and one of both that have axis 1 innermost."""


def in_format(layout: str, shape: tuple[int, ...] | None) -> str:
    """The layout that stands for channels_last on three axes, where torch has no such format; any other as it is."""
    return "axis 1 innermost" if layout == "channels_last" and shape and len(shape) == 3 else layout


@st.composite
def in_layouts(
    draw: st.DrawFn,
    cases: st.SearchStrategy[Case],
    output_shape: Callable[[Case], tuple[int, ...]] | None = None,
    given: Iterable[str] = (),
) -> Case:
    """Cases with a memory layout for each operand and, if there is one, the cotangent.

    The ``given`` operands keep all of their values. Dealt are the layouts of the first two operands and the cotangent.
    """
    case, layouts = draw(cases), {}
    shapes: dict[str, tuple[int, ...] | None] = {**case.shapes, **dict.fromkeys(given)}
    chosen = [*shapes][:2]
    if output_shape:
        shapes["cotangent"] = output_shape(case)
        chosen.append("cotangent")
    start = dealt(draw, "start", OFFSETS)
    for name, shape in shapes.items():
        kinds = KINDS_OF_LAYOUTS if name not in given else [kind for kind in KINDS_OF_LAYOUTS if kind in FAITHFUL]
        kind = dealt(draw, f"layout of {name}", kinds) if name in chosen else draw(among(*kinds))
        layouts[name] = start if kind == "offset" else in_format(kind, shape)
    return replace(case, setting=Setting(layouts))


@st.composite
def under_flags(draw: st.DrawFn, cases: st.SearchStrategy[Case]) -> Case:
    """Cases with oneDNN on or off, one thread or two, and torch's deterministic algorithms or not."""
    case, onednn = draw(cases), not dealt(draw, "without oneDNN", (False, True))
    threads, deterministic = dealt(draw, "threads", (1, 2)), dealt(draw, "deterministic", (False, True))
    return replace(case, setting=Setting(case.setting.layouts if case.setting else {}, onednn, threads, deterministic))


@st.composite
def wanting(draw: st.DrawFn, cases: st.SearchStrategy[Case]) -> Wanting:
    """Cases of which some operands, but not all where there are several, require a gradient."""
    case = draw(cases)
    names = tuple(case.shapes)
    chosen = draw(whole(1, max(1, 2 ** len(names) - 2)))
    wanted = tuple(name for i, name in enumerate(names) if chosen >> i & 1)
    return Wanting(case.shapes, case.arguments, case.fill, case.seed, wanted=wanted)


@st.composite
def mixed(draw: st.DrawFn, cases: st.SearchStrategy[Case]) -> Mixed:
    """Cases of several operands of which one has another dtype than float32."""
    case = draw(cases)
    dtypes = {draw(among(*case.shapes)): draw(among("float64", "bfloat16", "float16"))}
    return Mixed(case.shapes, case.arguments, case.fill, case.seed, dtypes=dtypes)
