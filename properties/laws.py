"""The law decorator: a test body that reads like a law becomes one test for every operator × subject it covers."""

from __future__ import annotations

import contextlib
import functools
import importlib
import inspect
import re
import unittest
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st

from properties import divergences, evidence, findings
from properties.operators import CATALOGUE, Operator
from properties.subjects import Declined, Subject, Undefined
from properties.verdict import Diverged, Vacuous

Cases = st.SearchStrategy[Any] | Callable[[Operator], st.SearchStrategy[Any]]


@dataclass(frozen=True)
class Law:
    """What a law is called, which systems of the chapter it proves, what it covers and what it is tried on."""

    name: str
    body: Callable[..., None]
    systems: tuple[str, ...] | None
    covers: Callable[[Operator], bool] | None
    on: Callable[[Subject], bool]
    cases: Cases | None
    examples: tuple[Any, ...]
    exact: bool = True

    @property
    def title(self) -> str:
        """The first line of the body's docstring: the law in words."""
        return inspect.getdoc(self.body).partition("\n")[0]  # type: ignore[union-attr]

    @property
    def operators(self) -> list[Operator]:
        """The operators that the law holds for, by their properties."""
        return [] if self.covers is None else [o for o in CATALOGUE if self.covers(o)]

    def includes(self, operator: Operator | None, subject: Subject) -> bool:
        """Whether the law speaks of this pair; integers need an operator that is exact on them."""
        return self.on(subject) and not (subject.integral and (operator is None or operator.inexact is not None))

    def parameters(self) -> list[str]:
        """Which of "operator", "subject" and "case" the body asks for."""
        return list(inspect.signature(self.body).parameters)

    def strategy(self, operator: Operator | None) -> st.SearchStrategy[Any]:
        """What "case" is drawn from: the law's own cases, else the operator's."""
        if self.cases is None:
            assert operator is not None, f"{self.name}: a law without an operator needs cases"
            return operator.cases
        if isinstance(self.cases, st.SearchStrategy):
            return self.cases
        return self.cases(operator)  # type: ignore[arg-type]


SETTLED = 100
"""Cases of a subject with the whole budget."""

LAWS: dict[str, Law] = {}
"""The laws by their names, as far as the modules that state them have been imported."""


def every() -> dict[str, Law]:
    """Every law by its name."""
    for path in sorted(Path(__file__).parent.glob("test_*.py")):
        importlib.import_module(f"properties.{path.stem}")
    return LAWS


def valued(subject: Subject) -> bool:
    """Eager subjects with floating values: what most laws are about."""
    return subject.mode == "eager" and subject.device != "meta" and not subject.integral


