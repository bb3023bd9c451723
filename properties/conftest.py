"""Options and profiles. How laws become tests is in :mod:`properties.engine.laws`."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

os.environ["OMP_WAIT_POLICY"] = os.environ.get("OMP_WAIT_POLICY", "passive")  # as in a worker; torch reads it once

import numpy as np
import pytest
import torch
from hypothesis import settings

from properties import subjects
from properties.engine import laws, recording
from properties.engine.sandbox import Lost, Sandbox
from properties.session import absent, example_database, memory, profiles, progress, search_plugin, shards
from properties.subjects.environment import cores, environment
from properties.subjects.launchers import Copy, Interpreter, Launcher
from properties.subjects.workers import Forked, Workers
from properties.verdicts import evidence
from properties.verdicts.verdict import UNCLEAN
from properties.worker import process, programs
from properties.worker.call import Call


def pytest_addoption(parser: pytest.Parser) -> None:
    """Options of the property tests."""
    group = parser.getgroup("convproof")
    group.addoption(
        "--subjects", metavar="NAMES", help="devices or subjects, e.g. cpu,cuda or cpu-float32,compiled-cpu-float32 "
        "(default: all, and those that are absent are reported as not run)",
    )  # fmt: skip
    group.addoption(
        "--kernels", metavar="FILE", help="hold the functions of a Python file or module, with the signatures of "
        "torch.nn.functional's, to the laws in place of torch's own",
    )  # fmt: skip
    group.addoption(
        "--subject-python", metavar="PATH", help="an interpreter with another torch, to be held to the same cases",
    )  # fmt: skip
    group.addoption("--in-process", action="store_true", help="run torch in this process, e.g. under a debugger")
    group.addoption(
        "--call-timeout",
        metavar="S",
        type=float,
        default=10.0,
        help="seconds that a call may compute; without computing, six times as long (default: 10)",
    )
    group.addoption(
        "--call-memory", metavar="GIB", type=float, default=2.0,
        help="memory that a worker may take beyond what importing torch took (default: 2)",
    )  # fmt: skip
    group.addoption(
        "--shard", metavar="K/N", help="run the K-th of N parts of the checks, the others being run by other machines; "
        "`python -m reports merge` joins what they write",
    )  # fmt: skip
    group.addoption(
        "--search-minutes", metavar="M", help="search over all that is collected until the time is up (default with "
        "--hypothesis-profile=search: 30)",
    )  # fmt: skip
    group.addoption(
        "--examples", metavar="PLACE", default=os.environ.get(example_database.VARIABLE),
        help="where Hypothesis keeps its examples: a folder, which machines may share, or redis://host:6379/0 "
        f"(default: ${example_database.VARIABLE}, else .hypothesis/examples)",
    )  # fmt: skip


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Check the options before anything runs, and settle subjects, profile and evidence."""
    searched = config.getoption("--search-minutes")
    profile = config.getoption("--hypothesis-profile", None) or (profiles.SEARCH if searched else "default")
    for option in ("--call-timeout", "--call-memory"):
        if not config.getoption(option) > 0:
            pytest.exit(f"{option}={config.getoption(option):g}: must be more than 0", returncode=2)
    allowed = config.getoption("--call-memory")
    if not config.getoption("--in-process") and (left := process.address_space()) < allowed * 2**30:
        left_over = f"this process may take {left / 2**30:.1f} GiB more (ulimit -v)"
        pytest.exit(f"--call-memory={allowed:g}: {left_over}; give less, or raise that limit", returncode=2)
    _load_profile(config, profile)
    config.stash[_SHARD] = _shard(config, profile)
    kernels, python = _kernels(config), config.getoption("--subject-python")
    other = _other_torch(python) if python else ""
    try:
        names = config.getoption("--subjects") or (subjects.few() if profile == profiles.QUICK else None)
        config.stash[laws.SUBJECTS] = subjects.select(names, kernels, other)
    except ValueError as error:
        pytest.exit(f"--subjects={config.getoption('--subjects')}: {error}", returncode=2)
    workers: list[Forked] = []
    config.stash[_WORKERS] = workers
    config.stash[_LOST] = []
    if process.FORKS and not config.getoption("--in-process"):
        config.stash[_COPY] = Copy()
        own = _start(workers, config, config.stash[_COPY])
        subjects.run_by(own.run, renew=own.renew)
    config.stash[_SANDBOXED] = not (config.getoption("--in-process") or kernels or python) and process.FORKS
    if python:
        beside = _start(workers, config, Interpreter(python))
        subjects.run_by(beside.run, other, beside.renew)
    if kernels:
        for trouble in filter(None, map(_trouble, workers)):
            pytest.exit(trouble, returncode=2)
        _load(kernels, config.getoption("--kernels"))
    config.stash[memory.PEAK] = memory.Peak()
    if hasattr(config, "workerinput") or not config.getoption("numprocesses", None):  # its controller writes nothing
        config.pluginmanager.register(config.stash[memory.PEAK], "convproof-memory")
    config.stash[recording.WRITER] = evidence.Writer(config.getoption("--evidence"), _header(config, profile))
    config.pluginmanager.register(laws, "convproof-laws")
    config.pluginmanager.register(absent, "convproof-absent")
    if profile == profiles.SEARCH:
        config.pluginmanager.register(search_plugin.Plugin(config, search_plugin.minutes(searched)), "convproof-search")
    elif not hasattr(config, "workerinput") and config.get_verbosity() <= 0:  # -v has a line for each test
        known = config.stash[laws.SUBJECTS]
        config.pluginmanager.register(progress.Checks(config, known), "convproof-progress")


