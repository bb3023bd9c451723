"""What a check comes to: the status of its result by what was tried, and what came of that."""

from __future__ import annotations

import unittest
from collections.abc import Callable

from properties.subjects import Declined, Subject
from properties.verdicts.evidence import Result
from properties.verdicts.verdict import Vacuous

HELD = ("passed", "known", "not run")
"""The statuses of what did not fail."""


class NotRun(unittest.SkipTest):
    """Raised by a test body that has nothing to try here, with the reason; it ends a search at once."""


class Enough(unittest.SkipTest):
    """Raised by a test body to end a search early: Hypothesis takes it for no failure, and lets it through."""


def judge(result: Result, subject: Subject | None, attempt: Callable[[], None]) -> None:
    """Make an attempt, and settle the result's status by what came of it and of any before."""
    try:
        if subject and subject.absence:
            raise NotRun(subject.absence)
        attempt()
        _settle(result)
    except (NotRun, Declined) as reason:
        result.status, result.reason = "not run", str(reason)
    except AssertionError as failure:
        result.status = "vacuous" if isinstance(failure, Vacuous) else "diverged"
        result.message = _text(failure)
        raise
    except BaseException as failure:
        result.status, result.message = "error", f"{type(failure).__name__}: {_text(failure)}"
        raise


def _settle(result: Result) -> None:
    """Say what an attempt that found nothing has shown. Raises Vacuous where that is nothing."""
    tally, entry = result.tally, result.tally.entry
    if 2 * tally.known > tally.cases or (tally.known and tally.proves_nothing):
        result.status, result.reason = "known", entry.id
        result.severity, result.upstream = entry.severity, entry.upstream
        result.message = result.message or f"{entry.severity}: {entry.what}"
    elif tally.proves_nothing:
        raise Vacuous(f"{tally.vacuous} of {tally.comparisons} comparisons prove nothing: all zero or constant")
    elif tally.known:
        result.reason = result.reason or f"{tally.known} of {tally.cases} cases: {entry.id}"


def _text(failure: BaseException) -> str:
    return "\n".join([str(failure), *getattr(failure, "__notes__", ())])
