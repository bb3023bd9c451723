"""Holding functions of a notebook, or of a test of one's own, to the laws: :func:`properties.check`."""

from __future__ import annotations

import dataclasses
import itertools
import math
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import cloudpickle
import hypothesis
import numpy as np
import torch

from properties import subjects
from properties.engine import findings
from properties.engine.algorithms import Algorithms
from properties.engine.diagnosis import CASES
from properties.engine.domain import LAW, Domains
from properties.engine.law import Law, every
from properties.engine.search import Pair
from properties.engine.trial import Engine, Engines
from properties.ledger.record import nearest
from properties.operators import CATALOGUE, Operator, features
from properties.session import profiles
from properties.session.kernels import lines
from properties.session.recording import noted
from properties.subjects import Subject
from properties.subjects.launchers import Copy, Interpreter
from properties.subjects.workers import Workers
from properties.verdicts import evidence
from properties.verdicts.verdict import Diverged, Vacuous
from properties.worker import process, programs
from properties.worker.call import Call, Outcome
from properties.worker.execute import execute, named_functions

FIRST = 15
"""Cases that each law has in the first round; twice as many in each that follows."""
PROBE = Call(programs.activation.sigmoid, {"input": np.ones(1)}, cotangent=np.ones(1), dtype="float32")
"""A call that needs autograd."""
CARRIED = """import pathlib, pickle
globals().update(pickle.loads(pathlib.Path(__file__).with_suffix(".pickle").read_bytes()))
"""
"""A module of the functions that lie beside it."""
_names = (f"functions_of_check_{number}" for number in itertools.count(1))


@dataclass
class Checked:
    """What came of holding functions to the laws.

    cases: how many were tried. results: one for each law × operator × dtype that was tried, as the evidence has it.
    counterexample, script: the smallest case that was found, and a program that makes this call alone and exits with 1
    while the function is wrong; None where nothing was found.
    """

    functions: tuple[str, ...]
    results: list[evidence.Result]
    counterexample: str | None = None
    script: str | None = None
    seconds: float = 0.0

    @property
    def cases(self) -> int:
        """How many cases were tried."""
        return sum(result.tally.cases for result in self.results)

    @property
    def right(self) -> bool | None:
        """True if all that was tried holds, False if something does not, None if nothing could be tried."""
        if self.counterexample is not None:
            return False
        tried = [result for result in self.results if result.law != LAW and result.tally.comparisons]
        held = [result for result in tried if result.status == "passed"]
        return True if held else None

    @property
    def verdict(self) -> str:
        """What is to be said of each function, a line each."""
        text = "\n".join(lines(map(noted, self.results))) or f"{', '.join(self.functions)}: not run ({self._reason})"
        return f"{text} ({self.cases:,} case{'s' * (self.cases != 1)})"

    @property
    def _reason(self) -> str:
        reasons = (result.reason for result in self.results if result.reason)
        return next(reasons, "the time was up before the first case")

    def raise_for_divergence(self) -> None:
        """Raise AssertionError, with the counterexample, if something does not hold."""
        if self.counterexample is not None:
            raise Diverged(f"{self.verdict}\n{self.counterexample}")

    def __str__(self) -> str:
        return "\n".join(filter(None, (self.verdict, self.counterexample)))


def check(
    functions: dict[str, Callable[..., Any]],
    seconds: float,
    dtypes: Sequence[str],
    without: Iterable[str],
) -> Checked:
    """See :func:`properties.check`."""
    _require(functions, seconds, dtypes, tuple(without))
    every()
    started, name = time.monotonic(), next(_names)
    module = sys.modules[name] = ModuleType(name)
    vars(module).update(functions)
    try:
        with tempfile.TemporaryDirectory() as folder, _engines(module, Path(folder)) as engines:
            held = [Subject("cpu", dtype, kernels=name) for dtype in dtypes]
            pairs = list(_pairs(functions, held, Domains(engines, tuple(without), held), engines))
            checked = Checked(tuple(functions), [pair.result for pair in pairs])
            _hold(pairs, started + seconds, Path(folder), checked)
    finally:
        del sys.modules[name]
    checked.results = [pair.result for pair in pairs if pair.visited]
    return dataclasses.replace(checked, seconds=time.monotonic() - started)


def _require(functions: dict[str, Any], seconds: float, dtypes: Sequence[str], without: tuple[str, ...]) -> None:
    """Raise ValueError for what cannot be held, with what would do."""
    known = sorted(set().union(*(named_functions(operator.program) for operator in CATALOGUE)))
    if not functions:
        raise ValueError("no function was given; give one by the name of torch.nn.functional's, e.g. conv2d=mine")
    for name, function in functions.items():
        if name not in known:
            raise ValueError(f"{name}: no function of torch.nn.functional's that has a loop; {nearest(name, known)}")
        if not callable(function):
            raise ValueError(f"{name}={function!r}: not callable; give a function like torch.nn.functional.{name}")
    if not seconds > 0:
        raise ValueError(f"seconds={seconds!r}: must be more than 0")
    for kind, given, names in (("dtypes", dtypes, subjects.FLOATS), ("without", without, features.WORDS)):
        for word in given:
            if word not in names:
                raise ValueError(f"{kind}: {word!r} is none of {', '.join(names)}")


