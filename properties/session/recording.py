"""What came of trying a law: one line of evidence, whatever happens."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from properties.engine import findings
from properties.engine.domain import LAW
from properties.engine.judgement import HELD, judge
from properties.operators import Operator
from properties.subjects import Subject
from properties.verdicts import evidence

WRITER = pytest.StashKey[evidence.Writer]()
"""Where the run's evidence is written."""
CASES = "cases"
"""The property of a test's report that says how many cases were tried."""
REASON = "reason"
"""The one that says why some were not, or none."""
ANSWERS = "answers"
"""The one that says of kernels what they take."""
NOTED = ("law", "operator", "subject", "dtype", "status", REASON, "message", "repro", "severity")
"""The fields of a result that a test's report has as properties, too: "law" where it is about a check."""
WRONG = ("diverged", "error", "vacuous")
"""The statuses that make a run red."""


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
        device=subject.place if subject else "-",
        dtype=subject.dtype if subject else "-",
        systems=systems,
        test=item.nodeid,
        family=(operator.family or None) if operator else None,
    )


def record(
    result: evidence.Result,
    subject: Subject | None,
    item: pytest.Item,
    attempt: Callable[[], None],
    doubt: str | None = None,
    again: str | None = None,
) -> None:
    """Make an attempt and write one line of evidence, whatever comes of it.

    doubt: how the same attempt failed before, in a process that had made other calls. What fails just there, and not
    for being late, is an error: something comes and goes. again: the command that makes it once more, if it fails.
    """
    try:
        with evidence.collecting(result):
            judge(result, subject, attempt)
    except AssertionError as failure:
        findings.script(result, failure, item.config.stash[WRITER].folder.parent)
        if again:
            failure.add_note(f"Again: {again}")
            result.message = f"{result.message}\nAgain: {again}"
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
    item.user_properties += noted(result).items()
    for line in result.lines():
        item.config.stash[WRITER].write(line)


def noted(result: evidence.Result) -> dict[str, Any]:
    """What a report of a test says of a check."""
    told = {name: getattr(result, name) for name in NOTED}
    told |= {CASES: result.tally.cases, ANSWERS: result.tally.figures.get(LAW, {}).get("answers")}
    return {name: value for name, value in told.items() if value is not None}
