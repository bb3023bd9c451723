"""Ratios, intervals, interleaving, recorded rounds and what a run met, on figures worked out by hand."""

from __future__ import annotations

import subprocess
import sys
import time
from functools import partial

import numpy as np
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from bench import ladder, measure, phases, recipes
from bench.fashion_mnist import DataSet
from bench.measure import Conditions, Ratio, Recorded
from properties.images import idx

clock = Recorded()


@pytest.fixture
def problem() -> recipes.Problem:
    """The bundled sample on the CPU."""
    both = idx.sample()
    return recipes.Problem(DataSet(both.train, both.test, "bundled sample", "for a test", None), "cpu", batch_size=32)


def test_ratio_is_taken_within_rounds() -> None:
    """A machine that slows down by half for a while does not change who is twice as fast."""
    slow = np.array([1.0, 1.0, 5.0, 5.0, 1.0])
    assert measure.ratio(list(2 * slow), list(slow)) == Ratio(2.0, 2.0, 2.0)


def test_interval_holds_the_median_and_repeats() -> None:
    """The interval lies about the median, within the extremes, and is the same when asked for again."""
    draw = np.random.default_rng(0)
    baseline, other = list(draw.uniform(1, 2, 30)), list(draw.uniform(1, 2, 30))
    found = measure.ratio(baseline, other)
    ratios = np.divide(baseline, other)
    assert ratios.min() <= found.low <= found.median <= found.high <= ratios.max()
    assert found == measure.ratio(baseline, other)


@pytest.mark.parametrize(
    "ratio, floor, verdict",
    [
        (Ratio(1.05, 1.02, 1.08), 0.01, "faster"),
        (Ratio(1.05, 1.02, 1.08), 0.02, "no difference shown"),
        (Ratio(0.9, 0.85, 0.95), 0.1, "no difference shown"),
        (Ratio(0.8, 0.7, 0.9), 0.1, "slower"),
    ],
)
def test_faster_is_said_only_beyond_the_floor(ratio: Ratio, floor: float, verdict: str) -> None:
    """An interval that reaches into what A/A shows is no difference."""
    assert ratio.verdict(floor) == verdict


def test_rounds_are_interleaved_and_shuffled() -> None:
    """Each round calls everything once; not every round in the same order; the same seed gives the same orders."""
    orders = [_order_of_rounds() for _ in range(2)]
    assert all(sorted(names) == ["a", "b", "c"] for names in orders[0])
    assert len(set(map(tuple, orders[0]))) > 1
    assert orders[0] == orders[1]


def _order_of_rounds() -> list[list[str]]:
    calls: list[str] = []

    def call(name: str) -> float:
        calls.append(name)
        return float(len(calls))

    found = measure.interleave({name: partial(call, name) for name in "abc"}, rounds=8)
    assert sorted(second for samples in found.values() for second in samples) == list(range(1, 25))
    return [calls[i : i + 3] for i in range(0, 24, 3)]


def test_patience_ends_after_three_rounds() -> None:
    """Without patience there are still three rounds, and no more."""
    assert measure.interleave({"a": lambda: 1.0}, rounds=8, patience=0.0) == {"a": [1.0, 1.0, 1.0]}


@pytest.mark.benchmark(timer=clock)
def test_recorded_rounds_reach_the_results(benchmark: BenchmarkFixture) -> None:
    """pytest-benchmark keeps the seconds that were recorded, not those of the replay."""
    samples = [3.0, 1.0, 2.0]
    clock.load(samples)
    benchmark.pedantic(clock.replay, rounds=3)
    if benchmark.stats is not None:
        assert benchmark.stats.stats.data == samples
    benchmark.extra_info["kind"] = "self-test"


def test_a_busy_machine_is_said() -> None:
    """A tenth of the cores' time taken by others is worth a warning; less, or not known, is not."""
    assert "25% of the cores' time" in str(Conditions([0], None, [1.0], 0.25).warning)
    assert Conditions([0], None, [1.0], 0.05).warning is None
    assert Conditions(None, None, None, None).warning is None


def test_own_work_is_not_others() -> None:
    """The share of others is a share, whatever this process does meanwhile."""
    watch = measure.Watch()
    until = time.perf_counter() + 0.2
    while time.perf_counter() < until:
        pass
    share = watch.conditions().others_share
    assert share is None or 0 <= share <= 1


def test_work_of_children_is_own() -> None:
    """What a child did counts as this process's while it lives and when it has ended."""
    watch = measure.Watch()
    if watch._start is None:
        pytest.skip("not run (this system does not tell who used the cores)")
    busy = "import time; t = time.process_time\nwhile t() < 0.3: pass\nprint(flush=True); input()"
    child = subprocess.Popen([sys.executable, "-c", busy], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert child.stdout is not None
    child.stdout.readline()
    alive = watch._used()
    child.communicate(b"\n")
    ended = watch._used()
    assert alive is not None
    assert ended is not None
    assert min(alive[1], ended[1]) - watch._start[1] >= 0.25


def test_peak_memory_sees_what_was_held() -> None:
    """Sixty-four megabytes, written and freed, show in the peak and are forgotten after it."""
    measure.forget_peak_memory()
    before = measure.peak_memory()
    if before is None:
        pytest.skip("not run (this system does not tell a process's peak memory)")
    np.ones(2**23).sum()
    assert (measure.peak_memory() or 0) >= before + 2**25


def test_ladder_has_the_book_twice(problem: recipes.Problem) -> None:
    """The book's loop is measured, and again, beside what was asked for, with the machine's limits in the same run."""
    measured = ladder.climb(problem, ["in_memory"], rounds=2, steps=2)
    assert set(measured.rungs) == {"book", "book again", "in_memory"}
    assert all(len(rung.seconds) == len(rung.rates) == 2 for rung in measured.rungs.values())
    assert measured.rungs["book"].losses == measured.rungs["book again"].losses == measured.rungs["in_memory"].losses
    about = measured.about("in_memory")
    assert about["flop_per_example"] == 833_040 + 1_430_880
    assert about["share_of_peak"] > 0
    assert measured.over_book("book") == Ratio(1.0, 1.0, 1.0)
    assert measured.floor == measured.over_book("book again").strays


def test_a_wrong_recipe_has_no_rounds(problem: recipes.Problem, monkeypatch: pytest.MonkeyPatch) -> None:
    """A recipe whose first step is not the loops' is refused, and the others are measured."""

    def wrong(given: recipes.Problem) -> recipes.Training:
        made = recipes.in_memory(given)
        made.optimizer.param_groups[0]["lr"] *= 2
        return made

    monkeypatch.setitem(recipes.RECIPES, "wrong", recipes.Recipe(wrong))
    measured = ladder.climb(problem, ["wrong"], rounds=1, steps=1)
    assert "differs from the loops'" in str(measured.rungs["wrong"].refused)
    assert not measured.rungs["wrong"].seconds
    assert measured.rungs["book"].seconds


def test_phases_of_a_step(problem: recipes.Problem) -> None:
    """Every phase has one sample a step, loading first."""
    found = phases.measure_phases(recipes.in_memory(problem), 3)
    assert list(found) == ["loading", "moving", "forward", "backward", "step", "metrics"]
    assert all(len(samples) == 3 and min(samples) >= 0 for samples in found.values())
