"""The suite tested on itself: it catches planted faults, passes what is right, and covers what it holds."""

from __future__ import annotations

import contextlib
import functools
import importlib
import inspect
import os
import pickle
import pkgutil
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import hypothesis
import pytest

import refimpl
from properties.cases.case import Case
from properties.edges.huge import huge
from properties.engine.check import Check
from properties.engine.judgement import Enough
from properties.engine.law import every
from properties.engine.sandbox import Lost
from properties.engine.trial import Engines
from properties.ledger.known import known
from properties.operators import CATALOGUE, operator
from properties.selftest import digest, faults
from properties.session import recording
from properties.session.law_tests import ENGINES, SANDBOX
from properties.subjects import FLOATS, INTEGERS, SIXTEEN_BITS, Subject
from properties.verdicts import evidence
from properties.verdicts.verdict import Diverged
from properties.worker.call import INDUCTOR
from refimpl.rounding import IN_NORM

PROPERTIES = Path(__file__).resolve().parent.parent
REFERENCES = tuple(
    importlib.import_module(f"refimpl.{found.name}")
    for found in pkgutil.iter_modules(refimpl.__path__)
    if found.name not in ("arrays", "bounds", "double_backward", "expected", "lenet", "operations", "rounding", "taps")
)
"""The modules whose public functions are loops to be held against torch."""
SEARCH = hypothesis.settings(
    max_examples=1000, derandomize=True, database=None, deadline=None,
    phases=[hypothesis.Phase.generate], suppress_health_check=list(hypothesis.HealthCheck),
)  # fmt: skip
"""How long a fault may stay hidden; no shrinking.

Far more cases than a fault takes: Hypothesis varies what it drew, so that in 300 cases not one may be of a rare kind.
"""
LONG_SEARCH = hypothesis.settings(SEARCH, max_examples=8000, database=None)
NO_ALARM = hypothesis.settings(SEARCH, max_examples=30, database=None)
NOT_TAKEN = (
    "rejection", "huge arguments", "one dtype", "strides", "whatever the batch", "large sizes",
    "gradients of large sizes", "modules",
)  # fmt: skip
"""Laws of what programs of a few lines do not take, or not in the memory of a call."""
SOON = hypothesis.settings(SEARCH, max_examples=3, database=None)  # what is not said is lost on the way to a process
"""A first search, which finds most faults: one for many cases draws them eight at a time."""


@dataclass
class Attempt:
    """One planted program held to one law: how many cases were tried, on which it failed first, and how."""

    tried: int = 0
    known: int = 0
    caught: int | None = None
    message: str | None = None
    vacuous: bool = False


def attempt(
    engines: Engines, law: str, name: str, subject: Subject, *searches: hypothesis.settings, seed: int | None = None
) -> Attempt:
    """Hold a program to a law in its operator's place, until the law fails or the last search ends."""
    described, seen, planted = every()[law], Attempt(), (faults.FAULTS | faults.CORRECT)[name]

    @functools.wraps(described.body)
    def body(**about: object) -> None:
        try:
            described.body(**about)
        except Diverged as failure:
            seen.caught, seen.message = check.tally.cases, str(failure).partition("\n")[0]
            raise Enough("caught") from failure  # Hypothesis would try it once more; a fault may come and go

    result = evidence.Result(law, "", planted.operator, str(subject), subject.device, subject.dtype, (), "")
    check = Check(replace(described, body=body), planted.planted(), subject, result, engines)
    check.algorithm = planted.algorithm
    with evidence.collecting(result):
        for settings in searches:
            if seen.caught is None:
                check.search(settings, seed)
    seen.tried, seen.known, seen.vacuous = check.tally.cases, check.tally.known, check.tally.proves_nothing
    return seen


Try = Callable[..., Attempt]
"""What :func:`attempt` does, given a law, a program's name, a subject and searches."""


@pytest.fixture
def tried(request: pytest.FixtureRequest) -> Try:
    """Makes an attempt in the sandbox, and where that is lost, call by call in a worker."""
    sandbox, engines = request.config.stash.get(SANDBOX, None), request.config.stash[ENGINES]

    def try_it(law: str, name: str, subject: Subject, *searches: hypothesis.settings) -> Attempt:
        with contextlib.suppress(Lost):
            if sandbox and sandbox.suits(subject):
                return sandbox.run(attempt, law, name, subject, *searches)
        return attempt(engines, law, name, subject, *searches)

    return try_it


