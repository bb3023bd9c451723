"""Launchers: the processes from which workers and sandboxes are forked, each in some milliseconds."""

from __future__ import annotations

import contextlib
import ctypes
import faulthandler
import gc
import os
import signal
import socket
import subprocess
import sys
import warnings
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path

import psutil

from properties.worker.launcher import CALLS, COMMAND, STATUS, Life, launch, serve
from properties.worker.process import die_with_parent

ROOT = Path(__file__).resolve().parent.parent.parent

# Fresh memory holds this byte's complement instead of zeros, so that an output that was never written shows.
POISON = {"MALLOC_PERTURB_": "85"}
# A thread that waits for others sleeps: spinning, it takes the processor from those that it waits for.
PATIENT = {"OMP_WAIT_POLICY": "passive"}
M_PERTURB = -6
"""The option of glibc's mallopt that the variable MALLOC_PERTURB_ sets from the start."""


def served_module(python: str, module: str, connection: socket.socket, places: Sequence[str] = ()) -> psutil.Popen:
    """A new interpreter that runs a module of the suite over a connection, memory filled and threads patient.

    places: where it looks for modules, too.
    """
    found = {"PYTHONPATH": os.pathsep.join(places)} if places else {}
    return psutil.Popen(
        [python, "-m", module, str(connection.fileno())],
        pass_fds=[connection.fileno()],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=ROOT,
        env={**os.environ, **POISON, **PATIENT, **found},
        start_new_session=True,  # a Ctrl-C is the suite's to handle
    )


class Launcher(ABC):
    """A process that forks others on demand; it starts when it is first asked, or when :meth:`open` is called."""

    def __init__(self) -> None:
        self._process: psutil.Process | None = None
        self._control: socket.socket | None = None

    def open(self) -> None:
        """Start it."""
        if self._control:
            return
        self._control, theirs = socket.socketpair()
        with theirs:
            self._process = self._start(self._control, theirs)

    def fork(self, life: bytes, memory: int) -> tuple[int, socket.socket]:
        """A new process of one of the lives that the launcher knows, and the connection to it.

        memory: bytes that it may take beyond what the launcher has.
        """
        self.open()
        ours, theirs = socket.socketpair()
        with theirs, contextlib.ExitStack() as undo:
            undo.callback(ours.close)
            process = self._ask(life, memory, [theirs.fileno()])
            undo.pop_all()
        return process, ours

    def status(self, process: int) -> int:
        """How a process that it forked ended: its exit status, or the negative number of a signal."""
        return self._ask(b"w", process)

    def close(self) -> None:
        """End it, and with it what it forked."""
        if self._control:
            self._control.close()
        if self._process:
            with contextlib.suppress(psutil.TimeoutExpired):
                self._process.wait(timeout=5)
            with contextlib.suppress(psutil.NoSuchProcess):
                self._process.kill()
            self._process.wait()
        self._process = self._control = None

    @abstractmethod
    def _start(self, ours: socket.socket, theirs: socket.socket) -> psutil.Process:
        """Start the process, which takes commands from ``theirs``."""

    def _ask(self, action: bytes, argument: int, descriptors: Sequence[int] = ()) -> int:
        """Command the launcher. Raises RuntimeError where there is none to answer."""
        answer = b""
        with contextlib.suppress(OSError):
            socket.send_fds(self._control, [COMMAND.pack(action, argument)], descriptors)  # type: ignore[arg-type]
            answer = self._control.recv(STATUS.size, socket.MSG_WAITALL)  # type: ignore[union-attr]
        if len(answer) == STATUS.size:
            return int(STATUS.unpack(answer)[0])
        status = self._process.wait() if self._process else None
        self.close()
        raise RuntimeError(f"no worker could be started: {self.trouble(status)}")

    def trouble(self, status: int | None) -> str:
        """Why it gave no answer, when it ended with a status."""
        return f"its launcher ended with status {status}"


class Interpreter(Launcher):
    """The launcher of another interpreter, which needs torch and NumPy; places: where it looks for modules, too."""

    def __init__(self, python: str, places: Sequence[str] = ()) -> None:
        super().__init__()
        self.python = python
        self.places = places

    def _start(self, ours: socket.socket, theirs: socket.socket) -> psutil.Process:
        return served_module(self.python, "properties.worker.launcher", theirs, self.places)

    def trouble(self, status: int | None) -> str:
        """Why it gave no answer, when it ended with a status."""
        return f"{self.python} -m properties.worker.launcher ended with status {status}; does it have torch and numpy?"


class Copy(Launcher):
    """A copy of this process, as it is when it is started: it shares what was imported, and waits for no import.

    It must be started before this process computes anything in threads, which do not survive a fork. ``lives`` are what
    its processes may be besides workers.
    """

    def __init__(self) -> None:
        super().__init__()
        self.lives: dict[bytes, Life] = {CALLS: serve}

    def _start(self, ours: socket.socket, theirs: socket.socket) -> psutil.Process:
        gc.collect()
        sys.stdout.flush()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of threads in this process: they stay here, and share nothing with it
            process = os.fork()
        if process:
            return psutil.Process(process)
        try:
            ours.close()
            settle()
            launch(theirs, self.lives)
        finally:
            os._exit(0)  # without what the suite does at its own end


def settle() -> None:
    """Be a launcher: end with the suite, be silent, and leave Ctrl-C to it."""
    die_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)
    with contextlib.suppress(AttributeError, OSError):  # only glibc has it
        ctypes.CDLL(None).mallopt(M_PERTURB, int(POISON["MALLOC_PERTURB_"]))
    faulthandler.disable()  # pytest's would tell of a crash on the terminal
    gc.freeze()  # else a collection would copy what the forks share
