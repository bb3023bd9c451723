"""The search for a case that a law fails on: Hypothesis draws, the ledger is asked, and both tiers are tried."""

from __future__ import annotations

import contextlib
import re
import unittest
import zlib
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import hypothesis
from hypothesis import Phase

from properties.engine import families
from properties.engine.recording import NotRun, proves_nothing
from properties.ledger import known
from properties.operators import Operator
from properties.subjects import Declined, Subject, Undefined, comparing, one_function
from properties.verdicts import evidence
from properties.verdicts.verdict import Diverged
from properties.worker.call import Call

if TYPE_CHECKING:
    from properties.engine.laws import Law

SETTLED = 100
"""Cases of a subject with the whole budget."""


class Enough(unittest.SkipTest):
    """Raised by a test body to end a search early: Hypothesis takes it for no failure, and lets it through."""


def search_enough(
    law: Law, operator: Operator | None, subject: Subject | None, result: evidence.Result, seed: int | None = None
) -> None:
    """Search, and again while the cases so far prove nothing and are too few to say that none will.

    Hypothesis varies what it drew, so that the smallest cases come in swarms. Where it was told to take a seed of its
    own, a search that is repeated has another, or the same cases would come again.
    """
    search(law, operator, subject, result, seed=seed)
    while "case" in law.parameters() and proves_nothing(result) and not settled(result, subject):
        search(law, operator, subject, result, seed=seed or 0)


def settled(result: evidence.Result, subject: Subject | None) -> bool:
    """Whether so many cases were tried that what proves nothing never will."""
    return result.cases >= SETTLED * (subject.budget if subject else 1.0)


def search(
    law: Law,
    operator: Operator | None,
    subject: Subject | None,
    result: evidence.Result,
    settings: hypothesis.settings | None = None,
    seed: int | None = None,
) -> None:
    """Look for a counterexample: once where the law draws no case, else as often as the settings say.

    Of one seed, the cases are the same ones in any process; None leaves that to Hypothesis.
    """
    about = {"operator": operator, "subject": subject}
    about = {name: thing for name, thing in about.items() if name in law.parameters()}
    if "case" not in law.parameters():
        result.begin_case()
        law.body(**about)
        evidence.noted_case(None)
        return

    shared = operator is not None and subject is not None and subject.mode == "dynamic"

    def tried(case: Any) -> None:
        result.begin_case()
        entry = known.known(law.name, operator, subject, case)
        if entry and entry.certain():
            result.known, result.entry = result.known + 1, entry
            return
        met = [entry]  # the first is tried all the same beside another torch, and so is what a call runs into

        def watch(call: Call) -> None:
            met.append(known.steer(law.name, case, subject.torch if subject else "", call))

        try:
            with evidence.watching(watch):
                for variant in _tiers(law, case, operator, subject):
                    law.body(**about, case=variant)
        except known.Steered as steered:
            result.known, result.entry = result.known + 1, steered.entry
            return
        except Declined as reason:
            result.declined, result.declining = result.declined + 1, result.declining or str(reason)
            if isinstance(reason, Undefined) and result.declined == result.cases:
                raise NotRun(str(reason)) from reason
            return
        except Diverged:
            entry = next(filter(None, met), None)
            if not entry:
                raise
            result.known, result.entry = result.known + 1, entry
            return
        finally:
            if subject and any(entry.overwrites for entry in met if entry):
                subject.renew()
        evidence.noted_case(case)

    def tried_in_turn(case: families.Family) -> None:
        if len(case.cases) == 1:  # Hypothesis begins with it; to serve one case is what "compiled" does
            return
        before, first = result.compilations, case.cases[0]
        with one_function():
            for member in case:
                many = result.compilations - before >= families.COMPILATIONS
                tried(replace(member, shapes=first.shapes) if many else member)

    if operator and shared:
        strategy, body = families.families(law, operator), tried_in_turn
    else:
        strategy, body = law.strategy(operator), tried
    body.__name__ = body.__qualname__ = re.sub(r"\W+", "_", f"law {law.name} {result.operator} {result.subject}")
    # Hypothesis keys its examples by the source, which is the same for all; so does its plugin add pytest's parameters.
    body._hypothesis_internal_add_digest = body.__name__.encode()  # type: ignore[attr-defined]
    test = hypothesis.given(case=strategy)(body)
    settings = _within_budget(subject, settings or hypothesis.settings())
    if comparing():
        settings, seed = _of_twins(settings), _seed_of_twins(result, subject)
    if seed is not None:
        test = hypothesis.seed(seed + result.cases)(test)  # another each time that a check is searched
    test = settings(test)
    for example in law.examples:
        test = hypothesis.example(case=families.Family((example,)) if shared else example)(test)
    with contextlib.suppress(Enough):
        test()
    if result.declined and (result.declined + result.known == result.cases or proves_nothing(result)):
        raise NotRun(str(result.declining))
    if result.declined:
        result.reason = f"{result.declined} of {result.cases} cases not run ({result.declining})"


def _of_twins(settings: hypothesis.settings) -> hypothesis.settings:
    """Settings under which two torches are tried on the same cases: none from before."""
    phases = [phase for phase in settings.phases if phase is not Phase.reuse]
    return hypothesis.settings(settings, database=None, phases=phases)


def _seed_of_twins(result: evidence.Result, subject: Subject | None) -> int:
    """One seed for a check on two torches."""
    check = result.law, result.operator, str(replace(subject, torch="")) if subject else ""
    return zlib.crc32("\n".join(check).encode())


def _within_budget(subject: Subject | None, settings: hypothesis.settings) -> hypothesis.settings:
    share = subject.budget if subject else 1.0
    # The first cases are trivial ones: fewer than four would prove nothing. So is the first family, alone.
    least = 4
    if subject and subject.mode == "dynamic":
        least, share = 2, share / families.MEMBERS
    return hypothesis.settings(settings, max_examples=max(least, round(share * settings.max_examples)))


def _tiers(law: Law, case: Any, operator: Operator | None, subject: Subject | None) -> Iterator[Any]:
    """Both tiers of a case: its integers, where the operator can be exact, and its real values, where there are."""
    exact = law.exact and hasattr(case, "with_integers") and (operator is None or operator.inexact is None)
    integers = case.with_integers() if exact else None
    if exact:
        yield integers
    if not (subject and subject.integral) and integers != case:
        yield case
