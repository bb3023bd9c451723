"""Xavier initialisation, uniform and normal, with r and σ from fan in and fan out (S19)."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import strategies as st

from properties.engine.law import law
from properties.subjects import Subject
from properties.verdicts.verdict import holds
from properties.worker import programs
from properties.worker.call import Program
from refimpl import initializer, lenet
from refimpl.arrays import Array

FALSE_ALARM = 1e-12
"""Chance that a correct initialiser fails one of the tests below on one case.

A run with c cases has at most five such tests on each, one law on each of two subjects, so that by Bonferroni's
inequality it fails by chance with a probability of at most 10·c·FALSE_ALARM: 8e-9 for the 800 cases of a nightly run.
"""

Draw = tuple[tuple[int, ...], float, int]
"""A shape, a gain and a seed."""

SHAPES = st.one_of(
    st.sampled_from([shape for name, shape in lenet.PARAMETER_SHAPES.items() if name.endswith("weight")]),
    st.tuples(st.integers(1, 40), st.integers(1, 40)),
    st.tuples(st.integers(1, 9), st.integers(1, 9), st.integers(1, 5), st.integers(1, 5)),
)
DRAWS = st.tuples(SHAPES, st.sampled_from([1.0, 1.0, 5 / 3, 0.25]), st.integers(0, 2**32 - 1))
WIDE = (120, 400)


def drawn(subject: Subject, program: Program, case: Draw) -> Array:
    """The weights that a subject draws."""
    shape, gain, seed = case
    outcome = subject.run(program, {"empty": np.zeros(shape)}, {"seed": seed, "gain": gain})
    holds(outcome.error is None, f"raised {outcome.error}")
    return np.asarray(outcome.outputs["output"].values)


def uniform(x: float) -> float:
    """Distribution function of U(−1, 1)."""
    return min(max((x + 1.0) / 2.0, 0.0), 1.0)


def normal(x: float) -> float:
    """Distribution function of N(0, 1)."""
    return math.erfc(-x / math.sqrt(2.0)) / 2.0


def farther(values: Array, distribution: object, rounding: float) -> bool:
    """True if n values are farther from a distribution than chance demands.

    ``P(sup |F_n − F| > ε) ≤ 2·e^{−2nε²}`` for their empirical distribution function F_n, whatever n (Massart 1990, The
    tight constant in the Dvoretzky–Kiefer–Wolfowitz inequality), so ``ε = √(log(2/α) / 2n)``. Kolmogorov's and
    Smirnov's statistic, with a level that holds exactly. Rounding moves F by some more.
    """
    x, n = np.sort(values, axis=None), values.size
    cumulative = np.array([distribution(value) for value in x])  # type: ignore[operator]
    ranks = np.arange(n + 1) / n
    distance = max(float((ranks[1:] - cumulative).max()), float((cumulative - ranks[:-1]).max()))
    return distance > math.sqrt(math.log(2.0 / FALSE_ALARM) / (2 * n)) + rounding


def spread(values: Array) -> bool:
    """True if the squares of n values add up to less or more than chance demands of N(0, 1).

    For ``Q = Σ x²``, a χ² variable, ``P(Q ≥ n + 2√(nt) + 2t) ≤ e^{−t}`` and ``P(Q ≤ n − 2√(nt)) ≤ e^{−t}`` (Laurent and
    Massart 2000, Adaptive estimation of a quadratic functional, lemma 1); t leaves each side half of α.
    """
    q, n, t = float((values**2).sum()), values.size, math.log(2.0 / FALSE_ALARM)
    return not n - 2.0 * math.sqrt(n * t) <= q <= n + 2.0 * math.sqrt(n * t) + 2.0 * t


@law("Xavier uniform", on=lambda subject: subject.plain, cases=DRAWS, systems=("S19",))
def test_xavier_uniform(subject: Subject, case: Draw) -> None:
    """No weight exceeds r, the largest of n comes as close to r as chance demands, and all are spread evenly.

    ``P(max|w| ≤ t·r) = tⁿ`` for n uniform weights, so a largest one below ``r·α^(1/n)`` has probability α. A weight
    is ``from + (to − from)·U``, three roundings of magnitudes up to 2r.
    """
    weights, bound = drawn(subject, programs.initializer.xavier_uniform, case), initializer.xavier_bound(*case[:2])
    roundings = 6 * subject.format.storage.unit_roundoff
    largest, least = float(np.abs(weights).max()), bound * FALSE_ALARM ** (1 / weights.size)
    holds(largest <= bound * (1 + roundings), f"the largest weight is {largest}, but r is {bound}")
    holds(largest >= least, f"the largest of {weights.size} weights is {largest}, but should reach {least}")
    holds(not farther(weights / bound, uniform, roundings), f"{weights.size} weights are not those of U(−r, r)")


@law("Xavier normal", on=lambda subject: subject.plain, cases=DRAWS, systems=("S19",))
def test_xavier_normal(subject: Subject, case: Draw) -> None:
    """The weights are distributed as N(0, σ²), and their squares add up to what n such weights' may.

    Made of uniform numbers on a grid of steps 2u, and with a relative error of some u, which moves the distribution
    function by at most ``max |x·φ(x)| < 1/4`` times as much.
    """
    weights = drawn(subject, programs.initializer.xavier_normal, case) / initializer.xavier_std(*case[:2])
    roundings = 6 * subject.format.storage.unit_roundoff
    holds(not farther(weights, normal, roundings), f"{weights.size} weights are not those of N(0, σ²)")
    holds(not spread(weights), f"the squares of {weights.size} weights add up to {float((weights**2).sum())} σ²")


@pytest.mark.parametrize("seed", range(3))
def test_weights_of_another_distribution_are_told(seed: int) -> None:
    """Each of the tests tells weights drawn otherwise: normal for uniform of one variance, σ 5% off, all positive."""
    generator = np.random.default_rng(seed)
    flat = initializer.xavier_uniform(WIDE, generator) / initializer.xavier_std(WIDE)
    bell = generator.standard_normal(WIDE)
    assert not farther(flat / math.sqrt(3.0), uniform, 0.0)
    assert not farther(bell, normal, 0.0)
    assert not spread(bell)
    assert farther(flat, normal, 0.0)
    assert farther(bell / math.sqrt(3.0), uniform, 0.0)
    assert farther(np.abs(bell), normal, 0.0)
    assert spread(1.05 * bell)
    assert spread(0.95 * bell)
