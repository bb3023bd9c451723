"""Print a digest of every reference's bits: ``python -m properties.selftest.digest``, with pickled cases as its input.

The same digest with and without ``NUMBA_DISABLE_JIT=1`` shows that compilation changes no bit of the loops. The cases
are given, since what Hypothesis draws depends on which modules are imported.
"""

from __future__ import annotations

import hashlib
import math
import pickle
import sys
from collections.abc import Iterator

import numpy as np
from hypothesis import HealthCheck, given, settings

from properties.cases.case import Case
from properties.operators import CATALOGUE, Operator
from refimpl.arrays import Array
from refimpl.rounding import FORMATS

CASES = settings(
    max_examples=20, derandomize=True, database=None, deadline=None, suppress_health_check=list(HealthCheck)
)


def results(operator: Operator, case: Case) -> Iterator[Array]:
    """Every array that an operator's loops give for a case."""
    operands = operator.operands(case, FORMATS["float64"])
    free, given = [operands[name] for name in case.shapes], {name: operands[name] for name in operator.given}
    outputs = operator.reference(*free, **case.arguments, **given)
    outputs = tuple(outputs.values()) if isinstance(outputs, dict) else outputs
    yield from outputs if isinstance(outputs, tuple) else (outputs,)
    if operator.gradients:
        yield from operator.gradients(operator.cotangent(case, FORMATS["float64"]), *free, **case.arguments, **given)


def small_cases(operator: Operator) -> list[Case]:
    """A few small cases; plain Python takes a second for what Numba does in a millisecond."""
    drawn: list[Case] = []

    @CASES
    @given(case=operator.cases)
    def draw(case: Case) -> None:
        drawn.append(case)

    draw()
    return [case for case in drawn if sum(math.prod(shape) for shape in case.shapes.values()) < 500]


def digest(cases: dict[str, list[Case]]) -> str:
    """SHA-256 of the results of the cases of every operator, by its name."""
    seen = hashlib.sha256()
    for operator in CATALOGUE:
        for case in cases[operator.name]:
            for result in results(operator, case):
                seen.update(np.ascontiguousarray(result).tobytes())
    return seen.hexdigest()


if __name__ == "__main__":
    print(digest(pickle.load(sys.stdin.buffer)))