def pytest_report_header(config: pytest.Config) -> list[str]:
    """Say what workers cannot do here, before a crash ends the run, and why there are fewer than cores."""
    lines = [] if config.getoption("--in-process") else process.lacking()
    return lines + ([config.stash[_FEWER]] if _FEWER in config.stash else [])


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int | None:
    """With ``-n auto``, a process for each core, if there is memory for them."""
    here, free = cores(), memory.available()
    allowed = memory.processes(here, free)
    if config.option.numprocesses != "auto" or allowed == here:
        return None
    about = f"{memory.PROCESS} GiB each, {free:.1f} GiB free"
    config.stash[_FEWER] = f"{allowed} processes for {here} cores: memory allows no more ({about}); -n {here} insists"
    return allowed


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> bool | None:
    """End the run before its first test where no worker lives long enough for a call."""
    config = session.config
    if config.getoption("--collect-only") or not _any_here(session):
        return None
    trouble = next((said for workers in config.stash[_WORKERS] if (said := _trouble(workers))), None)
    if trouble and hasattr(config, "workerinput"):  # the controller is told, and takes an exit for a crash
        session.shouldstop = trouble
        return True
    if trouble:
        pytest.exit(trouble, returncode=2)
    return None


def _trouble(forked: Forked) -> str | None:
    """Why workers, or the sandbox, cannot be used, and what would do."""
    launcher, error = forked.launcher, None
    try:
        if isinstance(forked, Workers):
            error = forked.run(Call(programs.activation.sigmoid, {"input": np.ones(1)})).error
        elif isinstance(forked, Sandbox):
            forked.run(subjects.known)
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


def _load_profile(config: pytest.Config, profile: str) -> None:
    """Load the profile, its examples kept where the user says."""
    place, searched = config.getoption("--examples"), config.getoption("--search-minutes")
    try:
        option = f"--hypothesis-profile={profile}"
        profiles.check(profile)
        option = f"--search-minutes={searched}"
        search_plugin.minutes(searched)
        if searched and profile != profiles.SEARCH:
            raise ValueError(f"goes with --hypothesis-profile={profiles.SEARCH}, not {profile}; leave one out")
        option = f"--hypothesis-seed={config.getoption('--hypothesis-seed', None)}"
        if profile == profiles.SEARCH and config.getoption("--hypothesis-seed", None) is not None:
            raise ValueError("a search takes fresh seeds in each round; leave it out")
        option = f"--examples={example_database.masked(str(place))}"
        if place is not None or profile == profiles.SEARCH:
            kept = example_database.database(
                place if place is not None else str(config.rootpath / ".hypothesis" / "examples")
            )
            chosen = settings.get_profile(profile)
            if profile != profiles.TESTS:
                settings.register_profile(profile, chosen, database=kept)
    except ValueError as error:
        pytest.exit(f"{option}: {error}", returncode=2)
    settings.load_profile(profile)


def _shard(config: pytest.Config, profile: str) -> shards.Shard | None:
    given = config.getoption("--shard")
    if given is None:
        return None
    if profile == profiles.SEARCH:
        pytest.exit(f"--shard={given}: a search draws its own cases of all checks on each machine; leave it out", 2)
    try:
        return shards.parse(given)
    except ValueError as error:
        pytest.exit(f"--shard={given}: {error}", returncode=2)