def law(
    name: str,
    *,
    covers: Callable[[Operator], bool] | None = None,
    on: Callable[[Subject], bool] = valued,
    cases: Cases | None = None,
    systems: Iterable[str] | None = None,
    examples: Iterable[Any] = (),
    exact: bool = True,
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Make a pytest test of a law's body.

    The body names what it is about: ``operator`` (each one that ``covers`` holds for), ``subject`` (each one that
    ``on`` holds for) and ``case`` (drawn by Hypothesis from ``cases``, by default the operator's own). ``examples``
    are tried first, always. ``systems`` are the chapter's, by default those of the operator.
    ``exact``: whether a case is tried on integers as well as on its own values.
    """

    def decorate(body: Callable[..., None]) -> Callable[..., None]:
        described = Law(
            name, body, None if systems is None else tuple(systems), covers, on, cases, tuple(examples), exact
        )
        assert name not in LAWS, f"two laws are called {name!r}"
        LAWS[name] = described

        def test(request: pytest.FixtureRequest, operator: Operator | None = None, subject: Subject | None = None):
            run(described, operator, subject, request.node)

        functools.update_wrapper(test, body)
        wanted = [p for p in described.parameters() if p != "case"]
        test.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
            [inspect.Parameter(p, inspect.Parameter.KEYWORD_ONLY) for p in ["request", *wanted]]
        )
        test.law = described  # type: ignore[attr-defined]
        del test.__wrapped__  # type: ignore[attr-defined]
        return test

    return decorate


class NotRun(unittest.SkipTest):
    """Raised by a test body that has nothing to try here, with the reason; it ends a search at once."""


class Enough(unittest.SkipTest):
    """Raised by a test body to end a search early: Hypothesis takes it for no failure, and lets it through."""


def run(law: Law, operator: Operator | None, subject: Subject | None, item: pytest.Item) -> None:
    """Try one law on one operator and subject, and write down what came of it."""
    result = blank(law, operator, subject, item)
    record(result, subject, item, lambda: search_enough(law, operator, subject, result))


def blank(law: Law, operator: Operator | None, subject: Subject | None, item: pytest.Item) -> evidence.Result:
    """The result of a law of which nothing was tried yet."""
    systems = law.systems if law.systems is not None else operator.systems if operator else ()
    return describe(law.name, law.title, operator, subject, systems, item)


def describe(
    name: str,
    title: str,
    operator: Operator | None,
    subject: Subject | None,
    systems: tuple[str, ...],
    item: pytest.Item,
) -> evidence.Result:
    """An empty result; what a test is not about is "-"."""
    return evidence.Result(
        law=name,
        title=title,
        operator=operator.name if operator else "-",
        subject=str(subject) if subject else "-",
        device=subject.device if subject else "-",
        dtype=subject.dtype if subject else "-",
        systems=systems,
        test=item.nodeid,
    )


def record(result: evidence.Result, subject: Subject | None, item: pytest.Item, attempt: Callable[[], None]) -> None:
    """Make an attempt and write one line of evidence, whatever comes of it."""
    try:
        with evidence.collecting(result):
            judge(result, subject, attempt)
    except AssertionError as failure:
        findings.script(result, failure, item.config.stash[WRITER].folder.parent)
        raise
    finally:
        for line in result.lines():
            item.config.stash[WRITER].write(line)
    if result.status == "not run":
        pytest.skip(f"not run ({result.reason})")


def judge(result: evidence.Result, subject: Subject | None, attempt: Callable[[], None]) -> None:
    """Make an attempt, and settle the result's status by what came of it and of any before."""
    try:
        if subject and subject.absence:
            raise NotRun(subject.absence)
        attempt()
        if 2 * result.known > result.cases or (result.known and _proves_nothing(result)):
            result.status, result.reason = "known", result.entry.id
            result.severity, result.upstream = result.entry.severity, result.entry.upstream
            result.message = result.message or f"{result.entry.severity}: {result.entry.what}"
        elif _proves_nothing(result):
            raise Vacuous(f"{result.vacuous} of {result.comparisons} comparisons prove nothing: all zero or constant")
        elif result.known:
            result.reason = result.reason or f"{result.known} of {result.cases} cases: {result.entry.id}"
    except (NotRun, Declined) as reason:
        result.status, result.reason = "not run", str(reason)
    except AssertionError as failure:
        result.status = "vacuous" if isinstance(failure, Vacuous) else "diverged"
        result.message = _text(failure)
        raise
    except BaseException as failure:
        result.status, result.message = "error", f"{type(failure).__name__}: {_text(failure)}"
        raise


def _proves_nothing(result: evidence.Result) -> bool:
    """Whether more than three of four comparisons could easily have come out the same from a wrong subject."""
    return 4 * result.vacuous > 3 * result.comparisons


def search_enough(law: Law, operator: Operator | None, subject: Subject | None, result: evidence.Result) -> None:
    """Search, and again while the cases so far prove nothing and are too few to say that none will.

    Hypothesis varies what it drew, so that the smallest cases come in swarms.
    """
    search(law, operator, subject, result)
    while "case" in law.parameters() and _proves_nothing(result) and not settled(result, subject):
        search(law, operator, subject, result)


def settled(result: evidence.Result, subject: Subject | None) -> bool:
    """Whether so many cases were tried that what proves nothing never will."""
    return result.cases >= SETTLED * (subject.budget if subject else 1.0)


def search(
    law: Law,
    operator: Operator | None,
    subject: Subject | None,
    result: evidence.Result,
    settings: hypothesis.settings | None = None,
) -> None:
    """Look for a counterexample: once where the law draws no case, else as often as the settings say."""
    about = {"operator": operator, "subject": subject}
    about = {name: thing for name, thing in about.items() if name in law.parameters()}
    if "case" not in law.parameters():
        result.begin_case()
        law.body(**about)
        evidence.noted_case(None)
        return

    def tried(case: Any) -> None:
        result.begin_case()
        entry = divergences.known(law.name, operator, subject, case)
        if entry and entry.certain():
            result.known, result.entry = result.known + 1, entry
            return
        try:
            with evidence.watching(functools.partial(divergences.steer, law.name, case)):
                for variant in _tiers(law, case, operator, subject):
                    law.body(**about, case=variant)
        except divergences.Steered as steered:
            result.known, result.entry = result.known + 1, steered.entry
            return
        except Declined as reason:
            result.declined, result.declining = result.declined + 1, result.declining or str(reason)
            if isinstance(reason, Undefined) and result.declined == result.cases:
                raise NotRun(str(reason)) from reason
            return
        except Diverged:
            if not entry:
                raise
            result.known, result.entry = result.known + 1, entry
            return
        evidence.noted_case(case)
        if result.bounded:
            hypothesis.target(min(result.case_share, 2.0), label="error as a share of its bound")

    tried.__name__ = tried.__qualname__ = re.sub(r"\W+", "_", f"law {law.name} {result.operator} {result.subject}")
    # Hypothesis keys its examples by the source, which is the same for all; so does its plugin add pytest's parameters.
    tried._hypothesis_internal_add_digest = tried.__name__.encode()  # type: ignore[attr-defined]
    test = hypothesis.given(case=law.strategy(operator))(tried)
    test = _within_budget(subject, settings or hypothesis.settings())(test)
    for example in law.examples:
        test = hypothesis.example(case=example)(test)
    with contextlib.suppress(Enough):
        test()
    if result.declined and (result.declined + result.known == result.cases or _proves_nothing(result)):
        raise NotRun(result.declining)
    if result.declined:
        result.reason = f"{result.declined} of {result.cases} cases not run ({result.declining})"


def _within_budget(subject: Subject | None, settings: hypothesis.settings) -> hypothesis.settings:
    share = subject.budget if subject else 1.0
    # The first cases are trivial ones: fewer than four would prove nothing.
    return hypothesis.settings(settings, max_examples=max(4, round(share * settings.max_examples)))


def _tiers(law: Law, case: Any, operator: Operator | None, subject: Subject | None) -> Iterator[Any]:
    """Both tiers of a case: its integers, where the operator can be exact, and its real values, where there are."""
    exact = law.exact and hasattr(case, "with_integers") and (operator is None or operator.inexact is None)
    integers = case.with_integers() if exact else None
    if exact:
        yield integers
    if not (subject and subject.integral) and integers != case:
        yield case


def _text(failure: BaseException) -> str:
    return "\n".join([str(failure), *getattr(failure, "__notes__", ())])


WRITER = pytest.StashKey[evidence.Writer]()
SUBJECTS = pytest.StashKey[list[Subject]]()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test for each operator × subject that a law covers, or for each plain subject of any other test."""
    described: Law | None = getattr(metafunc.function, "law", None)
    subjects = metafunc.config.stash[SUBJECTS]
    if described is None and "subject" in metafunc.fixturenames:
        metafunc.parametrize("subject", [s for s in subjects if s.plain], ids=str)
    if described is None:
        return
    names = [name for name in ("operator", "subject") if name in metafunc.fixturenames]
    operators = described.operators if "operator" in names else [None]
    pairs = [(o, s) for o in operators for s in (subjects if "subject" in names else [None])]
    pairs = [(o, s) for o, s in pairs if s is None or described.includes(o, s)]
    chosen = [tuple(thing for thing in pair if thing is not None) for pair in pairs]
    if names:
        metafunc.parametrize(names, chosen, ids=["-".join(map(str, pair)) for pair in chosen])
