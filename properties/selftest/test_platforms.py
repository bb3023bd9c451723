"""Where a platform lacks what workers need, or none can live, a line says so; nothing ends in a traceback."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from properties.selftest import nested
from properties.subjects.launchers import ROOT
from properties.worker import process

RUN = ["properties/laws/test_rerun.py", "properties/laws/test_ledger.py", "--hypothesis-profile=tests"]
LAW, ENTRY = "linear-cpu-float64", "fractional-ratio-of-none-cpu-float64"
"""A test for the sandbox, and one that needs a worker."""
NO_WORKER = """
import os
fork, first = os.fork, os.getpid()
os.fork = lambda: fork() or (os.abort() if os.getppid() != first else 0)
"""
NO_LAUNCHER = "import os\nfork = os.fork\nos.fork = lambda: fork() or os.abort()\n"
NO_FORKS = "from properties.worker import process\nprocess.FORKS = False\n"
LITTLE = "import resource\nresource.setrlimit(resource.RLIMIT_AS, (20_000_000_000,) * 2)\n"


def run(folder: Path, first: str, *arguments: str, tests: str = LAW) -> subprocess.CompletedProcess[str]:
    """pytest on one test, each of whose interpreters first runs some lines."""
    (folder / "sitecustomize.py").write_text(first, encoding="utf-8")
    command = [
        sys.executable,
        "-m",
        "pytest",
        *RUN,
        "-k",
        tests,
        "--subjects=cpu-float64",
        f"--evidence={folder / 'evidence'}",
        *arguments,
    ]
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    "hidden, line",
    [
        (
            "import os; del os.fork",
            "no workers on this platform (no os.fork): torch runs in this process; a crash ends",
        ),
        (
            "import psutil, sys; sys.modules['resource'] = None",
            "workers without a limit of memory on this platform (no module",
        ),
    ],
)
def test_what_a_platform_lacks(hidden: str, line: str, tmp_path: Path) -> None:
    """The run says what it does without, and goes on."""
    finished = run(tmp_path, hidden)
    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert line in finished.stdout
    assert " passed" in finished.stdout


def test_another_torch_without_workers(tmp_path: Path) -> None:
    """Another torch needs a process of its own: an error before anything runs."""
    finished = forked(tmp_path, NO_FORKS, f"--subject-python={sys.executable}")
    assert finished.returncode == 2
    said = f"--subject-python={sys.executable}: there are no workers on this platform; leave it out"
    assert said in finished.stderr


def test_nothing_is_lacking_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Linux lacks nothing; without its prctl a process dies with no parent, and that is said."""
    if sys.platform == "linux":
        assert process.lacking() == []
    monkeypatch.setattr(sys, "platform", "darwin")
    process.die_with_parent()
    assert any("(no prctl)" in line for line in process.lacking())


def forked(folder: Path, first: str, *arguments: str, tests: str = LAW) -> nested.Ended:
    """The same, where what the lines change is looked for when it is used."""
    return nested.run(
        *RUN, "-k", tests, "--subjects=cpu-float64", f"--evidence={folder / 'evidence'}", *arguments, first=first
    )


@pytest.mark.parametrize(
    "start, arguments",
    [(forked, [ENTRY]), (run, [ENTRY, "-n1"]), (forked, [LAW, "--kernels=examples/subtly_wrong.py"])],
)
def test_no_worker_starts(start: Callable[..., nested.Ended], arguments: list[str], tmp_path: Path) -> None:
    """Where the process that workers are forked from dies, the run ends before its first test, in one line."""
    finished = start(tmp_path, NO_LAUNCHER, *arguments[1:], tests=arguments[0])
    assert finished.returncode == 2, finished.stdout + finished.stderr
    said = "no worker could be started: its launcher ended with status -6. With --in-process torch runs in this process"
    assert (finished.stdout + finished.stderr).count(said) == 1
    assert "Traceback" not in finished.stdout + finished.stderr
    assert not list(tmp_path.glob("evidence/*"))


def test_no_worker_lives(tmp_path: Path) -> None:
    """Where each worker dies at once, the run ends before its first test, too."""
    finished = forked(tmp_path, NO_WORKER, tests=ENTRY)
    assert finished.returncode == 2, finished.stdout + finished.stderr
    said = f"--call-memory=2: a worker of {sys.executable} ends in its first call (NativeCrash: SIGABRT); give more, or"
    assert finished.stdout.count(said) == 1


@pytest.mark.skipif(sys.platform != "linux", reason="not run (memory is limited on Linux alone)")
def test_less_memory_than_a_call_may_take(tmp_path: Path) -> None:
    """Where a worker could not take the memory that it is allowed, the run ends before it starts."""
    finished = forked(tmp_path, LITTLE, "--call-memory=1000")
    assert finished.returncode == 2, finished.stdout + finished.stderr
    assert "--call-memory=1000: this process may take " in finished.stderr
    assert " GiB more (ulimit -v); give less, or raise that limit" in finished.stderr
