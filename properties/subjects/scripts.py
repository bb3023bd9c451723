"""Running a script to its end: in a whole new process, or in one forked from a process that has imported torch."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import psutil

from properties.subjects.launchers import PATIENT, POISON, served_module
from properties.subjects.workers import Patience
from properties.worker import wire

IDLE = 60.0
"""Seconds without computing after which a script is taken to wait for what never comes."""
IMPORTS = {
    "torch.compile(": "torch._inductor.compile_fx",
    "torch.optim.": "torch._dynamo",
    "torch.autograd.grad(": "torch._dynamo",
}
"""What torch imports in a script's calls: seconds that only the first such script then takes."""

Ended = subprocess.CompletedProcess[str]
Run = Callable[[Path, float], Ended]
"""Run a script that may compute for so many seconds. Raises :class:`properties.subjects.workers.Late` if it takes more,
or computes nothing for :data:`IDLE` seconds on end: on a busy machine a script is late by the clock, and no hang."""


def run_in_new_process(script: Path, seconds: float) -> Ended:
    """Run a script as ``python script`` does, memory filled as in a worker. A :data:`Run`."""
    with tempfile.TemporaryDirectory() as folder:
        out, err = Path(folder, "stdout"), Path(folder, "stderr")
        with out.open("wb") as stdout, err.open("wb") as stderr:
            command = [sys.executable, str(script)]
            started = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr, env={**os.environ, **POISON, **PATIENT}
            )
        patience = Patience(started.pid, seconds, IDLE)
        try:
            while started.poll() is None:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    started.wait(wire.TICK)
                patience()
        except BaseException:
            started.kill()
            started.wait()
            raise
        return subprocess.CompletedProcess(str(script), started.returncode, _text(out), _text(err))


class Launcher:
    """Runs scripts in processes forked from one that has imported torch (:mod:`properties.worker.scripts`).

    That one is started for the first script.
    """

    def __init__(self) -> None:
        self._launcher: psutil.Popen | None = None
        self._connection: socket.socket | None = None

    def run(self, script: Path, seconds: float) -> Ended:
        """Run a script. A :data:`Run`."""
        connection = self._connection = self._connection or self._launch()
        imports = [name for sign, name in IMPORTS.items() if sign in script.read_text(encoding="utf-8")]
        with tempfile.TemporaryDirectory() as folder:
            out, err = Path(folder, "stdout"), Path(folder, "stderr")
            request = {"script": str(script), "stdout": str(out), "stderr": str(err), "imports": imports}
            wire.send(connection, request, {})
            pid = wire.receive(connection)[0]["pid"]
            try:
                status = wire.receive(connection, Patience(pid, seconds, IDLE))[0]["status"]
            except BaseException:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
                wire.receive(connection)  # how it ended
                raise
            return subprocess.CompletedProcess(str(script), status, _text(out), _text(err))

    def close(self) -> None:
        """End the launcher, and with it a script that still runs."""
        if self._connection:
            self._connection.close()
        if self._launcher:
            self._launcher.kill()
            self._launcher.wait()
        self._launcher = self._connection = None

    def _launch(self) -> socket.socket:
        ours, theirs = socket.socketpair()
        with theirs:
            self._launcher = served_module(sys.executable, "properties.worker.scripts", theirs)
        return ours


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace")
