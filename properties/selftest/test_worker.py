"""Workers: what a kernel does to its process is a verdict, and the run goes on."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path

import hypothesis
import numpy as np
import psutil
import pytest

from properties.engine.check import Check
from properties.engine.trial import Engine, Engines
from properties.laws import test_agreement
from properties.operators import operator
from properties.selftest import hostile, nested
from properties.subjects import Subject
from properties.subjects.launchers import Copy, Interpreter, Launcher
from properties.subjects.workers import UNUSED, Patience, Workers
from properties.verdicts import evidence
from properties.verdicts.verdict import Diverged
from properties.worker import programs
from properties.worker.call import Call, Outcome, Program
from properties.worker.execute import execute

X = np.linspace(-1.0, 1.0, 20).reshape(1, 20)


@pytest.fixture
def workers(launcher: Launcher) -> Iterator[Workers]:
    """Workers with little patience, ended afterwards."""
    pool = Workers(launcher, timeout=1.0)
    call(pool, programs.activation.sigmoid)
    yield pool
    pool.renew()


def call(workers: Workers, program: Program, **arguments: object) -> Outcome:
    """Run a program of one operand, without gradients."""
    return workers.run(Call(program, {"input": X}, arguments, dtype="float32"))


def test_patience_with_what_has_ended() -> None:
    """A process that ended before its time was looked at is not late: the connection tells that it ended."""
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    Patience(ended.pid, 0.0, 0.0)()


@pytest.mark.parametrize(
    "program, error",
    [
        (hostile.crashes, "NativeCrash: SIGSEGV"),
        (hostile.aborts, "NativeCrash: SIGABRT"),
        (hostile.spins, "Hung: no answer after 1 s of computing"),
        (hostile.waits_for_itself, "Hung: no answer, and 2 s without computing anything"),
        (hostile.leaves, "Exited: the process ended itself with status 3"),
        (hostile.raises_system_exit, "SystemExit: 3"),
        (hostile.hoards, "OutOfMemory: "),
    ],
)
def test_survives(workers: Workers, program: Program, error: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program that ends its worker is named for how it did, and the next call is answered."""
    monkeypatch.setattr("properties.subjects.workers.IDLE", 2)
    outcome = call(workers, program)
    assert outcome.error is not None
    assert outcome.error.startswith(error)
    assert call(workers, programs.activation.sigmoid).error is None


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="not run (processes cannot be kept on one processor)")
def test_a_busy_machine_is_no_hang(workers: Workers) -> None:
    """A call that needs three quarters of its time of the processor gets it, with six others on the same processor."""
    assert workers._worker
    one = {min(os.sched_getaffinity(0))}
    os.sched_setaffinity(workers._worker[0], one)
    spinning = [sys.executable, "-c", "while True: pass"]
    with contextlib.ExitStack() as busy:
        for _ in range(6):
            other = busy.enter_context(subprocess.Popen(spinning))
            busy.callback(other.kill)
            os.sched_setaffinity(other.pid, one)
        assert call(workers, hostile.computes, seconds=0.75).error is None


def test_a_process_that_is_kept_waiting_is_no_hang(workers: Workers) -> None:
    """Time in which a process cannot run, short of the time that it may idle, is not its own."""
    assert workers._worker
    process = psutil.Process(workers._worker[0])
    process.suspend()
    going_on = threading.Timer(2.5 * workers.timeout, process.resume)
    going_on.start()
    assert call(workers, programs.activation.sigmoid).error is None
    assert workers._worker[0] == process.pid


def test_what_grows_is_renewed_between_checks(workers: Workers) -> None:
    """A worker that keeps little of what it took serves the next check, too; one that keeps much does not."""
    for mebibytes, renewed in ((1, False), (200, True), (1, False)):
        assert call(workers, hostile.keeps, mebibytes=mebibytes).error is None
        before = workers._worker
        workers.save_memory()
        assert (workers._worker != before) == renewed
    assert call(workers, programs.activation.sigmoid).error is None


def test_what_is_of_no_use_is_ended(workers: Workers) -> None:
    """A worker that no check has used for a while ends; one that one uses now and then does not."""
    for _ in range(2):
        for _ in range(UNUSED):
            workers.save_memory()
        assert workers._worker
        assert call(workers, programs.activation.sigmoid).error is None
    for _ in range(UNUSED + 1):
        workers.save_memory()
    assert not workers._worker


def test_what_is_late_once_is_tried_again(workers: Workers, tmp_path: Path) -> None:
    """A call that was late counts as hung if it is late in a new worker, too."""
    assert call(workers, hostile.is_late_once, mark=str(tmp_path / "mark")).error is None


def test_chatter_is_no_answer(workers: Workers) -> None:
    """What a program prints does not get in the way of its result."""
    assert np.array_equal(values(call(workers, hostile.chatters)), values(call(workers, programs.activation.sigmoid)))


def test_a_warning_is_no_error() -> None:
    """What torch warns of is no error in a worker that was forked from this process, where it is one."""
    forked = Workers(Copy())
    warned = call(forked, hostile.warns).error
    forked.close()
    assert warned is None


def test_unwritten_memory_shows(workers: Workers) -> None:
    """Memory that a program never wrote holds neither zeros nor what another call left there."""
    assert np.abs(values(call(workers, hostile.unwritten))).min() > 0


