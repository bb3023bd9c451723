"""RReLU in training: elements up to zero are scaled by slopes drawn at random, uniformly between two limits."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import strategies as st

from properties.cases.case import Case, among, whole
from properties.engine.law import law
from properties.laws.test_dropout import FALSE_ALARM, UNITS, likely
from properties.operators import Operator
from properties.subjects import Subject
from properties.verdicts.expected import Expected
from properties.verdicts.verdict import holds, tensor, verdict
from refimpl.arrays import Array
from refimpl.bounds.piecewise_activation import sloped
from refimpl.rounding import Computed, round_to

LIMITS = ((0.125, 0.5), (0.25, 1.0), (-0.5, 0.5), (0.0, 2.0))


def draws_slopes(operator: Operator) -> bool:
    """True if slopes are drawn at random."""
    return operator.has("random") and operator.has("activation")


@st.composite
def in_training(draw: st.DrawFn, operator: Operator) -> Case:
    """An operator's shapes and values in training, the limits of its slopes, and a seed of torch's."""
    case, (lower, upper) = draw(operator.cases), draw(among(*LIMITS, (0.1, 0.3)))
    return case.with_arguments(lower=lower, upper=upper, training=True, seed=draw(whole(0, 2**16 - 1)))


@st.composite
def of_many_elements(draw: st.DrawFn, operator: Operator) -> Case:
    """So many elements that the distribution of their slopes shows; limits that every dtype represents."""
    lower, upper = draw(among(*LIMITS))
    given = {"lower": lower, "upper": upper, "training": True, "seed": draw(whole(0, 2**16 - 1))}
    return Case({"input": (UNITS,)}, given, "normal", draw(whole(0, 2**16 - 1)))


def slopes(operator: Operator, subject: Subject, x: Array, case: Case, seed: int) -> Array:
    """The slopes that the gradient of a cotangent of ones shows."""
    outcome = subject.run(operator.program, {"input": x}, {**case.arguments, "seed": seed}, np.ones(x.shape))
    return tensor(outcome, "input", "gradients")


@law("random slopes", covers=draws_slopes, cases=in_training, exact=False)
def test_random_slopes(operator: Operator, subject: Subject, case: Case) -> None:
    """Elements up to zero are scaled by slopes within the limits, the others by none; the gradient is by the same."""
    x, given = operator.operands(case, subject.format)["input"], case.arguments
    cotangent = operator.cotangent(case, subject.format)
    seen = slopes(operator, subject, x, case, given["seed"])
    least, most = (float(round_to(np.asarray(given[limit]), subject.format.storage)) for limit in ("lower", "upper"))
    within = np.where(x > 0.0, seen == 1.0, (least <= seen) & (seen <= most))
    holds(bool(within.all()), f"slopes are not from {least} to {most} of elements up to zero, and 1 of the others")
    outcome = subject.run(operator.program, {"input": x}, given, cotangent)
    values, g = (Computed.operand(each, subject.format) for each in (x, cotangent))
    verdict(outcome, {"output": Expected.of(sloped(values, values, seen))}, subject)
    verdict(outcome, {"input": Expected.of(sloped(values, g, seen))}, subject, "gradients")


def distance(seen: Array, lower: float, upper: float) -> float:
    """The largest difference between the share of values up to a number and that of the uniform distribution.

    >>> distance(np.array([0.5]), 0.0, 1.0), distance(np.array([0.125, 0.375, 0.625, 0.875]), 0.0, 1.0)
    (0.5, 0.125)
    """
    due, n = np.sort((seen - lower) / (upper - lower)), seen.size
    return float(np.maximum(np.arange(1, n + 1) / n - due, due - np.arange(n) / n).max())


@law("uniform slopes", covers=draws_slopes, cases=of_many_elements, exact=False, share=lambda subject: 0.1)
def test_uniform_slopes(operator: Operator, subject: Subject, case: Case) -> None:
    """Slopes are uniform between their limits, and independent: of neighbours and of two seeds.

    Of n independent ones the distance is above ε with a probability of at most ``2·e^{−2nε²}`` (Massart 1990), for
    which FALSE_ALARM stands. That a slope is stored moves it by u of its size at most, and the distance accordingly.
    """
    lower, upper, seed = (case.arguments[name] for name in ("lower", "upper", "seed"))
    first, other = (slopes(operator, subject, -np.ones(UNITS), case, s) for s in (seed, seed + 1))
    stored = subject.format.storage.unit_roundoff * max(abs(lower), abs(upper)) / (upper - lower)
    most = math.sqrt(math.log(2.0 / FALSE_ALARM) / (2 * UNITS)) + stored
    holds(distance(first, lower, upper) <= most, f"slopes are no {UNITS} uniform ones from {lower} to {upper}")
    one, two = (seen > (lower + upper) / 2.0 for seen in (first, other))
    for pairs, of in ((one[::2] & one[1::2], "neighbours"), (one & two, "two seeds")):
        chance = float(np.clip(pairs.mean(), (0.5 - stored) ** 2, (0.5 + stored) ** 2))
        holds(likely(pairs.sum(), len(pairs), chance), f"{int(pairs.sum())} of {len(pairs)} pairs of {of} are steep")
