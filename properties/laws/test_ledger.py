"""The ledger stays true: every entry's pinned example still diverges, and its script shows it in a clean process."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from properties.engine import repro
from properties.engine.check import Check
from properties.engine.diagnosis import Diagnosis
from properties.engine.law import every
from properties.engine.precision import LEAST
from properties.engine.trial import Trial
from properties.ledger.known import LEDGER, check_laws
from properties.ledger.record import Divergence
from properties.operators import operator
from properties.session import absent, law_tests, profiles, recording
from properties.session.law_tests import ENGINES
from properties.session.options import OPTIONS
from properties.subjects import Subject, scripts
from properties.subjects.workers import Late
from properties.verdicts import evidence
from properties.verdicts.verdict import Diverged


def divergence(entry: Divergence, trial: Trial) -> Diverged | None:
    """How the entry's example diverges on a subject, or None if it agrees."""
    try:
        every()[entry.law].body(operator=operator(entry.operator), subject=trial, case=entry.example)
    except Diverged as diverged:
        return diverged
    finally:
        if entry.overwrites:  # the next example is to crash of itself
            trial.renew()
    return None


def script(entry: Divergence, subject: Subject, seen: Diverged, folder: Path) -> Path:
    """The script of a divergence."""
    assert seen.call is not None
    source = f"{operator(entry.operator).layer}. {entry.why}"
    title, message = f"{entry.id} {subject}", f"{entry.what}: {seen}"
    try:
        return repro.write(folder, title, seen.call, message, source, seen.expected, seen.group, seen.name)
    except OSError as error:
        missing = evidence.unwritten(error, folder)
    pytest.fail(f"not confirmed, for want of a script: {missing}", pytrace=False)


OVERWRITTEN = {signal.SIGSEGV, signal.SIGABRT, getattr(signal, "SIGBUS", signal.SIGABRT)}
"""What memory that was overwritten ends a process with, if it does: that depends on what was there."""
AGAIN = 6
"""How often a script that overwrote memory and showed nothing is run again, in a new process: in a fork the same memory
would be overwritten."""


HUNG, PATIENCE = 20.0, 120.0
"""Seconds of computing after which a script hangs that should, and one that should not."""


@pytest.fixture(scope="module")  # no longer than it is needed: it takes 300 MB
def run(pytestconfig: pytest.Config) -> Iterator[scripts.Run]:
    """What runs a script: a fork saves the import of torch; nightly, nothing but the script is in its process."""
    if pytestconfig.getoption("--hypothesis-profile") == profiles.NIGHTLY or not hasattr(os, "fork"):
        yield scripts.run_in_new_process
        return
    launcher = scripts.Launcher()
    yield launcher.run
    launcher.close()


def confirm(path: Path, seen: Diverged, overwrites: bool, run: scripts.Run) -> None:
    """Run a script in a process of its own. Raises AssertionError unless it diverges there in the same way.

    A script that is itself broken ends with 1 as well: what it prints must be the comparison, or torch's own error.
    One that shows a crash ends with the signal. Where other memory is overwritten it depends on what was there: the
    script may end with any of these signals or with 1, never end, or show nothing now and then: it is then run again.
    """
    if "Hung" in str(seen):
        with pytest.raises(Late):
            run(path, HUNG)
        return
    for attempt in (run, *[scripts.run_in_new_process] * (AGAIN if overwrites else 0)):
        try:
            python = attempt(path, PATIENCE)
        except Late:
            if overwrites:
                return
            raise
        if python.returncode:
            break
    crash = repro.CRASH.search(str(seen))
    signals = {signal.Signals[crash[1]]} if crash else set()
    if -python.returncode in signals | (OVERWRITTEN if overwrites else set()):
        return
    assert overwrites or not crash, f"{path} ends with {python.returncode}, not {signals}"
    raised = re.match(r"raised \w+: (.*?)(?:\n|, but (?:these arguments are valid|should give))", str(seen))
    said = re.search(r"should (be|raise)", python.stdout)
    shown = raised[1] in python.stderr if raised and not crash else said and "Traceback" not in python.stderr
    assert python.returncode == 1, f"{path} ends with {python.returncode}: {python.stdout}"
    assert shown, f"{path} shows something else: {python.stdout}{python.stderr}"


def narrower(entry: Divergence, place: Subject, diagnosis: Diagnosis | None) -> str:
    """How the diagnosis of an entry's example is narrower than its predicate; empty where it is not."""
    wrong = [each for each in diagnosis.seen if each.wrong] if diagnosis else []
    under = [each for each in wrong if entry.holds(each.case, place)]
    told = sum(diagnosis.rule(each.facts) for each in under) if diagnosis else 0
    if told >= LEAST * len(under):
        return ""
    return f"of {len(under)} cases under its predicate that are wrong, {told} are under the rule"


def pinned(entry: Divergence, subject: Subject) -> bool:
    """True if an entry's example is to diverge on a subject: in the first of its modes, which explains the others."""
    return entry.shows(subject) and subject.mode == entry.modes[0] and not subject.torch


def blank(item: pytest.Item, entry: Divergence, place: Subject) -> evidence.Result | None:
    """The row of an entry on a subject before its example is tried, None if it is not pinned there."""
    about = ("known divergences", entry.what, operator(entry.operator))
    return recording.describe(*about, place, (), item) if pinned(entry, place) else None


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Each entry on each present subject that it is said to show on."""
    check_laws(every())
    subjects = metafunc.config.stash[OPTIONS].subjects
    pairs = [(entry, s) for entry in LEDGER for s in absent.standing(s for s in subjects if pinned(entry, s))]
    metafunc.parametrize(("entry", "place"), pairs, ids=[f"{entry.id}-{s}" for entry, s in pairs])


def test_ledger(entry: Divergence, place: Subject, request: pytest.FixtureRequest, run: scripts.Run) -> None:
    """A known divergence's example lies under its predicate and still diverges; once fixed, it must say since when."""
    result = blank(request.node, entry, place)
    assert result, f"{entry.id} is not pinned on {place}"
    if place.compiled and law_tests.leaves_to_another(request.node, 4):
        law_tests.settle_unheld(result, request.node)
        return

    def attempt() -> None:
        under = entry.concerns(entry.law, operator(entry.operator), place) and entry.holds(entry.example, place)
        assert under, f"{entry.id}: its example is not under its predicate"
        seen = divergence(entry, law_tests.trial(place, result, request.node))
        assert seen, f"{entry.id} is fixed in torch {torch.__version__}: say so in the entry (fixed=…)"
        folder = request.config.stash[recording.WRITER].folder.parent / "repro"
        result.repro = f"repro/{script(entry, place, seen, folder).name}"
        if request.config.getoption("--diagnose-known"):
            check = Check(every()[entry.law], operator(entry.operator), place, result, request.config.stash[ENGINES])
            check.diagnose(seen, entry, request.config.getoption("--diagnosis"))
            narrow = narrower(entry, place, check.diagnosis)
            assert not narrow or entry.narrower, f"{entry.id}: {narrow}: {check.diagnosis}"
        if place.dtype == entry.dtypes[0]:  # those of others are the same script, but for its numbers
            confirm(folder.parent / result.repro, seen, entry.overwrites, run)
        result.tally.explain(entry)
        result.message = f"{entry.severity}: {entry.what}. {entry.why}. Here: {seen}"

    recording.record(result, place, request.node, attempt)


test_ledger.blank = blank  # type: ignore[attr-defined]
