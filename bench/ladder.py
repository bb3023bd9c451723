"""The ladder: every recipe's rounds interleaved with the book's, in one run with the machine's matrix-product peak."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch

from bench import machine, measure, recipes
from bench.agreement import Agreement, first_step
from bench.lenet import Training, initial_lenet, run_steps, train_ch6
from bench.measure import AGAIN, BASELINE, Conditions, Ratio
from properties.subjects import devices
from properties.verdicts.verdict import Diverged

PEAK, COPY = "matrix product", "copy"
COPIED = 2**24
WARM_UP = 5
"""Steps after the first, in which what is compiled for a second shape or a second call is."""


@dataclass
class Rung:
    """One recipe's rounds: wall seconds, the book's figure (S23: examples a second, loading excluded), mean losses.

    ``prepare_seconds`` is what came before the first round, the first step with its compilation among it; ``refused``
    says why the recipe has no rounds.
    """

    training: Training | None = None
    agreement: Agreement | None = None
    prepare_seconds: float = 0.0
    seconds: list[float] = field(default_factory=list)
    rates: list[float] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    examples: int = 0
    peak_memory: int | None = None
    refused: Diverged | None = None


@dataclass(frozen=True)
class Ladder:
    """All rungs by recipe, the machine's limits in FLOP and bytes a second by round, and what the run met."""

    problem: recipes.Problem
    rungs: dict[str, Rung]
    limits: dict[str, list[float]]
    conditions: Conditions

    def over_book(self, name: str, loading: bool = True) -> Ratio:
        """How many times as fast as the book's loop, in wall time or, ``loading`` False, by the book's figure."""
        book, other = self.rungs[BASELINE], self.rungs[name]
        if loading:
            return measure.ratio(book.seconds, other.seconds)
        return measure.ratio(other.rates, book.rates)

    @property
    def floor(self) -> float:
        """How far from 1 the ratio of the book's loop to itself strays."""
        return self.over_book(AGAIN).strays

    def about(self, name: str) -> dict[str, Any]:
        """What a rung's benchmark says of itself beside its samples."""
        rung, recipe = self.rungs[name], recipes.RECIPES[name]
        wall, figure = self.over_book(name), self.over_book(name, loading=False)
        images = torch.zeros(rung.examples, 1, 28, 28)
        forward, backward = machine.training_work(initial_lenet(), images[:1])
        work = forward + backward
        rate = rung.examples * work.flop / float(torch.tensor(rung.seconds).median())
        # A processor without a dtype computes in it by way of float32.
        peak = max(rate for dtype in (recipe.dtype, "float32") for rate in self.limits[f"{PEAK} {dtype}"])
        busy = self.conditions.warning is not None
        return {
            "other": recipe.other,
            "dtype": recipe.dtype,
            "worst_share_of_bound": rung.agreement.worst_share if rung.agreement else None,
            "first_step_seconds": rung.agreement.first_step_seconds if rung.agreement else None,
            "prepare_seconds": rung.prepare_seconds,
            "peak_memory_bytes": rung.peak_memory,
            "over_book": {**vars(wall), "verdict": wall.verdict(self.floor, busy)},
            "over_book_by_figure": {**vars(figure), "verdict": figure.verdict(self.floor, busy)},
            "noise_floor": self.floor,
            "flop_per_example": work.flop,
            "bytes_per_example": work.bytes,
            "flop_per_second": rate,
            "peak_flop_per_second": peak,
            "share_of_peak": rate / peak,
            "copy_bytes_per_second": max(self.limits[COPY]),
            "conditions": self.conditions.as_dict(),
        }


def climb(
    problem: recipes.Problem, names: Iterable[str], rounds: int, steps: int, patience: float = math.inf
) -> Ladder:
    """Measure recipes in rounds of ``steps`` steps, the book's loop always among them, twice.

    Each recipe takes its first step, which must agree with the loops, and a few to warm up before the first round
    of all. The recipes train on from round to round. ``patience``: as in :func:`measure.interleave`.
    """
    names = list(dict.fromkeys([BASELINE, *names]))
    watch = measure.Watch()
    rungs = {name: _prepare(name, problem, steps) for name in names}
    rungs[AGAIN] = _prepare(BASELINE, problem, steps)
    runs: dict[str, Callable[[], float]] = {
        name: _round(rung, steps, problem.device) for name, rung in rungs.items() if rung.training
    }
    limits = _limits(problem.device, {recipes.RECIPES[name].dtype for name in names})
    try:
        found = measure.interleave(runs | {name: run for name, (run, _) in limits.items()}, rounds, patience=patience)
    finally:
        for rung in rungs.values():
            if rung.training:
                rung.training.close()
    speeds = {name: [amount / took for took in found[name]] for name, (_, amount) in limits.items()}
    return Ladder(problem, rungs, speeds, watch.conditions())


def epochs(problem: recipes.Problem, names: Iterable[str], rounds: int) -> dict[str, list[float]]:
    """Wall seconds of whole epochs, loading, metrics and evaluation in, interleaved, after one epoch to warm up."""
    trainings = {name: recipes.RECIPES[name](problem) for name in dict.fromkeys([BASELINE, *names])}

    def epoch(training: Training) -> float:
        return train_ch6(training, 1).wall_seconds[0]

    try:
        for training in trainings.values():
            epoch(training)
        return measure.interleave({name: partial(epoch, made) for name, made in trainings.items()}, rounds)
    finally:
        for training in trainings.values():
            training.close()


def _prepare(name: str, problem: recipes.Problem, steps: int) -> Rung:
    start = time.perf_counter()
    recipe = recipes.RECIPES[name]
    training = recipe(problem)
    try:
        agreement = first_step(training, problem.lr, bounded=recipe.dtype == "float32")
    except Diverged as refused:
        training.close()
        return Rung(refused=refused)
    run_steps(training, min(steps, WARM_UP))
    return Rung(training, agreement, time.perf_counter() - start)


def _round(rung: Rung, steps: int, device: str) -> Callable[[], float]:
    def once() -> float:
        assert rung.training is not None
        measure.forget_peak_memory()
        start = time.perf_counter()
        taken = run_steps(rung.training, steps)
        devices.synchronize(device)
        rung.seconds.append(time.perf_counter() - start)
        rung.rates.append(taken.examples_per_second)
        rung.losses += taken.losses
        rung.examples = taken.examples
        rung.peak_memory = max(filter(None, (rung.peak_memory, _peak_memory(device))), default=None)
        return rung.seconds[-1]

    return once


def _peak_memory(device: str) -> int | None:
    """The accelerator's peak since the run began, or the peak of the processes."""
    return torch.cuda.max_memory_allocated() if device == "cuda" else measure.peak_memory()


def _limits(device: str, dtypes: set[str]) -> dict[str, tuple[Callable[[], float], int]]:
    """Calls that measure the machine's limits, warmed up, and the FLOP or bytes of each."""
    kinds = {dtype: getattr(torch, dtype) for dtype in sorted(dtypes)}
    found = {
        f"{PEAK} {dtype}": machine.products(device, kind, machine.affordable_size(device, kind))
        for dtype, kind in kinds.items()
    }
    found[COPY] = machine.copies(device, COPIED)
    for run, _ in found.values():
        run()
    return found
