"""Two torches side by side: the layers of known networks and LeNet's step, ``tox run -e bench-versions``."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from pytest_benchmark.fixture import BenchmarkFixture

from bench import measure, real_layers, side_by_side, timed
from bench.measure import NOT_JUDGED
from bench.real_layers import Cell
from bench.side_by_side import AGAIN, DIFFERENT, NEWER, OLDER, Clock, Judged, TimingError
from bench.timed import Timed
from properties.cases.networks import NETWORKS
from properties.subjects import devices

ROUNDS, PATIENCE = 15, 6.0
DTYPES = ("float32", "bfloat16")
BATCH = 256
CALLS = {timed.LENET: ("LeNet", timed.LENET, Timed(timed.LENET, {"input": [BATCH, 1, 28, 28]}))} | {
    f"{network} {real_layers.name(layer)} {direction} {dtype}": (
        network,
        real_layers.name(layer),
        real_layers.described(layer, Cell(direction, dtype, channels_last=False, compiled=False)),
    )
    for network, layer in real_layers.layers()
    for direction in real_layers.DIRECTIONS
    for dtype in DTYPES
}
NULL = {label: call for label, (network, _, call) in CALLS.items() if network == "LeNet" and call.dtype == "float32"}
"""What is timed of one torch and itself: LeNet's layers and its step, which take little time."""
NULL_ROUNDS = 10
clock = measure.Recorded()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Every call where another torch was named; else one line that says where they are."""
    if "label" in metafunc.fixturenames:
        ascii = str.maketrans("×→'", "x-_")
        labels = list(CALLS) if metafunc.config.getoption("--other-python") else [timed.LENET]
        metafunc.parametrize("label", [pytest.param(label, id=label.translate(ascii)) for label in labels])


@pytest.fixture(scope="module")
def raced(request: pytest.FixtureRequest, announce: list[str]) -> dict[str, Any]:
    """What was selected, timed in both torches, and judged together."""
    tests = [item for item in request.session.items if isinstance(item, pytest.Function)]
    labels = [str(item.callspec.params["label"]) for item in tests if item.originalname == "test_versions"]
    other = request.config.getoption("--other-python")
    with Clock(other) as asked:
        pythons = side_by_side.in_order((sys.executable, torch.__version__), (other, asked.torch))
    watch = measure.Watch()
    calls = {label: CALLS[label][2] for label in labels}
    found, versions = side_by_side.settled(pythons[0], pythons[1], calls, ROUNDS, PATIENCE)
    conditions = watch.conditions()
    verdicts = side_by_side.judged(side_by_side.measured(found), busy=conditions.warning is not None)
    announce += [f"torch {versions[1]} beside {versions[0]}, {len(verdicts)} calls compared:"]
    announce += [f"  {label}: {_told(own)}" for label, own in verdicts.items() if own.word in DIFFERENT]
    announce += [f"  {NOT_JUDGED} ({conditions.warning})"] if conditions.warning else []
    return {"seconds": found, "verdicts": verdicts, "versions": versions, "conditions": conditions.as_dict()}


def _told(own: Judged) -> str:
    ratio = own.over_older
    return f"{own.word}, {ratio.median:.2f} × the time [{ratio.low:.2f}, {ratio.high:.2f}], p {own.p:.2g}"


@pytest.mark.benchmark(timer=clock)
def test_versions(benchmark: BenchmarkFixture, request: pytest.FixtureRequest, label: str) -> None:
    """A call in the newer torch, and its time as a multiple of that in the older."""
    if not benchmark.enabled or not request.config.getoption("--other-python"):
        pytest.skip("not run (tox run -e bench-versions)")
    raced = request.getfixturevalue("raced")
    seconds = raced["seconds"][label]
    if isinstance(seconds, TimingError):
        pytest.skip(f"not run ({seconds})")
    network, layer, call = CALLS[label]
    own, (older, newer) = raced["verdicts"][label], raced["versions"]
    benchmark.group = f"torch {newer} beside {older}"
    clock.load(seconds[NEWER])
    benchmark.pedantic(clock.replay, rounds=len(seconds[NEWER]))
    benchmark.extra_info.update(
        kind="versions",
        network=network,
        layer_name=layer,
        direction="step" if label == timed.LENET else call.direction,
        dtype=call.dtype,
        older=older,
        newer=newer,
        device="cpu",
        device_name=devices.describe("cpu"),
        batch_size=call.shapes["input"][0],
        older_seconds=list(seconds[OLDER]),
        over_older=vars(own.over_older),
        null=vars(own.null),
        p=own.p,
        conditions=raced["conditions"],
    )


def test_null(benchmark: BenchmarkFixture, request: pytest.FixtureRequest, announce: list[str]) -> None:
    """One torch beside itself, many times: how often a difference is called that is none, on a machine as it is."""
    runs: int = request.config.getoption("--null-runs")
    if not benchmark.enabled or not runs:
        pytest.skip("not run (tox run -e bench-versions -- --null-runs 100 -k null)")
    verdicts: list[dict[str, Judged]] = []

    def race() -> None:
        found, _ = side_by_side.settled(sys.executable, sys.executable, NULL, NULL_ROUNDS, PATIENCE)
        verdicts.append(side_by_side.judged(side_by_side.measured(found)))

    benchmark.pedantic(race, rounds=runs)
    called = [sum(own.word in DIFFERENT for own in each.values()) for each in verdicts]
    wrong, calls = sum(map(bool, called)), sum(map(len, verdicts))
    announce.append(f"one torch beside itself: a difference in {wrong} of {runs} runs, {sum(called)} of {calls} calls")
    benchmark.extra_info.update(
        kind="null", runs=runs, wrong_runs=wrong, calls=calls, wrong_calls=sum(called), torch=torch.__version__
    )


def _seconds(newer: float, rounds: int = 12, noise: float = 0.01) -> dict[str, list[float]]:
    """Made-up rounds in which the newer torch takes so many times as long."""
    draw = np.random.default_rng(0)
    factors = {OLDER: 1.0, AGAIN: 1.0, NEWER: newer}
    return {name: list(factor * np.exp(noise * draw.standard_normal(rounds))) for name, factor in factors.items()}


@pytest.mark.parametrize("newer, word", [(1.2, "slower"), (1.0, "no difference shown"), (0.8, "faster")])
def test_a_fifth_is_seen_in_noise_of_a_hundredth(newer: float, word: str) -> None:
    """Slower, equal and faster, the ratio of the times in its interval; nothing is said on a busy machine."""
    found = {"call": _seconds(newer)}
    own = side_by_side.judged(found)["call"]
    assert own.word == word
    assert own.over_older.low < newer < own.over_older.high
    assert side_by_side.judged(found, busy=True)["call"].word == NOT_JUDGED


def test_a_difference_counts_if_new_processes_show_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """A call that seems slower is timed again, alone, and is called slower only if it is so again."""
    runs = [{"luck": _seconds(1.5), "slow": _seconds(1.5), "as before": _seconds(1.0)},
            {"luck": _seconds(1.0), "slow": _seconds(1.4)}]  # fmt: skip
    asked: list[list[str]] = []

    def raced(older: str, newer: str, calls: dict[str, Timed], *how: float) -> tuple[dict[str, Any], tuple[str, str]]:
        asked.append(list(calls))
        return dict(runs[len(asked) - 1]), ("1", "2")

    monkeypatch.setattr(side_by_side, "raced", raced)
    found, _ = side_by_side.settled("", "", dict.fromkeys(runs[0], CALLS[timed.LENET][2]), ROUNDS, PATIENCE)
    assert asked == [["luck", "slow", "as before"], ["luck", "slow"]]
    words = {label: own.word for label, own in side_by_side.judged(side_by_side.measured(found)).items()}
    assert words == {"luck": "no difference shown", "slow": "slower", "as before": "no difference shown"}


def test_many_calls_are_corrected_for() -> None:
    """Three rounds that are slower by half: enough for one call, not for one of a hundred."""
    seconds = _seconds(1.5, rounds=3, noise=0.02)
    assert side_by_side.judged({"call": seconds})["call"].word == "slower"
    many = {str(i): _seconds(1.0) for i in range(100)} | {"call": seconds}
    assert side_by_side.judged(many)["call"].word == "no difference shown"


def test_equal_noise_is_seldom_a_difference() -> None:
    """Of 100 made-up runs of ten calls that do not differ, in noise with far outliers, at most 5 % call one."""
    draw = np.random.default_rng(0)
    noise = draw.standard_t(2, (100, 10, 3, 10)) / 20
    runs = [
        {str(i): dict(zip((OLDER, AGAIN, NEWER), np.exp(call), strict=True)) for i, call in enumerate(run)}
        for run in noise
    ]
    called = [min(side_by_side.corrected(run).values()) < side_by_side.FALSE_DISCOVERIES for run in runs]
    assert sum(called) <= 0.05 * len(runs)


def test_two_processes_time_a_layer() -> None:
    """Both interpreters answer in rounds; a program that fails in them is told, and others go on."""
    layer = real_layers.described(NETWORKS["LeNet"][-1], Cell("backward", "float32", False, False))
    calls = {"layer": layer, "wrong": replace(layer, shapes={"input": [1, 2], "weight": [1, 3]})}
    found, versions = side_by_side.raced(sys.executable, sys.executable, calls, rounds=3, patience=60.0)
    assert versions == (torch.__version__,) * 2
    assert {name: len(own) for name, own in found["layer"].items()} == {OLDER: 3, AGAIN: 3, NEWER: 3}  # type: ignore[union-attr]
    assert "RuntimeError" in str(found["wrong"])
