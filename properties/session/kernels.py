"""What a run says at its end of kernels: of each function whether it is right, and where it answers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from properties.engine.domain import LAW
from properties.operators import Operator
from properties.session.recording import ANSWERS, WRONG
from properties.subjects import Subject
from properties.worker.call import short

SHOWN = 6
"""How many operators are named before the first test."""


class Verdicts:
    """Collects what came of the checks on kernels, in the process that the user started."""

    def __init__(self, subjects: Iterable[Subject]) -> None:
        self.names = {str(subject): subject for subject in subjects if subject.asked}
        self.checks: list[dict[str, Any]] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep what a check came to."""
        told: dict[str, Any] = dict(report.user_properties)
        if report.when == "call" and told.get("subject") in self.names:
            self.checks.append(told)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say of each function whether it is right where it answers."""
        for line in lines(self.checks):
            terminalreporter.write_line(line)


def header(kernels: str, operators: Iterable[Operator]) -> str:
    """What is held of kernels; of the other operators nothing is.

    >>> from properties.operators import CATALOGUE, operator
    >>> header("kernels/mine.py", [operator("conv2d"), operator("conv2d_padded")])
    'mine has a part in conv2d, conv2d_padded'
    >>> header("kernels/mine.py", CATALOGUE[:9])
    'mine has a part in conv1d, conv2d, conv3d, max_pool1d, max_pool2d, max_pool3d and 3 more'
    """
    names = [operator.name for operator in operators]
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return f"{short(kernels)} has a part in {', '.join(names[:SHOWN]) or 'no operator'}{more}"


def lines(checks: Iterable[dict[str, Any]]) -> list[str]:
    """A line for all operators of which the same is to be said.

    >>> about = {"operator": "conv2d", "subject": "mine-cpu-float32", "dtype": "float32"}
    >>> lines([{**about, "law": "domain", "status": "diverged", "answers": ["batched", "groups 1"]},
    ...        {**about, "law": "agreement", "status": "passed"}])
    ['conv2d: right where it answers: batched, groups 1, float32']
    """
    found: dict[str, list[dict[str, Any]]] = {}
    for check in checks:
        found.setdefault(check["operator"], []).append(check)
    said: dict[str, list[str]] = {}
    for operator, own in found.items():
        if text := _said(own):
            said.setdefault(text, []).append(operator)
    return [f"{', '.join(operators)}: {text}" for text, operators in said.items()]


def _said(checks: list[dict[str, Any]]) -> str:
    """What is to be said of an operator; nothing where no law held it to anything."""
    answers = dict.fromkeys(word for check in checks for word in check.get(ANSWERS, ()))
    tried = [check for check in checks if check["law"] != LAW]
    wrong = dict.fromkeys(check["dtype"] for check in tried if check["status"] in WRONG)
    held = (check["dtype"] for check in tried if check["status"] == "passed")
    right = dict.fromkeys(dtype for dtype in held if dtype not in wrong)
    where = "where it answers" if answers else "in"
    text = []
    if right:
        text.append(f"right {where}{': ' if answers else ' '}{', '.join([*answers, *right])}")
    if wrong:
        text.append(f"wrong {'where it answers, ' if answers else ''}in {', '.join(wrong)}")
    return "; ".join(text)
