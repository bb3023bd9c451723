"""The process from which workers are forked: ``python -m properties.worker.launcher SOCKET``.

It imports torch once and never runs a program itself, so that a worker that has crashed is replaced in the time of a
fork. It starts no thread and touches no accelerator: those do not survive a fork. Commands, one byte each: ``c`` with a
socket attached forks a worker that makes the calls that come over it, and answers with its process id; ``w`` and a
process id waits for that worker and answers with its exit status.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import signal
import socket
import struct
import sys
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import torch

from properties.worker import wire
from properties.worker.call import Outcome, Program, pack_outcome, unpack_call
from properties.worker.execute import execute
from properties.worker.process import die_with_parent, limit_memory, unlimited_memory

STATUS = struct.Struct(">q")
COMMAND = struct.Struct(">cq")
CALLS = b"c"
Life = Callable[[socket.socket], None]
IN_EVERY_WORKER = "torch.fx.experimental.symbolic_shapes"
"""What torch imports in the first backward of each worker, if its launcher has not."""


def launch(control: socket.socket, lives: Mapping[bytes, Life]) -> None:
    """Obey commands until the suite is gone, then end every worker. ``lives``: what each may be."""
    importlib.import_module(IN_EVERY_WORKER)
    workers: set[int] = set()
    try:
        while True:
            command, sockets, _, _ = socket.recv_fds(control, COMMAND.size, 1)
            if len(command) < COMMAND.size:
                return
            action, argument = COMMAND.unpack(command)
            if action in lives:
                worker = _fork(control, sockets[0], argument, lives[action])
                workers.add(worker)
                control.sendall(STATUS.pack(worker))
            else:
                workers.discard(argument)
                control.sendall(STATUS.pack(os.waitstatus_to_exitcode(os.waitpid(argument, 0)[1])))
    finally:
        for worker in workers:
            with contextlib.suppress(ProcessLookupError):
                os.kill(worker, signal.SIGKILL)


def _fork(control: socket.socket, descriptor: int, memory: int, life: Life) -> int:
    worker = os.fork()
    if worker:
        os.close(descriptor)
        return worker
    try:
        control.close()
        die_with_parent()
        limit_memory(memory)
        life(socket.socket(fileno=descriptor))
    finally:
        os._exit(0)


def serve(connection: socket.socket) -> None:
    """Run what is asked for until the suite hangs up."""
    warnings.simplefilter("ignore")  # torch's are not the suite's, where any is an error
    with contextlib.suppress(wire.Closed):
        while True:
            header, arrays = wire.receive(connection)
            if header["device"] not in ("cpu", "meta") or header["mode"] != "eager":
                # Drivers and compilers reserve far more address space than they use.
                unlimited_memory()
            wire.send(connection, *pack_outcome(_run(header, arrays)))


def _run(header: dict[str, Any], arrays: dict[str, Any]) -> Outcome:
    try:
        return execute(unpack_call(header, arrays, find))
    except BaseException as error:  # a kernel may raise SystemExit or KeyboardInterrupt: a verdict, not our end
        return Outcome(error=f"{type(error).__name__}: {error}")


def find(name: str) -> Program:
    """The program of a name, ``module:function``."""
    module, _, function = name.partition(":")
    program: Any = importlib.import_module(module)
    for part in function.split("."):
        program = getattr(program, part)
    return program


if __name__ == "__main__":
    die_with_parent()
    torch.set_num_threads(1)
    launch(socket.socket(fileno=int(sys.argv[1])), {CALLS: serve})
