"""Kernels that take their process down with them, in every way that real ones do."""

from __future__ import annotations

import ctypes
import os
import sys
import threading
import time
import warnings
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

kept: list[bytearray] = []


def crashes(input: Tensor) -> Tensor:
    """Reads address 0."""
    ctypes.string_at(0)
    return input


def crashes_on_long_rows(input: Tensor) -> Tensor:
    """Reads address 0 where the last axis is longer than 16, and is right elsewhere."""
    return crashes(input) if input.shape[-1] > 16 else torch.sigmoid(input)


def aborts(input: Tensor) -> Tensor:
    """Calls abort, as a failed assertion in C++ does."""
    os.abort()


def hangs(input: Tensor) -> Tensor:
    """Never comes back, and sleeps."""
    while True:
        time.sleep(1)


def spins(input: Tensor) -> Tensor:
    """Never comes back, and computes."""
    while True:
        pass


def waits_for_itself(input: Tensor) -> Tensor:
    """Never comes back, and computes nothing: it holds the lock that it waits for."""
    lock = threading.Lock()
    with lock:
        lock.acquire()
    return input


def computes(input: Tensor, seconds: float) -> Tensor:
    """Takes so many seconds of the processor's time, and is right."""
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass
    return torch.sigmoid(input)


def is_late_once(input: Tensor, mark: str) -> Tensor:
    """Never comes back the first time, which leaves a mark, and is right from then on."""
    if not Path(mark).exists():
        Path(mark).touch()
        spins(input)
    return torch.sigmoid(input)


def leaves(input: Tensor) -> Tensor:
    """Ends the process."""
    os._exit(3)


def raises_system_exit(input: Tensor) -> Tensor:
    """Asks Python to end."""
    sys.exit(3)


def hoards(input: Tensor) -> Tensor:
    """Takes eight times the default limit of memory."""
    return torch.empty(2**31).fill_(1.0).sum() * input


def keeps(input: Tensor, mebibytes: int) -> Tensor:
    """Is right, and keeps memory."""
    kept.append(bytearray(b"k") * (mebibytes * 2**20))
    return torch.sigmoid(input)


def chatters(input: Tensor) -> Tensor:
    """Prints megabytes, and is right."""
    print("x" * 10_000_000)
    os.write(1, b"y" * 10_000_000)
    return torch.sigmoid(input)


def warns(input: Tensor) -> Tensor:
    """Warns, and is right."""
    warnings.warn("of something", stacklevel=1)
    return torch.sigmoid(input)


def unwritten(input: Tensor) -> Tensor:
    """Returns memory that it never wrote."""
    return torch.empty_like(input)


CALLS = [0]


def counts(input: Tensor) -> Tensor:
    """Counts the calls of its process, which a later one should not know of."""
    CALLS[0] += 1
    return torch.full_like(input, CALLS[0])


def sigmoid_of_vectors(input: Tensor) -> Tensor:
    """Calls one function for vectors and another for the rest."""
    return _of_matrices(input) if input.ndim > 1 else F.sigmoid(input)


def _of_matrices(input: Tensor) -> Tensor:
    return F.tanh(input)
