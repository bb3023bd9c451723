"""LeNet in tinygrad: the whole step under ``TinyJit``."""

from __future__ import annotations

import numpy as np
from tinygrad import Tensor, TinyJit

from refimpl.arrays import Array
from refimpl.lenet import PARAMETER_SHAPES


class TinygradLeNet:
    """LeNet (S18) and its step (S20)."""

    def __init__(self, parameters: dict[str, Array], lr: float) -> None:
        assert set(parameters) == set(PARAMETER_SHAPES)
        self._p = {name: Tensor(p.astype(np.float32)).realize() for name, p in parameters.items()}
        self._lr = lr
        self._step = TinyJit(self._one_step)
        self._forward = TinyJit(lambda images: self._logits(images).realize())

    def step(self, images: Array, labels: Array) -> float:
        """One step of SGD; the mean loss before it."""
        return float(self._step(Tensor(images).realize(), Tensor(labels.astype(np.int32)).realize()).item())

    def logits(self, images: Array) -> Array:
        """The forward pass."""
        return self._forward(Tensor(images).realize()).numpy()

    def _one_step(self, images: Tensor, labels: Tensor) -> Tensor:
        """Gradients are asked for as values, so that the step holds no state that a replay would miss."""
        loss = self._logits(images).sparse_categorical_crossentropy(labels)
        names = list(self._p)
        gradients = loss.gradient(*(self._p[name] for name in names))
        stepped = [self._p[name] - self._lr * g for name, g in zip(names, gradients, strict=True)]
        return loss.realize(*(self._p[name].assign(new.detach()) for name, new in zip(names, stepped, strict=True)))

    def _logits(self, x: Tensor) -> Tensor:
        p = self._p
        x = x.conv2d(p["0.weight"], p["0.bias"], padding=2).sigmoid().avg_pool2d((2, 2))
        x = x.conv2d(p["3.weight"], p["3.bias"]).sigmoid().avg_pool2d((2, 2)).flatten(1)
        for layer in ("7", "9"):
            x = x.linear(p[f"{layer}.weight"].T, p[f"{layer}.bias"]).sigmoid()
        return x.linear(p["11.weight"].T, p["11.bias"])
