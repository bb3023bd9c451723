"""What several tests of the suite share."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from properties.subjects.launchers import Interpreter


@pytest.fixture(scope="session")
def launcher() -> Iterator[Interpreter]:
    """A launcher for the workers of any test: to import torch takes longer than most of them."""
    started = Interpreter(sys.executable)
    yield started
    started.close()
