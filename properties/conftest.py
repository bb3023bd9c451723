"""The hooks of ``pytest properties``; what each does is in :mod:`properties.session`."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

os.environ["OMP_WAIT_POLICY"] = os.environ.get("OMP_WAIT_POLICY", "passive")  # as in a worker; torch reads it once

import pytest
import torch

from properties.session import (
    absent,
    engines,
    fork_server,
    github,
    kernels,
    law_tests,
    memory,
    options,
    profiles,
    progress,
    run_evidence,
    search_plugin,
    selection,
    verdict_file,
    verdict_on_task,
)
from properties.worker import execute, launcher, process

collect_ignore = ["session/installed.py"]
"""It registers this module as a plugin, which it is already where pytest looks for doctests."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Options of the property tests."""
    options.add(parser)


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Check the options before anything runs, and register what a run consists of."""
    file = None if hasattr(config, "workerinput") else verdict_file.begin(config)
    config.stash[options.OPTIONS] = given = options.read(config)
    if process.FORKS and config.getoption("numprocesses", None):
        compiling = any(subject.compiled for subject in absent.standing(given.subjects))
        modules = [launcher.IN_EVERY_WORKER, *([execute.COMPILER] if compiling else [])]
        with contextlib.suppress(OSError):  # each process then is a Python of its own
            config.pluginmanager.register(fork_server.ForkServer(modules), "convproof-forks")
    plugins = {"processes": engines.Processes(config), "evidence": run_evidence}
    plugins |= {"selection": selection, "laws": law_tests, "absent": absent, "task": verdict_on_task}
    config.stash[memory.PEAK] = memory.Peak()
    if hasattr(config, "workerinput") or not config.getoption("numprocesses", None):  # its controller writes nothing
        plugins["memory"] = config.stash[memory.PEAK]
    run_evidence.begin(config)
    if (given.kernels or given.device) and not hasattr(config, "workerinput"):
        if law_tests.TASK not in config.stash:
            plugins["kernels"] = kernels.Verdicts(given.subjects)
        if given.kernels and (shown := github.showing(given.kernels)):
            plugins["annotations"] = shown
    if file:
        plugins["verdict"] = file
    if given.profile == profiles.SEARCH:
        plugins["search"] = search_plugin.Plugin(config, given.minutes)
    elif not hasattr(config, "workerinput") and config.get_verbosity() <= 0:  # -v has a line for each test
        plugins["progress"] = progress.Checks(config, given.subjects)
    for name, plugin in plugins.items():
        config.pluginmanager.register(plugin, f"convproof-{name}")


def pytest_report_header(config: pytest.Config) -> list[str]:
    """Say what workers cannot do here, before a crash ends the run, and why there are fewer than cores."""
    lines = [] if config.stash[options.OPTIONS].in_process else process.lacking()
    given = config.stash[options.OPTIONS]
    if given.kernels and law_tests.TASK not in config.stash:
        lines = [*lines, kernels.header(given.kernels, given.operators)]
    return lines + ([config.stash[memory.FEWER]] if memory.FEWER in config.stash else [])


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int | None:
    """With ``-n auto``, a process for each core, if there is memory for them."""
    return memory.fewer_processes(config) if config.option.numprocesses == "auto" else None


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Verify with one torch thread: on tiny shapes two are many times slower."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
