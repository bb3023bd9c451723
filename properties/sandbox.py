"""The sandbox: a process in which a check runs beside the torch that it holds to a law.

Calls cost no message there. It may crash, hang or run out of memory, and a call may have damaged it without a trace; so
it has the last word only where a law holds. Any other check is made once more, of the same seed, with every call in a
worker (:mod:`properties.subjects.worker`), where it fails, shrinks and is shown as it always was.
"""

from __future__ import annotations

import contextlib
import ctypes
import faulthandler
import gc
import mmap
import os
import random
import signal
import socket
import struct
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection
from typing import Any, TypeVar

import psutil
import torch

from properties import counterexample, evidence, laws, operators, recording, subjects
from properties.laws import Law
from properties.operators import Operator
from properties.runner.call import Call, Outcome
from properties.runner.execute import execute
from properties.runner.launcher import launch
from properties.runner.process import die_with_parent
from properties.runner.wire import TICK
from properties.subjects import Subject
from properties.subjects.worker import IDLE, POISON, Forked, Late, Patience

M_PERTURB = -6
"""The option of glibc's mallopt that the variable MALLOC_PERTURB_ sets from the start."""
COUNT = struct.Struct("=Q")
Answer = TypeVar("Answer")


class Lost(Exception):
    """The sandbox ended, or was ended, before it gave an answer."""


@dataclass
class Sandbox(Forked):
    """One process for many checks, forked from this one as it was when :meth:`open` was called.

    timeout: seconds that one call may compute, as in a worker.
    """

    timeout: float = 10.0
    _calls: mmap.mmap = field(default_factory=lambda: mmap.mmap(-1, COUNT.size))

    @staticmethod
    def suits(subject: Subject | None) -> bool:
        """True if a subject's calls may be made in a fork: eager torch on the CPU, or shapes alone."""
        return subject is None or (
            subject.mode == "eager" and subject.device in ("cpu", "meta") and not subject.kernels and not subject.torch
        )

    def open(self) -> None:
        """Fork the launcher, before this process starts threads or computes anything."""
        self._control = self._launch()

    def judge(
        self, law: Law, operator: Operator | None, subject: Subject | None, result: evidence.Result, seed: int | None
    ) -> evidence.Result:
        """What a check comes to; its status is "error" where it ended the sandbox or used up its time."""
        try:
            judged = self.run(_judged, law.name, operator and operator.name, subject, result, seed)
        except Lost as lost:
            return replace(result, status="error", message=str(lost))
        if judged.status not in recording.HELD:  # what broke the law may have broken more
            self.renew()
        return judged

    def run(self, function: Callable[..., Answer], *arguments: Any) -> Answer:
        """What a module's function gives there. Raises Lost where it ends the sandbox, or a call uses up its time."""
        process, connection = self._worker or self._start()
        with Connection(os.dup(connection.fileno())) as pipe:
            try:
                pipe.send((function, arguments))
                self._wait(pipe, process)
                answer: Answer = pipe.recv()
            except Late as late:
                self.renew()
                raise Lost(f"Hung: {late}") from None
            except (EOFError, OSError):
                raise Lost(self._bury(process, connection)) from None
        return answer

    def _wait(self, pipe: Connection, process: int) -> None:
        """Wait for an answer. Raises Late where a call uses up its time; what is no call has no limit."""
        patience, watched = None, 0
        while not pipe.poll(TICK):
            (calls,) = COUNT.unpack(self._calls)
            if calls != watched:
                patience, watched = Patience(process, self.timeout, IDLE * self.timeout), calls
            if patience and calls % 2:
                patience()

    def _launch(self) -> socket.socket:
        ours, theirs = socket.socketpair()
        gc.collect()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of threads in this process: they stay here, and share nothing with it
            launcher = os.fork()
        if not launcher:
            _end_with(lambda: _be_launcher(ours, theirs, self._serve))
        theirs.close()
        self._launcher = psutil.Process(launcher)
        return ours

    def _serve(self, connection: socket.socket) -> None:
        """Do what is asked for until the suite hangs up."""
        random.seed()
        torch.set_num_threads(1)
        subjects.run_by(self._run)
        with contextlib.suppress(EOFError), Connection(connection.detach()) as pipe:
            while True:
                function, arguments = pipe.recv()
                pipe.send(function(*arguments))

    def _run(self, call: Call) -> Outcome:
        """Make a call here, and let the suite see that one is being made: their count is odd meanwhile."""
        self._count()
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # torch's are not the suite's, where any is an error
                return execute(call)
        finally:
            self._count()

    def _count(self) -> None:
        COUNT.pack_into(self._calls, 0, COUNT.unpack(self._calls)[0] + 1)


def _judged(
    name: str, about: str | None, subject: Subject | None, result: evidence.Result, seed: int | None
) -> evidence.Result:
    """The result of one check, without what cannot leave the process."""
    law, operator = laws.LAWS[name], operators.operator(about) if about else None
    with evidence.collecting(result), contextlib.suppress(Exception):
        recording.judge(
            result, subject, lambda: counterexample.search_enough(law, operator, subject, result, seed=seed)
        )
    return replace(result, call=None, entry=None)


def _be_launcher(ours: socket.socket, theirs: socket.socket, serve: Callable[[socket.socket], None]) -> None:
    ours.close()
    die_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a Ctrl-C is the suite's to handle
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)
    with contextlib.suppress(AttributeError, OSError):  # only glibc has it
        ctypes.CDLL(None).mallopt(M_PERTURB, int(POISON["MALLOC_PERTURB_"]))
    faulthandler.disable()  # pytest's would tell of a crash on the terminal
    gc.freeze()  # else a collection would copy what the forks share
    launch(theirs, serve)


def _end_with(life: Callable[[], None]) -> None:
    """Live, and end without what the suite does at its own end."""
    try:
        life()
    finally:
        os._exit(0)
