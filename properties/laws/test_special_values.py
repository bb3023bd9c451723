"""Special values: NaN, infinities, signed zeros, subnormals, the largest numbers, and the extremes of integers."""

from __future__ import annotations

from properties.edges.special_values import Special, of_integers, of_places, of_sums, special
from properties.engine.law import law, valued
from properties.operators import Operator
from properties.subjects import Subject
from properties.verdicts.verdict import verdict


def computing(subject: Subject) -> bool:
    """Eager subjects with values, integers included."""
    return subject.mode == "eager" and subject.device != "meta"


def summing(operator: Operator) -> bool:
    """True if an output is a sum of products, or an average."""
    return operator.has("linear") or operator.has("kernel")


def dense(operator: Operator) -> bool:
    """True if every term of a sum is one product: of three, as a bilinear layer has, the order of ∞ and 0 decides."""
    return operator.has("linear") and not operator.axes and not operator.staged


def one_product(operator: Operator) -> bool:
    """The same with windows, of which it is known what their taps meet beside the input."""
    windows = operator.has("kernel") or operator.has("padded") or operator.has("transposed")
    return dense(operator) or windows or (operator.has("pooling") and operator.has("linear") and not operator.given)


@law("special values", covers=one_product, on=valued, cases=special, elementwise=True)
def test_sums(operator: Operator, subject: Subject, case: Special) -> None:
    """Sums meet NaN and infinity as IEEE arithmetic says, and nothing else is touched by them."""
    operands = operator.operands(case, subject.format)
    promise = of_sums(operator, case, operands, subject.format)
    outcome = subject.run(operator.program, operands, case.arguments, setting=case.setting)
    verdict(outcome, {"output": promise.kept(outcome)}, subject)


@law("special integers", covers=dense, on=lambda s: s.integral, cases=special)
def test_integers(operator: Operator, subject: Subject, case: Special) -> None:
    """Products of the smallest and largest integers wrap, and so do their sums."""
    operands = operator.operands(case, subject.format)
    promise = of_integers(operator, case, operands, subject.format)
    outcome = subject.run(operator.program, operands, case.arguments)
    verdict(outcome, {"output": promise.kept(outcome)}, subject)


@law(
    "special maxima",
    covers=lambda o: (o.has("pooling") or o.has("reduction")) and not summing(o) and not o.inexact,
    on=computing,
    cases=special,
)
def test_maxima(operator: Operator, subject: Subject, case: Special) -> None:
    """A maximum is NaN where a NaN is, −∞ where there is nothing else, and its index is where it stands."""
    operands = operator.operands(case, subject.format)
    outcome = subject.run(operator.program, operands, case.arguments, setting=case.setting)
    verdict(outcome, operator.expected(operands, case.arguments, subject.format), subject)


def of_rows(operator: Operator) -> bool:
    """True if each value or row has a result of its own that is no sum and no element of it."""
    return operator.has("activation") or (operator.has("reduction") and operator.inexact is not None)


@law("special rows", covers=of_rows, on=valued, cases=special)
def test_rows(operator: Operator, subject: Subject, case: Special) -> None:
    """An activation, or a logarithm of a sum, is NaN and infinite exactly where the formula in float64 is."""
    operands = operator.operands(case, subject.format)
    outcome = subject.run(operator.program, operands, case.arguments)
    promise = of_places(operator, case, operands, subject.format)
    verdict(outcome, {"output": promise.kept(outcome)}, subject)
