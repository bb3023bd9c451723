"""Compiled in every respect: in each dtype, in any layout and with special values, results are still the loops'.

To compile takes a second, to call a millisecond. So the cases that are drawn together differ in their values alone: one
function, compiled for one dtype, one setting and given sizes, serves them all.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from hypothesis import strategies as st

from properties.cases.case import REAL_FILLS, Case, among, in_layouts, whole
from properties.edges.special_gradients import of_gradients
from properties.edges.special_values import PALETTES, Promise, Special, of_places, of_sums, specials
from properties.engine.bundles import Bundle
from properties.engine.law import law
from properties.engine.trial import Trial
from properties.laws.test_layouts import agrees
from properties.laws.test_special_gradients import selecting
from properties.laws.test_special_values import one_product
from properties.operators import Operator
from properties.subjects import FLOATS
from properties.verdicts.verdict import verdict
from properties.worker.layouts import FAITHFUL
from refimpl.rounding import FLOAT64

NUMBERS = [palette for palette in PALETTES if not np.isnan(specials(palette, FLOAT64)).any()]
"""Which of several NaN a maximum takes is said nowhere: in eager mode the last, compiled the first."""


@dataclass(frozen=True)
class Retyped:
    """A case in another dtype than the subject's."""

    case: Case
    dtype: str


@st.composite
def values_of_one_setting(draw: st.DrawFn, operator: Operator) -> Bundle:
    """Cases of one dtype, one layout and given sizes: integers, numbers, and special values of each palette."""
    case = draw(in_layouts(operator.cases, operator.output_shape, operator.given))
    assert case.setting is not None
    layouts = {name: kind if kind in FAITHFUL else "contiguous" for name, kind in case.setting.layouts.items()}
    case, dtype = replace(case, setting=replace(case.setting, layouts=layouts)), draw(among(*FLOATS))
    variants = [replace(case, fill=fill, seed=draw(whole(0, 2**16 - 1))) for fill in dict.fromkeys(REAL_FILLS)]
    variants += [] if operator.inexact else [case.with_integers()]
    if selecting(operator) or one_product(operator) or operator.has("activation"):
        variants += [
            Special(case.shapes, case.arguments, "normal", draw(whole(0, 2**16 - 1)), case.setting, palette)
            for palette in (NUMBERS if operator.has("selecting") else PALETTES)
        ]
    return Bundle(tuple(Retyped(variant, dtype) for variant in variants))


def generated(operator: Operator) -> bool:
    """True if the compiler generates the code that computes it, and calls no kernel of eager mode."""
    return operator.differentiable and (operator.has("pooling") or operator.has("activation"))


def promised(operator: Operator, case: Special, subject: Trial) -> dict[str, Promise]:
    """What is promised of an output for special values, besides what all of selected elements and indices is."""
    operands, about = operator.operands(case, subject.format), (operator, case)
    if operator.has("activation"):
        return {"output": of_places(*about, operands, subject.format)}
    return {"output": of_sums(*about, operands, subject.format)} if one_product(operator) else {}


def meets(operator: Operator, subject: Trial, case: Case) -> None:
    """Raise Diverged unless output and gradients hold NaN and infinities where they should, and nowhere else."""
    assert isinstance(case, Special)
    operands, cotangent = operator.operands(case, subject.format), operator.cotangent(case, subject.format)
    outcome = subject.run(operator.program, operands, case.arguments, cotangent, setting=case.setting)
    expected = {name: promise.kept(outcome, name) for name, promise in promised(operator, case, subject).items()}
    verdict(outcome, expected or operator.expected(operands, case.arguments, subject.format), subject)
    slopes = of_gradients(operator, case, cotangent, operands, subject.format)
    verdict(outcome, {n: slopes[n].kept(outcome, n, "gradients") for n in slopes}, subject, "gradients")


@law(
    "settings when compiled", covers=generated, on=lambda subject: subject.mode == "compiled",
    cases=values_of_one_setting,
)  # fmt: skip
def test_settings(operator: Operator, subject: Trial, case: Retyped) -> None:
    """Compiled in any dtype, in any layout and for special values, output and gradients are still the loops'."""
    special = isinstance(case.case, Special)
    other = replace(subject, dtype=case.dtype, law="special gradients" if special else "layouts", case=case.case)
    other.ask(operator, case.case, other)
    (meets if special else agrees)(operator, other, case.case)
