"""pytest as a user starts it, but for the seconds of its imports: a fork of a process that has made them.

That process is Python's own "forkserver", which inherits nothing of the run that asks for it. Tests of what happens
while modules are imported (those that a platform lacks) start a new process instead.
"""

from __future__ import annotations

import gc
import multiprocessing
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from properties.subjects.launchers import settle
from properties.worker.launcher import CALLS, launch, serve

ROOT = Path(__file__).resolve().parent.parent.parent
FORKS = "forkserver" in multiprocessing.get_all_start_methods()
context: Any = multiprocessing.get_context("forkserver" if FORKS else "spawn")
"""What starts a process that has made the imports of a run."""
if FORKS:
    context.set_forkserver_preload(["properties.conftest", "properties.selftest.imported"])

UNSHRUNK = ("-p", "properties.selftest.first_found", "--diagnosis=0")
"""Options of a run that is asked for a verdict alone: its counterexamples are neither shrunk nor diagnosed."""
Ended = subprocess.CompletedProcess[str]


def run(*arguments: str | Path, first: str = "") -> Ended:
    """``python -m pytest`` with arguments, at the root of the checkout; ``first``: lines that are run before it."""
    command = ["-c", f"{first}\nimport pytest, sys; sys.exit(pytest.main())", *map(str, arguments)]
    if not FORKS:
        return subprocess.run([sys.executable, *command], cwd=ROOT, capture_output=True, text=True, check=False)
    with tempfile.TemporaryDirectory() as folder:
        out, err = Path(folder, "stdout"), Path(folder, "stderr")
        child = context.Process(target=_pytest, args=(command[2:], first, out, err, dict(os.environ)))
        child.start()
        child.join()
        assert child.exitcode is not None
        return subprocess.CompletedProcess(command, child.exitcode, out.read_text("utf-8"), err.read_text("utf-8"))


def launch_workers(control: socket.socket, places: Sequence[str] = ()) -> None:
    """Be a launcher of workers that takes commands from a socket; they look for modules in some places, too."""
    sys.path[:0] = places
    torch.set_num_threads(1)
    settle()
    launch(control, {CALLS: serve})


def _pytest(arguments: list[str], first: str, out: Path, err: Path, environment: dict[str, str]) -> None:
    """Run some lines and pytest in this process, and end with its exit code."""
    for descriptor, path in ((1, out), (2, err)):
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        os.dup2(file, descriptor)
        os.close(file)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(ROOT)
    sys.argv[:] = ["pytest", *arguments]
    gc.freeze()  # what is imported is no garbage: a collection need not go through it
    exec(first, {})
    imported = "ignore:Module already imported so cannot be rewritten:pytest.PytestAssertRewriteWarning"
    raise SystemExit(int(pytest.main([*arguments, "-W", imported])))
