"""LeNet's training, timed (S22–S24). Each benchmark shows that it trained; none asserts a time."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from pytest_benchmark.fixture import BenchmarkFixture

from bench import recipes
from bench.fashion_mnist import NAME, DataSet
from bench.lenet import Report, Steps, Training, run_steps, train_ch6
from properties import devices

STEPS = 40
ROUNDS = 8
WARMUP_ROUNDS = 1
EPOCHS = 10


def _each_device() -> list[Any]:
    """Every known device; those that are absent are reported as not run."""
    return [
        pytest.param(name, marks=pytest.mark.skip(reason=f"not run ({absence})"))
        if (absence := devices.absence(name))
        else name
        for name in devices.known()
    ]


each_device = pytest.mark.parametrize("device", _each_device())


@each_device
@pytest.mark.parametrize("recipe", recipes.RECIPES)
def test_training(benchmark: BenchmarkFixture, data: DataSet, recipe: str, device: str) -> None:
    """Throughput: a round is 40 steps of a fresh model, with the batching, ended by waiting for the device."""
    problem = recipes.Problem(data, device)
    taken: list[Steps] = []
    trained: list[Training] = []

    def fresh() -> tuple[tuple[Training], dict[str, Any]]:
        trained[:] = [recipes.RECIPES[recipe](problem)]
        return (trained[0],), {}

    def measured(training: Training) -> None:
        taken.append(run_steps(training, STEPS))
        devices.synchronize(device)

    benchmark.group = f"LeNet training on {device}, {STEPS} steps of {problem.batch_size}"
    benchmark.pedantic(measured, setup=fresh, rounds=ROUNDS, warmup_rounds=WARMUP_ROUNDS)

    rounds = taken[WARMUP_ROUNDS : WARMUP_ROUNDS + ROUNDS] or taken  # one, and no warm-up, if benchmarks are disabled
    _assert_trained(trained[0], rounds[-1].losses, problem.seed)
    benchmark.extra_info.update(
        _about(problem, recipe),
        kind="training",
        steps=STEPS,
        examples_per_round=rounds[-1].examples,
        examples_per_second=[steps.examples_per_second for steps in rounds],
        loss_first=rounds[-1].losses[0],
        loss_last=rounds[-1].losses[-1],
        systems=["S22", "S23"],
    )


@each_device
def test_ten_epochs(benchmark: BenchmarkFixture, data: DataSet, announce: list[str], device: str) -> None:
    """The chapter's result (S24): ten epochs of its loop from seed 0, once; the rate is the book's figure."""
    if not benchmark.enabled:
        pytest.skip("not run (benchmarks are disabled; test_lenet.py trains for a while)")
    problem = recipes.Problem(data, device)
    training = recipes.book(problem)
    benchmark.group = f"LeNet training on {device}, {EPOCHS} epochs"
    report = benchmark.pedantic(train_ch6, args=(training, EPOCHS), rounds=1)

    _assert_trained(training, [point["loss"] for point in report.history], problem.seed)
    # Ten epochs of the sample are too few steps to leave the plateau on which sigmoids start.
    learns = data.name == NAME
    assert not learns or report.final["loss"] < math.log(10), "no better than guessing among ten classes"
    announce += [f"{EPOCHS} epochs of the {data.name}, book recipe:", *str(report).splitlines()]
    benchmark.extra_info.update(_about(problem, "book"), **_ten_epochs(report, len(training.train_batches), data))


def _ten_epochs(report: Report, batches: int, data: DataSet) -> dict[str, Any]:
    return {
        "kind": "ten-epochs",
        "epochs": EPOCHS,
        "steps": EPOCHS * batches,
        "examples_per_round": EPOCHS * len(data.train),
        "examples_per_second": [report.examples_per_second],
        "loss_first": report.history[0]["loss"],
        "loss_last": report.history[-1]["loss"],
        "history": report.history,
        "final": report.final,
        "wall_seconds_per_epoch": report.wall_seconds,
        "systems": ["S18", "S19", "S20", "S21", "S22", "S23", "S24"],
    }


def _about(problem: recipes.Problem, recipe: str) -> dict[str, Any]:
    return {
        "recipe": recipe,
        "recipe_doc": recipes.describe(recipe),
        "device": problem.device,
        "device_name": devices.describe(problem.device),
        "dataset": problem.data.name,
        "dataset_note": problem.data.note,
        "batch_size": problem.batch_size,
        "seed": problem.seed,
        "threads": torch.get_num_threads(),
    }


def _assert_trained(training: Training, losses: list[float], seed: int) -> None:
    """A figure is worth nothing if nothing was trained."""
    assert all(map(math.isfinite, losses)), f"a loss is not finite: {losses}"
    before = recipes.initial_model(seed).state_dict()
    for name, after in training.model.state_dict().items():
        assert not torch.equal(after.cpu(), before[name]), f"{name} did not change"
        assert after.isfinite().all(), f"{name} is not finite"
