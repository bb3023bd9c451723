"""Layers that people run: those of :mod:`properties.cases.networks`, in every dtype, layout and mode."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial

from bench import machine, measure, timed
from bench.measure import Conditions, Ratio
from bench.registry import compiler_absence
from bench.timed import Timed
from properties.cases import networks
from properties.cases.networks import NETWORKS, Layer
from properties.operators import operator
from properties.worker.programs import pooling

DTYPES = ("float32", "bfloat16", "float16")
DIRECTIONS = ("forward", "backward")
WIDTHS = {"float32": 4, "bfloat16": 2, "float16": 2}
FITTING = (2**26, 2**22, 256)
"""Products, elements and images of a batch: as many as a processor that computes 16 bits slowly has time for."""
ROUNDS, PATIENCE = 7, 10.0
AGAIN = "again"
"""float32 is timed a second time in the first of the ways: how far its ratio to itself strays is the noise floor."""


@dataclass(frozen=True)
class Cell:
    """One way to run a layer."""

    direction: str
    dtype: str
    channels_last: bool
    compiled: bool

    def __str__(self) -> str:
        parts = [self.direction, self.dtype, "channels_last" if self.channels_last else "contiguous"]
        return "-".join([*parts, "compiled" if self.compiled else "eager"])


@dataclass(frozen=True)
class Measured:
    """Seconds of a cell by round, beside those of float32 in the same layout, mode and direction."""

    seconds: list[float]
    over_float32: Ratio | None
    floor: float
    conditions: Conditions

    @property
    def flag(self) -> str | None:
        """How 16 bits stand to float32: "faster", "slower" …; None of float32 itself."""
        busy = self.conditions.warning is not None
        return self.over_float32.verdict(self.floor, busy) if self.over_float32 else None


def name(layer: Layer) -> str:
    """A layer in a few words.

    >>> [name(layer) for layer in (NETWORKS["ResNet-50"][0], NETWORKS["MobileNet-V2"][1], NETWORKS["U-Net"][0])]
    ['conv 7×7/2 3→64 224×224', 'depthwise 3×3 32→32 112×112', 'transposed 2×2/2 1024→512 28×28']
    >>> [name(layer) for layer in NETWORKS["AlexNet"][-6:-1]][::3]
    ['max pool 3×3/2 64 55×55', 'adaptive avg pool 256 6×6']
    """
    weight, channels, size = layer.shapes.get("weight"), layer.shapes["input"][0], layer.shapes["input"][1:]
    if layer.operator == "linear":
        return f"linear {channels}→{layer.outputs}"
    kind = {"conv2d": "conv", "conv_transpose2d": "transposed"}.get(layer.operator, layer.operator)
    kind = "depthwise" if layer.arguments.get("groups", 1) > 1 else kind.removesuffix("2d").replace("_", " ")
    kernel = weight[2:] if weight else layer.arguments.get("kernel_size")
    step = layer.arguments.get("stride", (1,))[0]
    window = [_square(kernel) + (f"/{step}" if step > 1 else "")] if kernel else []
    outputs = operator(layer.operator).output_shape(layer.case(1, "normal", 0))[1]
    return " ".join([kind, *window, f"{channels}→{outputs}" if weight else str(channels), _square(size)])


def _square(sizes: Iterable[int]) -> str:
    return "×".join(map(str, sizes))


def layers() -> Iterator[tuple[str, Layer]]:
    """Each layer with its network, in the table's order."""
    return ((network, layer) for network, own in NETWORKS.items() for layer in own)


def cells(layer: Layer) -> list[Cell]:
    """Every way to run it: a layer without planes has one layout; compiled where there is a compiler."""
    layouts = (False, True) if len(layer.shapes["input"]) == 3 else (False,)
    modes = (False,) if compiler_absence("cpu") else (False, True)
    return [Cell(*way) for way in ((d, t, c, m) for d in DIRECTIONS for t in DTYPES for c in layouts for m in modes)]


def batch(layer: Layer) -> int:
    """The largest that fits; one image of a layer that is larger than what fits."""
    return layer.batch(*FITTING) or layer.batch(*networks.LIMITS[-1])


def described(layer: Layer, cell: Cell) -> Timed:
    """The layer as it is timed, on its largest batch."""
    # A network asks its max pooling for values alone.
    program = pooling.max_pool2d_values if layer.operator == "max_pool2d" else operator(layer.operator).program
    shapes = {name: list(shape) for name, shape in layer.case(batch(layer), "normal", 0).shapes.items()}
    name = f"{program.__module__}:{program.__qualname__}"
    return Timed(name, shapes, dict(layer.arguments), cell.dtype, cell.channels_last, cell.compiled, cell.direction)


def work(layer: Layer, cell: Cell) -> machine.Work:
    """FLOP of the direct algorithm, and bytes, each operand and each result once; backward, to all operands.

    A pooling's backward pass needs no input, but where its largest were.

    >>> work(NETWORKS["LeNet"][-1], Cell("backward", "float32", False, False)) == machine.Work(
    ...     256 * 4 * 84 * 10, 4 * (256 * (2 * 84 + 10) + 2 * 850)
    ... )
    True
    """
    n, weights = batch(layer), sum(math.prod(s) for name, s in layer.shapes.items() if name != "input")
    flop = 2 * layer.products * n if "weight" in layer.shapes else 0
    inputs, outputs = math.prod(layer.shapes["input"]) * n, layer.outputs * n
    if cell.direction == "forward":
        return machine.Work(flop, WIDTHS[cell.dtype] * (inputs + weights + outputs))
    read = inputs + weights if weights else 0
    return machine.Work(2 * flop, WIDTHS[cell.dtype] * (read + outputs + inputs + weights))


def measured(layer: Layer, chosen: Iterable[Cell], rounds: int = ROUNDS) -> dict[Cell, Measured]:
    """Time a layer in some ways, in interleaved rounds with float32 in the same layouts, modes and directions."""
    ways = list(chosen)
    baselines = [replace(cell, dtype="float32") for cell in ways]
    runs = {cell: timed.prepared(described(layer, cell)) for cell in dict.fromkeys([*ways, *baselines])}
    samples = {cell: partial(timed.sample, run, timed.repeats(run)) for cell, run in runs.items()}
    plain = baselines[0]
    named = {str(cell): call for cell, call in samples.items()}
    watch = measure.Watch()
    found = measure.interleave(named | {AGAIN: samples[plain]}, rounds, patience=PATIENCE)
    conditions = watch.conditions()
    timed.forget_compiled()
    floor = measure.ratio(found[str(plain)], found[AGAIN]).strays

    def over_float32(cell: Cell) -> Ratio | None:
        if cell.dtype == "float32":
            return None
        return measure.ratio(found[str(replace(cell, dtype="float32"))], found[str(cell)])

    return {cell: Measured(found[str(cell)], over_float32(cell), floor, conditions) for cell in ways}
