"""Which algorithm a convolution shows: how far it is off on a few cases, as a share of the bound of each that is known.

Torch's own convolutions on the CPU are sums of products, and held to that. Kernels of others, and other devices, may
use algorithms that are stable only in norm (:mod:`refimpl.bounds.algorithms`). Such a one has no exact tier: it is not
exact on integers. So it must be shown by real values, on which it breaks the bound of a sum, and keep its own bound,
before anything is held to that.

An average may be a quotient, or a product with a rounded reciprocal. The derived bound allows either; integers, that a
quotient be exact. Torch's own functions on the CPU divide, and are held to that. What is free is held to the bound,
shown or not: a compiler may take the one or the other by the divisor.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from properties.cases.case import INTEGERS, Case
from properties.engine.domain import Domains, drawn
from properties.engine.trial import Engines, Trial
from properties.operators import CATALOGUE, Operator, features
from properties.subjects import SIXTEEN_BITS, Declined, Subject
from properties.verdicts.expected import Expected
from properties.verdicts.verdict import shares
from properties.worker.call import INDUCTOR, Observed, Outcome
from refimpl.arrays import Array
from refimpl.rounding import ALGORITHMS, ELEMENTWISE, RECIPROCAL, Format

TAPS = 3
CASES = 18
"""How many cases show an algorithm."""
FILLS = ("one-hot", "normal", "wide")
BEYOND = "beyond any"
UNBOUNDED = 1e9
"""Stands for an error where none is allowed, so that a share stays a number."""


@dataclass(frozen=True)
class Shown:
    """What a subject shows: its largest error as a share of the bound of each algorithm."""

    shares: Mapping[str, float] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The first algorithm whose bound every error keeps."""
        return next((name for name in ALGORITHMS if self.shares.get(name, 0.0) <= 1.0), BEYOND)

    @property
    def algorithm(self) -> str:
        """That to whose bound it is held: sums, where it shows nothing that is known."""
        return ELEMENTWISE if self.name == BEYOND else self.name

    def with_more(self, more: Mapping[str, float]) -> Shown:
        """The same after more errors were seen."""
        return Shown({name: max(self.shares.get(name, 0.0), share) for name, share in more.items()})


@dataclass(eq=False)
class Algorithms:
    """What the subjects of a run show, each asked for once. domains: what those take that stand for torch."""

    engines: Engines
    domains: Domains | None = None
    _found: dict[tuple[str, Subject], Shown] = field(default_factory=dict)

    def held_to(self, operator: Operator, subject: Subject) -> str:
        """That whose bound a subject is held to; a task, which is none of the catalogue, may average on the way."""
        if free(subject) and (operator.has("averaging") or operator.name not in {each.name for each in CATALOGUE}):
            return RECIPROCAL
        return self.of(operator, subject).algorithm

    def of(self, operator: Operator, subject: Subject) -> Shown:
        """What a subject shows of an operator; nothing of one that is held to sums of products in any case.

        In 16 bits the rounding of results hides most of an algorithm's errors: what shows in float32 counts, too.
        """
        subject = replace(subject, mode="eager", backend=INDUCTOR)
        own = next((each for each in CATALOGUE if each.name == operator.name), None)
        if own is None or not (own.convolves and free(subject)):
            return Shown()
        key = own.name, subject
        if key not in self._found:
            self._found[key] = self._asked(own, subject)
        found = self._found[key]
        if found.name == ELEMENTWISE and subject.dtype in SIXTEEN_BITS:
            return self.of(operator, replace(subject, dtype="float32"))
        return found

    def _asked(self, operator: Operator, subject: Subject) -> Shown:
        refused, shown, trial = set[str](), Shown(), Trial.of(subject, self.engines)
        if self.domains and subject.kernels:
            domain = self.domains.of(operator, subject)
            refused, operator = set(domain.refused), domain.narrowed
        for case, fill in zip(drawn(operator)[:CASES], itertools.cycle(FILLS), strict=False):
            case = replace(plain_case(operator, case, refused), fill=fill)
            operands = operator.operands(case, subject.format)
            cotangent = operator.cotangent_if_any(case, subject.format)
            with contextlib.suppress(Declined):
                outcome = trial.run(operator.program, operands, case.arguments, cotangent)
                shown = shown.with_more(measured(operator, outcome, operands, cotangent, case, subject.format))
        return shown


def free(subject: Subject) -> bool:
    """True if a subject may use any algorithm: kernels of others and other devices, but not torch's own on the CPU."""
    return not (subject.inferred or subject.integral) and (subject.foreign or subject.device != "cpu")


def telling_case(operator: Operator, case: Case) -> Case:
    """A case that tells by which algorithm it is computed: of averages, integers with exact quotients."""
    return plain_case(operator, case) if operator.convolves else replace(case, fill=INTEGERS)


def plain_case(operator: Operator, case: Case, refused: Collection[str] = ()) -> Case:
    """The case in steps of one; one in three with kernels of three taps, for which every algorithm is defined.

    One in three has kernels of a single tap, for which Winograd's is not.
    """
    words = {"stride", "dilation", "output-padding", *refused} | ({"padding"} if operator.has("transposed") else set())
    case = features.case_without(operator, case, words)
    taps = (TAPS, 1, None)[case.seed % 3]
    if taps is None:
        return case
    x, weight = case.shapes["input"], case.shapes["weight"]
    axes = len(weight) - 2
    case = case.with_shape("weight", (*weight[:2], *(taps,) * axes))
    return case.with_shape("input", (*x[:-axes], *(max(size, taps) for size in x[-axes:])))


def measured(
    operator: Operator,
    outcome: Outcome,
    operands: Mapping[str, Array],
    cotangent: Array | None,
    case: Case,
    format: Format,
) -> dict[str, float]:
    """The largest error of a call as a share of the bound of each algorithm; none where it has no such results."""
    found = {}
    for name in operator.algorithms:
        own = replace(format, algorithm=name)
        pairs = [(outcome.outputs, operator.expected(operands, case.arguments, own))]
        if cotangent is not None:
            pairs += [(outcome.gradients, operator.expected_gradients(cotangent, operands, case.arguments, own))]
        found[name] = max(_worst(seen, expected) for seen, expected in pairs)
    return found


def _worst(seen: Mapping[str, Observed], expected: Mapping[str, Expected]) -> float:
    """The largest share over tensors; 0 where one is missing or has another shape, which other laws tell."""
    worst = 0.0
    for name, wanted in expected.items():
        if name in seen and seen[name].shape == np.shape(wanted.values):
            share = shares(np.asarray(seen[name].values), np.asarray(wanted.values), wanted.bound)
            worst = max(worst, float(share.max(initial=0.0)))
    return min(worst, UNBOUNDED)
