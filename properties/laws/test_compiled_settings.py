"""Compiled in every respect: in each dtype, layout and mode of torch, and with special values, results are the loops'.

To compile takes a second, to call a millisecond. So the cases that are drawn together differ in their values alone: one
function, compiled for one dtype, one setting and given sizes, serves them all. Where the compiler calls the kernel of
eager mode, or integers are computed, a few operators have their turn in a run.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from hypothesis import strategies as st

from properties.cases.case import REAL_FILLS, Case, among, in_layouts, under_flags, whole
from properties.edges.special_gradients import of_gradients
from properties.edges.special_values import PALETTES, Promise, Special, of_places, of_sums, specials
from properties.engine.bundles import Bundle
from properties.engine.law import law
from properties.engine.trial import Trial
from properties.laws.test_layouts import agrees
from properties.laws.test_special_gradients import selecting
from properties.laws.test_special_values import one_product
from properties.operators import CATALOGUE, CHAPTER, Operator, operator
from properties.subjects import FLOATS, INTEGERS
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
    operator: str


@st.composite
def values_of_one_setting(draw: st.DrawFn, operator: Operator, dtypes: Sequence[str] = FLOATS) -> Bundle:
    """Cases of one dtype, one setting and given sizes: integers, numbers, and special values of each palette."""
    output_shape = operator.output_shape if operator.differentiable else None
    case = draw(under_flags(in_layouts(operator.cases, output_shape, operator.given)))
    assert case.setting is not None
    layouts = {name: kind if kind in FAITHFUL else "contiguous" for name, kind in case.setting.layouts.items()}
    # Unpooling has no deterministic form, and is refused if one is asked for.
    deterministic = case.setting.deterministic and "indices" not in operator.given
    setting = replace(case.setting, layouts=layouts, deterministic=deterministic)
    case, dtype = replace(case, setting=setting), draw(among(*dtypes))
    if dtype in INTEGERS:
        seeds = [draw(whole(0, 2**16 - 1)) for _ in range(3)]
        return Bundle(tuple(Retyped(replace(case.with_integers(), seed=s), dtype, operator.name) for s in seeds))
    variants = [replace(case, fill=fill, seed=draw(whole(0, 2**16 - 1))) for fill in dict.fromkeys(REAL_FILLS)]
    variants += [] if operator.inexact else [case.with_integers()]
    if operator.differentiable and (selecting(operator) or one_product(operator) or operator.has("activation")):
        variants += [
            Special(case.shapes, case.arguments, "normal", draw(whole(0, 2**16 - 1)), case.setting, palette)
            for palette in (NUMBERS if operator.has("selecting") else PALETTES)
        ]
    return Bundle(tuple(Retyped(variant, dtype, operator.name) for variant in variants))


@st.composite
def values_of_some_operator(draw: st.DrawFn) -> Bundle:
    """The same of any operator: in integer dtypes, too, if it is exact, and in those alone if "settings when compiled"
    has all of its cases in a usual run."""
    about = draw(among(*TURNS))
    dtypes = (() if often(about) else FLOATS) + (() if about.inexact else INTEGERS)
    return draw(values_of_one_setting(about, dtypes))


def generated(operator: Operator) -> bool:
    """True if the compiler generates the code that computes it, and calls no kernel of eager mode."""
    return operator.differentiable and (operator.has("pooling") or operator.has("activation"))


def often(operator: Operator) -> bool:
    """True if what the compiler generates for an operator is held in any run: one of the chapter's."""
    return generated(operator) and operator.family in CHAPTER


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


def retyped(operator: Operator, subject: Trial, case: Retyped) -> Trial:
    """The subject in the case's dtype, once the ledger was asked, also about eager mode, whose kernels it may call."""
    other = replace(subject, dtype=case.dtype, law="layouts", case=case.case)
    asking = [other, replace(other, law="special gradients")] if isinstance(case.case, Special) else [other]
    for trial in asking:
        for mode in ("eager", subject.mode):
            trial.ask(operator, case.case, replace(trial, mode=mode))
    return asking[-1]


def keeps(operator: Operator, subject: Trial, case: Case) -> None:
    """Raise Diverged unless a case's results are those of the loops, or, of special values, hold what is promised."""
    (meets if isinstance(case, Special) else agrees)(operator, subject, case)


TURNS = tuple(o for o in CATALOGUE if not o.layer.startswith("torch.optim.") and not (often(o) and o.inexact))


@law(
    "settings when compiled", covers=generated, on=lambda subject: subject.mode == "compiled",
    cases=values_of_one_setting, one_run_in=lambda subject: 4,
)  # fmt: skip
def test_settings(operator: Operator, subject: Trial, case: Retyped) -> None:
    """Compiled in any dtype, in any layout and for special values, output and gradients are still the loops'."""
    keeps(operator, retyped(operator, subject, case), case.case)


@law(
    "settings when compiled, in turn", on=lambda subject: subject.mode == "compiled", cases=values_of_some_operator(),
    share=lambda subject: 3.0, systems=(),
)  # fmt: skip
def test_settings_in_turn(subject: Trial, case: Retyped) -> None:
    """Compiled to calls of eager mode's kernels, or of integers: output and gradients are still the loops'."""
    about = operator(case.operator)
    trial = retyped(about, subject, case)
    if trial.integral:  # what eager mode does not implement, and declines, the compiler may refuse by any error
        operands = about.operands(case.case, trial.format)
        replace(trial, mode="eager").run(about.program, operands, case.case.arguments)
    keeps(about, trial, case.case)
