"""Recipes: ways to train the same LeNet on the same batches. To add one, write a function and decorate it.

A recipe takes a :class:`Problem` and sets up a :class:`bench.lenet.Training`; it may bring other batches, another
model or optimizer, or another step. Every recipe starts from the same parameters and sees the same images in the
same order, so that what differs between two of them is how the work is done. The first line of its docstring is
shown in the report.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, Sampler

from bench.fashion_mnist import DataSet
from bench.lenet import Training, initial_lenet
from properties.images import Labelled

WHITE = 255


@dataclass(frozen=True)
class Problem:
    """What is to be trained: LeNet on ``data``, by SGD, from ``seed``. The defaults are the chapter's (S20, S22)."""

    data: DataSet
    device: str
    batch_size: int = 256
    lr: float = 0.9
    seed: int = 0


Recipe = Callable[[Problem], Training]
RECIPES: dict[str, Recipe] = {}


def recipe(function: Recipe) -> Recipe:
    """Register a recipe under its function's name."""
    RECIPES[function.__name__] = function
    return function


def describe(name: str) -> str:
    """The first line of a recipe's docstring."""
    return (RECIPES[name].__doc__ or "").strip().partition("\n")[0]


@recipe
def book(problem: Problem) -> Training:
    """The chapter's loop: Dataset and DataLoader, each batch moved to the device, metrics read after each step.

    Images are decoded one by one in this process: worker processes would take cores from the training on a CPU.
    """
    train = ImageDataset(problem.data.train)
    shuffled = DataLoader(train, problem.batch_size, sampler=Shuffle(len(train), problem.seed))
    return _training(problem, shuffled, DataLoader(ImageDataset(problem.data.test), problem.batch_size))


@recipe
def in_memory(problem: Problem) -> Training:
    """The chapter's step on tensors that were decoded and moved to the device before training.

    The whole set in float32 takes 220 MB there.
    """
    order = Shuffle(len(problem.data.train), problem.seed)
    return _training(
        problem,
        DeviceBatches(problem.data.train, problem.device, problem.batch_size, order),
        DeviceBatches(problem.data.test, problem.device, problem.batch_size),
    )


def _training(problem: Problem, train: DataLoader | DeviceBatches, test: DataLoader | DeviceBatches) -> Training:
    model = initial_model(problem.seed).to(problem.device)
    return Training(model, torch.optim.SGD(model.parameters(), lr=problem.lr), train, test)


def initial_model(seed: int) -> nn.Sequential:
    """LeNet on the CPU with parameters drawn from ``seed``; torch's own generator is left as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return initial_lenet()


class Shuffle(Sampler[int]):
    """The positions 0 to n−1 in a new order for each pass; the same ``seed`` gives the same orders."""

    def __init__(self, n: int, seed: int) -> None:
        self._n = n
        self._generator = torch.Generator().manual_seed(seed)

    def __len__(self) -> int:
        return self._n

    def __iter__(self) -> Iterator[int]:
        return iter(self.order().tolist())

    def order(self) -> Tensor:
        """The next order, as an int64 tensor (n,)."""
        return torch.randperm(self._n, generator=self._generator)


class ImageDataset(Dataset[tuple[Tensor, int]]):
    """Labelled images as a Dataset: item ``i`` is a float32 (1, 28, 28) image in [0, 1] and its class."""

    def __init__(self, labelled: Labelled) -> None:
        self._images = torch.tensor(labelled.images)
        self._labels = labelled.labels.tolist()

    def __len__(self) -> int:
        return len(self._labels)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return self._images[index].unsqueeze(0) / WHITE, self._labels[index]


class DeviceBatches:
    """Batches cut from tensors on the device, in the order given by ``shuffle``, or as they lie without one."""

    def __init__(self, labelled: Labelled, device: str, batch_size: int, shuffle: Shuffle | None = None) -> None:
        self._images = torch.tensor(labelled.images).unsqueeze(1).to(device) / WHITE
        self._labels = torch.tensor(labelled.labels).to(device, torch.int64)
        self._batch_size = batch_size
        self._shuffle = shuffle

    def __len__(self) -> int:
        return -(-len(self._labels) // self._batch_size)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        if self._shuffle is None:
            yield from zip(self._images.split(self._batch_size), self._labels.split(self._batch_size), strict=True)
            return
        for chosen in self._shuffle.order().to(self._labels.device).split(self._batch_size):
            yield self._images[chosen], self._labels[chosen]
