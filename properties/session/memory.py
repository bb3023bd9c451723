"""How much memory a run takes, and how many processes the machine's memory allows."""

from __future__ import annotations

import contextlib
from pathlib import Path

import psutil
import pytest

from properties.subjects.environment import cores

GIB = 2**30
PROCESS = 0.9
"""GiB that a process of a run takes with the sandbox, the workers and the compilers that it starts, at its peak, as
measured (Linux, torch 2.13): one of two, its share of what all have counted; one of sixteen takes 0.33."""
EVERY = 50
"""Tests between looks at the memory taken: each takes some milliseconds."""
LIMIT, TAKEN = Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory.current")


def available() -> float:
    """GiB that are free: of the machine, or of the container that it is."""
    free = psutil.virtual_memory().available
    with contextlib.suppress(OSError, ValueError):  # no container, or one without a limit ("max")
        free = min(free, int(LIMIT.read_text()) - int(TAKEN.read_text()))
    return free / GIB


def processes(cores: int, free: float) -> int:
    """A process for each core, or as many as there is memory for.

    >>> processes(16, 64.0), processes(16, 4.0), processes(16, 0.1)
    (16, 4, 1)
    """
    return max(1, min(cores, int(free / PROCESS)))


class Peak:
    """The most memory that this process and those that it started took together, in MiB, as far as was looked."""

    def __init__(self) -> None:
        self.mib = 0
        self._tests = 0

    def pytest_runtest_logfinish(self) -> None:
        """Look now and then."""
        self._tests += 1
        if self._tests % EVERY == 1:
            self.look()

    def look(self) -> None:
        """Add up each process's proportional share of the memory that it has: what several share counts once."""
        own, total = psutil.Process(), 0
        for process in (own, *own.children(recursive=True)):
            with contextlib.suppress(psutil.Error):
                taken = process.memory_full_info()
                total += getattr(taken, "pss", taken.uss)
        self.mib = max(self.mib, total // 2**20)


PEAK = pytest.StashKey[Peak]()
FEWER = pytest.StashKey[str]()
"""Why there are fewer processes than cores."""


def fewer_processes(config: pytest.Config) -> int | None:
    """How many processes there is memory for, and a line that says so; None if for as many as there are cores."""
    here, free = cores(), available()
    allowed = processes(here, free)
    if allowed == here:
        return None
    about = f"{PROCESS} GiB each, {free:.1f} GiB free"
    config.stash[FEWER] = f"{allowed} processes for {here} cores: memory allows no more ({about}); -n {here} insists"
    return allowed
