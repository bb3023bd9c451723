"""Workers: programs run in a child process, so that a crash, a hang or exhausted memory is a result like any other.

What a worker does to itself becomes the outcome's error, named for what it is: ``NativeCrash: SIGSEGV``, ``Hung``,
``OutOfMemory``, ``Exited``. Hypothesis then shrinks it like any other divergence, in a new worker each time.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sys
import time
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
import psutil

from properties.subjects.launchers import Interpreter, Launcher
from properties.worker import programs, wire
from properties.worker.call import FAKE, Call, Outcome, Setting, pack_call, unpack_outcome
from properties.worker.launcher import CALLS, find

STARTING = 12
"""How many times longer than a call may take what is not a call: to start a device's libraries, to load kernels, and
to compile."""
IDLE = 6
"""How many times longer than it may compute a call may do nothing at all."""
KEPT = 96 * 2**20
"""Bytes that a process may keep from check to check: compiled code, and a library's plans for each shape, pile up."""
UNUSED = 30
"""Checks after which a process is ended that none of them used."""
NOTHING = 0.01
"""The share of a processor's time below which a process does nothing; one that polls now and then uses some."""
ONE = np.ones((1, 1, 1, 1))


def _starts(call: Call) -> list[tuple[str, ...]]:
    """What must have been started in a worker before a call, so that the call's time is its own."""
    device = (
        call.device,
        str(call.mode == FAKE),
        str(call.setting.deterministic),
    )  # to be deterministic imports a compiler
    return [*((where,) for where in call.imports), device, *([(call.kernels,)] if call.kernels else [])]


def _start(what: tuple[str, ...], call: Call) -> Call:
    """A call of known-good torch that starts it."""
    if what == (call.kernels,):  # torch.nn.functional has no flatten: they are loaded, and have no part in it
        return Call(programs.dense.flatten, {"input": ONE}, {"start_dim": 0}, kernels=call.kernels)
    if len(what) == 1:
        return Call(programs.dense.flatten, {"input": ONE}, {"start_dim": 0}, imports=what)
    setting = Setting(deterministic=call.setting.deterministic)
    operands, mode = {"input": ONE, "weight": ONE}, FAKE if call.mode == FAKE else "eager"
    return Call(
        programs.convolution.conv2d, operands, device=call.device, dtype="float32", mode=mode, setting=setting,
        imports=call.imports,
    )  # fmt: skip


class Late(Exception):
    """A call used up its time."""


class Patience:
    """Time for one call of a process: seconds of computing, or seconds on end in which it computes nothing.

    A busy machine makes a call late by the clock and changes neither: a process that waits for its turn uses no time
    of the processor, but gets its turn long before it has idled too long. The compilers that a process starts compute
    for it.
    """

    def __init__(self, process: int, computing: float, idling: float) -> None:
        self._process: psutil.Process | None = None
        with contextlib.suppress(psutil.Error):  # it may have ended already, as may be seen late on a busy machine
            self._process = psutil.Process(process)
        self._computing, self._idling = computing, idling
        self._began: float | None = None
        self._busy = 0.0, 0.0

    def __call__(self) -> None:
        """Raise Late if the time is used up."""
        with contextlib.suppress(psutil.Error):  # it ended: the connection tells
            if self._process:
                self._look(time.monotonic(), _computed(self._process))

    def _look(self, now: float, computed: float) -> None:
        if self._began is None:
            self._began, self._busy = computed, (now, computed)
        if computed - self._began > self._computing:
            raise Late(f"no answer after {self._computing:g} s of computing")
        since, before = self._busy
        if computed - before > NOTHING * (now - since):
            self._busy = now, computed
        elif now - since > self._idling:
            raise Late(f"no answer, and {self._idling:g} s without computing anything")


def _computed(process: psutil.Process) -> float:
    """Seconds that a process and those that it started have used of the processors."""
    own = process.cpu_times()
    running = [child.cpu_times() for child in process.children(recursive=True)]
    ended = own.children_user + own.children_system
    return float(ended + sum(times.user + times.system for times in (own, *running)))


