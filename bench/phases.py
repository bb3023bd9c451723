"""Where a training's time goes: loading, moving, forward, backward, step, metrics."""

from __future__ import annotations

import time
from itertools import islice

from bench.lenet import Training
from properties.subjects import devices

LOADING = "loading"


def measure_phases(training: Training, steps: int) -> dict[str, list[float]]:
    """The seconds of each phase in each of ``steps`` steps within one epoch, the device waited for after every phase.

    A step whose phases are not apart, being one graph, has them under one name, such as "whole step".
    """
    device = training.device.type
    found: dict[str, list[float]] = {}
    last = time.perf_counter()

    def lap(phase: str) -> None:
        nonlocal last
        devices.synchronize(device)
        now = time.perf_counter()
        found.setdefault(phase, []).append(now - last)
        last = now

    before, training.lap = training.lap, lap
    try:
        training.model.train()
        for images, labels in islice(training.train_batches, steps):
            lap(LOADING)
            training.step(images, labels)
            last = time.perf_counter()
    finally:
        training.lap = before
    return found
