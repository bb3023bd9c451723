"""What a process may take, and when it ends."""

from __future__ import annotations

import contextlib
import ctypes
import math
import os
import signal
import sys
from pathlib import Path
from typing import Any

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

FORKS = hasattr(os, "fork")
"""True if there are workers on this platform."""
PR_SET_PDEATHSIG = 1


def lacking() -> list[str]:
    """What this platform lacks and what follows from that, in a line each."""
    if not FORKS:
        return ["no workers on this platform (no os.fork): torch runs in this process; a crash ends the run"]
    memory = "module resource" if resource is None else "/proc" if not Path("/proc/self/statm").exists() else None
    lines = [f"workers without a limit of memory on this platform (no {memory})"] if memory else []
    if not _prctl():
        lines.append("a worker that hangs outlives a run that is killed on this platform (no prctl)")
    return lines


def die_with_parent() -> None:
    """Have the kernel end this process when its parent ends, however that happens (Linux)."""
    if prctl := _prctl():
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _prctl() -> Any:
    """Linux's function of that name, or None."""
    return getattr(ctypes.CDLL(None, use_errno=True), "prctl", None) if sys.platform == "linux" else None


def limit_memory(more: int) -> None:
    """Let this process take ``more`` bytes of address space beyond what it has; nothing where that cannot be done."""
    if resource and (taken := _taken()):
        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        resource.setrlimit(resource.RLIMIT_AS, (taken + more, hard))


def _taken() -> int:
    """The bytes of address space that this process has; 0 without /proc."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    except OSError:
        return 0


def unlimited_memory() -> None:
    """Let this process take as much address space as it may."""
    if resource:
        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        resource.setrlimit(resource.RLIMIT_AS, (hard, hard))


def address_space() -> float:
    """How many bytes of address space more this process may ever take; infinite where nothing limits them."""
    hard = resource.getrlimit(resource.RLIMIT_AS)[1] if resource else -1
    return math.inf if hard < 0 else hard - _taken()


def give_memory_back() -> None:
    """Return to the system what is freed, where it is kept for later: glibc keeps pieces of up to 32 MiB."""
    with contextlib.suppress(AttributeError, OSError):  # only glibc has it
        ctypes.CDLL(None).malloc_trim(0)
