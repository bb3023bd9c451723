"""The law decorator: a test body that reads like a law becomes one test for every operator × subject it covers."""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st

from properties import divergences, evidence
from properties.operators import CATALOGUE, Operator
from properties.subjects import Subject
from properties.verdict import Vacuous

Cases = st.SearchStrategy[Any] | Callable[[Operator], st.SearchStrategy[Any]]


@dataclass(frozen=True)
class Law:
    """What a law is called, which systems of the chapter it proves, what it covers and what it is tried on."""

    name: str
    body: Callable[..., None]
    systems: tuple[str, ...] | None
    covers: Callable[[Operator], bool] | None
    cases: Cases | None
    examples: tuple[Any, ...]

    @property
    def title(self) -> str:
        """The first line of the body's docstring: the law in words."""
        return inspect.getdoc(self.body).partition("\n")[0]  # type: ignore[union-attr]

    @property
    def operators(self) -> list[Operator]:
        """The operators that the law holds for, by their properties."""
        return [] if self.covers is None else [o for o in CATALOGUE if self.covers(o)]

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


def law(
    name: str,
    *,
    covers: Callable[[Operator], bool] | None = None,
    cases: Cases | None = None,
    systems: Iterable[str] | None = None,
    examples: Iterable[Any] = (),
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Make a pytest test of a law's body.

    The body names what it is about: ``operator`` (each one that ``covers`` holds for), ``subject`` (each device ×
    dtype) and ``case`` (drawn by Hypothesis from ``cases``, by default the operator's own). ``examples`` are tried
    first, always. ``systems`` are the chapter's, by default those of the operator.
    """

    def decorate(body: Callable[..., None]) -> Callable[..., None]:
        described = Law(name, body, None if systems is None else tuple(systems), covers, cases, tuple(examples))

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


class NotRun(Exception):
    """Raised by a test body that has nothing to try here, with the reason."""


def run(law: Law, operator: Operator | None, subject: Subject | None, item: pytest.Item) -> None:
    """Try one law on one operator and subject, and write down what came of it."""
    systems = law.systems if law.systems is not None else operator.systems if operator else ()
    result = describe(law.name, law.title, operator, subject, systems, item)
    record(result, subject, item, lambda: search(law, operator, subject, result))


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
            _judge(result, subject, attempt)
    finally:
        for line in result.lines():
            item.config.stash[WRITER].write(line)
    if result.status == "not run":
        pytest.skip(f"not run ({result.reason})")


def _judge(result: evidence.Result, subject: Subject | None, attempt: Callable[[], None]) -> None:
    try:
        if subject and subject.absence:
            raise NotRun(subject.absence)
        attempt()
        if 4 * result.vacuous > 3 * result.comparisons:
            raise Vacuous(f"{result.vacuous} of {result.comparisons} comparisons prove nothing: all zero or constant")
    except NotRun as reason:
        result.status, result.reason = "not run", str(reason)
    except AssertionError as failure:
        result.status = "vacuous" if isinstance(failure, Vacuous) else "diverged"
        result.message = _text(failure)
        raise
    except BaseException as failure:
        result.status, result.message = "error", f"{type(failure).__name__}: {_text(failure)}"
        raise


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
        if divergences.known(operator, subject, case):
            result.known += 1
            return
        for variant in _tiers(case, operator):
            law.body(**about, case=variant)
        evidence.noted_case(case)
        if result.bounded:
            hypothesis.target(min(result.case_share, 2.0), label="error as a share of its bound")

    # The name keys Hypothesis's example database: one entry for each operator and subject.
    tried.__name__ = tried.__qualname__ = re.sub(r"\W+", "_", f"law {law.name} {result.operator} {result.subject}")
    test = hypothesis.given(case=law.strategy(operator))(tried)
    test = settings(test) if settings else test
    for example in law.examples:
        test = hypothesis.example(case=example)(test)
    test()


def _tiers(case: Any, operator: Operator | None) -> Iterator[Any]:
    """Both tiers of a case: its integers, where the operator can be exact, and its real values."""
    if hasattr(case, "with_integers") and (operator is None or operator.inexact is None):
        yield case.with_integers()
    yield case


def _text(failure: BaseException) -> str:
    return "\n".join([str(failure), *getattr(failure, "__notes__", ())])


WRITER = pytest.StashKey[evidence.Writer]()
SUBJECTS = pytest.StashKey[list[Subject]]()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test for each operator × subject that a law covers, or for each subject of any other test."""
    described: Law | None = getattr(metafunc.function, "law", None)
    if described and "operator" in metafunc.fixturenames:
        metafunc.parametrize("operator", described.operators, ids=str)
    if "subject" in metafunc.fixturenames:
        metafunc.parametrize("subject", metafunc.config.stash[SUBJECTS], ids=str)
