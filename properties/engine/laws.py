"""The law decorator: a test body that reads like a law becomes one test for every operator × subject it covers."""

from __future__ import annotations

import functools
import importlib
import inspect
import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import hypothesis
import pytest
from hypothesis import strategies as st

from properties.engine import counterexample, recording
from properties.operators import CATALOGUE, Operator
from properties.session import absent
from properties.subjects import Subject
from properties.verdicts import evidence

Cases = st.SearchStrategy[Any] | Callable[[Operator], st.SearchStrategy[Any]]


REST = 4
"""The rank of a law that others explain."""


@dataclass(frozen=True)
class Law:
    """What a law is called, which systems of the chapter it proves, what it covers and what it is tried on.

    Laws are tried in the order of their ``rank``: a wrong shape explains a wrong value, and that a wrong gradient. The
    profile "quick" tries those below :data:`REST`.
    """

    name: str
    body: Callable[..., None]
    systems: tuple[str, ...] | None
    covers: Callable[[Operator], bool] | None
    on: Callable[[Subject], bool]
    cases: Cases | None
    examples: tuple[Any, ...]
    exact: bool = True
    rank: int = REST

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


LAWS: dict[str, Law] = {}
"""The laws by their names, as far as the modules that state them have been imported."""


def every() -> dict[str, Law]:
    """Every law by its name."""
    for path in sorted((Path(__file__).parent.parent / "laws").glob("test_*.py")):
        importlib.import_module(f"properties.laws.{path.stem}")
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
    rank: int = REST,
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Make a pytest test of a law's body.

    The body names what it is about: ``operator`` (each one that ``covers`` holds for), ``subject`` (each one that
    ``on`` holds for) and ``case`` (drawn by Hypothesis from ``cases``, by default the operator's own). ``examples``
    are tried first, always. ``systems`` are the chapter's, by default those of the operator.
    ``exact``: whether a case is tried on integers as well as on its own values. ``rank``: see :class:`Law`.
    """

    def decorate(body: Callable[..., None]) -> Callable[..., None]:
        described = Law(
            name, body, None if systems is None else tuple(systems), covers, on, cases, tuple(examples), exact, rank
        )
        assert name not in LAWS, f"two laws are called {name!r}"
        LAWS[name] = described

        def test(
            request: pytest.FixtureRequest, operator: Operator | None = None, subject: Subject | None = None
        ) -> None:
            run(described, operator, subject, request.node)

        functools.update_wrapper(test, body)
        wanted = [p for p in described.parameters() if p != "case"]
        test.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
            [inspect.Parameter(p, inspect.Parameter.KEYWORD_ONLY) for p in ["request", *wanted]]
        )
        test.law = described  # type: ignore[attr-defined]
        test.blank = functools.partial(_row, described)  # type: ignore[attr-defined]
        del test.__wrapped__  # type: ignore[attr-defined]
        return test

    return decorate


def rank(item: Any) -> int:
    """A test's place in the order of laws; one that is no law's has the last."""
    described: Law | None = getattr(getattr(item, "function", None), "law", None)
    return described.rank if described else REST


def run(law: Law, operator: Operator | None, subject: Subject | None, item: pytest.Item) -> None:
    """Try one law on one operator and subject, and write down what came of it.

    Where there is a sandbox, what holds there holds. The rest is searched again with every call in a worker.
    """
    result, seed = blank(law, operator, subject, item), _fresh_seed(item.config)
    sandbox, first = item.config.stash.get(SANDBOX, None), None
    if sandbox and sandbox.suits(subject) and not (subject and subject.absence):
        first = sandbox.judge(law, operator, subject, result, seed)
    if first and first.status in recording.HELD:
        recording.settle(first, item)
        return
    recording.record(
        result,
        subject,
        item,
        lambda: counterexample.search_enough(law, operator, subject, result, seed=seed),
        doubt=first.message if first else None,
    )


def _fresh_seed(config: pytest.Config) -> int | None:
    """A seed for one check, so that it can be searched again; None where Hypothesis was told to take its own."""
    told = config.getoption("--hypothesis-seed", None) is not None or hypothesis.settings().derandomize
    return None if told else secrets.randbits(64)


def blank(law: Law, operator: Operator | None, subject: Subject | None, item: pytest.Item) -> evidence.Result:
    """The result of a law of which nothing was tried yet."""
    systems = law.systems if law.systems is not None else operator.systems if operator else ()
    return recording.describe(law.name, law.title, operator, subject, systems, item)


class Judge(Protocol):
    """What makes whole checks: :class:`properties.engine.sandbox.Sandbox`."""

    def suits(self, subject: Subject | None) -> bool: ...

    def judge(
        self, law: Law, operator: Operator | None, subject: Subject | None, result: evidence.Result, seed: int | None
    ) -> evidence.Result: ...

    def run(self, function: Callable[..., Any], *arguments: Any) -> Any: ...


def _row(law: Law, item: pytest.Item, subject: Subject, operator: Operator | None = None) -> evidence.Result | None:
    """The row that a law's test would have on a subject, None if the law does not speak of this pair."""
    return blank(law, operator, subject, item) if law.includes(operator, subject) else None


def described_by(describe: Callable[..., evidence.Result]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Let a test of plain subjects that is no law's have rows on absent ones, too."""

    def decorate(test: Callable[..., None]) -> Callable[..., None]:
        def blank(item: pytest.Item, subject: Subject, **about: Any) -> evidence.Result | None:
            return describe(item, subject, **about) if subject.plain else None

        test.blank = blank  # type: ignore[attr-defined]
        return test

    return decorate


SUBJECTS = pytest.StashKey[list[Subject]]()
SANDBOX = pytest.StashKey[Judge]()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test for each operator × present subject that a law covers, or for each plain subject of any other test."""
    described: Law | None = getattr(metafunc.function, "law", None)
    subjects = metafunc.config.stash[SUBJECTS]
    if described is None and "subject" in metafunc.fixturenames:
        metafunc.parametrize("subject", absent.standing(s for s in subjects if s.plain), ids=str)
    if described is None:
        return
    names = [name for name in ("operator", "subject") if name in metafunc.fixturenames]
    operators = described.operators if "operator" in names else [None]
    pairs: list[tuple[Operator | None, Subject | None]] = [(o, None) for o in operators]
    if "subject" in names:
        pairs = [(o, s) for o in operators for s in absent.standing(s for s in subjects if described.includes(o, s))]
    chosen = [tuple(thing for thing in pair if thing is not None) for pair in pairs]
    if names:
        metafunc.parametrize(names, chosen, ids=["-".join(map(str, pair)) for pair in chosen])
