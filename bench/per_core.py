"""One process of one thread a core: each computes the gradient of its share of the batch, in pieces.

Threads that share one small kernel wait for each other at its end, many times a step; processes that share a
batch wait once. Every piece costs a call, and what of it a core's cache cannot hold goes through memory: how large a
piece is best depends on the processor, so it is measured. Parameters, batch and gradients lie in memory that the
processes share, so that nothing is sent but a word to begin and the metrics.
"""

from __future__ import annotations

import math
import os
import statistics
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from multiprocessing import connection
from typing import Any

import torch
import torch.multiprocessing
from torch import Tensor, nn

from bench import compiled, measure
from bench.compiled import gradients_of
from bench.lenet import Batches, Training, count_correct

PIECES = (64, 128)  # examples
START = "spawn"  # of processes: threads of torch do not survive a fork
TRIALS = 7  # of each, the first of which compiles
UNCOUNTED = -100  # a label that cross-entropy leaves out
PATIENCE = 600.0  # seconds until a worker that says nothing is given up; the first answer may need a compilation


class WorkerLostError(RuntimeError):
    """A worker process died, failed or fell silent; the message says which and why."""


@dataclass
class Shared:
    """What the processes share: the parameters and one gradient for each worker, end to end, and the batch.

    parameters: (P,); gradients: (workers, P); images: (B, 1, 28, 28); labels: (B,); examples: (), the batch's size.
    """

    parameters: Tensor
    gradients: Tensor
    images: Tensor
    labels: Tensor
    examples: Tensor

    @classmethod
    def make(cls, parameters: Tensor, workers: int, room: int) -> Shared:
        """Room for that many examples."""
        tensors = (
            parameters, torch.zeros(workers, len(parameters)),
            torch.zeros(room, 1, 28, 28), torch.full((room,), UNCOUNTED), torch.ones(()),
        )  # fmt: skip
        return cls(*(tensor.share_memory_() for tensor in tensors))

    def fill(self, images: Tensor, labels: Tensor) -> None:
        """Take a batch in; what fills up its last piece does not count."""
        n = len(labels)
        self.images[:n], self.labels[:n], self.labels[n:] = images, labels, UNCOUNTED
        self.examples.fill_(n)


@contextmanager
def one_thread() -> Iterator[None]:
    """Compute in one thread: a pool's idle threads look for work for a while, on cores that the workers need."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


@dataclass
class SerialBatches:
    """The same batches, each made in one thread."""

    batches: Batches

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        batches = iter(self.batches)
        for _ in range(len(self)):
            with one_thread():
                batch = next(batches)
            yield batch


@dataclass
class PerCore(Training):
    """A training whose step is shared among processes; :meth:`start` before the first step, :meth:`close` at last."""

    workers: list[Any] = field(default_factory=list)
    pipes: list[connection.Connection] = field(default_factory=list)
    piece: int = 0
    """How many examples are computed at once."""

    def start(self, workers: int, batch_size: int, lr: float) -> None:
        """Start the processes; the model's parameters move to shared memory. Batches may hold up to ``batch_size``."""
        self.lr, self.train_batches = lr, SerialBatches(self.train_batches)
        flat = torch.nn.utils.parameters_to_vector(self.model.parameters()).detach().clone()
        share = math.ceil(batch_size / workers)
        pieces = sorted({min(piece, share) for piece in PIECES})
        self.shared = Shared.make(flat, workers, max(_filled(batch_size, piece) for piece in pieces))
        torch.nn.utils.vector_to_parameters(self.shared.parameters, self.model.parameters())
        context: Any = torch.multiprocessing.get_context(START)
        for rank in range(workers):
            here, there = context.Pipe()
            about = (there, self.model, self.shared, rank, workers, compiled.BACKEND)
            worker = context.Process(target=work, args=about, daemon=True)
            worker.start()
            there.close()
            self.workers.append(worker)
            self.pipes.append(here)
        self.piece = pieces[0] if len(pieces) == 1 else self._fastest(pieces, batch_size)

    def _fastest(self, pieces: list[int], batch_size: int) -> int:
        """The size of pieces in which a whole batch takes the least time; its examples are blank and do not count."""
        trials = {piece: partial(measure.seconds, partial(self._compute, batch_size, piece)) for piece in pieces}
        with one_thread():
            found = measure.interleave(trials, TRIALS)
        return min(pieces, key=lambda piece: statistics.median(found[piece]))

    def step(self, images: Tensor, labels: Tensor) -> tuple[float, int, int]:
        """One step, as :meth:`Training.step`. Raises WorkerLostError where a process is lost."""
        with one_thread():
            return self._step(images, labels)

    def _step(self, images: Tensor, labels: Tensor) -> tuple[float, int, int]:
        self.shared.fill(images, labels)
        self.lap("moving")
        answers = self._compute(len(labels), self.piece)
        self.lap("forward and backward")
        self.shared.parameters.sub_(self.shared.gradients.sum(dim=0), alpha=self.lr)
        self.lap("step")
        loss, correct = (sum(parts) for parts in zip(*answers, strict=True))
        return float(loss) * len(labels), int(correct), len(labels)

    def _compute(self, examples: int, piece: int) -> list[tuple[float, int]]:
        """Have the gradients of so many examples computed, in pieces; the workers' parts of the metrics."""
        for rank, pipe in enumerate(self.pipes):
            _tell(pipe, (piece, math.ceil(examples / piece)), rank)
        return [self._answer(rank) for rank in range(len(self.pipes))]

    def _answer(self, rank: int) -> tuple[float, int]:
        """A worker's part of the mean loss, and its right predictions."""
        worker, pipe = self.workers[rank], self.pipes[rank]
        deadline = time.monotonic() + PATIENCE
        while not pipe.poll(1.0):
            if not worker.is_alive() or time.monotonic() > deadline:
                raise WorkerLostError(f"process {rank} gave no answer (exit code {worker.exitcode})")
        try:
            answer = pipe.recv()
        except (EOFError, OSError) as error:
            worker.join(5)
            raise WorkerLostError(f"process {rank} died (exit code {worker.exitcode})") from error
        if isinstance(answer, str):
            raise WorkerLostError(f"process {rank} failed:\n{answer}")
        return answer

    def close(self) -> None:
        """End the processes."""
        for pipe in self.pipes:
            pipe.close()  # a worker ends when it finds the pipe closed
        for worker in self.workers:
            worker.join(3)
            if worker.is_alive():
                worker.kill()
                worker.join()
        self.workers, self.pipes = [], []


