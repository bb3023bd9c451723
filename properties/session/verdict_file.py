"""The verdict of a run for other programs: the file of ``--json``, whose form is ``verdict.schema.json``."""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from properties.session import profiles
from properties.session.options import OPTIONS
from properties.session.recording import ANSWERS, CASES, REASON, WRONG
from properties.verdicts.evidence import write_whole

SCHEMA_VERSION = 1
ORDER = ("diverged", "error", "vacuous", "passed", "known", "not run")
"""Statuses, the one first that is the verdict wherever it occurs."""
FINDING = ("law", "operator", "subject", "dtype", "status", "severity", "message")
FINISHED = (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.NO_TESTS_COLLECTED)


def begin(config: pytest.Config) -> VerdictFile | None:
    """What writes the file of a run, if one is asked for; ends pytest with exit code 2 where it cannot be written."""
    given = config.getoption("--json")
    if given is None:
        return None
    path = Path(given).absolute()
    if config.getoption("--search-minutes") or config.getoption("--hypothesis-profile", None) == profiles.SEARCH:
        pytest.exit(f"--json={given}: a search has no verdict; leave it out, its finds are in the evidence", 2)
    if path.is_dir() or not path.parent.is_dir() or not os.access(path.parent, os.W_OK):
        why = "is a folder" if path.is_dir() else f"{path.parent} is no folder that can be written to"
        pytest.exit(f"--json={given}: {why}; give a file in a folder that there is", returncode=2)
    path.unlink(missing_ok=True)  # whatever comes of this run, an older verdict is not taken for its own
    return VerdictFile(path, config.getoption("--evidence").absolute().parent)


class VerdictFile:
    """Collects what came of the checks, in the process that the user started.

    scripts: the folder to which the names of scripts are relative.
    """

    def __init__(self, path: Path, scripts: Path) -> None:
        self.path = path
        self.scripts = scripts
        self.checks: list[dict[str, Any]] = []
        self.failed: list[dict[str, Any]] = []
        self.skipped: Counter[str] = Counter()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep what a test came to; one that is no check counts where it fails."""
        told: dict[str, Any] = dict(report.user_properties)
        if report.when == "call" and "law" in told:
            self.checks.append({**told, "test": report.nodeid})
        elif report.failed:
            self.failed.append({"status": "error", "message": report.longreprtext, "test": report.nodeid})
        if report.skipped and isinstance(report.longrepr, tuple | list):
            self.skipped[report.longrepr[2].removeprefix("Skipped: ")] += 1

    def pytest_terminal_summary(
        self, terminalreporter: pytest.TerminalReporter, exitstatus: int, config: pytest.Config
    ) -> None:
        """Write the file, and say where it is, or why it is not there."""
        told = self.verdict(exitstatus, [str(subject) for subject in config.stash[OPTIONS].subjects])
        try:
            write_whole(self.path, json.dumps(told, indent=2) + "\n")
        except OSError as error:
            terminalreporter.write_line(f"verdict is missing: --json={self.path}: {error.strerror}")
        else:
            terminalreporter.write_line(f"verdict: {self.path}")

    def verdict(self, exitstatus: int, subjects: list[str]) -> dict[str, Any]:
        """What is written."""
        found = [self._finding(check) for check in self.checks if check["status"] in WRONG]
        statuses = Counter(check["status"] for check in self.checks)
        finished, rows = exitstatus in FINISHED, _rows(self.checks)
        broken = ["error"] if self.failed or not finished else []
        return {
            "schema_version": SCHEMA_VERSION,
            "verdict": _worst([*statuses, *broken]),
            "finished": finished,
            "exit_code": int(exitstatus),
            "cases": sum(check[CASES] for check in self.checks),
            "checks": {status: statuses[status] for status in ORDER},
            "subjects": subjects,
            "operators": rows,
            "findings": found + [self._finding(failure) for failure in self.failed],
            "not_run": [{REASON: reason, "tests": tests} for reason, tests in self.skipped.most_common()],
        }

    def _finding(self, check: dict[str, Any]) -> dict[str, Any]:
        script = str(self.scripts / check["repro"]) if "repro" in check else None
        return {**{name: check.get(name) for name in FINDING}, "script": script, "test": check["test"]}


def _rows(checks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """For each operator on each subject on which anything was tried, what its laws came to."""
    groups: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for check in checks:
        groups.setdefault(tuple(check[name] for name in ("operator", "subject", "dtype")), []).append(check)
    rows = []
    for (operator, subject, dtype), own in groups.items():
        if (verdict := _worst(check["status"] for check in own)) != "not run":
            about = {"operator": operator, "subject": subject, "dtype": dtype, "verdict": verdict}
            laws: dict[str, list[str]] = {}
            for check in own:
                laws.setdefault(check["law"], []).append(check["status"])
            answers: list[str] = next((check[ANSWERS] for check in own if ANSWERS in check), [])
            cases = sum(check[CASES] for check in own)
            rows.append({**about, ANSWERS: answers, CASES: cases, "laws": {law: _worst(laws[law]) for law in laws}})
    return rows


def _worst(statuses: Any) -> str:
    """The verdict on checks of these statuses.

    >>> _worst(["not run", "known", "passed"]), _worst([])
    ('passed', 'not run')
    """
    return min(statuses, key=ORDER.index, default="not run")
