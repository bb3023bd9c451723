"""The verdict on an answer to a task: on the task's own shape, off it, backward, and whose work it is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from properties.engine.tasks import Task
from properties.session import recording
from properties.session.law_tests import TASK
from properties.session.options import OPTIONS
from properties.verdicts.verdict import Diverged

PARTS = {
    "test_own_shape": ("on its own shape", "wrong", "declined"),
    "test_other_shapes": ("off it", "silently wrong", "declined"),
    "test_backward": ("backward", "wrong", "not supported"),
    "test_own_work": ("its own work", "none", "not seen"),
}
"""The tests, what each is about, and what it is called to fail and to be refused."""


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Say what an answer is worth, part by part."""
    if (task := config.stash.get(TASK, None)) is None:
        return
    reports = [report for kind in ("passed", "failed", "skipped") for report in terminalreporter.getreports(kind)]
    terminalreporter.write_line(_about(task, str(config.stash[OPTIONS].kernels)))
    for line in (line for test in PARTS for report in reports for line in _said(test, report)):
        terminalreporter.write_line(line)


def _about(task: Task, kernels: str) -> str:
    """What is held to what."""
    own, held = task.own, task.held
    assert own is not None
    names = ", ".join(dict.fromkeys(str(call.operator) for call in own.by_loops))
    to = f"the loops of {names}" if names else f"Model itself in float64 ({len(own.calls)} calls)"
    cut = "" if held is None or held.shapes == own.shapes else f", cut down to {held}"
    return f"{Path(kernels).name}: {own}{cut}; held to {to}"


def _said(test: str, report: Any) -> Iterator[str]:
    if f"::{test}[" not in report.nodeid or report.when == "teardown":
        return
    part, failed, refused = PARTS[test]
    told = dict(report.user_properties)
    if report.skipped:
        said = f"{refused} ({told.get(recording.REASON)})"
    elif report.failed:
        crash = getattr(report.longrepr, "reprcrash", None)
        message = str(crash.message if crash else report.longrepr).partition("\n")[0]
        said = f"{failed}: {message.removeprefix(f'{Diverged.__module__}.{Diverged.__name__}: ')}"
    elif report.when == "call":
        said = "right" + (f", but for {told[recording.REASON]}" if told.get(recording.REASON) else "")
    else:
        return
    yield f"  {part}: {said}"
