"""What a run tells of itself: a bar on a terminal, plain lines elsewhere, failures at once."""

from __future__ import annotations

import io
import sys
from types import SimpleNamespace
from typing import Any

import pytest

from properties.selftest import nested
from properties.session import progress, recording
from properties.subjects import Subject

CHECK = "properties/laws/test_law.py::test_law[conv2d-cpu-float32]"


class Terminal:
    """pytest's reporter, as far as it is used."""

    showfspath = True

    def __init__(self) -> None:
        self.lines: list[str] = []

    def ensure_newline(self) -> None:
        """It is at the beginning of a line."""

    def write_line(self, text: str, **markup: bool) -> None:
        """Keep a line."""
        self.lines.append(text)


def checks(terminal: Terminal, *ids: str) -> progress.Checks:
    """The progress of a run that was collected."""
    config: Any = SimpleNamespace(pluginmanager=SimpleNamespace(get_plugin=lambda name: terminal))
    plugin = progress.Checks(config, [Subject("cpu", "float32")])
    plugin.pytest_xdist_node_collection_finished(ids)
    return plugin


def report(when: Any, outcome: Any = "passed", why: str | None = None) -> pytest.TestReport:
    """pytest's report on a test, of which 40 cases were tried."""
    return pytest.TestReport(CHECK, ("", 0, ""), {}, outcome, why, when, user_properties=[(recording.CASES, 40)])


def test_state() -> None:
    """Checks count when they have ended, cases once a check, failures in whatever phase."""
    plugin = checks(Terminal(), *[CHECK] * 5185)
    assert plugin.state() == "checks: 0 of 5,185, 0 cases, 0 finds"
    for when in ("setup", "call", "teardown"):
        plugin.pytest_runtest_logreport(report(when))
    plugin.pytest_runtest_logreport(report("call", "failed", "output is 1\nbut should be 2"))
    plugin.started -= 0.05
    assert plugin.state().startswith("checks: 1 of 5,185, 80 cases, 1 find, about ")


@pytest.mark.parametrize("seconds, words", [(0.1, "2 seconds"), (240, "4 minutes"), (9000, "2.5 hours")])
def test_time_left(seconds: float, words: str) -> None:
    """A guess is told in few digits."""
    assert progress._duration(seconds) == words


def test_plain_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a terminal a line is written when a minute is over; a failure has its line at once."""
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    terminal = Terminal()
    plugin = checks(terminal, CHECK)
    plugin.pytest_runtest_logreport(report("call"))
    assert terminal.lines == []
    plugin.pytest_runtest_logreport(report("call", "failed", "output is 1\nbut should be 2"))
    monkeypatch.setattr(progress, "SELDOM", 0.0)
    plugin.pytest_runtest_logreport(report("teardown"))
    assert terminal.lines == [f"FAILED {CHECK} - output is 1", "checks: 1 of 1, 80 cases, 1 find"]


@pytest.mark.parametrize("variable", [None, "CI", "NO_COLOR"])
def test_bar(variable: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal has a bar, unless CI or NO_COLOR is set."""
    stream = io.StringIO()
    monkeypatch.setattr(stream, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(sys, "stderr", stream)
    for name in ("CI", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    if variable:
        monkeypatch.setenv(variable, "1")
    plugin = checks(Terminal(), CHECK, CHECK)
    plugin.pytest_runtest_logreport(report("teardown"))
    plugin.pytest_sessionfinish()
    assert ("checks: 1 of 2, 0 cases, 0 finds" in stream.getvalue()) == (variable is None)
    assert ("|#" in stream.getvalue()) == (variable is None)


def test_other_tests_keep_their_letters() -> None:
    """Where no test holds a subject to something, pytest shows what it always does."""
    terminal = Terminal()
    plugin = checks(terminal, "bench/test_recipes.py::test_recipe[book-cpu]", "reports/test_page.py::test_page")
    assert plugin.display is None
    assert terminal.showfspath
    checks(terminal, CHECK)
    assert not terminal.showfspath


@pytest.mark.parametrize("options", [[], ["-n1"], ["-v"]])
def test_a_run_that_fails(options: list[str], tmp_path: Any) -> None:
    """As a user sees it: no letters, what failed at once and in the summary; with -v pytest's own lines."""
    about = ["--kernels=examples/subtly_wrong.py", "--subjects=cpu-float32", "-k", "[linear or [conv2d-"]
    about += [f"--evidence={tmp_path}/e", "-p", "no:cacheprovider", "--benchmark-disable", "--hypothesis-profile=tests"]
    finished = nested.run("properties/laws/test_agreement.py", *about, *options, *nested.UNSHRUNK)
    running = finished.stdout.partition("= FAILURES =")[0].partition("test session starts")[2]
    node = "properties/laws/test_agreement.py::test_agreement[conv2d-subtly_wrong-cpu-float32]"
    assert (f"FAILED {node} - properties.verdicts.verdict.Diverged: output[" in running) == (options != ["-v"])
    assert (f"{node} FAILED" in running) == (options == ["-v"])
    assert not any(set(line) <= set("sF.") for line in running.splitlines() if line)
    assert f"\nFAILED {node}" in finished.stdout.rpartition("short test summary info")[2]