def _start(started: list[Forked], config: pytest.Config, launcher: Launcher) -> Workers:
    workers = Workers(launcher, **_limits(config))
    started.append(workers)
    return workers


def _limits(config: pytest.Config) -> dict[str, Any]:
    """What a call may take."""
    return {"timeout": config.getoption("--call-timeout"), "memory": int(config.getoption("--call-memory") * 2**30)}


@pytest.hookimpl(trylast=True)
def pytest_collection_finish(session: pytest.Session) -> None:
    """Copy this process now that all laws are known, before any of them computes."""
    config = session.config
    if _COPY not in config.stash or not _any_here(session):
        return
    copy = config.stash[_COPY]
    if config.stash[_SANDBOXED]:
        config.stash[laws.SANDBOX] = sandbox = Sandbox(copy, **_limits(config))
        config.stash[_WORKERS].append(sandbox)
    copy.open()


def _any_here(session: pytest.Session) -> bool:
    """True if a test of this folder was collected."""
    return any(Path(__file__).parent in item.path.parents for item in session.items)


def _kernels(config: pytest.Config) -> str | None:
    """Where the kernels are, as a worker finds them; which functions they define is its business."""
    where: str | None = config.getoption("--kernels")
    if where is None:
        return None
    if where.endswith(".py"):
        if not Path(where).is_file():
            pytest.exit(f"--kernels={where}: no such file; give a Python file or the name of a module", returncode=2)
        return str(Path(where).resolve())
    try:
        found = importlib.util.find_spec(where)
    except (ImportError, ValueError):
        found = None
    if found is None:
        pytest.exit(f"--kernels={where}: no such module; give one, or a file that ends in .py", returncode=2)
    return where


def _load(kernels: str, given: str) -> None:
    """Load the kernels once where they will run, so that what cannot be loaded ends the run before it starts."""
    place = subjects.Subject("cpu", "float32", kernels=kernels)
    try:
        # torch.nn.functional has no flatten, so kernels that were loaded have no part in it, and decline.
        error = place.run(programs.dense.flatten, {"input": np.ones(1)}, {"start_dim": 0}).error
    except subjects.Declined:
        return
    except ImportError as failure:  # only --in-process
        error = str(failure)
    why = str(error).removeprefix("ImportError: ").removeprefix(f"{kernels} ").partition("\n")[0]
    pytest.exit(f"--kernels={given}: {why}; give functions like torch.nn.functional's that can be imported", 2)


def _other_torch(python: str) -> str:
    """The name of the torch under another interpreter."""
    if not process.FORKS:
        pytest.exit(f"--subject-python={python}: there are no workers on this platform; leave it out", returncode=2)
    script = "import torch, numpy; print(torch.__version__)"
    try:
        asked = subprocess.run([python, "-c", script], capture_output=True, text=True, timeout=120, check=False)
    except OSError as error:
        pytest.exit(f"--subject-python={python}: {error.strerror}; give an interpreter with torch and numpy", 2)
    if asked.returncode:
        why = (asked.stderr.strip().splitlines() or ["it failed"])[-1]
        pytest.exit(f"--subject-python={python}: {why}; give an interpreter with torch and numpy", returncode=2)
    return f"torch-{asked.stdout.strip()}"


def _header(config: pytest.Config, profile: str) -> dict[str, object]:
    process, shard = getattr(config, "workerinput", {}), config.stash[_SHARD]
    return {
        "run": process.get("testrunuid") or f"{evidence.now()}-{os.getpid()}",
        "shard": process.get("workerid"),
        "split": None if shard is None else shard._asdict(),
        "started": evidence.now(),
        "profile": profile,
        "seed": config.getoption("--hypothesis-seed", None),
        "arguments": [example_database.masked(str(argument)) for argument in config.invocation_params.args],
        "subjects": [str(subject) for subject in config.stash[laws.SUBJECTS]],
        "environment": environment(),
    }


SELFTEST = Path(__file__).with_name("selftest")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave the suite's tests of itself to the profile "tests", and to who names them."""
    named = any(SELFTEST in (path := Path(argument).absolute(), *path.parents) for argument in config.args)
    wanted = named or config.getoption("--hypothesis-profile", None) == profiles.TESTS
    return True if collection_path == SELFTEST and (not wanted or config.getoption("--kernels")) else None


