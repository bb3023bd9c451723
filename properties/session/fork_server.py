"""Forks the processes in which pytest-xdist runs tests, so that they share what is imported, torch first of all.

A process that imports torch for itself takes 140 MiB and two seconds for that alone. pytest-xdist starts each of its
processes as a Python of its own; here that Python is :mod:`properties.session.forked_python`, which asks this server
for a fork and lends it the input and outputs over which pytest-xdist speaks. multiprocessing's own server forks for
the process alone that it belongs to, and shares nothing with that one.
"""

from __future__ import annotations

import gc
import importlib
import logging
import os
import random
import select
import shlex
import shutil
import signal
import socket
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from properties.session import forked_python
from properties.worker.process import die_with_parent
from refimpl.convolution import corr2d

PROGRAM = 4096
"""Bytes that a program may have; pytest-xdist's has some forty."""
READY = b"r"
"""What the server says once."""


class ForkServer:
    """The server, and the plugin of the process that the user started, whose copy it is.

    It must start before that process begins a run, so that a fork has nothing of that one's. modules: what it imports
    for its forks. Raises OSError where there can be no server.
    """

    def __init__(self, modules: Sequence[str]) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="convproof-"))
        with socket.socket(socket.AF_UNIX) as listener:
            try:
                listener.bind(self._address)
            except OSError:  # such as a folder of temporary files whose name is too long for a socket
                self.folder.rmdir()
                raise
            listener.listen()
            self._control, theirs = socket.socketpair()
            gc.collect()
            gc.freeze()  # else a collection would copy what this process and the forks share
            with theirs:
                _start(listener, self._control, theirs, modules)

    @property
    def _address(self) -> str:
        return str(self.folder / "server")

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_setupnodes(self, specs: Sequence[Any]) -> None:
        """Have each process that would be a Python like this one forked, if the server lives."""
        alive = self._control.recv(len(READY)) == READY
        for spec in specs:
            if alive and spec.popen and not spec.python:
                spec.python = shlex.join([sys.executable, "-I", "-S", forked_python.__file__, self._address])

    def pytest_unconfigure(self) -> None:
        """End the server."""
        self._control.close()
        shutil.rmtree(self.folder, ignore_errors=True)


def _start(listener: socket.socket, ours: socket.socket, theirs: socket.socket, modules: Sequence[str]) -> None:
    sys.stdout.flush()
    sys.stderr.flush()
    if os.fork():
        return
    try:
        ours.close()
        _serve(listener, theirs, modules)
    finally:
        os._exit(0)  # without what the process that it is a copy of does at its end


def _serve(listener: socket.socket, control: socket.socket, modules: Sequence[str]) -> None:
    """Fork a process for each client until the process that the user started is gone."""
    die_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody asks how a fork ended
    _open_streams()
    for module in modules:
        importlib.import_module(module)
    corr2d(np.eye(2), np.eye(1))  # with the first loop, Numba makes tables of 40 MiB
    gc.collect()
    gc.freeze()
    control.sendall(READY)
    while control not in select.select([listener, control], [], [])[0]:
        client, _ = listener.accept()
        with client:
            if not os.fork():
                listener.close()
                control.close()
                _be_python(client)


def _open_streams() -> None:
    """Read and write where a Python does; so do loggers, which may have been made while pytest captured."""
    for own, name in enumerate(("stdin", "stdout", "stderr")):
        stream = open(own, "w" if own else "r", 1, closefd=False)  # noqa: SIM115
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)
    loggers = [logging.getLogger(name) for name in (None, *logging.Logger.manager.loggerDict)]
    for handler in (handler for logger in loggers for handler in logger.handlers):
        if type(handler) is logging.StreamHandler:  # not one of a file, or of pytest's
            handler.setStream(sys.stderr)


def _be_python(client: socket.socket) -> None:
    """Run the program of a client with its input and outputs, and end. The client sees its connection end with it."""
    program, lent, _, _ = socket.recv_fds(client, PROGRAM, 3)
    for own, descriptor in enumerate(lent):
        os.dup2(descriptor, own)
        os.close(descriptor)
    die_with_parent()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    random.seed()
    try:
        exec(program, {"__name__": "__main__"})
    except SystemExit:
        pass
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)
