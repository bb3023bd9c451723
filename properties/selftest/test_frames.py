"""The memory for frames is asked for once, not by each call."""

from __future__ import annotations

import pytest

from properties.engine.frames import with_room_for_frames

resource = pytest.importorskip("resource")
CALLS = 1000


def faults_of_calls(depth: int) -> int:
    """How many pages of memory are new to calls that are made from so deep."""
    if depth:
        return faults_of_calls(depth - 1)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(CALLS):
        called()
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


def called() -> None:
    """Take a frame, longer than those between two depths, so that at one of these it does not fit into what is left."""


called.__code__ = called.__code__.replace(co_stacksize=100)


def test_calls_take_no_memory_at_any_depth() -> None:
    """A loop of calls, from however deep, does not ask for memory with each (python/cpython#142183)."""
    assert max(with_room_for_frames(faults_of_calls)(depth) for depth in range(300)) < CALLS / 2


def test_function_stays_itself() -> None:
    """What has room gives what it gave, by name and by position."""
    divided = with_room_for_frames(divmod)
    assert divided(7, 2) == (3, 1)
    assert divided.__name__ == "divmod"
