"""Under GitHub Actions, finds are shown at the function in the user's file: one line for each, of its first find.

The form is that of workflow commands: ``::error file=…,line=…,title=…::message``.
"""

from __future__ import annotations

import ast
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from properties.operators import CATALOGUE
from properties.session.recording import WRONG
from properties.worker import modules
from properties.worker.execute import ANSWER, named_functions

ESCAPED = {"%": "%25", "\r": "%0D", "\n": "%0A"}
"""What a message may not hold as it is."""


def showing(kernels: str) -> Annotations | None:
    """What shows the finds of a run on kernels; None elsewhere, and where they are in no file."""
    file, made, layer = modules.parted(kernels)
    if os.environ.get("GITHUB_ACTIONS") != "true" or not Path(file).is_file():
        return None
    return Annotations(Path(file), {made: layer})


class Annotations:
    """Collects what does not hold, in the process that the user started."""

    def __init__(self, file: Path, standing: Mapping[str, str]) -> None:
        self.file = file
        self.lines = defined(file.read_text(encoding="utf-8"), standing)
        self.found: dict[int, str] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep the first find of each function."""
        told: dict[str, Any] = dict(report.user_properties)
        if report.failed and told.get("status") in WRONG:
            about = next((operator for operator in CATALOGUE if operator.name == told["operator"]), None)
            names = named_functions(about.program) if about else {ANSWER}  # to a task
            line = next((self.lines[name] for name in names if name in self.lines), 1)
            title = f"{told['law']}: {told['operator']} {told['dtype']}"
            self.found.setdefault(line, command(self.file, line, title, _message(report)))

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Print the lines."""
        for said in self.found.values():
            terminalreporter.write_line(said)


def defined(source: str, standing: Mapping[str, str]) -> dict[str, int]:
    """The lines on which functions are defined, and classes by the functions that their layers compute.

    standing: the layers for which classes stand that have another name.

    >>> defined("class Mine: ...\\n\\ndef relu(input): ...\\n", {"Mine": "Conv2d"})
    {'conv2d': 1, 'relu': 3}
    """
    lines = {}
    for node in ast.parse(source).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            name = standing.get(node.name, node.name)
            lines[modules.function_of(name) or name] = node.lineno
    return lines


def command(file: Path, line: int, title: str, message: str) -> str:
    r"""A workflow command.

    >>> command(Path("mine.py"), 3, "agreement: conv2d", "off by 50%\nat [0]")
    '::error file=mine.py,line=3,title=agreement%3A conv2d::off by 50%25%0Aat [0]'
    """
    return f"::error file={_property(str(file))},line={line},title={_property(title)}::{_escaped(message)}"


def _escaped(text: str) -> str:
    return "".join(ESCAPED.get(character, character) for character in text)


def _property(text: str) -> str:
    return _escaped(text).replace(":", "%3A").replace(",", "%2C")


def _message(report: pytest.TestReport) -> str:
    """The first line of a failure, and the case."""
    crash = getattr(report.longrepr, "reprcrash", None)
    return str(crash.message if crash else report.longrepr).removeprefix("properties.verdicts.verdict.")
