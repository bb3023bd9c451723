"""The options of ``pytest properties``, each checked before anything runs: bad input is one line and exit code 2."""

from __future__ import annotations

import importlib.util
import inspect
import math
import os
import re
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import torch
from hypothesis import settings

from properties import subjects
from properties.engine.diagnosis import CASES
from properties.operators import ALL, CATALOGUE, Operator, chosen, features
from properties.session import example_database, profiles, shards
from properties.subjects import Subject, devices
from properties.worker import modules, process
from refimpl.rounding import ELEMENTWISE


@dataclass(frozen=True)
class Options:
    """What the user asked for.

    kernels: where the kernels are, as a worker finds them; without: what they are said not to take; bound:
    "elementwise" where results are held to that of sums and quotients alone; task: the file of the task that they may
    answer. backend: that of torch.compile to be held. imports: what is imported first where torch runs.
    device: one outside torch's tree. python: an interpreter with another torch, which is called ``other``. minutes: how
    long a search takes. timeout, memory: the seconds and bytes that a call may take. all_checks: whether it is a run
    of every check with the usual number of cases, none of them chosen. operators: those that are held; named: whether
    the user named each, or its family.
    """

    profile: str
    subjects: list[Subject]
    shard: shards.Shard | None
    kernels: str | None
    without: tuple[str, ...]
    bound: str
    task: str | None
    backend: str | None
    imports: tuple[str, ...]
    device: str | None
    python: str | None
    other: str
    minutes: float
    in_process: bool
    timeout: float
    memory: int
    all_checks: bool
    operators: list[Operator] = field(default_factory=lambda: list(CATALOGUE))
    named: bool = False


PROPERTIES = Path(__file__).resolve().parent.parent
MINUTES = 30.0
"""How long a search takes."""
TIMEOUT, MEMORY = 10.0, 2.0
"""Seconds and GiB that a call may take."""
OPTIONS = pytest.StashKey[Options]()


