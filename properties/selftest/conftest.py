"""What several tests of the suite share."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator

import pytest

from properties.subjects import scripts
from properties.subjects.launchers import Interpreter


@pytest.fixture(scope="session")
def launcher() -> Iterator[Interpreter]:
    """A launcher for the workers of any test: to import torch takes longer than most of them."""
    started = Interpreter(sys.executable)
    yield started
    started.close()


@pytest.fixture(scope="session")
def script() -> Iterator[scripts.Run]:
    """What runs the script of a find, where there is nothing but torch and NumPy."""
    launcher = scripts.Launcher()
    yield launcher.run if hasattr(os, "fork") else scripts.run_in_new_process
    launcher.close()
