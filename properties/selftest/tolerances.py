"""``python -m properties.selftest.tolerances``: the derived bounds beside tolerances, on the same programs and cases.

The programs are the planted faults that "agreement" and "gradients" are there for, and the correct ones with torch's
own functions. Each is called on the same cases of its operator, with normal values, and judged by the result and the
gradients that the loops give: by both tiers, by the derived bound alone, and by tolerances. What is printed is the
table of docs/bounds.md.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from properties.cases.case import Case
from properties.engine.domain import drawn
from properties.engine.trial import Trial
from properties.ledger.known import known
from properties.operators import CATALOGUE, Operator
from properties.selftest.faults import CORRECT, FAULTS, Planted
from properties.subjects import Declined, Subject
from properties.verdicts.expected import Expected
from properties.verdicts.verdict import shares
from properties.worker.call import Observed
from refimpl.arrays import Array
from refimpl.rounding import ELEMENTWISE, round_to

LAWS = ("agreement", "gradients")
CASES = 64
Judge = Callable[[Array, Expected], bool]
"""True if values are taken for right."""


@dataclass(frozen=True)
class Tolerance:
    """``|x − y| ≤ atol + rtol·|y|``, y rounded to the dtype, as torch.allclose and its kind have it."""

    rtol: float
    atol: float

    def __call__(self, values: Array, expected: Expected) -> bool:
        return bool(np.allclose(values, expected.values, self.rtol, self.atol, equal_nan=True))


def within(values: Array, expected: Expected) -> bool:
    """True if every error keeps its derived bound."""
    return float(shares(values, np.asarray(expected.values), expected.bound).max(initial=0.0)) <= 1.0


def judges(dtype: str) -> dict[str, tuple[Judge, bool]]:
    """Ways to judge by their names, each with whether it sees integers, too."""
    close = Tolerance(1.3e-6, 1e-5) if dtype == "float32" else Tolerance(1.6e-2, 1e-5)
    return {
        "both tiers": (within, True),
        "derived bound alone": (within, False),
        "torch.allclose (1e-5, 1e-8)": (Tolerance(1e-5, 1e-8), False),
        f"torch.testing.assert_close ({close.rtol:g}, {close.atol:g})": (close, False),
        "KernelBench (1e-2, 1e-2)": (Tolerance(1e-2, 1e-2), False),
    }


def alarms(operator: Operator, subject: Subject, algorithm: str = ELEMENTWISE) -> set[str]:
    """The ways that take a program for wrong on one of the cases."""
    raised, ways = set[str](), judges(subject.dtype)
    for case in drawn(operator)[:CASES]:
        for integers, values, expected in _results(operator, replace(case, fill="normal"), subject, algorithm):
            for name, (right, sees_integers) in ways.items():
                wrong = (sees_integers or not integers) and not right(values, _rounded(expected, right, subject))
                raised |= {name} if wrong else set()
        if len(raised) == len(ways):
            break
    return raised


def _rounded(expected: Expected, right: Judge, subject: Subject) -> Expected:
    """What a tolerance is held to: the right result in the dtype of the program's."""
    if right is within or np.asarray(expected.values).dtype.kind != "f":
        return expected
    return Expected(round_to(np.asarray(expected.values), subject.format.storage))


def _results(
    operator: Operator, case: Case, subject: Subject, algorithm: str
) -> Iterator[tuple[bool, Array, Expected]]:
    """True with a case of integers, and each result beside what it should be; an error or a shape is wrong to all."""
    if any(known(law, operator, subject, case) for law in LAWS):
        return
    for integers in (False, *(() if operator.inexact else (True,))):
        own = case.with_integers() if integers else case
        trial = replace(Trial.of(subject), algorithm=algorithm)
        operands, cotangent = operator.operands(own, trial.format), operator.cotangent_if_any(own, trial.format)
        try:
            outcome = trial.run(operator.program, operands, own.arguments, cotangent)
        except Declined:
            return
        if outcome.error:
            yield False, np.asarray(np.nan), Expected(np.asarray(0.0))
            return
        yield from _beside(integers, outcome.outputs, operator.expected(operands, own.arguments, trial.format))
        if cotangent is not None:
            gradients = operator.expected_gradients(cotangent, operands, own.arguments, trial.format)
            yield from _beside(integers, outcome.gradients, gradients)


def _beside(
    integers: bool, seen: Mapping[str, Observed], expected: Mapping[str, Expected]
) -> Iterator[tuple[bool, Array, Expected]]:
    for name, wanted in expected.items():
        values = np.asarray(seen[name].values) if name in seen else np.asarray(np.nan)
        same = values.shape == np.shape(wanted.values)
        yield (integers, values, wanted) if same else (False, np.asarray(np.nan), Expected(np.asarray(0.0)))


def right_programs(dtype: str) -> dict[str, Planted]:
    """The correct kernels, and torch's own functions."""
    own = {o.name: Planted("", o.name, o.program, (dtype,)) for o in CATALOGUE}
    return {name: planted for name, planted in {**CORRECT, **own}.items() if dtype in planted.dtypes}


def wrong_programs(dtype: str) -> dict[str, Planted]:
    """The faults of values."""
    return {
        name: planted
        for name, planted in FAULTS.items()
        if planted.law in LAWS and dtype in planted.dtypes and planted.mode == "eager" and planted.of == "program"
    }


def counted(programs: Mapping[str, Planted], subject: Subject) -> dict[str, int]:
    """How many programs each way takes for wrong."""
    found = [alarms(planted.planted(), subject, planted.algorithm) for planted in programs.values()]
    return {name: sum(name in raised for raised in found) for name in judges(subject.dtype)}


def main(arguments: list[str] | None = None) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m properties.selftest.tolerances", description=__doc__)
    parser.add_argument("dtypes", nargs="*", default=["float32", "bfloat16"], help="default: float32 bfloat16")
    warnings.simplefilter("ignore")
    for dtype in parser.parse_args(arguments).dtypes:
        wrong, right = wrong_programs(dtype), right_programs(dtype)
        caught, false = (counted(programs, Subject("cpu", dtype)) for programs in (wrong, right))
        print(f"| {dtype} | caught, of {len(wrong)} | false alarms, of {len(right)} |\n|---|---|---|")
        for name in caught:
            print(f"| {name} | {caught[name]} | {false[name]} |")
        print(flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