def write(
    request: pytest.FixtureRequest, name: str, law: str, planted: faults.Planted, dtype: str, seen: Attempt
) -> None:
    """Write one line of the report's kill matrix."""
    line: dict[str, Any] = {
        "kind": "fault",
        "name": name,
        "law": law,
        "operator": planted.operator,
        "subject": str(cpu(dtype, planted.mode)),
    }
    line |= {"caught": seen.caught is not None, "cases": seen.caught, "message": seen.message}
    request.config.stash[recording.WRITER].write({**line, "correct": name in faults.CORRECT})


def cpu(dtype: str, mode: str = "eager") -> Subject:
    """Torch on this machine's processor; what torch.compile traces of a fault is the same for any backend."""
    return Subject("cpu", dtype, mode, backend=INDUCTOR if mode == "eager" else "aot_eager")


def each(programs: dict[str, faults.Planted]) -> pytest.MarkDecorator:
    """One test for each program and dtype."""
    pairs = [(name, dtype) for name, planted in programs.items() for dtype in planted.dtypes]
    ids = [f"{programs[name].program.__name__}-{dtype}" for name, dtype in pairs]
    return pytest.mark.parametrize("name, dtype", pairs, ids=ids)


@each(faults.FAULTS)
def test_fault_is_caught(name: str, dtype: str, tried: Try, request: pytest.FixtureRequest) -> None:
    """A planted fault fails the law that is there to catch it, in every dtype in which it shows."""
    fault = faults.FAULTS[name]
    searches = [SEARCH] if every()[fault.law].turns else [SOON, SEARCH]
    law, seen = fault.law, tried(fault.law, name, cpu(dtype, fault.mode), *searches)
    steered = not seen.caught and 2 * seen.known > seen.tried and dtype in SIXTEEN_BITS
    if steered:
        # On a processor whose sums are all rounded on the way, the ledger steers every law around them but this one.
        law, seen = "accumulator", tried("accumulator", name, cpu(dtype, fault.mode), SEARCH)
    if steered and not seen.caught:  # or around most cases, of which some are rare
        law, seen = fault.law, tried(fault.law, name, cpu(dtype, fault.mode), LONG_SEARCH)
    write(request, name, law, fault, dtype, seen)
    assert seen.caught, f"{name}: {law} did not catch it in {seen.tried} cases"


@pytest.mark.parametrize("law", ["agreement", "gradients"])
@each(faults.CORRECT)
def test_no_false_alarm(name: str, dtype: str, law: str, tried: Try, request: pytest.FixtureRequest) -> None:
    """A correct program in an unusual order of evaluation holds the laws."""
    right = faults.CORRECT[name]
    seen = tried(law, name, cpu(dtype), NO_ALARM)
    write(request, name, law, right, dtype, seen)
    assert seen.caught is None, f"{name}: {law} raised a false alarm: {seen.message}"
    assert seen.tried >= NO_ALARM.max_examples // 2
    assert not seen.vacuous


def laws_in_norm() -> list[tuple[str, str]]:
    """Right programs that are stable in norm alone, each with the laws that hold of them and their valid arguments."""
    held = [law for law in every().values() if not law.elementwise and law.name not in NOT_TAKEN]
    planted = [(name, operator(right.operator)) for name, right in faults.CORRECT.items() if right.algorithm in IN_NORM]
    of = [(name, law) for name, own in planted for law in held if own in law.operators]
    return [(name, law.name) for name, law in of if law.on(cpu("float32"))]


@pytest.mark.parametrize(("name", "law"), laws_in_norm())
def test_laws_in_norm(name: str, law: str, tried: Try) -> None:
    """A law allows what an algorithm that is stable in norm may be off by, wherever it computes."""
    seen = tried(law, name, cpu("float32"), hypothesis.settings(NO_ALARM, max_examples=12, database=None))
    assert seen.caught is None, f"{name}: {law} raised a false alarm: {seen.message}"


