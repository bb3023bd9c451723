"""How far a run is: on a terminal one line that is drawn over itself, elsewhere a plain line a minute."""

from __future__ import annotations

import functools
import os
import shutil
import sys
import time
from collections.abc import Generator, Sequence
from typing import Any

import pytest
from tqdm import tqdm

from properties.session import recording
from properties.subjects import Subject

SELDOM = 60.0
"""Seconds between plain lines."""


class Display:
    """The line that says how far a run is; ``form`` is how tqdm draws it: {desc} is the text, {bar} the bar."""

    def __init__(self, config: pytest.Config, form: str = "{desc}", total: int | None = None) -> None:
        self.config, self.form, self.total = config, form, total
        self.shown = time.monotonic()

    def show(self, text: str, done: int = 0) -> None:
        """Say how far the run is: now on a terminal, elsewhere if nothing was said for a minute."""
        if self._bar is not None:
            self._bar.n, self._bar.ncols = done, shutil.get_terminal_size().columns - 1
            self._bar.set_description_str(text)
        elif time.monotonic() > self.shown + SELDOM:
            self.shown = time.monotonic()
            self.line(text)

    def line(self, text: str, **markup: bool) -> None:
        """Write a line that stays."""
        terminal = self.config.pluginmanager.get_plugin("terminalreporter")
        if self._bar is not None:
            self._bar.clear()
        if terminal:
            terminal.ensure_newline()
            terminal.write_line(text, **markup)

    def close(self) -> None:
        """Leave nothing on the terminal."""
        if self._bar is not None:  # a bar without a total has no truth value
            self._bar.close()

    @functools.cached_property
    def _bar(self) -> Any:
        if not sys.stderr.isatty() or "CI" in os.environ or "NO_COLOR" in os.environ:
            return None
        return tqdm(total=self.total, bar_format=self.form, file=sys.stderr, leave=False)


class Checks:
    """Says how far a run of laws is, in place of a letter for each test, in the process that the user started."""

    def __init__(self, config: pytest.Config, subjects: Sequence[Subject]) -> None:
        self.config = config
        self.names = [str(subject) for subject in subjects]
        self.display: Display | None = None
        self.started = 0.0
        self.total = self.done = self.cases = self.finds = 0

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Begin, where the tests run in this process."""
        self._begin([item.nodeid for item in session.items])

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, ids: Sequence[str]) -> None:
        """Begin, where they run in others; each collects them all."""
        self._begin(ids)

    def _begin(self, ids: Sequence[str]) -> None:
        """Take pytest's letters away if a test holds a subject to something: its name is among the parameters then."""
        parameters = (nodeid.partition("[")[2] for nodeid in ids)
        if self.display is not None or not any(name in own for own in parameters for name in self.names):
            return
        self.total, self.started = len(ids), time.monotonic()
        self.display = Display(self.config, "{desc} |{bar}|", self.total)
        if terminal := self.config.pluginmanager.get_plugin("terminalreporter"):
            terminal.showfspath = False

    @pytest.hookimpl(wrapper=True)
    def pytest_report_teststatus(self) -> Generator[None, Any, Any]:
        """Count a test as pytest does, without its letter."""
        status = yield
        return (status[0], "", "") if self.display is not None and status else status

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count a check, and tell of one that failed at once."""
        if self.display is None:
            return
        if report.failed:
            self.finds += 1
            self.display.line(_failure(report), red=True)
        self.cases += dict(report.user_properties).get(recording.CASES, 0) if report.when == "call" else 0  # type: ignore[operator]
        self.done += report.when == "teardown"
        self.display.show(self.state(), self.done)

    def state(self) -> str:
        """How far the run is, in words."""
        elapsed = time.monotonic() - self.started
        left = elapsed * (self.total - self.done) / self.done if self.done else 0.0
        told = f", about {_duration(left)} left" if left else ""
        finds = f"{self.finds:,} find{'s' * (self.finds != 1)}"
        return f"checks: {self.done:,} of {self.total:,}, {self.cases:,} cases, {finds}{told}"

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self) -> None:
        """From here on pytest's summary shows what failed."""
        if self.display is not None:
            self.display.close()
            self.display = None


def _failure(report: pytest.TestReport) -> str:
    crash = getattr(report.longrepr, "reprcrash", None)
    why = str(crash.message if crash else report.longrepr).strip().partition("\n")[0]
    return f"{'FAILED' if report.when == 'call' else 'ERROR'} {report.nodeid} - {why}"


def _duration(seconds: float) -> str:
    """A time to the second, minute or tenth of an hour: more would be no better known."""
    if seconds < 100:
        return f"{max(seconds, 2):.0f} seconds"
    return f"{seconds / 60:.0f} minutes" if seconds < 6000 else f"{seconds / 3600:.1f} hours"
