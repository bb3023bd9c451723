"""Xavier uniform initialisation: U(−r, r) with r from fan in and fan out (S19)."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import strategies as st

from properties import programs
from properties.laws import law
from properties.subjects import Subject
from properties.verdict import holds
from refimpl import initializer, lenet

FALSE_ALARM = 1e-12
"""Chance that a correct initialiser fails the lower half of the law below in one case."""


SHAPES = st.one_of(
    st.sampled_from([shape for name, shape in lenet.PARAMETER_SHAPES.items() if name.endswith("weight")]),
    st.tuples(st.integers(1, 40), st.integers(1, 40)),
    st.tuples(st.integers(1, 9), st.integers(1, 9), st.integers(1, 5), st.integers(1, 5)),
)


@law(
    "Xavier uniform",
    on=lambda subject: subject.plain,
    cases=st.tuples(SHAPES, st.integers(0, 2**32 - 1)),
    systems=("S19",),
)
def test_xavier(subject: Subject, case: tuple[tuple[int, ...], int]) -> None:
    """No weight exceeds r, and the largest of n comes as close to r as chance demands.

    ``P(max|w| ≤ t·r) = tⁿ`` for n uniform weights, so a largest one below ``r·α^(1/n)`` has probability α. A weight
    is ``from + (to − from)·U``, three roundings of magnitudes up to 2r.
    """
    shape, seed = case
    outcome = subject.run(programs.updates.xavier_uniform, {"empty": np.zeros(shape)}, {"seed": seed})
    holds(outcome.error is None, f"raised {outcome.error}")
    largest = float(np.abs(np.asarray(outcome.outputs["output"].values)).max())
    bound = initializer.xavier_bound(shape)
    allowed = bound * (1 + 6 * subject.format.storage.unit_roundoff)
    holds(largest <= allowed, f"the largest weight is {largest}, but r is {bound}")
    least = bound * FALSE_ALARM ** (1 / math.prod(shape))
    holds(largest >= least, f"the largest of {math.prod(shape)} weights is {largest}, but should reach {least}")
