"""The only comparison: what a subject returned against what should be.

Two tiers. *Exact*: the operands are integers and every partial sum is representable, so any order of summation
gives the same number, and nothing but equality will do. *Bounded*: ``|subject − reference| ≤ T`` elementwise, T
derived from the precision (:mod:`refimpl.bounds`). No tolerance is ever chosen. NaN and infinities must stand in
the same places; −0 equals +0, since the sign of a zero sum depends on the order of summation.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Protocol

import numpy as np

from properties.verdicts import tally
from properties.verdicts.expected import Expected, Refusal, Shaped, off
from properties.worker.call import Call, Observed, Outcome
from refimpl.arrays import Array, Axes
from refimpl.expected import difference, overflowing
from refimpl.expected import shares as shares
from refimpl.rounding import FLOAT64, Format, limited, rounding_of


class Diverged(AssertionError):
    """A subject's result differs from what the law says it should be.

    call, group, name and expected tell which tensor of which call should have been what, for the repro script; observed
    is what it was, where it was there.
    """

    call: Call | None = None
    group: str = "outputs"
    name: str = "output"
    expected: Expected | Refusal | Shaped | None = None
    observed: Observed | None = None


class Vacuous(AssertionError):
    """A law held, but on cases that prove nothing."""


class Place(Protocol):
    """Where a result must lie and what it must be made of; a subject is one."""

    @property
    def device(self) -> str: ...

    @property
    def stored(self) -> str: ...


GRADIENTS = {"outputs": "{}", "gradients": "gradient to {}", "second": "gradient of the gradients to {}",
             "held": "held {}"}  # fmt: skip


def verdict(outcome: Outcome, expected: Mapping[str, Expected], subject: Place, group: str = "outputs") -> None:
    """Raise Diverged unless every expected tensor of a group is there and right.

    group: "outputs", "gradients", "second" (gradients of gradients) or "held". Compared in this order: errors, torch's
    settings, operands changed in place, memory shared, names, shape, dtype, device, values.
    """
    for name, wanted in expected.items():
        try:
            _one(outcome, group, name, wanted, subject)
        except Diverged as failure:
            failure.call, failure.group, failure.name, failure.expected = outcome.call, group, name, wanted
            failure.observed = getattr(outcome, group).get(name)
            raise


def _one(outcome: Outcome, group: str, name: str, wanted: Expected, subject: Place) -> None:
    if outcome.error:
        raise Diverged(f"raised {outcome.error}, but these arguments are valid")
    if outcome.settings:
        raise Diverged(f"changes torch's settings: {', '.join(outcome.settings)}")
    if outcome.changed:
        raise Diverged(f"changed its operands in place: {', '.join(outcome.changed)}")
    if outcome.aliased:
        raise Diverged(f"its output shares memory with: {', '.join(outcome.aliased)}")
    observed, what = getattr(outcome, group), GRADIENTS[group].format(name)
    if name not in observed:
        raise Diverged(f"{what} is missing; there are: {', '.join(observed) or 'none'}")
    compare(what, observed[name], wanted, subject)


def compare(what: str, observed: Observed, expected: Expected, subject: Place) -> None:
    """Raise Diverged unless one tensor has the expected shape, dtype, device and values."""
    wanted = np.asarray(expected.values)
    kind = subject.stored if wanted.dtype.kind == "f" else str(wanted.dtype)
    for aspect, seen, should in (
        ("shape", observed.shape, wanted.shape),
        ("dtype", observed.dtype, kind),
        ("device", observed.device, subject.device),
    ):
        if seen != should:
            raise Diverged(f"{what} has {aspect} {seen}, but should have {should}")
    if observed.values is None:
        tally.compared(None, exact=True, vacuous=False)
        return
    values = np.asarray(observed.values)
    _compare_values(what, values, overflowing(values, wanted, expected.bound, kind), expected.bound)


def tensor(outcome: Outcome, name: str = "output", group: str = "outputs") -> Array:
    """A result's values, for laws about what a subject made of its own results. Raises Diverged where it has none."""
    if outcome.error or name not in getattr(outcome, group):
        why = f"raised {outcome.error}" if outcome.error else f"has no {GRADIENTS[group].format(name)}"
        failure = Diverged(f"{why}, but these arguments are valid")
        failure.call = outcome.call
        raise failure
    return np.asarray(getattr(outcome, group)[name].values)