def _filled(examples: int, piece: int) -> int:
    """So many examples, and what fills up their last piece."""
    return math.ceil(examples / piece) * piece


def _tell(pipe: connection.Connection, word: tuple[int, int], rank: int) -> None:
    try:
        pipe.send(word)
    except OSError as error:
        raise WorkerLostError(f"process {rank} died") from error


def work(pipe: connection.Connection, model: nn.Module, shared: Shared, rank: int, workers: int, backend: str) -> None:
    """A worker's life: for each size and number of pieces received, the gradient of every ``workers``-th.

    It ends with the pipe.
    """
    torch.set_num_threads(1)
    _keep_to_a_core(rank)
    add_piece, met = compiled.compiled(_piece, fullgraph=True, backend=backend), set()
    names = [name for name, _ in model.named_parameters()]
    shapes = [p.shape for p in model.parameters()]
    parameters, gradients = (_views(flat, names, shapes) for flat in (shared.parameters, shared.gradients[rank]))
    loss, correct = torch.zeros(()), torch.zeros((), dtype=torch.int64)
    while True:
        try:
            piece, pieces = pipe.recv()
        except (EOFError, OSError):
            return
        images, labels = shared.images.split(piece), shared.labels.split(piece)
        try:
            # Once compiled for a size, every piece of it is like the first: checking that anew costs time.
            torch.compiler.set_stance("default", skip_guard_eval_unsafe=piece in met)
            with torch.no_grad():
                for total in (shared.gradients[rank], loss, correct):
                    total.zero_()
                for i in range(rank, pieces, workers):
                    add_piece(model, parameters, gradients, images[i], labels[i], shared.examples, loss, correct)
                    met.add(piece)
            pipe.send((float(loss), int(correct)))
        except Exception:
            pipe.send(traceback.format_exc())


def _keep_to_a_core(rank: int) -> None:
    """Stay on a core of one's own: woken together, two processes may be put on one, and wait for each other."""
    if hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {cores[rank % len(cores)]})


def _views(flat: Tensor, names: list[str], shapes: list[torch.Size]) -> dict[str, Tensor]:
    """The parameters that lie end to end in ``flat``."""
    parts = flat.split([shape.numel() for shape in shapes])
    return {name: part.view(shape) for name, shape, part in zip(names, shapes, parts, strict=True)}


def _piece(
    model: nn.Module,
    parameters: dict[str, Tensor],
    gradients: dict[str, Tensor],
    images: Tensor,
    labels: Tensor,
    examples: Tensor,
    loss: Tensor,
    correct: Tensor,
) -> None:
    """Add a piece's gradients, loss and right predictions to what is there."""
    value, logits, found = gradients_of(model, parameters, images, labels, examples)
    for name, gradient in found.items():
        gradients[name].add_(gradient)
    loss.add_(value)
    correct.add_(count_correct(logits, labels))