def test_kill_matrix_is_wide() -> None:
    """There are faults for every law that a single program can break, and names are told apart."""
    about_both = [law for law in every().values() if {"operator", "subject"} <= set(law.parameters)]
    here = [*map(cpu, (*FLOATS, *INTEGERS)), Subject("cpu", "float32", "compiled")]
    breakable = {law.name for law in about_both if any(map(law.on, here))}
    assert {fault.law for fault in faults.FAULTS.values()} == breakable
    assert len(faults.FAULTS) >= 45
    assert len(faults.CORRECT) >= 10


def public(module: ModuleType) -> list[str]:
    """The functions that a reference module defines for others."""
    return [
        name
        for name, function in vars(module).items()
        if inspect.isfunction(function) and function.__module__ == module.__name__ and not name.startswith("_")
    ]


def _unaliased(path: Path) -> str:
    """A module's text with the modules that it imports under their own names."""
    text = path.read_text(encoding="utf-8")
    for name, alias in re.findall(r"import (\w+) as (\w+)", text):
        text = re.sub(rf"\b{alias}\.", f"{name}.", text)
    return text


def test_every_reference_is_used() -> None:
    """Every public loop is held against torch by an operator or a law, or serves another loop."""
    sources = "\n".join(map(_unaliased, [*PROPERTIES.rglob("*.py"), *PROPERTIES.parent.glob("refimpl/**/*.py")]))
    dotted = set(re.findall(r"\b(\w+)(?=\.(\w+))", sources))
    imported = set(re.findall(r"\w+", " ".join(re.findall("import .*", sources))))
    for module in REFERENCES:
        name, source = module.__name__.rpartition(".")[2], inspect.getsource(module)
        chosen = f"getattr({name}, " in sources
        for function in public(module):
            calls = len(re.findall(rf"(?<!>>> )\b{function}\(", source))  # its own examples aside
            used = (name, function) in dotted or function in imported or chosen
            assert used or calls > 1, f"{name}.{function} is held against nothing: give it an operator or a law"


def test_every_operator_is_a_torch_layer() -> None:
    """Each operator names the torch layer or function that it verifies, and its own loops."""
    import torch

    for described in CATALOGUE:
        path = described.layer.split(".")[1:]
        thing: object = torch
        for part in path:
            thing = getattr(thing, part)
        assert callable(thing), f"{described.name}: {described.layer} is no torch layer"


PAST_64_BITS = Case(
    {"input": (1, 1, 1)}, {"norm_type": 3.0, "kernel_size": (1,), "ceil_mode": False, "stride": (2**63,)}
)


@pytest.mark.parametrize("name", [o.name for o in every()["huge arguments"].operators])
def test_predicates_answer_for_huge_arguments(name: str) -> None:
    """The ledger's predicates give an answer for arguments that no loop can count to."""
    pool, subjects = operator(name), [Subject("cpu", dtype) for dtype in FLOATS]

    @hypothesis.settings(NO_ALARM, phases=[hypothesis.Phase.explicit, hypothesis.Phase.generate])
    @hypothesis.given(case=huge(pool, shapes=False))
    def asked(case: Case) -> None:
        for subject in subjects:
            known("huge arguments", pool, subject, case)

    if name == "lp_pool1d":
        asked = hypothesis.example(case=PAST_64_BITS)(asked)
    asked()


def test_compiled_loops_give_the_bits_of_plain_python() -> None:
    """Numba makes the loops fast and changes no bit: the same digest of every reference with and without it."""
    cases = {about.name: digest.small_cases(about) for about in CATALOGUE}
    assert sum(map(len, cases.values())) > 10 * len(CATALOGUE)
    plain = subprocess.run(
        [sys.executable, "-m", "properties.selftest.digest"], cwd=PROPERTIES.parent, capture_output=True, check=True,
        input=pickle.dumps(cases), env={**os.environ, "NUMBA_DISABLE_JIT": "1"},
    )  # fmt: skip
    assert digest.digest(cases) == plain.stdout.decode().strip()


def test_readme() -> None:
    """The README says how many planted faults and correct kernels there are."""
    text = re.sub(r"\s+", " ", (PROPERTIES.parent / "README.md").read_text(encoding="utf-8"))
    phrases = [f"{len(faults.FAULTS)} planted faults", f"{len(faults.CORRECT)} correct kernels"]
    assert not [phrase for phrase in phrases if not re.search(rf"\b{phrase}\b", text)]
