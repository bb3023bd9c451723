"""LeNet and its training, as the chapter has them (S18–S24)."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from properties.images import lenet_pictures
from properties.images.idx import Labelled
from properties.worker.programs.lenet import lenet, lenet_activations

POINTS_PER_EPOCH = 5


def initial_lenet() -> nn.Sequential:
    """LeNet (S18): (N, 1, 28, 28) images to (N, 10) logits, with 61,706 parameters, Xavier-initialised (S19)."""
    net = lenet()
    net.apply(initialize)
    return net


def initialize(module: nn.Module) -> None:
    """Fill a Linear's or Conv2d's weight from U(−r, r), r = √(6/(fan_in+fan_out)) (S19); biases stay torch's."""
    if isinstance(module, nn.Linear | nn.Conv2d):
        nn.init.xavier_uniform_(module.weight)


def count_correct(logits: Tensor, labels: Tensor) -> Tensor:
    """How many of the (N, C) logits have their greatest value at the (N,) label; a 0-d tensor on their device."""
    return (logits.argmax(dim=1) == labels).sum()


class Batches(Protocol):
    """Batches of images (N, 1, 28, 28), in [0, 1], with labels (N,), int64; each pass is one epoch."""

    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]: ...


def evaluate(model: nn.Module, batches: Iterable[tuple[Tensor, Tensor]]) -> float:
    """Accuracy (S21): the share that is right, in evaluation mode, without gradients, on the parameters' device."""
    device = next(model.parameters()).device
    training = model.training
    model.eval()
    correct = seen = 0
    with torch.no_grad():
        for images, labels in batches:
            correct += int(count_correct(model(images.to(device)), labels.to(device)))
            seen += len(labels)
    model.train(training)
    return correct / seen


@dataclass
class Metrics:
    """Sums over examples seen: of the loss, of right predictions, of examples."""

    loss_sum: float = 0.0
    correct: int = 0
    examples: int = 0

    def add(self, loss_sum: float, correct: int, examples: int) -> None:
        """Count a batch: its mean loss times its size, its right predictions, its size."""
        self.loss_sum += loss_sum
        self.correct += correct
        self.examples += examples

    @property
    def loss(self) -> float:
        """Mean loss of an example."""
        return self.loss_sum / self.examples

    @property
    def accuracy(self) -> float:
        """Share of right predictions."""
        return self.correct / self.examples


@dataclass
class Timer:
    """Adds up the seconds spent under :meth:`running`."""

    seconds: float = 0.0

    @contextmanager
    def running(self) -> Iterator[None]:
        """Time the body of the ``with``."""
        start = time.perf_counter()
        yield
        self.seconds += time.perf_counter() - start


def _ignore(phase: str) -> None:
    """The lap counter of a step whose phases nobody measures."""


