"""The evidence of a run: its header, its end, and what of it could not be written."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from properties.session import absent, example_database, memory, recording
from properties.session.options import OPTIONS
from properties.subjects.environment import environment
from properties.verdicts.evidence import Writer, now

LOST = "convproof evidence that is missing"
IDLE = "convproof shard without checks"
"""What a process of pytest-xdist tells the one that the user started."""
_FILE = pytest.StashKey[Path | None]()
_LOST = pytest.StashKey[list[str]]()
_IDLE = pytest.StashKey[bool | None]()


def begin(config: pytest.Config) -> None:
    """Have a writer; the file comes with the first line."""
    config.stash[_LOST] = []
    config.stash[recording.WRITER] = Writer(config.getoption("--evidence"), _header(config))


def _header(config: pytest.Config) -> dict[str, Any]:
    process, options = getattr(config, "workerinput", {}), config.stash[OPTIONS]
    here = environment()
    if options.device:  # which only workers know
        here["devices"].append({"name": options.device, "description": f"{options.device} of {options.imports[0]}"})
    return {
        "run": process.get("testrunuid") or f"{now()}-{os.getpid()}",
        "shard": process.get("workerid"),
        "split": None if options.shard is None else options.shard._asdict(),
        "started": now(),
        "profile": options.profile,
        "seed": config.getoption("--hypothesis-seed", None),
        "arguments": [example_database.masked(str(argument)) for argument in config.invocation_params.args],
        "subjects": [str(subject) for subject in options.subjects],
        "environment": here,
    }


def of_shard(config: pytest.Config, digest: str, idle: bool) -> None:
    """Note of which checks this shard is a part, and whether there are fewer of them than shards and none is left."""
    config.stash[recording.WRITER].header["split"]["checks"] = digest
    config.stash[_IDLE] = idle


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """End the evidence, so that a reader can tell a finished run from a killed one."""
    config, writer = session.config, session.config.stash[recording.WRITER]
    idle = config.stash.get(_IDLE, None)  # known where tests are collected, and else once the processes have ended
    if idle and exitstatus == pytest.ExitCode.NO_TESTS_COLLECTED:
        exitstatus = session.exitstatus = pytest.ExitCode.OK
    if "checks" in (writer.header["split"] or {}) and not config.option.collectonly:
        writer.begin()  # a shard that wrote nothing would be missing
    peak = config.stash[memory.PEAK]
    peak.look()
    config.stash[_FILE] = writer.close(int(exitstatus), peak.mib)
    if writer.lost:
        config.stash[_LOST].append(writer.lost)
    if hasattr(config, "workeroutput"):
        config.workeroutput |= {LOST: config.stash[_LOST], IDLE: idle}


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Learn what a process of pytest-xdist could not write, and whether its shard has nothing to do."""
    told = getattr(node, "workeroutput", {})
    node.config.stash[_LOST] += told.get(LOST, [])
    node.config.stash[_IDLE] = told.get(IDLE)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say what was not run, the most frequent reasons first, and where the evidence is."""
    skipped = Counter(report.longrepr[2] for report in terminalreporter.getreports("skipped"))
    for line in absent.summary(skipped, config.stash.get(absent.COUNTS, {})):
        terminalreporter.write_line(line)
    if (path := config.stash.get(_FILE, None)) and not config.stash[_LOST]:
        terminalreporter.write_line(f"evidence: {path}")


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    """Say last of all what is missing."""
    if terminal := config.pluginmanager.get_plugin("terminalreporter"):
        for lost in config.stash.get(_LOST, []):
            terminal.write_line(f"evidence is missing: {lost}")
