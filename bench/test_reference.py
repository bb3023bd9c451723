"""The references' loops, timed beside the chapter's own loop in torch (S4, S15), and one training step of LeNet.

Compared within a group; a result is checked before it is timed, and that first call compiles the loops.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from pytest_benchmark.fixture import BenchmarkFixture

from bench import chapter
from properties.images import idx
from refimpl import convolution, lenet, pooling

WINDOW = (5, 5)
BATCH = 256
LR = 0.9
LOOPS, CHAPTER = "loops", "chapter's torch loop"

# An image whose pixels the window's size divides, and a kernel of small integers: float32 and float64 are both
# exact on them, the mean too, so the results are equal, not close.
IMAGE = idx.sample().test.images[0] * float(np.prod(WINDOW))
KERNEL = np.arange(np.prod(WINDOW), dtype=float).reshape(WINDOW) - 12

# Name: system, the loops, the chapter's loop, and what both take after the image.
OPERATIONS: dict[str, tuple[str, Callable[..., Any], Callable[..., Any], tuple[Any, ...]]] = {
    "corr2d": ("S4", convolution.corr2d, chapter.corr2d, (KERNEL,)),
    "max pool2d": ("S15", pooling.pool2d, chapter.pool2d, (WINDOW, "max")),
    "mean pool2d": ("S15", pooling.pool2d, chapter.pool2d, (WINDOW, "avg")),
}


@pytest.mark.parametrize("implementation", [LOOPS, CHAPTER])
@pytest.mark.parametrize("operation", OPERATIONS)
def test_reference(benchmark: BenchmarkFixture, operation: str, implementation: str) -> None:
    """One 28×28 image under a 5×5 window, in the loops and in the chapter's loop, which give the same."""
    system, loops, chapters, arguments = OPERATIONS[operation]
    operands = (IMAGE, *arguments)
    tensors = tuple(_as_tensor(operand) for operand in operands)
    np.testing.assert_array_equal(loops(*operands), chapters(*tensors).numpy())

    benchmark.group = f"{operation}, 28×28, k=5"
    if implementation == LOOPS:
        benchmark(loops, *operands)
    else:
        benchmark(chapters, *tensors)
    benchmark.extra_info.update(_about(operation, implementation, "28×28, k=5", [system]))


def test_lenet_step(benchmark: BenchmarkFixture) -> None:
    """One step of SGD on LeNet, in the loops, on 256 real images and one core."""
    train = idx.sample().train
    batch: NDArray[np.float64] = train.images[:BATCH, None] / 255
    before = lenet.initial_parameters(0)
    lenet.step(before, batch[:1], train.labels[:1], LR)  # compile

    benchmark.group = f"LeNet step, batch {BATCH}"
    after, loss = benchmark.pedantic(lenet.step, args=(before, batch, train.labels[:BATCH], LR), rounds=5)

    assert np.isfinite(loss)
    assert all((after[name] != before[name]).any() for name in before)
    benchmark.extra_info.update(_about("lenet step", LOOPS, f"batch {BATCH}", ["S18", "S20", "S23"]))


def _as_tensor(operand: Any) -> Any:
    return torch.tensor(operand, dtype=torch.float32) if isinstance(operand, np.ndarray) else operand


def _about(operation: str, implementation: str, shape: str, systems: list[str]) -> dict[str, Any]:
    return {
        "kind": "reference",
        "operation": operation,
        "implementation": implementation,
        "shape": shape,
        "systems": systems,
    }
