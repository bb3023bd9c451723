"""Options, the data set, and what convproof adds to pytest-benchmark's results."""

from __future__ import annotations

import json
import os
import re
import warnings
from collections.abc import Generator, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from bench import fashion_mnist, measure
from bench.fashion_mnist import DataSet
from properties.subjects.environment import environment

SCHEMA_VERSION = 1
REAL_LAYERS = "test_real_layers.py"
_NOT_RUN = re.compile(r"Skipped: not run \((?P<reason>.*)\)", re.DOTALL)
_skipped = pytest.StashKey[list[dict[str, str]]]()
_lines = pytest.StashKey[list[str]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Options of the benchmarks."""
    group = parser.getgroup("convproof")
    group.addoption(
        "--data-dir", type=Path, metavar="FOLDER",
        help=f"Fashion-MNIST's four files, raw or .gz (default: ${fashion_mnist.VARIABLE}, the cache, Debian's "
        "package, a download, the bundled sample)",
    )  # fmt: skip
    group.addoption("--no-download", action="store_true", help="do not ask the network for Fashion-MNIST")
    group.addoption(
        "--ladder", choices=("short", "full"), default="short",
        help="which benchmarks of LeNet's training: a few recipes in ten rounds (short), or all, with ten seeds (full)",
    )  # fmt: skip

    group.addoption(
        "--layers", choices=("lenet", "real"), default="lenet",
        help="lenet: LeNet's training and layers (default); real: the layers of known networks in place of that",
    )  # fmt: skip
    group.addoption("--other-python", metavar="PATH", help="an interpreter with another torch, to be timed beside this")
    group.addoption("--null-runs", type=int, default=0, metavar="N", help="time this torch beside itself N times")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """With real layers those alone."""
    if config.getoption("--layers", "lenet") == "real":
        others = [item for item in items if item.path.name != REAL_LAYERS]
        config.hook.pytest_deselected(items=others)
        items[:] = [item for item in items if item.path.name == REAL_LAYERS]


def pytest_configure(config: pytest.Config) -> None:
    """Check the data folder that the user names before anything runs."""
    config.stash[_skipped], config.stash[_lines] = [], []
    _let_benchmark_warn(config)
    try:
        fashion_mnist.named_folder(config.getoption("--data-dir", None))
    except fashion_mnist.DataSetError as error:
        pytest.exit(str(error), returncode=2)


def _let_benchmark_warn(config: pytest.Config) -> None:
    """Show pytest-benchmark's warnings (another machine than the compared run's, nothing to save), not fail on them.

    It warns while pytest starts and ends, where filters were made before this file was read, and within hooks, for
    which they are made anew from the configuration; hence both.
    """
    if config.pluginmanager.has_plugin("benchmark"):
        from pytest_benchmark.logger import PytestBenchmarkWarning

        warnings.filterwarnings("default", category=PytestBenchmarkWarning)
        config.addinivalue_line("filterwarnings", "default::pytest_benchmark.logger.PytestBenchmarkWarning")


@pytest.fixture(scope="session")
def data(pytestconfig: pytest.Config, announce: list[str]) -> DataSet:
    """Fashion-MNIST, or the bundled sample, labelled as such."""
    capture = pytestconfig.pluginmanager.getplugin("capturemanager")
    try:
        with capture.global_and_fixture_disabled():  # a download shows its progress
            found = fashion_mnist.load(
                pytestconfig.getoption("--data-dir"), downloading=not pytestconfig.getoption("--no-download")
            )
    except fashion_mnist.DataSetError as error:
        pytest.exit(str(error), returncode=2)
    announce.append(f"data: {found.name}, {found.note}")
    return found


@pytest.fixture(scope="session")
def announce(pytestconfig: pytest.Config) -> list[str]:
    """Lines to show at the end of the run, for tests to add to."""
    return pytestconfig.stash[_lines]


@pytest.fixture(scope="module")
def met() -> Iterator[list[dict[str, Any]]]:
    """What each benchmark of a file says of itself; at the file's end, what they all met is added.

    One benchmark alone may be over within a few of the ticks in which the system counts the time that others take. A
    benchmark of rounds that were measured before it began, interleaved, has said already what those met.
    """
    watch = measure.Watch()
    told: list[dict[str, Any]] = []
    yield told
    conditions = watch.conditions().as_dict()
    for extra_info in told:
        extra_info.setdefault("conditions", conditions)


@pytest.fixture(autouse=True)
def _meets(request: pytest.FixtureRequest) -> None:
    if "benchmark" in request.fixturenames:
        request.getfixturevalue("met").append(request.getfixturevalue("benchmark").extra_info)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Note what was not run and why, for the results file."""
    report = yield
    reason = None
    if report.skipped and isinstance(report.longrepr, tuple):
        reason = _NOT_RUN.fullmatch(report.longrepr[2])
    if reason:
        item.config.stash[_skipped].append({"name": item.name, "reason": reason["reason"]})
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Show the data set, the training results and what was not run."""
    not_run = [f"{skipped['name']}: not run ({skipped['reason']})" for skipped in config.stash[_skipped]]
    if lines := [*config.stash[_lines], *not_run]:
        terminalreporter.section("LeNet on Fashion-MNIST")
        for line in lines:
            terminalreporter.write_line(line)


@pytest.hookimpl(optionalhook=True)
def pytest_benchmark_update_machine_info(machine_info: dict[str, Any]) -> None:
    """Record what the figures depend on."""
    machine_info["environment"] = environment()


@pytest.hookimpl(optionalhook=True, wrapper=True)
def pytest_benchmark_compare_machine_info(
    machine_info: dict[str, Any], compared_benchmark: dict[str, Any]
) -> Iterator[None]:
    """Compare machines, not moments: the load differs between any two runs."""
    compared_benchmark["machine_info"].get("environment", {})["load_average"] = machine_info["environment"][
        "load_average"
    ]
    return (yield)


@pytest.hookimpl(optionalhook=True)
def pytest_benchmark_update_json(config: pytest.Config, output_json: dict[str, Any]) -> None:
    """Add the version of the file's format and what was not run, and keep the results as evidence."""
    output_json["schema_version"] = SCHEMA_VERSION
    output_json["not_run"] = config.stash[_skipped]
    # Runs that are saved for --benchmark-compare may come without their samples, which the report needs.
    if all("data" in benchmark["stats"] for benchmark in output_json["benchmarks"]):
        _keep(output_json, config.getoption("--evidence"))


def _keep(results: dict[str, Any], folder: Path) -> None:
    """Write the results whole or not at all; pytest-benchmark empties its file before the first benchmark runs."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"benchmark-{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{os.getpid()}.json"
    draft = path.with_suffix(".tmp")
    draft.write_text(json.dumps(results, default=str), encoding="utf-8")
    draft.replace(path)