def weighted(
    values: Array, expected: Expected, weights: Array | float, format: Format, axes: Axes | None = None
) -> Expected:
    """``Σ weight·value`` of a result as a subject gave it, over some axes (None: all), and how far it may be off.

    The values are off as :func:`off` says, which ``Σ |weight|·off`` bounds; what is not weighted counts for nothing,
    though it be off without limit. The n products and their sum are formed in float64, without error where they are
    integers that it has, else off by ``γ_{n+1}·Σ|weight·value|`` more.
    Raises Diverged where a value is infinite or NaN, or should be: a sum would not be held to anything.

    >>> from refimpl.rounding import FORMATS
    >>> seen = np.array([1.0, 256.0])
    >>> total = weighted(seen, Expected(seen), np.array([3.0, -2.0]), FORMATS["bfloat16"])
    >>> float(total.values), float(total.bound)
    (-509.0, 2.0)
    >>> unlimited = Expected.off_by(seen, np.array([0.0, np.inf]))
    >>> weighted(seen, unlimited, np.array([3.0, 0.0]), FORMATS["bfloat16"])
    Expected(values=array(3.), bound=None)
    """
    if not (np.isfinite(values).all() and np.isfinite(expected.values).all()):
        raise Diverged("values are infinite or NaN, of which no sum is known")
    products = weights * values
    total, magnitude = np.sum(products, axis=axes), np.sum(np.abs(products), axis=axes)
    error = np.sum(limited(off(expected, format), np.broadcast_to(np.abs(weights), products.shape)), axis=axes)
    integers = (products == np.rint(products)).all() and (magnitude <= FLOAT64.largest_exact_integer).all()
    if not integers:
        terms = products.size // max(np.size(total), 1)
        error = error + rounding_of(magnitude, terms + 1, FLOAT64)
    return Expected.off_by(total, error)


def same(what: str, left: Expected, right: Expected) -> None:
    """Raise Diverged unless two numbers, each off by its own bound at most, can be one and the same."""
    both = right if left.bound is None else right.wider(left.bound)
    _compare_values(what, np.asarray(left.values), np.asarray(both.values), both.bound)


def holds(condition: bool, message: str) -> None:
    """Raise Diverged with the message unless a condition, itself exact, is met."""
    tally.compared(None, exact=True, vacuous=False)
    if not condition:
        raise Diverged(message)


UNCLEAN = ("NativeCrash", "Hung", "OutOfMemory", "Exited")
"""How a call can end without an answer (:mod:`properties.subjects.workers`)."""
BUG = "INTERNAL ASSERT FAILED"
"""What torch calls a bug of its own."""


def rejected(outcome: Outcome, wanted: Refusal) -> None:
    """Raise Diverged unless the call was refused with an exception, or gave the shape that is as good.

    The exception's type is recorded under the rule. One that torch calls a bug of its own is no refusal.
    """
    kind = (outcome.error or "").partition(":")[0]
    shapes = [observed.shape for observed in outcome.outputs.values()]
    refused = outcome.error is not None and kind not in UNCLEAN and BUG not in outcome.error
    if refused or (shapes and shapes[0] == wanted.shape):
        tally.compared(None, exact=True, vacuous=False)
        if refused:
            tally.raised(wanted.rule, kind)
        return
    ended = f"ended with {outcome.error}" if outcome.error else f"gave shapes {shapes}"
    should = "raise" if wanted.shape is None else f"give shape {wanted.shape} or raise"
    failure = Diverged(f"{ended}, but should {should}: {wanted.rule}")
    failure.call, failure.expected = outcome.call, wanted
    raise failure


def same_shape(outcome: Outcome, shape: tuple[int, ...], why: str = "") -> None:
    """Raise Diverged unless the output has this shape; its values are not looked at. why: what makes the call valid."""
    try:
        if outcome.error:
            raise Diverged(f"raised {outcome.error}, but these arguments are valid{why} and should give shape {shape}")
        seen = outcome.outputs["output"].shape
        holds(seen == shape, f"output has shape {seen}, but should have {shape}{why and f', as is valid{why}'}")
    except Diverged as failure:
        failure.call, failure.expected = outcome.call, Shaped(shape)
        raise


def laid_in_order(outcome: Outcome) -> None:
    """Raise Diverged unless the elements of each output lie in the order of its axes, without gaps.

    The stride of an axis of one element is free.
    """
    for name, seen in outcome.outputs.items():
        axes = zip(seen.shape, seen.strides, strict=True)
        wanted = [math.prod(seen.shape[axis + 1 :]) for axis in range(len(seen.shape))]
        ordered = all(stride == size for (length, stride), size in zip(axes, wanted, strict=True) if length > 1)
        try:
            holds(ordered or 0 in seen.shape, f"{name} has strides {seen.strides} for shape {seen.shape}")
        except Diverged as failure:
            failure.call, failure.name, failure.expected = outcome.call, name, Shaped(seen.shape, in_order=True)
            raise


def _compare_values(what: str, values: Array, wanted: Array, bound: Array | None) -> None:
    worst, told = difference(what, values, wanted, bound)
    tally.compared(worst if bound is not None else None, exact=bound is None, vacuous=_proves_nothing(wanted))
    if told:
        raise Diverged(told)


def _proves_nothing(wanted: Array) -> bool:
    """True if a wrong implementation could easily give the same: nothing, zeros alone, or one repeated value."""
    return wanted.size == 0 or not wanted.any() or (wanted.size > 1 and bool((wanted == wanted.flat[0]).all()))
