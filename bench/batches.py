"""Batches of Fashion-MNIST (S22): by Dataset and DataLoader as in the chapter, or cut from tensors on the device."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.utils.data import Dataset, Sampler

from properties.images.idx import Labelled

WHITE = 255


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
