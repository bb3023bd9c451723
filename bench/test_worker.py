"""The suite's own cost: a crash, a call through a worker, and the cases that it tries in a second."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median
from typing import Any

import pytest
import torch
from pytest_benchmark.fixture import BenchmarkFixture

from bench import measure, worker
from properties.engine.sandbox import Sandbox
from properties.subjects.workers import Workers

RESTARTS, ROUNDS, SEARCHES = 10, 25, 5
CASES = 100  # enough that what a search costs once does not count
clock = measure.Recorded()
pytestmark = pytest.mark.benchmark(timer=clock, group="the suite itself")


@pytest.fixture(scope="module")
def workers() -> Iterator[Workers]:
    """Workers that have answered once, beside a process with as many threads."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    pool = Workers()
    pool.run(worker.SMALL)
    yield pool
    pool.close()
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    """A sandbox like that of a run."""
    made = Sandbox()
    yield made
    made.close()


def test_restart(benchmark: BenchmarkFixture, workers: Workers) -> None:
    """A crash and the answer of the worker that takes over."""
    rounds = RESTARTS if benchmark.enabled else 1
    samples = [worker.restart(workers) for _ in range(rounds)]
    record(benchmark, samples, restart_ms=1e3 * median(samples))


def test_call(benchmark: BenchmarkFixture, workers: Workers) -> None:
    """What a worker adds to the same call in this process."""
    found = worker.calls(workers, ROUNDS if benchmark.enabled else 1)
    added = [there - here for there, here in zip(found["worker"], found["here"], strict=True)]
    record(benchmark, found["worker"], call_overhead_ms=1e3 * median(added))


def test_cases(benchmark: BenchmarkFixture, sandbox: Sandbox) -> None:
    """Cases of conv2d's agreement in a second, each drawn once and judged in both tiers, and where their time goes."""
    rounds, cases = (SEARCHES, CASES) if benchmark.enabled else (1, 5)
    sandbox.run(worker.search, 5, rounds + 1)  # the loops are loaded, and torch has computed
    samples = [sandbox.run(worker.search, cases, turn) for turn in range(rounds)]
    shares = sandbox.run(worker.shares, 2 * cases, rounds)
    assert set(shares) == set(worker.PARTS)
    # The drawing is what is left, and no measurement of its own.
    assert min(shares[part] for part in ("reference", "comparison", "torch")) > 0.0
    record(benchmark, samples, cases_per_second=1 / median(samples), shares=shares)


def record(benchmark: BenchmarkFixture, samples: list[float], **figures: Any) -> None:
    """Hand the seconds that were measured to pytest-benchmark."""
    clock.load(samples)
    benchmark.pedantic(clock.replay, rounds=len(samples))
    benchmark.extra_info.update(figures, kind="worker", subject=str(worker.SUBJECT))
