"""What several tests of the suite share."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator, Sequence

import psutil
import pytest

from properties.engine.trial import Engine, Engines
from properties.selftest import nested
from properties.subjects import scripts
from properties.subjects.launchers import Launcher
from properties.subjects.workers import Workers


class Forked(Launcher):
    """A launcher in a process that has made the imports of a run, torch's own in a first gradient among them.

    places: where its workers look for modules, too.
    """

    def __init__(self, places: Sequence[str] = ()) -> None:
        super().__init__()
        self.places = places

    def _start(self, ours: socket.socket, theirs: socket.socket) -> psutil.Process:
        started = nested.context.Process(target=nested.launch_workers, args=(theirs, self.places), daemon=True)
        started.start()
        return psutil.Process(started.pid)


@pytest.fixture(scope="session")
def launcher() -> Iterator[Launcher]:
    """A launcher for the workers of any test: to import torch takes longer than most of them."""
    started = Forked()
    yield started
    started.close()


@pytest.fixture(scope="module")
def engines(launcher: Launcher) -> Iterator[Engines]:
    """Workers, of which one may end in a crash."""
    workers = Workers(launcher)
    yield Engines({"": Engine(workers.run, workers.renew)})
    workers.renew()


@pytest.fixture(scope="session")
def script() -> Iterator[scripts.Run]:
    """What runs the script of a find, where there is nothing but torch and NumPy."""
    launcher = scripts.Launcher()
    yield launcher.run if hasattr(os, "fork") else scripts.run_in_new_process
    launcher.close()
