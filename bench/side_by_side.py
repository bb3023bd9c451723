"""Two torches in one run: processes that live side by side and take turns, and when one may be called slower.

The older torch has two processes, A and A again, the newer has one, B. In each round all three time a call, in an order
drawn anew. What is said of B is a ratio of times to A, the median of the rounds with its 95 % bootstrap interval; the
ratio of A again to A is the null. B is called slower, or faster, only if both of these hold:

- the whole interval lies beyond the interval of the null;
- the rounds' log ratios of B to the geometric mean of A and A again are not zero by a t-test, whose p-values are
  corrected for the number of calls compared by the procedure of Benjamini and Hochberg (1995), below 5 %. Where no two
  differ, it calls a difference in 5 % of runs at most;

and both again in three new processes.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import numpy as np
from packaging.version import Version

from bench import measure, timed
from bench.measure import NOT_JUDGED, Ratio
from bench.timed import Timed
from properties.subjects.environment import ROOT

FALSE_DISCOVERIES = 0.05
OLDER, AGAIN, NEWER = "A", "A again", "B"
DIFFERENT = ("slower", "faster")
Seconds = Mapping[str, Sequence[float]]
"""Of the three by round."""


class TimingError(RuntimeError):
    """A process died, or its torch does not compute what was asked for."""


class Clock:
    """A process of an interpreter that times what it is told (:mod:`bench.timing_process`)."""

    def __init__(self, python: str) -> None:
        command = [python, "-m", "bench.timing_process"]
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, cwd=ROOT)
        self.torch = str(self._answer()["torch"])

    def __enter__(self) -> Clock:
        return self

    def __exit__(self, *about: object) -> None:
        self._process.communicate()

    def prepare(self, call: Timed) -> float:
        """Make a call ready; the seconds that it takes."""
        return self._ask(prepare=asdict(call))

    def sample(self, times: int) -> float:
        """Seconds of the call, the mean of so many."""
        return self._ask(times=times)

    def _ask(self, **question: Any) -> float:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(question) + "\n")
            self._process.stdin.flush()
        except OSError as error:
            raise TimingError(f"the process of torch {self.torch} has died") from error
        return float(self._answer()["seconds"])

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise TimingError("a process that times has ended; its own message is above")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise TimingError(f"torch {self.torch}: {answer['error']}")
        return answer


def in_order(one: tuple[str, str], other: tuple[str, str]) -> list[str]:
    """Of two interpreters, each with its torch, the one with the older torch first; as given where they are equal.

    >>> in_order(("this", "2.13.0+cpu"), ("other", "2.9.1"))
    ['other', 'this']
    """
    return [python for python, _ in sorted((one, other), key=lambda pair: Version(pair[1]))]


def raced(
    older: str, newer: str, calls: Mapping[str, Timed], rounds: int, patience: float
) -> tuple[dict[str, Seconds | TimingError], tuple[str, str]]:
    """Time each call in both interpreters. Returns the seconds, or what one could not do, and both torches' versions.

    ``patience``: seconds after which no round of a call is begun, once there are three.
    """
    found: dict[str, Seconds | TimingError] = {}
    with ExitStack() as stack:
        pythons = {OLDER: older, AGAIN: older, NEWER: newer}
        clocks = {name: stack.enter_context(Clock(python)) for name, python in pythons.items()}
        for seed, (label, call) in enumerate(calls.items()):
            try:
                found[label] = _rounds(clocks, call, rounds, seed, patience)
            except TimingError as error:
                found[label] = error
        return found, (clocks[OLDER].torch, clocks[NEWER].torch)


def settled(
    older: str, newer: str, calls: Mapping[str, Timed], rounds: int, patience: float
) -> tuple[dict[str, Seconds | TimingError], tuple[str, str]]:
    """As :func:`raced`, but a call that seems to differ is timed once more in new processes, and that counts.

    What memory a process got may make a call twice as slow for as long as the process lives: the gradient of a 1×1
    convolution took 3.3 times as long in one run, and 0.96 and 1.03 times in the next two.
    """
    found, versions = raced(older, newer, calls, rounds, patience)
    verdicts = judged(measured(found))
    differing = {label: calls[label] for label, own in verdicts.items() if own.word in DIFFERENT}
    again = raced(older, newer, differing, rounds, patience)[0] if differing else {}
    return {**found, **again}, versions


def measured(found: Mapping[str, Seconds | TimingError]) -> dict[str, Seconds]:
    """The calls that both could do."""
    return {label: own for label, own in found.items() if not isinstance(own, TimingError)}


def _rounds(clocks: dict[str, Clock], call: Timed, rounds: int, seed: int, patience: float) -> Seconds:
    first = min(clock.prepare(call) for clock in clocks.values())
    times = max(1, round(timed.SHORTEST / first))
    runs: dict[str, Callable[[], float]] = {name: partial(clock.sample, times) for name, clock in clocks.items()}
    return measure.interleave(runs, rounds, seed, patience)


@dataclass(frozen=True)
class Judged:
    """B's time as a multiple of A's, the null beside it, the corrected p-value, and what may be said."""

    over_older: Ratio
    null: Ratio
    p: float
    word: str


def judged(found: Mapping[str, Seconds], busy: bool = False) -> dict[str, Judged]:
    """What may be said of each call, corrected for their number; nothing on a busy machine."""
    return {label: _judged(found[label], p, busy) for label, p in corrected(found).items()}


def corrected(found: Mapping[str, Seconds]) -> dict[str, float]:
    """The p-value of each call, corrected for their number."""
    if not found:
        return {}
    from scipy import stats  # a second that --help does not need

    chances = stats.false_discovery_control([_p(seconds) for seconds in found.values()], method="bh")
    return dict(zip(found, map(float, chances), strict=True))


def _judged(seconds: Seconds, p: float, busy: bool) -> Judged:
    ratio, null = (measure.ratio(seconds[name], seconds[OLDER]) for name in (NEWER, AGAIN))
    # The verdict on a ratio of times is that on the ratio of speeds the other way round.
    word = {"faster": "slower", "slower": "faster"}.get(said := ratio.verdict(null.strays, busy), said)
    return Judged(ratio, null, p, word if word == NOT_JUDGED or p < FALSE_DISCOVERIES else "no difference shown")


def _p(seconds: Seconds) -> float:
    """Of a t-test: B's log times less the mean of A's and A again's."""
    older, again, newer = (np.log(seconds[name]) for name in (OLDER, AGAIN, NEWER))
    apart = newer - (older + again) / 2
    if np.ptp(apart) == 0:
        return float(apart[0] == 0)
    from scipy import stats

    return float(stats.ttest_1samp(apart, 0.0).pvalue)