def test_renewed(workers: Workers) -> None:
    """What calls left in their process is gone once that is given up."""
    for seen in (1.0, 2.0, 1.0):
        assert values(call(workers, hostile.counts)).flat[0] == seen
        if seen == 2.0:
            workers.renew()


def values(outcome: Outcome) -> np.ndarray:
    """The values of the output."""
    return np.asarray(outcome.outputs["output"].values)


def test_same_as_in_process(workers: Workers) -> None:
    """A worker gives what a call in this process gives: outputs, gradients, errors, operands that changed."""
    for program, operands, arguments in (
        (
            programs.convolution.conv2d,
            {"input": X.reshape(1, 1, 4, 5), "weight": np.ones((1, 1, 2, 2))},
            {"stride": (1, 1)},
        ),
        (
            programs.convolution.conv2d,
            {"input": X.reshape(1, 1, 4, 5), "weight": np.ones((1, 1, 2, 9))},
            {"stride": (1, 1)},
        ),
        (programs.dense.linear, {"input": X, "weight": np.ones((3, 20))}, {}),
    ):
        cotangent = None if "bias" in operands or program is programs.dense.linear else np.ones((1, 1, 3, 4))
        here, there = (run(Call(program, operands, arguments, cotangent)) for run in (execute, workers.run))
        assert repr(here) == repr(there)


def test_calls_in_turn(workers: Workers) -> None:
    """A worker makes the calls that come first, in the same memory, and gives the gradients that are wanted."""
    operands, others = ({"input": k * X, "weight": k * np.ones((3, X.shape[-1]))} for k in (1.0, 2.0))
    call = Call(
        programs.dense.linear, operands, cotangent=np.ones((*X.shape[:-1], 3)), wanted=("weight",), before=others,
        rounds=2,
    )  # fmt: skip
    here, there = execute(call), workers.run(call)
    assert repr(here) == repr(there)
    assert [*here.gradients, *here.held] == ["weight", "output", "gradient weight"]
    held, last = (np.asarray(group["output"].values) for group in (here.held, here.outputs))
    assert np.array_equal(held, 4 * last)


def test_programs_are_found_by_name(workers: Workers) -> None:
    """A program that is no function of a module is refused with a reason, not run as something else."""

    def local(input: object) -> object:
        return input

    with pytest.raises(ValueError, match=r"must be a module's function"):
        call(workers, local)


def test_an_interpreter_without_torch_is_named() -> None:
    """An interpreter that cannot start workers is named, with what it needs."""
    pool = Workers(Interpreter("/bin/false"))
    with pytest.raises(RuntimeError, match=r"/bin/false .* ended with status 1; does it have torch and numpy"):
        call(pool, programs.activation.sigmoid)


def test_a_crash_shrinks(workers: Workers) -> None:
    """Hypothesis shrinks a native crash to the smallest case that has it, each try in a new worker."""
    planted = replace(operator("sigmoid"), program=hostile.crashes_on_long_rows)
    result = evidence.Result("agreement", "", "sigmoid", "", "cpu", "float32", (), "")
    law = test_agreement.test_agreement.law  # type: ignore[attr-defined]
    engines = Engines({"": Engine(workers.run)})
    with pytest.raises(Diverged, match="raised NativeCrash: SIGSEGV") as crash:
        Check(law, planted, Subject("cpu", "float32"), result, engines).search(hypothesis.settings(max_examples=100))
    assert "shapes={'input': (2, 17)}" in "".join(crash.value.__notes__)


def running(pid: int) -> bool:
    """True if a process exists and is no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def shares_memory(pid: int) -> bool:
    """True if a process maps memory that has a name, and so outlives every process that is killed."""
    maps = Path(f"/proc/{pid}/maps").read_text(encoding="utf-8")
    return "/dev/shm/" in maps or "/SYSV" in maps


def suite(launcher: type[Launcher], python: list[str], pids: Connection) -> None:
    """As much of the suite as tells the processes that it started, and then waits for a call that never ends."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # what a script starts with & ignores Ctrl-C
    pool = Workers(launcher(*python), timeout=100)
    call(pool, programs.activation.sigmoid)
    assert pool.launcher._process
    assert pool._worker
    pids.send([pool.launcher._process.pid, pool._worker[0]])
    call(pool, hostile.hangs)


@pytest.mark.skipif(sys.platform != "linux", reason="not run (processes are looked up in /proc)")
@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("launcher, python", [(Copy, []), (Interpreter, [sys.executable])], ids=["copy", "interpreter"])
def test_no_orphans(launcher: type[Launcher], python: list[str], end: signal.Signals) -> None:
    """However the suite ends, even with a worker in the middle of a call, no process and no shared memory is left."""
    ours, theirs = nested.context.Pipe(duplex=False)
    started = nested.context.Process(target=suite, args=(launcher, python, theirs))
    started.start()
    pids = ours.recv()
    assert started.pid
    assert all(running(pid) for pid in pids)
    assert not any(shares_memory(pid) for pid in [started.pid, *pids])
    os.kill(started.pid, end)
    started.join(timeout=10)
    assert started.exitcode
    deadline = time.monotonic() + 10
    while any(running(pid) for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(running(pid) for pid in pids)
