"""Laws: what one is, and the decorator that makes a test of a body that reads like it.

The test asks for the fixture ``hold`` (:mod:`properties.session.law_tests`), which holds the law to each operator and
subject that it covers.
"""

from __future__ import annotations

import functools
import importlib
import inspect
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from properties.operators import CATALOGUE, Operator
from properties.subjects import Subject

Hold = Callable[["Law", Operator | None, Subject | None], None]
"""What tries a law on one operator and subject."""
Cases = st.SearchStrategy[Any] | Callable[[Operator], st.SearchStrategy[Any]]
Turns = Callable[[Operator], Sequence[st.SearchStrategy[Any]]]
"""The kinds of cases of an operator, of which each has its turn."""


REST = 4
"""The rank of a law that others explain."""


def whole(subject: Subject) -> float:
    """All cases of a search."""
    return 1.0


def by_kernels(subject: Subject) -> float:
    """All cases in float32 and bfloat16, for which oneDNN has kernels; half where ATen's serve several dtypes."""
    return 0.5 if subject.integral or subject.dtype in ("float64", "float16") else 1.0


def each(subject: Subject) -> int:
    """Each run."""
    return 1


@dataclass(frozen=True)
class Law:
    """What a law is called, which systems of the chapter it proves, what it covers and what it is tried on.

    Laws are tried in the order of their ``rank``: a wrong shape explains a wrong value, and that a wrong gradient. The
    profile "quick" tries those below :data:`REST`. ``share``: of the cases of a search, how many it tries on a subject;
    ``least``: how many of eager code at least. ``one_run_in``: of how many runs of all checks one tries it on an
    operator and a subject, where that takes long. ``elementwise``: whether it holds only where each output is a sum of
    its own, and not where an algorithm that is stable in norm lets other numbers reach it.
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
    share: Callable[[Subject], float] = whole
    unless: Callable[[Operator, Subject], bool] = lambda operator, subject: False
    turns: Turns | None = None
    every_pair: Callable[[Subject], bool] = lambda subject: False
    least: int = 4
    one_run_in: Callable[[Subject], int] = each
    elementwise: bool = False

    @property
    def title(self) -> str:
        """The first line of the body's docstring: the law in words."""
        return inspect.getdoc(self.body).partition("\n")[0]  # type: ignore[union-attr]

    @property
    def operators(self) -> list[Operator]:
        """The operators that the law holds for, by their properties."""
        return [] if self.covers is None else [o for o in CATALOGUE if self.covers(o)]

    def includes(self, operator: Operator | None, subject: Subject) -> bool:
        """True if the law speaks of this pair; integers need an operator that is exact on them."""
        if operator is not None and self.unless(operator, subject):
            return False
        return self.on(subject) and not (subject.integral and (operator is None or operator.inexact is not None))

    def budget(self, subject: Subject | None) -> float:
        """The share of a search's cases that are tried on a subject."""
        return subject.budget * self.share(subject) if subject else 1.0

    @cached_property
    def parameters(self) -> tuple[str, ...]:
        """Which of "operator", "subject" and "case" the body asks for."""
        return tuple(inspect.signature(self.body).parameters)

    def strategy(self, operator: Operator | None) -> st.SearchStrategy[Any]:
        """What "case" is drawn from: the law's own cases, else the operator's."""
        if self.turns:
            return st.one_of(self.in_turn(operator))
        if self.cases is None:
            assert operator is not None, f"{self.name}: a law without an operator needs cases"
            return operator.cases
        if isinstance(self.cases, st.SearchStrategy):
            return self.cases
        return self.cases(operator)  # type: ignore[arg-type]

    def in_turn(self, operator: Operator | None) -> Sequence[st.SearchStrategy[Any]]:
        """What cases are drawn from in turn; empty where all are drawn from one strategy."""
        if self.turns is None:
            return ()
        assert operator is not None, f"{self.name}: a law whose cases have turns needs an operator"
        return self.turns(operator)


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
    share: Callable[[Subject], float] | None = None,
    unless: Callable[[Operator, Subject], bool] = Law.unless,
    turns: Turns | None = None,
    every_pair: Callable[[Subject], bool] = Law.every_pair,
    least: int = Law.least,
    one_run_in: Callable[[Subject], int] = each,
    elementwise: bool = Law.elementwise,
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Make a pytest test of a law's body.

    The body names what it is about: ``operator`` (each one that ``covers`` holds for), ``subject`` (each one that
    ``on`` holds for) and ``case`` (drawn by Hypothesis from ``cases``, by default the operator's own). ``examples``
    are tried first, always. ``systems`` are the chapter's, by default those of the operator.
    ``exact``: whether a case is tried on integers as well as on its own values. ``rank``, ``share``, ``least``,
    ``one_run_in``, ``elementwise``: see :class:`Law`. ``share`` is by default the whole of a search, for a law that
    others explain as :func:`by_kernels` says.
    ``unless`` leaves out pairs of which another law says the same. ``every_pair``: the subjects on which it goes on
    until every pair of dealt values was met, where the usual number of cases is too few for that.
    ``turns``, in place of ``cases``: the strategies of an operator that cases are drawn from in turn, so that each has
    its share of any run.
    """

    def decorate(body: Callable[..., None]) -> Callable[..., None]:
        usual = whole if rank < REST else by_kernels
        described = Law(
            name, body, None if systems is None else tuple(systems), covers, on, cases, tuple(examples), exact, rank,
            share or usual, unless, turns, every_pair, least, one_run_in, elementwise,
        )  # fmt: skip
        assert name not in LAWS, f"two laws are called {name!r}"
        LAWS[name] = described

        def test(hold: Hold, operator: Operator | None = None, subject: Subject | None = None) -> None:
            hold(described, operator, subject)

        functools.update_wrapper(test, body)
        wanted = [p for p in described.parameters if p != "case"]
        test.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
            [inspect.Parameter(p, inspect.Parameter.KEYWORD_ONLY) for p in ["hold", *wanted]]
        )
        test.law = described  # type: ignore[attr-defined]
        del test.__wrapped__  # type: ignore[attr-defined]
        return test

    return decorate
