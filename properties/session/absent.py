"""Subjects that are absent here, e.g. on a machine without CUDA: rows of evidence and one line, but no tests."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import pytest

from properties.session import recording
from properties.subjects import Subject
from properties.verdicts import evidence

ROWS = pytest.StashKey[dict[pytest.Item, list[evidence.Result]]]()
"""The rows of absent subjects, each by the test that stands for them."""
COUNTS = pytest.StashKey[dict[str, dict[str, int]]]()
"""How many checks were not run, by reason and subject."""
CARRIED = "convproof absent"
REASONS = 5
"""How many reasons for what was not run get a line each."""


def standing(subjects: Iterable[Subject]) -> list[Subject]:
    """The subjects that get a test: those that are present; where none is, the first, whose test says why."""
    candidates = list(subjects)
    return [subject for subject in candidates if not subject.absence] or candidates[:1]


def rows(
    items: Sequence[pytest.Item], subjects: Iterable[Subject], row: Callable[..., evidence.Result | None]
) -> dict[pytest.Item, list[evidence.Result]]:
    """The rows of absent subjects by the first of the tests that differ in the subject alone.

    So there is a row exactly where one of these tests is among ``items``, and of several parts of the items one has it.
    row: what a test's row on a subject would be, None if it would have none.
    """
    gone = [subject for subject in subjects if subject.absence]
    found: dict[pytest.Item, list[evidence.Result]] = {}
    seen: set[tuple[str, str]] = set()
    for item in items:
        here, (head, tail) = subject(item), around(item)
        if here is None or (head, tail) in seen:
            continue
        seen.add((head, tail))
        for other in gone:
            about = {name: other if value is here else value for name, value in _parameters(item).items()}
            result = row(item, **about) if other != here else None
            if result is not None:
                result.status, result.reason, result.test = "not run", other.absence, f"{head}{other}{tail}"
                found.setdefault(item, []).append(result)
    return found


def subject(item: Any) -> Subject | None:
    """The subject of a test, whatever its parameter is called."""
    return next((value for value in _parameters(item).values() if isinstance(value, Subject)), None)


def around(item: Any) -> tuple[str, str]:
    """What a test's id has before and after its subject: the same in tests that differ in the subject alone."""
    head, _, tail = item.nodeid.rpartition(str(subject(item)))
    return head, tail


def _parameters(item: Any) -> dict[str, Any]:
    return dict(item.callspec.params) if hasattr(item, "callspec") else {}


def note(config: pytest.Config, results: Iterable[evidence.Result]) -> None:
    """Count what is not run, for the terminal of the process that the user started."""
    counts: dict[str, dict[str, int]] = {}
    for result in results:
        own = counts.setdefault(str(result.reason), {})
        own[result.subject] = own.get(result.subject, 0) + 1
    config.stash[COUNTS] = counts
    if hasattr(config, "workeroutput"):
        config.workeroutput[CARRIED] = counts


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> None:
    """Write the rows before the first test, in one process of a run."""
    config = session.config
    results = [row for item in session.items for row in config.stash.get(ROWS, {}).get(item, ())]
    if config.option.collectonly or session.testsfailed or not results:
        return
    note(config, results)
    if getattr(config, "workerinput", {}).get("workerid", "gw0") == "gw0":
        for result in results:
            for line in result.lines():
                config.stash[recording.WRITER].write(line)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Take over what a process of pytest-xdist counted; each counts all."""
    if counts := getattr(node, "workeroutput", {}).get(CARRIED):
        node.config.stash[COUNTS] = counts


def summary(skipped: Counter[str], counts: dict[str, dict[str, int]]) -> list[str]:
    """What was not run, a line for each of the most frequent reasons: below them is what failed, which counts more.

    skipped: pytest's reasons with the number of tests. counts: checks that had no test, by reason and subject.
    """
    lines: Counter[str] = Counter()
    for reason, number in skipped.items():
        why = reason.removeprefix("Skipped: ")
        why = why.removeprefix("not run (").removesuffix(")") if why.startswith("not run (") else why
        lines[f"not run: {number:,} test{'s' * (number > 1)} ({why})"] = number
    for reason, own in counts.items():
        number = sum(own.values())
        lines[f"not run: {number:,} check{'s' * (number > 1)} on {', '.join(own)} ({reason})"] = number
    shown, rest = lines.most_common()[:REASONS], lines.most_common()[REASONS:]
    more = f"not run: {sum(number for _, number in rest):,} more (other reasons: {len(rest):,})"
    return [line for line, _ in shown] + ([more] if rest else [])
