"""How the cost grows with the work: batch size, threads, image size. Other problems than the book's, each labelled.

And what a report costs as evidence grows, to that of a search of a week.
"""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from pytest_benchmark.fixture import BenchmarkFixture
from torch import nn

from bench import lenet, machine, recipes
from bench.places import each_device
from properties.subjects import devices
from properties.subjects.environment import ROOT
from reports.tests import fake_run

ROUNDS = 5
EXAMPLES = 4096  # a round sees as many in any batch size
BATCHES = (64, 256, 1024, 4096)
SIZES = (28, 56, 112)
SIZED_BATCH = 32
_PEAK = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024)
"""
"""Runs a command and prints its peak in MiB. A child's peak is at least its parent's size, so a small parent asks."""
ROWS = (10_000, 100_000, 1_000_000)
THREADS = [n for n in (1, 2, 4, 8, 16, 32, 64) if n < torch.get_num_threads()] + [torch.get_num_threads()]


@each_device
@pytest.mark.parametrize("batch_size", BATCHES)
def test_batch_size(benchmark: BenchmarkFixture, batch_size: int, device: str) -> None:
    """The plain step on as many random images, in batches of 64 to 4,096."""
    training = _training(28, device)
    images, labels = _random(EXAMPLES if benchmark.enabled else batch_size, 28, device)
    _grow(benchmark, training, images, labels, batch_size, "batch size", batch_size)


@pytest.mark.parametrize("threads", THREADS)
def test_threads(benchmark: BenchmarkFixture, threads: int) -> None:
    """The plain step on the CPU in batches of 256, on one thread up to all."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        images, labels = _random(1024, 28, "cpu")
        _grow(benchmark, _training(28, "cpu"), images, labels, 256, "threads", threads)
    finally:
        torch.set_num_threads(before)


@each_device
@pytest.mark.parametrize("size", SIZES)
def test_image_size(benchmark: BenchmarkFixture, size: int, device: str) -> None:
    """The plain step on square images of 28 to 112 pixels a side; the first dense layer takes what there is."""
    images, labels = _random(SIZED_BATCH, size, device)
    _grow(benchmark, _training(size, device), images, labels, SIZED_BATCH, "image size", size)


def _training(size: int, device: str) -> lenet.Training:
    net = recipes.initial_model(0)
    net[7] = nn.Linear(16 * ((size // 2 - 4) // 2) ** 2, 120)
    net.to(device)
    # A small rate: labels are random, and a large one makes the loss of large images overflow.
    return lenet.Training(net, torch.optim.SGD(net.parameters(), lr=0.01), [], [])


def _random(n: int, size: int, device: str) -> tuple[torch.Tensor, torch.Tensor]:
    draw = torch.Generator().manual_seed(0)
    images = torch.rand(n, 1, size, size, generator=draw)
    return images.to(device), torch.randint(10, (n,), generator=draw).to(device)


def _grow(
    benchmark: BenchmarkFixture, training: lenet.Training, images: Any, labels: Any, batch: int, axis: str, value: int
) -> None:
    def run() -> float:
        batches = zip(images.split(batch), labels.split(batch), strict=True)
        return [training.step(*pair)[0] for pair in batches][-1]

    benchmark.group = f"cost as work grows on {training.device.type}: {axis}"
    training.step(images[:batch], labels[:batch])  # to warm up: a round may have 64 times as many
    loss = benchmark.pedantic(run, rounds=ROUNDS)
    assert 0 < loss < float("inf")
    forward, backward = machine.training_work(training.model, images[:1])
    benchmark.extra_info.update(
        kind="growth",
        axis=axis,
        value=value,
        other=f"another problem: {axis} {value}",
        device=training.device.type,
        device_name=devices.describe(training.device.type),
        threads=torch.get_num_threads(),
        batch_size=batch,
        examples_per_round=len(labels),
        flop_per_example=(forward + backward).flop,
        dataset="random images",
    )


@pytest.mark.parametrize("rows", ROWS)
def test_report(benchmark: BenchmarkFixture, rows: int, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """A report of so many made-up checks, in a process of its own: its time, its memory, and what it writes."""
    if not benchmark.enabled or request.config.getoption("--ladder") != "full":
        pytest.skip("not run (in the full ladder: tox run -e bench-full)")
    evidence = fake_run.write_run(tmp_path, [fake_run.header(), *itertools.islice(_checks(), rows), fake_run.END])
    command = [sys.executable, "-m", "reports", "build", "--evidence", str(evidence), "--output", str(tmp_path)]
    peaks: list[int] = []

    def build() -> None:
        told = subprocess.run([sys.executable, "-c", _PEAK, *command], cwd=ROOT, stdout=subprocess.PIPE, check=True)
        peaks.append(int(told.stdout))

    benchmark.pedantic(build, rounds=3 if rows < max(ROWS) else 1)
    results = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))
    benchmark.extra_info.update(
        kind="report growth",
        rows=rows,
        evidence_bytes=evidence.stat().st_size,
        peak_mib=max(peaks),
        page_bytes=(tmp_path / "index.html").stat().st_size,
        results_bytes=(tmp_path / "results.json").stat().st_size,
        folded=sum(len(entry["checks"]) for entry in results["folded"]),
    )


def _checks() -> Iterator[str]:
    """Lines of checks without end: 53,550 for each copy of seventeen subjects."""
    for copy in itertools.count():
        for row in fake_run.full_results(every_pair=True):
            subject = f"{row['subject']}-machine-{copy}"
            yield json.dumps({**row, "subject": subject, "test": f"test_law.py::test[{row['operator']}-{subject}]"})
