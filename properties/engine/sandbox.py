"""The sandbox: a process in which a check runs beside the torch that it holds to a law.

Calls cost no message there. It may crash, hang or run out of memory, and a call may have damaged it without a trace; so
it has the last word only where a law holds. Any other check is made once more, of the same seed, with every call in a
worker (:mod:`properties.subjects.workers`), where it fails, shrinks and is shown as it always was.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import random
import socket
import struct
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection
from typing import Any, ClassVar, TypeVar

import torch

from properties import operators
from properties.engine import law
from properties.engine.check import Check
from properties.engine.judgement import HELD, judge
from properties.engine.trial import Engine, Engines
from properties.subjects import Subject
from properties.subjects.launchers import Copy, Launcher
from properties.subjects.workers import IDLE, Forked, Late, Patience
from properties.verdicts.evidence import Result, collecting
from properties.worker.call import Call, Outcome
from properties.worker.execute import execute
from properties.worker.process import give_memory_back
from properties.worker.wire import TICK

COUNT = struct.Struct("=Q")
Answer = TypeVar("Answer")


class Lost(Exception):
    """The sandbox ended, or was ended, before it gave an answer."""


@dataclass
class Sandbox(Forked):
    """One process for many checks, forked from a copy of this one.

    timeout: seconds that one call may compute, as in a worker.
    """

    launcher: Launcher = field(default_factory=Copy)
    timeout: float = 10.0
    life: ClassVar[bytes] = b"s"
    _calls: mmap.mmap = field(default_factory=lambda: mmap.mmap(-1, COUNT.size))

    def __post_init__(self) -> None:
        """Let the launcher know the life that its processes have."""
        if isinstance(self.launcher, Copy):
            self.launcher.lives[self.life] = self._serve

    @staticmethod
    def suits(subject: Subject | None) -> bool:
        """True if a subject's calls may be made in a fork: eager torch on the CPU, or shapes alone."""
        return subject is None or (
            subject.mode == "eager" and subject.device in ("cpu", "meta") and not subject.kernels and not subject.torch
        )

    def judge(self, check: Check, seed: int | str | None) -> Result:
        """What a check comes to; its status is "error" where it ended the sandbox or used up its time."""
        try:
            names = check.law.name, check.operator and check.operator.name
            judged = self.run(_judged, *names, check.subject, check.result, seed, check.share)
        except Lost as lost:
            return replace(check.result, status="error", message=str(lost))
        if judged.status not in HELD:  # what broke the law may have broken more
            self.renew()
        return judged

    def run(self, function: Callable[..., Answer], *arguments: Any) -> Answer:
        """What a module's function gives there, called with the sandbox's engines first.

        Raises Lost where it ends the sandbox, or a call uses up its time.
        """
        process, connection = self._use()
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

    def _serve(self, connection: socket.socket) -> None:
        """Do what is asked for until the suite hangs up."""
        COUNT.pack_into(self._calls, 0, 0)  # one before it may have ended in the middle of a call
        random.seed()
        torch.set_num_threads(1)
        engines = Engines({"": Engine(self._run)})
        with contextlib.suppress(EOFError), Connection(connection.detach()) as pipe:
            while True:
                function, arguments = pipe.recv()
                pipe.send(function(engines, *arguments))
                give_memory_back()

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
    engines: Engines, name: str, about: str | None, subject: Subject | None, result: Result, seed: int | str | None,
    share: float,
) -> Result:  # fmt: skip
    """The result of one check, without what cannot leave the process."""
    check = Check(law.LAWS[name], operators.operator(about) if about else None, subject, result, engines, share=share)
    with collecting(result), contextlib.suppress(Exception):
        judge(result, subject, lambda: check.search_enough(seed))
    return replace(result, tally=replace(result.tally, call=None, entry=None))
