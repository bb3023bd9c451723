"""Measuring so that a difference can be believed: interleaved rounds, ratios with intervals, a noise floor.

Whatever slows a machine down slows what runs next to each other alike, so a ratio is taken within each round, and the
median of the ratios is given with a bootstrap interval. The same thing measured twice, A/A, shows how far from 1 a
ratio strays where there is no difference; nothing is called faster that does not clear that.
"""

from __future__ import annotations

import math
import os
import random
import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

Name = TypeVar("Name", bound=Hashable)

CONFIDENCE = 0.95
FEWEST_ROUNDS = 3
BUSY = 0.1  # of the cores' time, taken by others
NOT_JUDGED = "not judged: machine busy"
BASELINE, AGAIN = "book", "book again"


@dataclass(frozen=True)
class Ratio:
    """Median of the rounds' ratios and the interval that holds it with 95 % confidence."""

    median: float
    low: float
    high: float

    @property
    def strays(self) -> float:
        """How far from 1 the interval reaches."""
        return max(abs(self.low - 1), abs(self.high - 1))

    def verdict(self, floor: float, busy: bool = False) -> str:
        """ "faster" or "slower" where the interval clears the noise floor, else "no difference shown".

        On a busy machine nothing is judged: others may have taken more from the one than from the other.

        >>> Ratio(1.2, 1.1, 1.3).verdict(0.05), Ratio(1.2, 1.1, 1.3).verdict(0.15), Ratio(0.8, 0.7, 0.9).verdict(0.0)
        ('faster', 'no difference shown', 'slower')
        >>> Ratio(1.2, 1.1, 1.3).verdict(0.05, busy=True)
        'not judged: machine busy'
        """
        if busy:
            return NOT_JUDGED
        if self.low > 1 + floor:
            return "faster"
        return "slower" if self.high < 1 / (1 + floor) else "no difference shown"


def ratio(baseline: Sequence[float], samples: Sequence[float]) -> Ratio:
    """How many times as fast: the baseline's seconds over the samples', round by round.

    Percentile bootstrap of the median (Efron and Tibshirani, *An Introduction to the Bootstrap*, ch. 13), from a
    fixed seed, so that a report made twice says the same. One round has no interval but its ratio.

    >>> ratio([2.0, 4.0, 6.0], [1.0, 2.0, 3.0])
    Ratio(median=2.0, low=2.0, high=2.0)
    """
    ratios = np.asarray(baseline) / np.asarray(samples)
    median = float(np.median(ratios))
    if len(ratios) < 2:
        return Ratio(median, median, median)
    from scipy import stats  # a second and 50 MB that few processes need

    found = stats.bootstrap((ratios,), np.median, confidence_level=CONFIDENCE, method="percentile", random_state=0)
    return Ratio(median, float(found.confidence_interval.low), float(found.confidence_interval.high))


def interleave(
    runs: Mapping[Name, Callable[[], float]], rounds: int, seed: int = 0, patience: float = math.inf
) -> dict[Name, list[float]]:
    """Call everything once a round, in an order shuffled anew for each, and collect what the calls return.

    On a busy machine, where rounds take long, there are fewer: none is begun after ``patience`` seconds, once there
    are three.
    """
    end = time.monotonic() + patience
    order, shuffle = list(runs), random.Random(seed).shuffle
    found: dict[Name, list[float]] = {name: [] for name in runs}
    for done in range(rounds):
        if done >= FEWEST_ROUNDS and time.monotonic() > end:
            break
        shuffle(order)
        for name in order:
            found[name].append(runs[name]())
    return found


class Recorded:
    """A clock that shows recorded seconds passing, so that pytest-benchmark keeps rounds that were interleaved.

    Use it as a benchmark's timer and :meth:`replay` as what is measured.
    """

    def __init__(self) -> None:
        self._now = 0.0
        self._samples: list[float] = []

    def __call__(self) -> float:
        """The time."""
        return self._now

    def load(self, samples: Sequence[float]) -> None:
        """The seconds that the next replays take."""
        self._samples = list(samples)

    def replay(self) -> None:
        """Let the next of the recorded seconds pass."""
        if self._samples:
            self._now += self._samples.pop(0)


@dataclass(frozen=True)
class Conditions:
    """What a run met: the cores it may use, their governor, the load before it, others' share of the cores during it.

    A value that this system does not tell is None.
    """

    cores: list[int] | None
    governor: str | None
    load_average: list[float] | None
    others_share: float | None

    @property
    def warning(self) -> str | None:
        """One line if the machine was busy with something else, else None."""
        if self.others_share is None or self.others_share < BUSY:
            return None
        return f"other processes took {self.others_share:.0%} of the cores' time: run it again on a quiet machine"

    def as_dict(self) -> dict[str, Any]:
        """For a benchmark's extra_info."""
        return {**asdict(self), "warning": self.warning}


class Watch:
    """Watches the machine from when it is made to :meth:`conditions`.

    What ``process`` (default: this one) and those that it started do is not others' work.
    """

    def __init__(self, process: int | None = None) -> None:
        self._process = process or os.getpid()
        self._load = list(os.getloadavg()) if hasattr(os, "getloadavg") else None
        self._start = self._used()

    def conditions(self) -> Conditions:
        """What was met since."""
        cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None
        governor = _read(Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"))
        return Conditions(cores, governor, self._load, self._others())

    def _others(self) -> float | None:
        now = self._used()
        if now is None or self._start is None:
            return None
        everyone, own, idle = (end - start for start, end in zip(self._start, now, strict=True))
        return min(1.0, max(0.0, everyone - own) / (everyone + idle)) if everyone + idle > 0 else None

    def _used(self) -> tuple[float, float, float] | None:
        """Seconds used by everyone, by the process and the children that it has or had, and by no one (Linux)."""
        text = _read(Path("/proc/stat"))
        if text is None:
            return None
        tick = os.sysconf("SC_CLK_TCK")
        user, nice, system, idle, wait, irq, softirq, steal, *_ = map(int, text.splitlines()[0].split()[1:])
        own = sum(time for pid in _family(self._process) for time in _times(pid))
        return (user + nice + system + irq + softirq + steal) / tick, own / tick, (idle + wait) / tick


def peak_memory() -> int | None:
    """Bytes of memory that this process and its children hold at most since :func:`forget_peak_memory` (Linux)."""
    texts = [_read(Path(f"/proc/{pid}/status")) for pid in _family()]
    peaks = [line.split()[1] for text in texts if text for line in text.splitlines() if line.startswith("VmHWM")]
    return sum(map(int, peaks)) * 1024 if peaks else None


def forget_peak_memory() -> None:
    """Let the peak start from what is held now."""
    for pid in _family():
        try:
            Path(f"/proc/{pid}/clear_refs").write_text("5", encoding="ascii")
        except OSError:
            continue


def seconds(work: Callable[[], Any], wait: Callable[[], None] = lambda: None) -> float:
    """The wall time of a call, until the device has done it."""
    start = time.perf_counter()
    work()
    wait()
    return time.perf_counter() - start


def _family(process: int | None = None) -> list[str]:
    """A process (default: this one), its children and theirs."""
    found = [str(process or os.getpid())]
    for pid in found:  # grows as it goes
        children = [_read(path) or "" for path in Path(f"/proc/{pid}/task").glob("*/children")]
        found += " ".join(children).split()
    return found


def _times(pid: str) -> list[int]:
    """User and system ticks of a living process, and of the children that it waited for; none of one that is gone."""
    text = _read(Path(f"/proc/{pid}/stat"))
    return [int(field) for field in text.rpartition(")")[2].split()[11:15]] if text else []


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError:
        return None
