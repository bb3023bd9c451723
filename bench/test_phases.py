"""Where the time of a step goes (S23)."""

from __future__ import annotations

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from bench import measure, phases, recipes
from bench.fashion_mnist import DataSet
from bench.places import each_device
from properties.subjects import devices

STEPS = 20
SHOWN = ("book", "in_memory", "channels_last")
clock = measure.Recorded()


@each_device
@pytest.mark.parametrize("recipe", SHOWN)
@pytest.mark.benchmark(timer=clock)
def test_phases(benchmark: BenchmarkFixture, data: DataSet, recipe: str, device: str) -> None:
    """Loading, moving, forward, backward, step and metrics of steps of one epoch; a round is a step."""
    training = recipes.RECIPES[recipe](recipes.Problem(data, device))
    phases.measure_phases(training, 2)
    found = phases.measure_phases(training, STEPS if benchmark.enabled else 2)
    totals = [sum(parts) for parts in zip(*found.values(), strict=True)]
    assert list(found) == ["loading", "moving", "forward", "backward", "step", "metrics"]
    assert min(totals) > 0
    benchmark.group = f"phases of a step on {device}"
    clock.load(totals)
    benchmark.pedantic(clock.replay, rounds=len(totals))
    benchmark.extra_info.update(
        kind="phases", recipe=recipe, device=device, device_name=devices.describe(device), dataset=data.name,
        phases=found, systems=["S23"],
    )  # fmt: skip
