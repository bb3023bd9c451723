"""LeNet's training, timed (S22–S24). Each benchmark shows that it trained; none asserts a time."""

from __future__ import annotations

import math
from statistics import mean, stdev
from typing import Any

import pytest
import torch
from pytest_benchmark.fixture import BenchmarkFixture

from bench import ladder, lenet, measure, recipes
from bench.fashion_mnist import NAME, DataSet
from bench.ladder import Ladder
from bench.lenet import Report, Training, train_ch6
from properties.subjects import devices

EPOCHS = 10
# Rounds, steps a round, and seconds after which no round is begun; what is disabled is only shown to work.
LADDERS = {"short": (10, 20, 60.0), "full": (30, 60, 900.0), "disabled": (1, 2, 60.0)}
SHORT = ("book", "in_memory", "channels_last", "compiled_step", "loops", "reduce_overhead", "cuda_graph")
SEEDS = 10
MOST_DEVIATIONS = 3.0
EPOCH_ROUNDS = 5
clock = measure.Recorded()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Recipes of the ladder that was asked for, on each device; more ten epochs in the full one."""
    full = metafunc.config.getoption("--ladder") == "full"
    chosen = [name for name in recipes.RECIPES if full or name in SHORT]
    if {"recipe", "seed"} <= set(metafunc.fixturenames):
        runs = [(name, 0) for name in chosen] if full else [("book", 0)]
        runs[1:1] = [("book", seed) for seed in range(1, SEEDS)] if full else []
        places = [
            _on(name, device, seed) for device in devices.known() for name, seed in runs if _belongs(name, device)
        ]
        metafunc.parametrize("recipe, device, seed", places)
    elif metafunc.definition.name == "test_epoch" and not full:
        metafunc.parametrize("recipe, device", [("per_core", "cpu")])  # one line that says where the others are
    elif "recipe" in metafunc.fixturenames:
        pairs = [_on(name, device) for device in devices.known() for name in chosen if _belongs(name, device)]
        metafunc.parametrize("recipe, device", pairs)


def _belongs(name: str, device: str) -> bool:
    return recipes.RECIPES[name].only in (None, device)


def _on(name: str, device: str, *more: int) -> Any:
    """A recipe on a device; reported as not run where it cannot be."""
    absence = recipes.RECIPES[name].absence(device)
    marks = [pytest.mark.skip(reason=f"not run ({absence})")] if absence else []
    return pytest.param(name, device, *more, marks=marks)


@pytest.fixture(scope="session")
def climbed(request: pytest.FixtureRequest, data: DataSet, announce: list[str]) -> Any:
    """The ladder on a device, measured once, with the recipes whose tests were selected."""
    found: dict[str, Ladder] = {}
    enabled = not request.config.getoption("benchmark_disable")
    rounds, steps, patience = LADDERS[request.config.getoption("--ladder") if enabled else "disabled"]
    selected = [
        item.callspec.params
        for item in request.session.items
        if isinstance(item, pytest.Function) and item.originalname == "test_training"
    ]

    def get(device: str) -> Ladder:
        if device not in found:
            names = [str(p["recipe"]) for p in selected if p["device"] == device]
            names = [name for name in names if not recipes.RECIPES[name].absence(device)]
            names = [name for name in names if enabled or not recipes.RECIPES[name].compiled]
            found[device] = ladder.climb(recipes.Problem(data, device), names, rounds, steps, patience)
            announce.extend(_lines(found[device]))
        return found[device]

    return get


@pytest.mark.benchmark(timer=clock)
def test_training(benchmark: BenchmarkFixture, climbed: Any, recipe: str, device: str) -> None:
    """Throughput: rounds of steps with their loading, interleaved with those of all other recipes."""
    if not benchmark.enabled and recipes.RECIPES[recipe].compiled:
        pytest.skip("not run (benchmarks are disabled; test_recipes.py takes its first step)")
    measured: Ladder = climbed(device)
    rung = measured.rungs[recipe]
    if rung.refused:
        raise rung.refused
    problem = measured.problem
    steps = round(len(rung.losses) / len(rung.seconds))
    benchmark.group = f"LeNet training on {device}, {steps} steps of {problem.batch_size}"
    clock.load(rung.seconds)
    benchmark.pedantic(clock.replay, rounds=len(rung.seconds))

    assert rung.training is not None
    _assert_trained(rung.training, rung.losses, problem.seed)
    benchmark.extra_info.update(
        _about(problem, recipe) | measured.about(recipe),
        kind="training",
        steps=steps,
        examples_per_round=rung.examples,
        examples_per_second=rung.rates,
        loss_first=rung.losses[0],
        loss_last=rung.losses[-1],
        systems=["S22", "S23"],
    )


def _lines(measured: Ladder) -> list[str]:
    """The ladder as it is shown at the end of the run."""
    lines = [f"{measured.problem.device}, in wall time beside book, noise floor {measured.floor:.3f}:"]
    for name, rung in measured.rungs.items():
        if rung.seconds and name in recipes.RECIPES:
            about, other = measured.about(name), recipes.RECIPES[name].other
            over = about["over_book"]
            rate = rung.examples / float(torch.tensor(rung.seconds).median())
            lines.append(
                f"  {name:<15} {rate:8,.0f} examples/s  {over['median']:.2f} [{over['low']:.2f}, {over['high']:.2f}]  "
                f"{over['verdict']}, {about['share_of_peak']:.0%} of the peak{f' ({other})' if other else ''}"
            )
    warning = measured.conditions.warning
    return [*lines, f"  warning: {warning}"] if warning else lines


@pytest.mark.benchmark(timer=clock)
def test_epoch(
    benchmark: BenchmarkFixture, data: DataSet, request: pytest.FixtureRequest, recipe: str, device: str
) -> None:
    """Wall time of a whole epoch: loading, metrics and the test accuracy in; in the full ladder."""
    if not benchmark.enabled or request.config.getoption("--ladder") != "full":
        pytest.skip("not run (in the full ladder: tox run -e bench-full)")
    problem = recipes.Problem(data, device)
    found = ladder.epochs(problem, [recipe], EPOCH_ROUNDS)
    benchmark.group = f"LeNet epoch on {device}"
    clock.load(found[recipe])
    benchmark.pedantic(clock.replay, rounds=EPOCH_ROUNDS)
    over = vars(measure.ratio(found["book"], found[recipe]))
    about = {"kind": "epoch", "over_book": over, "other": recipes.RECIPES[recipe].other, "examples": len(data.train)}
    benchmark.extra_info.update(_about(problem, recipe), **about)


@pytest.fixture(scope="session")
def books() -> dict[str, list[dict[str, float]]]:
    """How the book's loop ended after ten epochs on each device, seed by seed, as far as it ran."""
    return {}


