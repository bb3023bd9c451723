"""Dropout in training: what is kept is scaled, and as much is dropped as chance demands."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import strategies as st

from properties.cases.case import Case, among, whole
from properties.engine.law import law
from properties.operators import Operator
from properties.operators.dropout import dropped, of_channels
from properties.subjects import Subject
from properties.verdicts.expected import Expected
from properties.verdicts.verdict import holds, tensor, verdict
from properties.worker.call import Outcome
from refimpl.arrays import Array
from refimpl.dropout import scales
from refimpl.rounding import Computed

FALSE_ALARM = 1e-12
"""Chance that a correct dropout fails one of the tests of its share on one case.

Each case has three of them. So by Bonferroni's inequality a run fails by chance with a probability of at most
3·c·FALSE_ALARM, c the cases of all of its checks: 2e-8 for the 800 cases of each check of a nightly run.
"""
CHANCES = (0.5, 0.25, 0.1, 0.75, 0.9)
UNITS = 2**14


def drops(operator: Operator) -> bool:
    """True if what is dropped is drawn at random."""
    return operator.has("random") and not operator.has("activation")


@st.composite
def in_training(draw: st.DrawFn, operator: Operator) -> Case:
    """An operator's shapes, values and a probability, in training, with a seed of torch's."""
    case = draw(operator.cases)
    return case.with_arguments(p=draw(among(*CHANCES)), training=True, seed=draw(whole(0, 2**16 - 1)))


@st.composite
def of_many_units(draw: st.DrawFn, operator: Operator) -> Case:
    """So many elements, or channels of three elements, that their share tells a probability from another."""
    shape = (64, UNITS // 64, 3) if of_channels(operator) else (UNITS,)
    given = {"p": draw(among(*CHANCES)), "training": True, "seed": draw(whole(0, 2**16 - 1))}
    return Case({"input": shape}, given, "normal", draw(whole(0, 2**16 - 1)))


def positive(values: Array) -> Array:
    """Their sizes, none of them zero: so a kept element is told from a dropped one, alpha dropout's included."""
    return np.where(values == 0.0, 1.0, np.abs(values))


def mask(operator: Operator, outcome: Outcome, p: float) -> Array:
    """What a result shows to be kept: what is above the value of a dropped element; of a channel, its first element."""
    _, shift, zero = scales(p, "alpha" in operator.name)
    kept = (tensor(outcome) > (zero + shift) / 2.0).astype(np.float64)
    if not of_channels(operator):
        return kept
    first = kept.reshape(*kept.shape[:2], -1)[..., :1].reshape(*kept.shape[:2], *(1,) * (kept.ndim - 2))
    return np.broadcast_to(first, kept.shape)


@law("dropout", covers=drops, cases=in_training, exact=False)
def test_dropout(operator: Operator, subject: Subject, case: Case) -> None:
    """Elements, or whole channels, are dropped; what is kept is scaled as documented, and the gradient agrees."""
    x, p = positive(operator.operands(case, subject.format)["input"]), case.arguments["p"]
    cotangent = operator.filled("cotangent", x.shape, case, subject.format)
    outcome = subject.run(operator.program, {"input": x}, case.arguments, cotangent)
    kept, (_, bound, gradients) = mask(operator, outcome, p), dropped(operator)
    values, g = (Computed.operand(each, subject.format) for each in (x, cotangent))
    verdict(outcome, {"output": Expected.of(bound(values, kept, p))}, subject)
    (slope,) = gradients(g, values, kept, p)
    verdict(outcome, {"input": Expected.of(slope)}, subject, "gradients")


def likely(count: float, n: int, chance: float) -> bool:
    """True if a count of n independent events of one chance is none that FALSE_ALARM rules out.

    ``P(K ≥ k) ≤ e^{−n·D}`` for k/n above the chance, and likewise below it, with the relative entropy
    ``D = t·log(t/q) + (1 − t)·log((1 − t)/(1 − q))`` of ``t = k/n`` and q (Chernoff 1952; Hoeffding 1963, theorem 1).

    >>> likely(50, 100, 0.5), likely(95, 100, 0.5)
    (True, False)
    """
    share = count / n
    pairs = ((share, chance), (1.0 - share, 1.0 - chance))
    return n * sum(t * math.log(t / q) for t, q in pairs if t > 0.0) <= math.log(2.0 / FALSE_ALARM)


@law("dropped share", covers=drops, cases=of_many_units, exact=False, share=lambda subject: 0.1)
def test_share(operator: Operator, subject: Subject, case: Case) -> None:
    """As many units are kept as chance demands of independent ones: of all, of pairs of neighbours, of two seeds."""
    x, p = positive(operator.operands(case, subject.format)["input"]), case.arguments["p"]
    seeds = (case.arguments["seed"], case.arguments["seed"] + 1)
    runs = [subject.run(operator.program, {"input": x}, {**case.arguments, "seed": seed}) for seed in seeds]
    first, other = (units(operator, mask(operator, run, p)) for run in runs)
    keeps, n = 1.0 - p, len(first)
    holds(likely(first.sum(), n, keeps), f"{int(first.sum())} of {n} units are kept, each with a chance of {keeps}")
    both = float((first[::2] * first[1::2]).sum())
    holds(likely(both, n // 2, keeps**2), f"{int(both)} of {n // 2} pairs of neighbours are kept, p = {p}")
    again = float((first * other).sum())
    holds(likely(again, n, keeps**2), f"{int(again)} of {n} units are kept with two seeds, p = {p}")


def units(operator: Operator, kept: Array) -> Array:
    """The mask of what is dropped alone: one value for each element, or channel."""
    return kept[..., 0].reshape(-1) if of_channels(operator) else kept.reshape(-1)
