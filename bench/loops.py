"""LeNet's step with convolutions in Numba's loops (:mod:`bench.loop_kernels`) and dense layers in BLAS."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numba
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bench import loop_kernels
from bench.lenet import Training, count_correct
from bench.loop_kernels import CHUNK

# Idle threads of the other layers look for work for a while, on cores that torch needs for the dense layers.
numba.config.THREADING_LAYER = "workqueue"  # type: ignore[attr-defined]

PADDED, PLANES, MIDDLE, SMALL = 32, 28, 14, 10
"""Sizes of the planes: of the padded image, of the first convolution, of its pool, of the second convolution."""


def _run(kernel: Callable[..., None], *tensors: Tensor) -> None:
    """Call a kernel on the memory of tensors, in as many threads as torch has."""
    numba.set_num_threads(min(torch.get_num_threads(), numba.config.NUMBA_NUM_THREADS))  # type: ignore[attr-defined]
    kernel(*(tensor.detach().numpy() for tensor in tensors))


@dataclass
class Loops(Training):
    """A training whose convolutions, with what follows them up to the pool, are loops; batches in chunks of CHUNK."""

    buffers: dict[str, Tensor] = field(default_factory=dict)

    def _make(self, name: str, *shape: int) -> Tensor:
        """Memory of a shape, kept from step to step; zeros when it is made."""
        if name not in self.buffers or self.buffers[name].shape != shape:
            self.buffers[name] = torch.zeros(shape)
        return self.buffers[name]

    def step(self, images: Tensor, labels: Tensor) -> tuple[float, int, int]:
        """One step, as :meth:`Training.step`."""
        layers: list[Any] = [layer for layer in self.model.modules() if isinstance(layer, nn.Conv2d | nn.Linear)]
        conv1, conv2, *dense = layers
        n, k = len(labels), -(-len(labels) // CHUNK)
        self.optimizer.zero_grad()
        x = self._chunked(images)
        s1, y1 = self._make("s1", k, 6, PLANES, PLANES, CHUNK), self._make("y1", k, 6, MIDDLE, MIDDLE, CHUNK)
        s2, y2 = self._make("s2", k, 16, SMALL, SMALL, CHUNK), self._make("y2", k, 16, 5, 5, CHUNK)
        _run(loop_kernels.convolution(), x, conv1.weight, conv1.bias, s1, y1)
        _run(loop_kernels.convolution(), y1, conv2.weight, conv2.bias, s2, y2)
        features = y2.view(k, 400, CHUNK).transpose(0, 1).reshape(400, k * CHUNK).requires_grad_()
        logits = self._head(features, dense)[:n]
        loss = F.cross_entropy(logits, labels)
        self.lap("forward")
        loss.backward()
        assert features.grad is not None
        to_y2 = features.grad.view(400, k, CHUNK).transpose(0, 1).contiguous().view(k, 16, 5, 5, CHUNK)
        to_y1 = self._make("to y1", *y1.shape)
        g2 = self._through_pool("2", to_y2, s2, conv2)
        self._to_weight("2", g2, y1, conv2)
        _run(loop_kernels.input_gradient(6, 16, SMALL), g2, conv2.weight, to_y1)
        g1 = self._through_pool("1", to_y1, s1, conv1)
        self._to_weight("1", g1, x, conv1)
        self.lap("backward")
        self.optimizer.step()
        self.lap("step")
        with torch.no_grad():
            metrics = float(loss) * n, int(count_correct(logits, labels)), n
        self.lap("metrics")
        return metrics

    def _chunked(self, images: Tensor) -> Tensor:
        """Images (N, 1, 28, 28) as (K, 1, 32, 32, CHUNK), in a frame of two zeros; zeros fill up the last chunk."""
        n, k = len(images), -(-len(images) // CHUNK)
        filled = F.pad(images, (0,) * 7 + (k * CHUNK - n,)) if n % CHUNK else images
        x = self._make("x", k, 1, PADDED, PADDED, CHUNK)
        x[:, :, 2:-2, 2:-2] = filled.view(k, CHUNK, 1, PLANES, PLANES).permute(0, 2, 3, 4, 1)
        self.lap("moving")
        return x

    @staticmethod
    def _head(x: Tensor, dense: list[nn.Linear]) -> Tensor:
        """Logits (N, 10) of features (400, N): the batch stays innermost."""
        *hidden, last = dense
        for layer in hidden:
            x = torch.sigmoid(torch.addmm(layer.bias[:, None], layer.weight, x))
        return torch.addmm(last.bias[:, None], last.weight, x).t()

    def _through_pool(self, place: str, to_y: Tensor, s: Tensor, conv: nn.Conv2d) -> Tensor:
        """The gradient to a convolution's outputs; what of it goes to the bias is stored there."""
        g, to_b = self._make(f"g{place}", *s.shape), self._make(f"to b{place}", *s.shape[:2])
        _run(loop_kernels.pool_gradient(), to_y, s, g, to_b)
        assert conv.bias is not None
        conv.bias.grad = to_b.sum(dim=0)
        return g

    def _to_weight(self, place: str, g: Tensor, x: Tensor, conv: nn.Conv2d) -> None:
        to_w = self._make(f"to w{place}", len(g), *conv.weight.shape)
        _run(loop_kernels.weight_gradient(), g, x, to_w)
        conv.weight.grad = to_w.sum(dim=0)