@pytest.hookimpl(trylast=True)  # of what -k and the like leave
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Order the laws. With kernels run what holds them to one; of a quick run, the first laws of every operator."""
    if config.getoption("--kernels"):
        _keep(config, items, _held)
    if config.getoption("--hypothesis-profile", None) == profiles.QUICK:
        _keep(config, items, lambda item: _held(item) and laws.rank(item) < laws.REST)
    if config.getoption("--hypothesis-profile", None) == profiles.TESTS:
        _keep(config, items, lambda item: not _compiled(item))
    items.sort(key=laws.rank)
    known = config.stash[laws.SUBJECTS]
    config.stash[absent.ROWS] = absent.rows(items, known)
    if shard := config.stash[_SHARD]:
        config.stash[recording.WRITER].header["split"]["checks"] = shards.digest(items)
        items[:], others = shards.split(items, shard)
        config.hook.pytest_deselected(items=others)
        config.stash[_IDLE] = bool(others) and not items


def _keep(config: pytest.Config, items: list[pytest.Item], wanted: Callable[[pytest.Item], bool]) -> None:
    config.hook.pytest_deselected(items=[item for item in items if not wanted(item)])
    items[:] = filter(wanted, items)


def _compiled(item: pytest.Item) -> bool:
    """True if a test holds compiled code to a law, which takes seconds: not for the tests of the suite."""
    return _held(item) and item.callspec.params["subject"].compiled  # type: ignore[attr-defined]


def _held(item: pytest.Item) -> bool:
    """True if a test holds a subject to something."""
    subject = getattr(getattr(item, "callspec", None), "params", {}).get("subject")
    return isinstance(subject, subjects.Subject)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Verify with one torch thread: on tiny shapes two are many times slower."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(autouse=True)
def one_torch(request: pytest.FixtureRequest) -> Iterator[None]:
    """The tests of the suite itself know of no other torch."""
    with contextlib.nullcontext() if _held(request.node) else subjects.alone():
        yield


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """End the evidence, so that a reader can tell a finished run from a killed one."""
    config, writer = session.config, session.config.stash.get(recording.WRITER, None)
    idle = config.stash.get(_IDLE, None)  # known where tests are collected, and else once the processes have ended
    if idle and exitstatus == pytest.ExitCode.NO_TESTS_COLLECTED:
        exitstatus = session.exitstatus = pytest.ExitCode.OK
    if writer and "checks" in (writer.header["split"] or {}) and not config.option.collectonly:
        writer.begin()  # a shard that wrote nothing would be missing
    peak = config.stash[memory.PEAK]
    peak.look()
    config.stash[_FILE] = writer.close(int(exitstatus), peak.mib) if writer else None
    if writer and writer.lost:
        config.stash[_LOST].append(writer.lost)
    if hasattr(config, "workeroutput"):
        config.workeroutput |= {LOST: config.stash[_LOST], _CARRIED: idle}


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Learn what a process of pytest-xdist could not write, and whether its shard has nothing to do."""
    told = getattr(node, "workeroutput", {})
    node.config.stash[_LOST] += told.get(LOST, [])
    node.config.stash[_IDLE] = told.get(_CARRIED)


@pytest.hookimpl(tryfirst=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    """End the workers before pytest looks for what was left open."""
    for workers in config.stash.get(_WORKERS, []):
        workers.close()
    terminal = config.pluginmanager.get_plugin("terminalreporter")
    if terminal:
        for lost in config.stash.get(_LOST, []):
            terminal.write_line(f"evidence is missing: {lost}")


_FILE = pytest.StashKey[Path | None]()
_WORKERS = pytest.StashKey[list[Forked]]()
_COPY = pytest.StashKey[Copy]()
_SANDBOXED = pytest.StashKey[bool]()
_LOST = pytest.StashKey[list[str]]()
LOST = "convproof evidence that is missing"
_SHARD = pytest.StashKey[shards.Shard | None]()
_FEWER = pytest.StashKey[str]()
_IDLE = pytest.StashKey[bool | None]()
"""True if there are fewer checks than shards, and none for this one."""
_CARRIED = "convproof shard without checks"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say what was not run, the most frequent reasons first, and where the evidence is."""
    skipped = Counter(report.longrepr[2] for report in terminalreporter.getreports("skipped"))
    for line in absent.summary(skipped, config.stash.get(absent.COUNTS, {})):
        terminalreporter.write_line(line)
    if (path := config.stash.get(_FILE, None)) and not config.stash[_LOST]:
        terminalreporter.write_line(f"evidence: {path}")