@contextmanager
def _engines(module: ModuleType, folder: Path) -> Iterator[Engines]:
    """Workers that have the functions of a module of this process; this process itself where there can be none."""
    for workers in _workers(module, folder):
        try:
            if _answers(workers, module.__name__):
                yield Engines({"": Engine(workers.run, workers.renew)})
                return
        finally:
            workers.close()
    yield Engines({"": Engine(_answer_here)})


def _workers(module: ModuleType, folder: Path) -> Iterator[Workers]:
    """Forks of this process; if they do not do, forks of a new one, to which the functions are carried.

    Torch refuses gradients in a fork of a process in which autograd has run.
    """
    if process.FORKS:
        yield Workers(Copy())
        if _carried(module, folder):
            yield Workers(Interpreter(sys.executable, [str(folder), *(place or str(Path.cwd()) for place in sys.path)]))


def _carried(module: ModuleType, folder: Path) -> bool:
    """True if the functions of a module can be pickled; they then lie in a folder, as a module of the same name."""
    own = {name: function for name, function in vars(module).items() if not name.startswith("__")}
    try:
        pickled = cloudpickle.dumps(own)
    except Exception:  # whatever an object raises that they use, such as an open file
        return False
    file = folder / f"{module.__name__}.py"
    file.write_text(CARRIED, encoding="utf-8")
    file.with_suffix(".pickle").write_bytes(pickled)
    return True


def _answers(workers: Workers, functions: str) -> bool:
    """True if workers compute gradients, and find the functions."""
    if workers.run(PROBE).error is not None:
        return False
    found = workers.run(dataclasses.replace(PROBE, kernels=functions)).error
    return not (found or "").startswith("ImportError")


def _answer_here(call: Call) -> Outcome:
    """Make a call in this process, which it may not end."""
    try:
        return execute(call)
    except SystemExit as ended:
        return Outcome(error=f"Exited: it would have ended this process with status {ended.code}")


def _pairs(functions: Iterable[str], held: Sequence[Subject], domains: Domains, engines: Engines) -> Iterator[Pair]:
    """Each law on each operator that a function has a part in, those that explain others first."""
    algorithms = Algorithms(engines, domains)
    concerned = [operator for operator in CATALOGUE if named_functions(operator.program) & {*functions}]
    for law in sorted(every().values(), key=lambda law: law.rank):
        for operator in (operator for operator in law.operators if operator in concerned):
            for subject in (subject for subject in held if law.includes(operator, subject)):
                blank = _blank(law, operator, subject)
                about = law, operator, subject, blank, engines, domains
                yield Pair(*about, algorithms=algorithms, diagnosing=CASES)


def _blank(law: Law, operator: Operator, subject: Subject) -> evidence.Result:
    return evidence.Result(
        law.name, law.title, operator.name, str(subject), subject.place, subject.dtype, operator.systems, ""
    )


def _hold(pairs: list[Pair], until: float, folder: Path, checked: Checked) -> None:
    """Hold each law in turn, with more cases in each round, until the time is up or something does not hold.

    However short the time, one is held.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        for number in itertools.count():
            waiting = [pair for pair in pairs if not pair.aside]
            for pair in waiting:
                end = until if checked.right else math.inf
                if time.monotonic() > end:
                    return
                if failure := _turn(pair, FIRST << number, end):
                    _keep(pair, failure, folder, checked)
                    return
            if not waiting:
                return
    finally:
        torch.set_num_threads(threads)
        for pair in pairs:
            pair.close()


def _turn(pair: Pair, cases: int, until: float) -> AssertionError | None:
    """Try so many cases of a check, or fewer where the time is up; how it diverges, if it does."""
    settings = hypothesis.settings(hypothesis.settings.get_profile(profiles.QUICK), max_examples=cases, database=None)
    try:
        pair.visit(settings, until)
    except Vacuous:
        pass  # more cases may prove something
    except AssertionError as failure:
        return failure
    pair.aside = "case" not in pair.law.parameters or pair.result.status == "not run"
    return None


def _keep(pair: Pair, failure: AssertionError, folder: Path, checked: Checked) -> None:
    """Keep the smallest case and its script."""
    findings.script(pair.result, failure, folder)
    checked.counterexample = str(pair.result.message)
    if pair.result.repro:
        checked.script = (folder / pair.result.repro).read_text(encoding="utf-8")