def _own_memory(process: int) -> int:
    """The bytes that a process has in memory and no file has; 0 where that is not told."""
    with contextlib.suppress(psutil.Error):
        taken = psutil.Process(process).memory_info()
        return int(taken.rss - getattr(taken, "shared", taken.rss))
    return 0


@dataclass
class Forked:
    """Processes of one life, forked one at a time, each with a connection to this one.

    memory: bytes that one may take beyond what the launcher has.
    """

    launcher: Launcher
    memory: int = 2 * 2**30
    life: ClassVar[bytes] = CALLS
    _worker: tuple[int, socket.socket] | None = None
    _began: int = 0
    _unused: int = 0

    def renew(self) -> None:
        """End the process, so that the next starts afresh."""
        if self._worker:
            process, connection = self._worker
            os.kill(process, signal.SIGKILL)
            self._bury(process, connection)

    def save_memory(self) -> None:
        """After a check, end a process that keeps more than :data:`KEPT`, or has not been used for :data:`UNUSED`."""
        self._unused += 1
        if self._worker and (self._unused > UNUSED or _own_memory(self._worker[0]) - self._began > KEPT):
            self.renew()

    def close(self) -> None:
        """End the process and the launcher."""
        if self._worker:
            self._worker[1].close()
        self._worker = None
        self.launcher.close()

    def _use(self) -> tuple[int, socket.socket]:
        """The process, which is started if there is none, for a check that needs it."""
        self._unused = 0
        return self._worker or self._start()

    def _start(self) -> tuple[int, socket.socket]:
        self._worker = self.launcher.fork(self.life, self.memory)
        self._began = _own_memory(self._worker[0])
        return self._worker

    def _bury(self, process: int, connection: socket.socket) -> str:
        """Learn how a process ended."""
        connection.close()
        self._worker = None
        status = self.launcher.status(process)
        if status < 0:
            return f"NativeCrash: {signal.Signals(-status).name}"
        return f"Exited: the process ended itself with status {status}"


@dataclass
class Workers(Forked):
    """Workers under one interpreter, by default this one's, one at a time.

    timeout: seconds that a call may compute, in a worker in which torch has already computed on its device and kernels
    have been loaded (it may idle :data:`IDLE` times as long).
    """

    launcher: Launcher = field(default_factory=lambda: Interpreter(sys.executable))
    timeout: float = 10.0
    _ready: set[tuple[str, ...]] = field(default_factory=set)

    def run(self, call: Call) -> Outcome:
        """As :func:`properties.worker.execute.execute`, in a worker. Programs must be functions of a module."""
        if "<locals>" in call.name or find(call.name) is not call.program:
            raise ValueError(f"a worker would not find {call.name} under that name: it must be a module's function")
        try:
            return self._try(call)
        except Late:  # once more, in a new worker: only what is late every time hangs
            self.renew()
        try:
            return self._try(call)
        except Late as late:
            self.renew()
            return Outcome(error=f"Hung: {late}")

    def _start(self) -> tuple[int, socket.socket]:
        self._ready.clear()
        return super()._start()

    def _try(self, call: Call) -> Outcome:
        """As ``run``, once. Raises Late."""
        self._use()
        for what in _starts(call):
            if what not in self._ready:
                outcome = self._answer(_start(what, call), STARTING * self.timeout)
                if not self._worker:
                    return outcome
                self._ready.add(what)
        return self._answer(call, self.timeout * (1 if call.mode in ("eager", FAKE) else STARTING))

    def _answer(self, call: Call, computing: float) -> Outcome:
        """What the worker makes of a call; afterwards there is none if that was its end. Raises Late."""
        assert self._worker
        process, connection = self._worker
        try:
            wire.send(connection, *pack_call(call))
            return unpack_outcome(*wire.receive(connection, Patience(process, computing, IDLE * self.timeout)))
        except wire.Closed:
            return Outcome(error=self._bury(process, connection))
