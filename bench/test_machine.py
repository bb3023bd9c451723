"""The machine's limits, timed, and what LeNet asks of it, counted (S18)."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from pytest_benchmark.fixture import BenchmarkFixture

from bench import lenet, machine
from bench.places import each_device
from properties.subjects import devices

ROUNDS = 5
SMALL = 64  # where nothing is timed
DTYPES = ("float32", "bfloat16")


@each_device
@pytest.mark.parametrize("dtype", DTYPES)
def test_matrix_product(benchmark: BenchmarkFixture, dtype: str, device: str) -> None:
    """The most FLOP a second: a product of square matrices."""
    kind = getattr(torch, dtype)
    size = machine.affordable_size(device, kind) if benchmark.enabled else SMALL
    run, flop = machine.products(device, kind, size)
    benchmark.group = f"limits of {device}"
    assert benchmark.pedantic(run, rounds=ROUNDS, warmup_rounds=1) > 0
    _about(benchmark, "matrix product", device, flop=flop, dtype=dtype, size=size)


@each_device
def test_copy(benchmark: BenchmarkFixture, device: str) -> None:
    """The most bytes a second, read and written: a copy far beyond any cache."""
    run, moved = machine.copies(device, machine.COPIED if benchmark.enabled else SMALL)
    benchmark.group = f"limits of {device}"
    assert benchmark.pedantic(run, rounds=ROUNDS, warmup_rounds=1) > 0
    _about(benchmark, "copy", device, bytes=moved)


def _about(benchmark: BenchmarkFixture, what: str, device: str, **amounts: Any) -> None:
    benchmark.extra_info.update(
        amounts, kind="machine", what=what, device=device, device_name=devices.describe(device),
        threads=torch.get_num_threads(),
    )  # fmt: skip


def test_a_slow_machine_multiplies_smaller_matrices(monkeypatch: pytest.MonkeyPatch) -> None:
    """The size is the largest that is not too slow, judged by one half as large; a machine that is fast takes all."""
    monkeypatch.setattr(machine, "products", lambda device, dtype, size: (lambda: (size / 1024) ** 3, 2 * size**3))
    assert machine.affordable_size("cpu", torch.float32) == 1024
    monkeypatch.setattr(machine, "products", lambda device, dtype, size: (lambda: 1e-9 * size, 2 * size**3))
    assert machine.affordable_size("cpu", torch.float32) == machine.SIZE


def test_lenets_work() -> None:
    """FLOP by hand: 2·25·6·784, 2·150·16·100 and 2·(48,000 + 10,080 + 840), and back twice but for the images."""
    forward, backward = machine.training_work(lenet.initial_lenet(), torch.zeros(3, 1, 28, 28))
    convolutions, dense = (235_200, 480_000), 117_840
    assert forward.flop == 3 * (sum(convolutions) + dense)
    assert backward.flop == 3 * (convolutions[0] + 2 * (convolutions[1] + dense))


def test_a_layers_work() -> None:
    """A dense layer of 3 to 2 on 5 examples: 60 FLOP; 15 numbers and 8 parameters read, 10 numbers written."""
    forward, backward = machine.layer_work(torch.nn.Linear(3, 2), torch.zeros(5, 3))
    assert forward == machine.Work(60, 4 * (15 + 8 + 10))
    assert backward == machine.Work(120, 4 * (10 + 15 + 15 + 16))
