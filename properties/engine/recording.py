"""What came of trying a law: one line of evidence, whatever happens."""

from __future__ import annotations

import unittest
from collections.abc import Callable

import pytest

from properties.engine import findings
from properties.operators import Operator
from properties.subjects import Declined, Subject
from properties.verdicts import evidence
from properties.verdicts.verdict import Vacuous

WRITER = pytest.StashKey[evidence.Writer]()
"""Where the run's evidence is written."""
CASES = "cases"
"""The property of a test's report that says how many cases were tried."""


class NotRun(unittest.SkipTest):
    """Raised by a test body that has nothing to try here, with the reason; it ends a search at once."""


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


HELD = ("passed", "known", "not run")
"""The statuses of what did not fail."""


def record(
    result: evidence.Result,
    subject: Subject | None,
    item: pytest.Item,
    attempt: Callable[[], None],
    doubt: str | None = None,
) -> None:
    """Make an attempt and write one line of evidence, whatever comes of it.

    doubt: how the same attempt failed before, in a process that had made other calls. What fails just there, and not
    for being late, is an error: something comes and goes.
    """
    try:
        with evidence.collecting(result):
            judge(result, subject, attempt)
    except AssertionError as failure:
        findings.script(result, failure, item.config.stash[WRITER].folder.parent)
        write(result, item)
        raise
    except BaseException:
        write(result, item)
        raise
    if doubt and result.status in HELD and not doubt.startswith("Hung"):
        result.status = "error"
        result.message = f"{doubt}\nIt comes and goes: searched again, with every call in a worker, the law held."
    settle(result, item)


def settle(result: evidence.Result, item: pytest.Item) -> None:
    """Write down what came of an attempt, and end the test accordingly."""
    write(result, item)
    if result.status == "error":
        pytest.fail(str(result.message), pytrace=False)
    if result.status == "not run":
        pytest.skip(f"not run ({result.reason})")


def write(result: evidence.Result, item: pytest.Item) -> None:
    """Write down what came of a test."""
    item.user_properties.append((CASES, result.cases))
    for line in result.lines():
        item.config.stash[WRITER].write(line)


def judge(result: evidence.Result, subject: Subject | None, attempt: Callable[[], None]) -> None:
    """Make an attempt, and settle the result's status by what came of it and of any before."""
    try:
        if subject and subject.absence:
            raise NotRun(subject.absence)
        attempt()
        if 2 * result.known > result.cases or (result.known and proves_nothing(result)):
            result.status, result.reason = "known", result.entry.id
            result.severity, result.upstream = result.entry.severity, result.entry.upstream
            result.message = result.message or f"{result.entry.severity}: {result.entry.what}"
        elif proves_nothing(result):
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


def proves_nothing(result: evidence.Result) -> bool:
    """Whether more than three of four comparisons could easily have come out the same from a wrong subject."""
    return 4 * result.vacuous > 3 * result.comparisons


def _text(failure: BaseException) -> str:
    return "\n".join([str(failure), *getattr(failure, "__notes__", ())])