@dataclass
class Training:
    """A model, its optimizer and its batches: what a recipe sets up. A recipe may override how a step is made.

    ``lap`` is told the name of each phase of a step as the phase ends; it does nothing unless phases are measured.
    """

    model: nn.Module
    optimizer: torch.optim.Optimizer
    train_batches: Batches
    test_batches: Batches
    lap: Callable[[str], None] = _ignore

    @property
    def device(self) -> torch.device:
        """Where the parameters are."""
        return next(self.model.parameters()).device

    def predict(self, images: Tensor) -> Tensor:
        """Logits (N, 10) of images (N, 1, 28, 28)."""
        return self.model(images)

    def forward(self, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Mean cross-entropy (S20) and logits (N, 10) of images (N, 1, 28, 28) with labels (N,)."""
        logits = self.predict(images)
        return F.cross_entropy(logits, labels), logits

    def step(self, images: Tensor, labels: Tensor) -> tuple[float, int, int]:
        """One step of mini-batch SGD on the mean cross-entropy (S20), and its metrics, as S23 orders them.

        Returns loss·n, right predictions and n, of the n examples of the batch before the step. Reading them waits
        for the device, as it does in the chapter.
        """
        self.optimizer.zero_grad()
        images, labels = images.to(self.device), labels.to(self.device)
        self.lap("moving")
        loss, logits = self.forward(images, labels)
        self.lap("forward")
        loss.backward()
        self.lap("backward")
        self.optimizer.step()
        self.lap("step")
        with torch.no_grad():
            metrics = float(loss) * len(labels), int(count_correct(logits, labels)), len(labels)
        self.lap("metrics")
        return metrics

    def close(self) -> None:
        """Give back what outlives the object, such as processes; nothing, unless a recipe has such."""


@dataclass
class Steps:
    """What :func:`run_steps` saw: the mean loss of each batch before its step, examples and timed seconds."""

    losses: list[float] = field(default_factory=list)
    examples: int = 0
    seconds: float = 0.0

    @property
    def examples_per_second(self) -> float:
        """The book's figure: examples over the seconds from each batch's arrival to its metrics."""
        return self.examples / self.seconds


def run_steps(training: Training, steps: int) -> Steps:
    """Train for a number of optimizer steps, over the data as often as that takes; loading is not in the seconds."""
    timer, seen = Timer(), Steps()
    training.model.train()
    for images, labels in islice(_endlessly(training.train_batches), steps):
        with timer.running():
            loss_sum, _, examples = training.step(images, labels)
        seen.losses.append(loss_sum / examples)
        seen.examples += examples
    seen.seconds = timer.seconds
    return seen


def _endlessly(batches: Batches) -> Iterator[tuple[Tensor, Tensor]]:
    while True:
        yield from batches


@dataclass(frozen=True)
class Report:
    """The result of :func:`train_ch6`.

    ``history``: points with "epoch", "loss", "train_acc" and, at the end of an epoch, "test_acc"; loss and
    training accuracy are means from the epoch's start. ``wall_seconds``: of each epoch, with loading and the test
    accuracy. ``examples_per_second``: examples over timed seconds, loading and test accuracy excluded.
    """

    history: list[dict[str, float]]
    wall_seconds: list[float]
    examples_per_second: float
    device: torch.device

    @property
    def final(self) -> dict[str, float]:
        """Loss and accuracies of the last epoch, and the speed of all."""
        last = {name: self.history[-1][name] for name in ("loss", "train_acc", "test_acc")}
        return {**last, "examples_per_second": self.examples_per_second}

    def __str__(self) -> str:
        """The two lines that the chapter prints (S24)."""
        last = self.final
        return (
            f"loss {last['loss']:.3f}, train acc {last['train_acc']:.3f}, test acc {last['test_acc']:.3f}\n"
            f"{self.examples_per_second:.1f} examples/sec on {self.device}"
        )


def feature_maps(model: nn.Module, images: Labelled) -> dict[str, Any]:
    """What each layer of a trained LeNet, or of a model with its parameters, makes of the first of some images."""
    parameters = {name: p.detach().cpu().float() for name, p in model.state_dict().items()}
    image = images.images[0] / 255.0
    with torch.no_grad():
        seen = lenet_activations(torch.tensor(image, dtype=torch.float32)[None, None], **parameters)
    activations = {i: seen[f"activation {i}"][0].numpy() for i in lenet_pictures.LAYERS}
    return lenet_pictures.feature_maps(image, int(images.labels[0]), activations)


def train_ch6(training: Training, epochs: int) -> Report:
    """Train as the chapter does (S23) for ``epochs`` passes over the training batches.

    A step is timed from the arrival of its batch to the end of its metrics. Five points an epoch, evenly spread
    (after every batch where there are fewer than five); test accuracy at the end of each epoch.
    """
    timer = Timer()
    history: list[dict[str, float]] = []
    wall_seconds: list[float] = []
    examples = 0
    for epoch in range(epochs):
        start = time.perf_counter()
        metrics = _train_epoch(training, epoch, timer, history)
        history[-1]["test_acc"] = evaluate(training.model, training.test_batches)
        wall_seconds.append(time.perf_counter() - start)
        examples += metrics.examples
    return Report(history, wall_seconds, examples / timer.seconds, training.device)


def _train_epoch(training: Training, epoch: int, timer: Timer, history: list[dict[str, Any]]) -> Metrics:
    metrics = Metrics()
    batches = len(training.train_batches)
    training.model.train()
    for done, (images, labels) in enumerate(training.train_batches, start=1):
        with timer.running():
            metrics.add(*training.step(images, labels))
        if done * POINTS_PER_EPOCH // batches > (done - 1) * POINTS_PER_EPOCH // batches:
            history.append({"epoch": epoch + done / batches, "loss": metrics.loss, "train_acc": metrics.accuracy})
    return metrics