def add(parser: pytest.Parser) -> None:
    """Make the options known to pytest."""
    group = parser.getgroup("convproof")
    group.addoption(
        "--subjects", metavar="NAMES", help="devices or subjects, e.g. cpu,cuda or cpu-float32,compiled-cpu-float32 "
        "(default: all, and those that are absent are reported as not run)",
    )  # fmt: skip
    group.addoption(
        "--operators", metavar="NAMES", help="operators or families of them, e.g. gelu,normalization; \"chapter\" for "
        "those that LeNet is made of and their like; \"all\" (the default) deals the others fewer cases",
    )  # fmt: skip
    group.addoption(
        "--kernels", metavar="FILE", help="hold the functions of a Python file or module, with the signatures of "
        "torch.nn.functional's, or its classes, with the constructors of torch.nn's, to the laws in place of torch's",
    )  # fmt: skip
    group.addoption(
        "--module", metavar="FILE:CLASS", help="hold one subclass of torch.nn.Module to the laws; --like says which "
        "layer it stands for",
    )  # fmt: skip
    group.addoption(
        "--task", metavar="FILE", help="the task that the ModelNew of --kernels answers, in KernelBench's form: Model, "
        "get_inputs() and get_init_inputs() (default: the file of --kernels)",
    )  # fmt: skip
    group.addoption(
        "--without", metavar="WORDS", help="what the kernels, or the device, do not take, e.g. unbatched,groups: it "
        "is not tried, and no divergence",
    )  # fmt: skip
    group.addoption(
        "--bound", choices=("any", ELEMENTWISE), default="any", help="the bound that convolutions and averages of "
        "kernels and of other devices are held to: that of any algorithm that is right, such as FFT, or of sums alone",
    )  # fmt: skip
    group.addoption(
        "--operator", metavar="NAME", help="hold an operator of torch.library that --import brings, such as "
        "mylib::conv2d",
    )  # fmt: skip
    group.addoption(
        "--like", metavar="NAME", help="the layer of torch.nn whose constructor the class of --module has, e.g. "
        "torch.nn.Conv2d, or the function of torch.nn.functional that --operator stands for",
    )  # fmt: skip
    group.addoption(
        "--compile-backend", metavar="NAME", help="hold a backend of torch.compile to the laws in place of inductor",
    )  # fmt: skip
    group.addoption(
        "--device", metavar="NAME", help="hold a device outside torch's tree, which the module of --device-import "
        "makes known to torch",
    )  # fmt: skip
    group.addoption(
        "--device-import", metavar="MODULE", help="a module or a Python file that is imported where torch runs on "
        "--device",
    )  # fmt: skip
    group.addoption(
        "--import", metavar="MODULE", help="a module or a Python file that brings what is to be held, and is imported "
        "where torch runs",
    )  # fmt: skip
    group.addoption(
        "--subject-python", metavar="PATH", help="an interpreter with another torch, to be held to the same cases",
    )  # fmt: skip
    group.addoption("--in-process", action="store_true", help="run torch in this process, e.g. under a debugger")
    group.addoption(
        "--call-timeout",
        metavar="S",
        type=float,
        default=TIMEOUT,
        help="seconds that a call may compute; without computing, six times as long (default: 10)",
    )
    group.addoption(
        "--call-memory", metavar="GIB", type=float, default=MEMORY,
        help="memory that a worker may take beyond what importing torch took (default: 2)",
    )  # fmt: skip
    group.addoption(
        "--diagnosis", metavar="CASES", type=int, default=CASES, help="of a divergence, cases that are tried to tell "
        f"when it fails; 0 for none (default: {CASES}, some seconds)",
    )  # fmt: skip
    group.addoption(
        "--diagnose-known", action="store_true", help="diagnose the examples of the ledger, too, and hold its "
        "predicates against that",
    )  # fmt: skip
    group.addoption(
        "--shard", metavar="K/N", help="run the K-th of N parts of the checks, the others being run by other machines; "
        "`python -m reports merge` joins what they write",
    )  # fmt: skip
    group.addoption(
        "--json", metavar="FILE", help="write the verdict for other programs, by the schema "
        "properties/session/verdict.schema.json",
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


def read(config: pytest.Config) -> Options:
    """The options as given; ends pytest with exit code 2 where one cannot be met."""
    searched = config.getoption("--search-minutes")
    profile = config.getoption("--hypothesis-profile", None) or (profiles.SEARCH if searched else "default")
    _check_limits(config)
    _load_profile(config, profile)
    shard, python = _shard(config, profile), config.getoption("--subject-python")
    kernels = _module(config) or _operator(config) or _code(config, "--kernels")
    imports = tuple(filter(None, (_code(config, option) for option in ("--device-import", "--import"))))
    backend, device = _backend(config), _device(config)
    without = _without(config, kernels or device)
    other = _other_torch(python) if python else ""
    try:
        names = config.getoption("--subjects") or (
            subjects.few(device) if profile == profiles.QUICK and not backend else None
        )
        held_to = subjects.select(names, kernels, other, backend or "", imports, device)
    except ValueError as error:
        pytest.exit(f"--subjects={config.getoption('--subjects')}: {error}", returncode=2)
    timeout, memory = config.getoption("--call-timeout"), int(config.getoption("--call-memory") * 2**30)
    in_process = config.getoption("--in-process")
    bound, task, own = config.getoption("--bound"), _task(config, kernels), (imports, device, python, other)
    limits = minutes(searched), in_process, timeout, memory
    whole = profile == "default" and not _choosing(config)
    held = kernels, without, bound, task, backend, *own
    return Options(profile, held_to, shard, *held, *limits, whole, *_operators(config))


def _choosing(config: pytest.Config) -> bool:
    """True if checks or subjects are named, or those that failed before are tried again."""
    options = ("keyword", "markexpr", "lf", "--subjects", "--kernels", "--module", "--operator", "--compile-backend")
    places = [Path(argument.partition("::")[0]).resolve() for argument in config.args]
    _, named = _operators(config)
    chosen_by = (config.getoption(option, None) for option in options)  # "lf" is the cache's, which may be off
    return named or any(PROPERTIES in place.parents for place in places) or any(chosen_by)


def _operators(config: pytest.Config) -> tuple[list[Operator], bool]:
    """The operators to be held, and whether the user named them."""
    given: str = config.getoption("--operators") or ALL
    try:
        return chosen(name.strip() for name in given.split(",")), given not in (ALL, "chapter")
    except ValueError as error:
        pytest.exit(f"--operators={given}: {error}", returncode=2)


def minutes(given: str | None) -> float:
    """The time budget of an option's value. Raises ValueError."""
    try:
        number = MINUTES if given is None else float(given)
    except ValueError:
        number = math.nan
    if not 0 < number < math.inf:
        raise ValueError("no number of minutes above 0; give one, e.g. 30 or 0.5")
    return number


def _check_limits(config: pytest.Config) -> None:
    for option in ("--call-timeout", "--call-memory"):
        if not config.getoption(option) > 0:
            pytest.exit(f"{option}={config.getoption(option):g}: must be more than 0", returncode=2)
    if (told := config.getoption("--diagnosis")) < 0:
        pytest.exit(f"--diagnosis={told}: no number of cases; give one, e.g. {CASES}, or 0 for none", returncode=2)
    allowed = config.getoption("--call-memory")
    if not config.getoption("--in-process") and (left := process.address_space()) < allowed * 2**30:
        left_over = f"this process may take {left / 2**30:.1f} GiB more (ulimit -v)"
        pytest.exit(f"--call-memory={allowed:g}: {left_over}; give less, or raise that limit", returncode=2)


def _load_profile(config: pytest.Config, profile: str) -> None:
    """Load the profile, its examples kept where the user says."""
    place, searched = config.getoption("--examples"), config.getoption("--search-minutes")
    try:
        option = f"--hypothesis-profile={profile}"
        profiles.check(profile)
        option = f"--search-minutes={searched}"
        minutes(searched)
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


def _operator(config: pytest.Config) -> str | None:
    """The operator as kernels; whether there is one of that name a worker knows, once it has imported all."""
    name, like = config.getoption("--operator"), config.getoption("--like")
    if name is None and like is None:
        return None
    option = f"--like={like}" if name is None else f"--operator={name}"
    if name is None or not like:
        pytest.exit(f"{option}: give both --operator and --like, e.g. --operator mylib::conv2d --like conv2d", 2)
    if not re.fullmatch(r"\w+::\w+", name):
        pytest.exit(f"{option}: no name of an operator; give its namespace, too, e.g. mylib::conv2d", returncode=2)
    if not inspect.isroutine(getattr(torch.nn.functional, like, None)):
        pytest.exit(f"--like={like}: torch.nn.functional has no such function; give one that it has, e.g. conv2d", 2)
    if config.getoption("--kernels"):
        pytest.exit(f"{option}: it stands in the place of kernels; leave --kernels out", returncode=2)
    return f"{like}={name}"


def _backend(config: pytest.Config) -> str | None:
    """The backend of torch.compile; whether there is one of that name a worker knows, once it has imported all."""
    backend: str | None = config.getoption("--compile-backend")
    if backend is not None and (config.getoption("--kernels") or config.getoption("--operator")):
        pytest.exit(f"--compile-backend={backend}: kernels are called as they are; leave out one of the two", 2)
    return backend


def _device(config: pytest.Config) -> str | None:
    """The device outside torch's tree; whether there is one of that name a worker knows, once it has imported all."""
    device: str | None = config.getoption("--device")
    if device in devices.IN_TREE:
        pytest.exit(f"--device={device}: torch has this one itself; choose it with --subjects", returncode=2)
    if device and not config.getoption("--device-import"):
        pytest.exit(f"--device={device}: name the module that makes it known to torch with --device-import", 2)
    return device


def _code(config: pytest.Config, option: str) -> str | None:
    """Where a user's code is, as a worker finds it; what it defines is the worker's business."""
    where: str | None = config.getoption(option)
    return None if where is None else _found(option, where, where)


def _task(config: pytest.Config, kernels: str | None) -> str | None:
    """The file of the task that kernels may answer."""
    task: str | None = config.getoption("--task")
    if task is None:
        return kernels if kernels and kernels.endswith(".py") else None
    if config.getoption("--kernels") is None:
        pytest.exit(f"--task={task}: goes with --kernels; give the file with ModelNew, too", returncode=2)
    if not task.endswith(".py"):
        pytest.exit(
            f"--task={task}: no Python file; give one with Model, get_inputs() and get_init_inputs()", returncode=2
        )
    return _found("--task", task, task)


def _module(config: pytest.Config) -> str | None:
    """Where one class is, and which layer it stands for."""
    module, like = config.getoption("--module"), config.getoption("--like")
    if module is None:
        return None
    for option in ("--kernels", "--operator", "--compile-backend"):
        if config.getoption(option) is not None:
            pytest.exit(f"--module={module}: it stands in the place of kernels; leave {option} out", returncode=2)
    where, _, made = module.rpartition(":")
    if not (where and made.isidentifier()):
        pytest.exit(f"--module={module}: names no class; give FILE:CLASS, e.g. mine.py:MyConv2d", returncode=2)
    layer = (like or "").removeprefix("torch.").removeprefix("nn.")
    if not modules.function_of(layer):
        given = "goes with --like" if like is None else f"goes with a layer of torch.nn's, which {like} is not"
        pytest.exit(f"--module={module}: {given}; give e.g. --like=torch.nn.Conv2d", returncode=2)
    return f"{_found('--module', module, where)}:{made}={layer}"


def _found(option: str, given: str, where: str) -> str:
    """The file in full, or the module, of an option's value."""
    if where.endswith(".py"):
        if not Path(where).is_file():
            pytest.exit(f"{option}={given}: no such file; give a Python file or the name of a module", returncode=2)
        return str(Path(where).resolve())
    try:
        found = importlib.util.find_spec(where)
    except (ImportError, ValueError):
        found = None
    if found is None:
        pytest.exit(f"{option}={given}: no such module; give one, or a file that ends in .py", returncode=2)
    return where


def _without(config: pytest.Config, held: str | None) -> tuple[str, ...]:
    """The words of what is not taken."""
    given = config.getoption("--without")
    if given is None:
        return ()
    if held is None:
        what = "what kernels or a device do not take; give --kernels or --device"
        pytest.exit(f"--without={given}: says {what}, too, or leave it out", 2)
    words = tuple(word.strip() for word in given.split(","))
    check_words(f"--without={given}", words)
    return words


def check_words(source: str, words: Iterable[str]) -> None:
    """End pytest with exit code 2 where a word is no feature's."""
    for word in words:
        if word not in features.WORDS:
            pytest.exit(f"{source}: {word!r} is no feature; there are {', '.join(features.WORDS)}", returncode=2)


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
