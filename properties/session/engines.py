"""Where a run's calls are made: the workers and the sandbox that it starts, tries before the first test, and ends."""

from __future__ import annotations

import dataclasses
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import properties
from properties import subjects
from properties.engine import tasks
from properties.engine.algorithms import Algorithms
from properties.engine.domain import Domains
from properties.engine.sandbox import Lost, Sandbox
from properties.engine.trial import HERE, Engine, Engines, Trial
from properties.operators import Operator
from properties.session import law_tests
from properties.session.options import OPTIONS, check_words
from properties.subjects.launchers import Copy, Interpreter, Launcher
from properties.subjects.workers import Forked, Workers
from properties.verdicts.verdict import UNCLEAN
from properties.worker import modules, process, programs
from properties.worker.call import Call
from refimpl.rounding import ELEMENTWISE


class Processes:
    """The processes of one run beside pytest's own."""

    def __init__(self, config: pytest.Config) -> None:
        options, engines = config.stash[OPTIONS], dict(HERE.by_torch)
        self.limits: dict[str, Any] = {"timeout": options.timeout, "memory": options.memory}
        self.started: list[Forked] = []
        self.copy: Copy | None = None
        brought = options.kernels or options.imports or options.backend
        self.sandboxed = process.FORKS and not (options.in_process or options.python or brought)
        config.stash[law_tests.ENGINES] = Engines(engines)
        if process.FORKS and not options.in_process:
            self.copy = Copy()
            engines[""] = self._workers(self.copy)
        if options.python:
            engines[options.other] = self._workers(Interpreter(options.python))
        if brought:
            for trouble in filter(None, map(_trouble, self.started)):
                pytest.exit(trouble, returncode=2)
        for option in ("--device-import", "--import"):
            if config.getoption(option):
                code = options.imports[:1] if option == "--device-import" else options.imports
                _load(config, option, "what can be imported", code[-1], imports=code)
        if options.device:
            _reach(options.device, options.imports, config.stash[law_tests.ENGINES])
        if options.kernels:
            option, what = "--kernels", "functions like torch.nn.functional's, or layers like torch.nn's, to import"
            if config.getoption("--operator"):
                option, what = "--operator", "one that --import registers"
            if config.getoption("--module"):
                option, what = "--module", "a class like torch.nn's that can be imported"
            said = _load(config, option, what, options.kernels, kernels=options.kernels, imports=options.imports)
            check_words(f"{option}={config.getoption(option)}: WITHOUT", said)
            _take_task(config)
            _keep_to_served(config, f"{option}={config.getoption(option)}")
            options = dataclasses.replace(options, without=(*options.without, *said))
        if options.kernels or options.device:
            asked = config.stash[law_tests.ENGINES], options.without, options.subjects
            config.stash[law_tests.DOMAINS] = Domains(*asked)
        if options.bound != ELEMENTWISE:
            domains = config.stash.get(law_tests.DOMAINS, None)
            config.stash[law_tests.ALGORITHMS] = Algorithms(config.stash[law_tests.ENGINES], domains)
        if options.backend:
            _compile(options.backend, options.imports, config.stash[law_tests.ENGINES])

    def _workers(self, launcher: Launcher) -> Engine:
        workers = Workers(launcher, **self.limits)
        self.started.append(workers)
        return Engine(workers.run, workers.renew)

    @pytest.hookimpl(trylast=True)
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Copy this process now that all laws are known, before any of them computes."""
        if self.copy is None or not _any_here(session):
            return
        if self.sandboxed:
            session.config.stash[law_tests.SANDBOX] = sandbox = Sandbox(self.copy, **self.limits)
            self.started.append(sandbox)
        self.copy.open()

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool | None:
        """End the run before its first test where no worker lives long enough for a call."""
        config = session.config
        if config.getoption("--collect-only") or not _any_here(session):
            return None
        trouble = next((said for forked in self.started if (said := _trouble(forked))), None)
        if trouble and hasattr(config, "workerinput"):  # the controller is told, and takes an exit for a crash
            session.shouldstop = trouble
            return True
        if trouble:
            pytest.exit(trouble, returncode=2)
        return None

    def pytest_runtest_teardown(self) -> None:
        """Keep no process that grows from check to check, or is of no use."""
        for forked in self.started:
            forked.save_memory()

    @pytest.hookimpl(tryfirst=True)
    def pytest_unconfigure(self) -> None:
        """End the processes before pytest looks for what was left open."""
        for forked in self.started:
            forked.close()


def _any_here(session: pytest.Session) -> bool:
    """True if a test of properties was collected."""
    return any(Path(properties.__file__).parent in item.path.parents for item in session.items)


def _trouble(forked: Forked) -> str | None:
    """Why workers, or the sandbox, cannot be used, and what would do."""
    launcher, error = forked.launcher, None
    try:
        if isinstance(forked, Workers):
            error = forked.run(Call(programs.activation.sigmoid, {"input": np.ones(1)})).error
        elif isinstance(forked, Sandbox):
            forked.run(_answering)
    except Lost as lost:
        error = str(lost)
    except (RuntimeError, OSError) as failure:
        if isinstance(launcher, Interpreter):
            return f"--subject-python={launcher.python}: {failure}"
        return f"{failure}. With --in-process torch runs in this process"
    if error is None or not error.startswith(UNCLEAN):
        return None
    python = launcher.python if isinstance(launcher, Interpreter) else sys.executable
    option, said = f"--call-memory={forked.memory / 2**30:g}", error.partition("\n")[0]
    return f"{option}: a worker of {python} ends in its first call ({said}); give more, or another torch"


def _answering(engines: Engines) -> bool:
    """What a sandbox that works can tell."""
    return bool(engines.by_torch)


def _take_task(config: pytest.Config) -> None:
    """Have what a task's Model computes as an operator, if the kernels answer one; such answers are float32's."""
    options, given = config.stash[OPTIONS], f"--kernels={config.getoption('--kernels')}"
    if options.kernels is None or options.task is None:
        return
    answer = subjects.Subject("cpu", "float32", kernels=options.kernels, imports=options.imports)
    try:
        task = tasks.survey(options.task, Trial.of(answer, config.stash[law_tests.ENGINES]))
    except ValueError as error:
        why = str(error).partition("\n")[0]
        wanted = "Model, ModelNew, get_inputs() and get_init_inputs() that fit"
        pytest.exit(f"{given}: {why}; give {'a longer --call-timeout' if why.startswith('Hung') else wanted}", 2)
    if task is None and config.getoption("--task"):
        pytest.exit(f"{given}: defines no ModelNew; give one that answers --task, or leave that out", 2)
    if task is not None:
        config.stash[law_tests.TASK] = task
        if not config.getoption("--subjects"):
            own = [subject for subject in options.subjects if subject.dtype == "float32"]
            config.stash[OPTIONS] = dataclasses.replace(options, subjects=own)


def _keep_to_served(config: pytest.Config, given: str) -> None:
    """Hold kernels to the operators in which they have a part; one of these the user must have named, if any."""
    options = config.stash[OPTIONS]
    served = [operator for operator in options.operators if _serves(config, operator)]
    if options.named and not served:
        named = config.getoption("--operators")
        pytest.exit(f"--operators={named}: {given} has a part in none of them; name others, or leave it out", 2)
    config.stash[OPTIONS] = dataclasses.replace(options, operators=served)


def _serves(config: pytest.Config, operator: Operator) -> bool:
    """True if kernels have a part in an operator. A call without operands ends before it comes to them."""
    options = config.stash[OPTIONS]
    call = Call(operator.program, {}, dtype="float32", kernels=options.kernels, imports=options.imports)
    return not (config.stash[law_tests.ENGINES].by_torch[""].answer(call).error or "").startswith("Undefined")


def _load(config: pytest.Config, option: str, wanted: str, where: str, **code: Any) -> tuple[str, ...]:
    """Load a user's code once where it will run, so that what cannot be loaded ends the run before it starts.

    Returns what kernels are said not to take.
    """
    place = Trial.of(subjects.Subject("cpu", "float32", **code), config.stash[law_tests.ENGINES])
    # torch.nn.functional has no flatten, so kernels that were loaded have no part in it.
    call = Call(programs.dense.flatten, {"input": np.ones(1)}, {"start_dim": 0}, dtype="float32", **code)
    try:
        outcome = place.answer(call)
        error = outcome.error
    except ImportError as failure:  # only --in-process
        error = str(failure)
    if error is None or error.startswith("Undefined"):
        return outcome.without
    why = error.removeprefix("ImportError: ").removeprefix(f"{modules.parted(where)[0]} ").partition("\n")[0]
    pytest.exit(f"{option}={config.getoption(option)}: {why}; give {wanted}", 2)


def _reach(device: str, imports: tuple[str, ...], engines: Engines) -> None:
    """Bring a tensor to a device and back, so that one that is not there ends the run before it starts."""
    place = Trial.of(subjects.Subject(device, "float32", imports=imports), engines)
    try:
        error = place.run(programs.dense.flatten, {"input": np.ones((1, 1))}, {"start_dim": 0}).error
    except (subjects.Declined, RuntimeError) as failure:  # the latter only --in-process
        error = str(failure)
    if error:
        pytest.exit(f"--device={device}: {error.partition(chr(10))[0]}; --device-import names what brings it", 2)


ABSENT = re.compile(r"\b(?:LookupError|ImportError|ModuleNotFoundError): (.*)")
"""How a backend fails that torch does not know, or that lacks what it needs."""
PLAIN = (
    (programs.activation.sigmoid, {"input": np.ones(2)}),
    (programs.dense.matmul, {"input": np.ones((2, 2)), "other": np.ones((2, 2))}),
    (programs.convolution.conv2d, {"input": np.ones((1, 1, 3, 3)), "weight": np.ones((1, 1, 2, 2))}),
)
"""What any backend should compile, each of another kind."""


def _compile(backend: str, imports: tuple[str, ...], engines: Engines) -> None:
    """Compile up to three functions by a backend, so that one that is not there, or fails, ends the run at once."""
    place = Trial.of(subjects.Subject("cpu", "float32", "compiled", backend=backend, imports=imports), engines)
    failed = dict[str, list[str]]()
    for program, operands in PLAIN:
        try:
            error = place.run(program, operands).error
        except subjects.Declined:
            return
        if error is None:
            return
        if absent := ABSENT.search(error):
            pytest.exit(f"--compile-backend={backend}: {absent[1]}; --import names what brings one", returncode=2)
        failed.setdefault(" ".join(error.partition("\n\n")[0].split()), []).append(program.__name__)
    said = "; ".join(f"{', '.join(names)}: {error}" for error, names in failed.items())
    pytest.exit(f"--compile-backend={backend}: compiles nothing that runs ({said}); give one that does", 2)
