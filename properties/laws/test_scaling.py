"""Linearity, from what a subject returns alone: scaling by powers of two, and sums (S1, S3)."""

from __future__ import annotations

import numpy as np

from properties.cases.case import Case
from properties.engine.law import law
from properties.operators import Operator
from properties.subjects import Subject
from properties.verdicts.expected import Expected, off
from properties.verdicts.verdict import tensor, verdict, weighted
from properties.worker.call import Outcome
from refimpl.arrays import Array
from refimpl.rounding import Format, round_to


def is_linear(operator: Operator) -> bool:
    """True if a layer is linear in each of its operands, the bias counted with it, while the others stay."""
    return operator.has("linear") or operator.has("kernel")


def factors(operands: dict[str, Array]) -> list[str]:
    """The operands that a layer is linear in, one at a time: those with real values, but for the bias."""
    return [name for name, values in operands.items() if name != "bias" and values.dtype.kind == "f"]


def times(outcome: Outcome, factor: float, format: Format) -> Expected:
    """An output times a power of two: the same bits but for the exponent.

    A result below the smallest normal number is off by η at most on either side, and one past the largest is infinite.
    """
    values = factor * tensor(outcome)
    smallest_normal = 2.0 ** (1 - format.storage.largest_exponent)
    lost = np.where(np.abs(values) < abs(factor) * smallest_normal, (abs(factor) + 1) * format.storage.underflow, 0.0)
    return Expected.off_by(round_to(values, format.storage), lost)


@law("powers of two", covers=is_linear)
def test_powers_of_two(operator: Operator, subject: Subject, case: Case) -> None:
    """With one operand and the bias times (−2)^k the output is (−2)^k times as large, bit for bit."""
    operands, factor = operator.operands(case, subject.format), (-2.0) ** (1 + case.seed % 3)
    once = subject.run(operator.program, operands, case.arguments)
    for factored in factors(operands):
        scaled = {name: v * factor if name in (factored, "bias") else v for name, v in operands.items()}
        outcome = subject.run(operator.program, scaled, case.arguments)
        verdict(outcome, {"output": times(once, factor, subject.format)}, subject)


def added(x: Array, y: Array, format: Format) -> tuple[Array, Array]:
    """``x + y`` rounded to the storage, and what that rounding took away, itself without error (Knuth's TwoSum)."""
    total = round_to(x + y, format.storage)
    part = total - x
    return total, (x - (total - part)) + (y - part)


@law("additivity", covers=is_linear)
def test_additivity(operator: Operator, subject: Subject, case: Case) -> None:
    """f(x + y) = f(x) + f(y) for the first operand and the bias, f(what rounding x + y took away) counted in."""
    x = operator.operands(case, subject.format)
    summed = (factors(x)[0], "bias")
    y = {name: operator.filled(f"more {name}", v.shape, case, subject.format) for name, v in x.items()}
    y = {name: v if name in summed else x[name] for name, v in y.items()}
    sums = {name: added(x[name], y[name], subject.format) if name in summed else (v, v) for name, v in x.items()}
    z, rest = ({name: pair[i] for name, pair in sums.items()} for i in (0, 1))
    outcomes = [subject.run(operator.program, operands, case.arguments) for operands in (x, y, z)]
    errors = [off(operator.expected(o, case.arguments, subject.format)["output"], subject.format) for o in (x, y, z)]
    lost = operator.reference(*rest.values(), **case.arguments)
    terms = np.stack([tensor(outcomes[0]), tensor(outcomes[1]), -lost])
    total = weighted(terms, Expected.off_by(terms, np.stack([*errors[:2], 0 * lost])), 1.0, subject.format, 0)
    verdict(outcomes[2], {"output": total.wider(errors[2])}, subject)
