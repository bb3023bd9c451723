"""Ratios of times with the interval that their samples support.

The ratio is that of the medians over rounds, its 95 % interval the percentile bootstrap over both sets of rounds
(Efron and Tibshirani, *An Introduction to the Bootstrap*, ch. 13). A change is called one only when the whole interval
lies beyond the noise floor: what the benchmarks recorded as theirs (``noise_floor``, from a pair of equal recipes), or
else the largest ratio between the medians of the first and the second half of any benchmark's rounds.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from reports.read.benchmarks import Benchmark
from reports.tell.noise_floor import NOT_JUDGED, side

SETTINGS = (
    "kind",
    "recipe",
    "operation",
    "implementation",
    "shape",
    "device",
    "dataset",
    "batch_size",
    "threads",
    "steps",
)
MOST_SAMPLES = 1000
FEWEST_ROUNDS = 3
_RESAMPLES = 9999


@dataclass(frozen=True)
class Change:
    """How long a benchmark takes now as a multiple of then: estimate, interval, and the noise floor it must clear."""

    name: str
    ratio: float
    low: float
    high: float
    floor: float

    @property
    def sort(self) -> str | None:
        """``slower``, ``faster``, or None where the interval does not clear the noise floor."""
        return {1: "slower", -1: "faster"}.get(side(self.low, self.high, self.floor))


def changes(
    old: Mapping[str, Benchmark], new: Mapping[str, Benchmark], floor: float | None
) -> tuple[list[Change], list[str]]:
    """A change for each benchmark that both have under the same settings, and remarks on those left out."""
    found, remarks = [], []
    floor = _noise([*old.values(), *new.values()]) if floor is None else floor
    for name in sorted(old.keys() & new.keys()):
        apart = [key for key in SETTINGS if old[name].extra.get(key) != new[name].extra.get(key)]
        before, after = times(old[name]), times(new[name])
        if apart:
            remarks.append(f"{name} is not compared: its runs differ in {', '.join(apart)}")
        elif busy := old[name].warning or new[name].warning:
            remarks.append(f"{name} is {NOT_JUDGED} ({busy})")
        elif min(len(before), len(after)) < FEWEST_ROUNDS:
            remarks.append(f"{name} is not compared: fewer than {FEWEST_ROUNDS} rounds give no interval")
        else:
            low, high = interval(before, after)
            found.append(Change(name, float(np.median(after) / np.median(before)), low, high, floor))
    for word, names in (("gone", old.keys() - new.keys()), ("new", new.keys() - old.keys())):
        if names:
            remarks.append(f"{len(names)} benchmarks are {word}: {', '.join(sorted(names)[:6])}")
    return found, remarks


def times(benchmark: Benchmark) -> np.ndarray:
    """What is compared, a value a round: seconds; for training, seconds an example without loading, as in the book."""
    rates = benchmark.extra.get("examples_per_second") if benchmark.kind == "training" else None
    taken = 1 / np.asarray(rates, float) if rates else np.asarray(benchmark.samples, float)
    if len(taken) > MOST_SAMPLES:
        taken = taken[np.linspace(0, len(taken) - 1, MOST_SAMPLES).astype(int)]
    return taken


def interval(before: np.ndarray, after: np.ndarray) -> tuple[float, float]:
    """95 % interval of median(after) ÷ median(before); the same samples give the same interval.

    >>> interval(np.array([1.0, 1.0, 1.0]), np.array([2.0, 2.0, 2.0]))
    (2.0, 2.0)
    """
    if np.ptp(before) == np.ptp(after) == 0:
        ratio = float(after[0] / before[0])
        return ratio, ratio
    from scipy import stats  # a second and 50 MB that a page of one run does not need

    found = stats.bootstrap(
        (after, before),
        lambda x, y, axis: np.median(x, axis=axis) / np.median(y, axis=axis),
        n_resamples=_RESAMPLES,
        batch=1000,
        method="percentile",
        rng=np.random.default_rng(0),
    ).confidence_interval
    return float(found.low), float(found.high)


def _noise(benchmarks: Iterable[Benchmark]) -> float:
    """The noise floor as a share: recorded by the benchmarks, or seen between the halves of their rounds."""
    known = list(benchmarks)
    recorded = [benchmark.extra.get("noise_floor") for benchmark in known]
    numbers = [float(value) for value in recorded if isinstance(value, int | float) and not isinstance(value, bool)]
    given = [value for value in numbers if 0 <= value < 1]
    return max(given) if given else max([0.0, *map(_halves, known)])


def _halves(benchmark: Benchmark) -> float:
    taken = times(benchmark)
    if len(taken) < 2 * FEWEST_ROUNDS:
        return 0.0
    first, second = np.median(taken[: len(taken) // 2]), np.median(taken[len(taken) // 2 :])
    return float(max(first, second) / min(first, second) - 1)