def test_ten_epochs(
    benchmark: BenchmarkFixture,
    data: DataSet,
    announce: list[str],
    books: dict[str, list[dict[str, float]]],
    recipe: str,
    device: str,
    seed: int,
) -> None:
    """The chapter's result (S24): ten epochs, once; the rate is the book's figure."""
    if not benchmark.enabled:
        pytest.skip("not run (benchmarks are disabled; test_lenet.py trains for a while)")
    problem = recipes.Problem(data, device, seed=seed)
    training = recipes.RECIPES[recipe](problem)
    benchmark.group = f"LeNet training on {device}, {EPOCHS} epochs"
    try:
        report = benchmark.pedantic(train_ch6, args=(training, EPOCHS), rounds=1)
    finally:
        training.close()

    _assert_trained(training, [point["loss"] for point in report.history], problem.seed)
    # Ten epochs of the sample are too few steps to leave the plateau on which sigmoids start.
    learns = data.name == NAME
    assert not learns or report.final["loss"] < math.log(10), "no better than guessing among ten classes"
    known = books.setdefault(device, [])
    if recipe == "book":
        known.append(report.final)
    elif len(known) == SEEDS:
        assert_ends_alike(report.final, known)
    announce += [f"{EPOCHS} epochs of the {data.name}, recipe {recipe}, seed {seed}:", *str(report).splitlines()]
    benchmark.extra_info.update(_about(problem, recipe), **_ten_epochs(report, len(training.train_batches), data))
    if (recipe, seed) == ("book", 0):
        benchmark.extra_info["feature_maps"] = lenet.feature_maps(training.model, data.test)


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


def test_where_ten_epochs_end() -> None:
    """Three deviations from the book's mean are within its spread, more are not, whatever the figure."""
    books = [{"loss": 0.46 + 0.01 * i, "train_acc": 0.82, "test_acc": 0.8 + 0.01 * i} for i in range(3)]
    assert_ends_alike({"loss": 0.4999, "train_acc": 0.82, "test_acc": 0.7801}, books)
    for name, value in {"loss": 0.5001, "train_acc": 0.83, "test_acc": 0.7799}.items():
        with pytest.raises(AssertionError, match=rf"{name} is .* after ten epochs, and 0\."):
            assert_ends_alike({**books[1], name: value}, books)


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


def assert_ends_alike(final: dict[str, float], books: list[dict[str, float]]) -> None:
    """Raise AssertionError unless a training ended within the spread of the book's loop over seeds."""
    for name in ("loss", "train_acc", "test_acc"):
        values = [book[name] for book in books]
        middle, most = mean(values), MOST_DEVIATIONS * stdev(values)
        assert abs(final[name] - middle) <= most, (
            f"{name} is {final[name]:.4f} after ten epochs, and {middle:.4f} ± {most:.4f} by the book's loop"
        )


def _assert_trained(training: Training, losses: list[float], seed: int) -> None:
    """A figure is worth nothing if nothing was trained."""
    assert all(map(math.isfinite, losses)), f"a loss is not finite: {losses}"
    before = recipes.initial_model(seed).state_dict()
    for name, after in training.model.state_dict().items():
        assert not torch.equal(after.cpu(), before[name]), f"{name} did not change"
        assert after.isfinite().all(), f"{name} is not finite"
