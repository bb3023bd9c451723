"""A peer in a process of its own, since each library keeps a pool of threads that would take the others' cores."""

from __future__ import annotations

import importlib
import multiprocessing
import time
from collections.abc import Sequence
from multiprocessing import connection
from typing import Any

from refimpl.arrays import Array

PATIENCE = 300.0  # seconds that a round may take, its compilation in
Batches = Sequence[tuple[Array, ...]]


class PeerLostError(RuntimeError):
    """The peer's process died or fell silent."""


class Peer:
    """A library's LeNet in a process, with batches that it holds already; ``method`` is what it does with each."""

    def __init__(
        self, module: str, name: str, parameters: dict[str, Array], lr: float, batches: Batches, method: str = "step"
    ) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, there = context.Pipe()
        made = module, name, parameters, lr
        self._process = context.Process(target=_work, args=(there, *made, batches, method), daemon=True)
        self._process.start()
        there.close()

    def round(self) -> tuple[float, list[Any]]:
        """Take every batch once. Returns the seconds that took, and what came of each: a loss, or logits."""
        try:
            self._pipe.send("go")
            if self._pipe.poll(PATIENCE):
                return self._pipe.recv()
        except (EOFError, OSError) as error:
            raise PeerLostError(f"a peer's process died; see its own message: {error!r}") from error
        raise PeerLostError(f"a peer's process said nothing for {PATIENCE:.0f} s")

    def close(self) -> None:
        """End the process."""
        self._pipe.close()
        self._process.join(10)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()


def _work(
    pipe: connection.Connection, module: str, name: str, parameters: dict[str, Array], lr: float, batches: Batches,
    method: str,
) -> None:  # fmt: skip
    call = getattr(getattr(importlib.import_module(module), name)(parameters, lr), method)
    while True:
        try:
            pipe.recv()
        except (EOFError, OSError):
            return
        start = time.perf_counter()
        found = [call(*batch) for batch in batches]
        pipe.send((time.perf_counter() - start, found))
