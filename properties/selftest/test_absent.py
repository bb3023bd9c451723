"""Absent subjects: a row of evidence for each check, a line on the terminal, no test."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from properties.selftest import nested
from properties.session import absent
from properties.subjects import Subject, devices
from properties.verdicts import evidence

HERE = Subject("cpu", "float32")
GONE = [Subject("no such device", dtype) for dtype in ("float64", "float32")]


@pytest.fixture(autouse=True)
def a_device_that_is_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    """A device that no machine has."""
    absence = devices.absence
    monkeypatch.setattr(devices, "absence", lambda name: "none here" if name == "no such device" else absence(name))


def blank(item: Any, subject: Subject, operator: str) -> evidence.Result | None:
    """The row of a law that covers everything in float32."""
    result = evidence.Result("law", "", operator, str(subject), subject.device, subject.dtype, (), item.nodeid)
    return result if subject.dtype == "float32" else None


class Collected:
    """A test of a law on an operator and a subject, as far as it is looked at."""

    def __init__(self, operator: str, subject: Subject) -> None:
        self.nodeid = f"test_law.py::test_law[{operator}-{subject}]"
        self.callspec = SimpleNamespace(params={"operator": operator, "subject": subject})


def test_a_row_for_each_operator() -> None:
    """There is one row for each operator that has a test and each absent subject that the law speaks of."""
    tests: list[Any] = [
        Collected("conv2d", HERE), Collected("conv2d", Subject("cpu", "float64")), Collected("linear", HERE),
    ]  # fmt: skip
    found = absent.rows(tests, [HERE, *GONE], blank)
    assert list(found) == [tests[0], tests[2]]
    (row,) = found[tests[2]]
    assert (row.status, row.reason, row.operator, row.subject) == ("not run", "none here", "linear", str(GONE[1]))
    assert row.test == f"test_law.py::test_law[linear-{GONE[1]}]"


def test_one_that_is_absent_stands_for_others() -> None:
    """Where no subject is present the first has a test, which is skipped and writes its own row."""
    assert absent.standing([HERE, *GONE]) == [HERE]
    assert absent.standing(GONE) == GONE[:1]
    test: Any = Collected("conv2d", GONE[1])
    assert absent.rows([test], GONE, blank) == {}
    assert absent.standing([]) == []


def test_the_most_frequent_reasons() -> None:
    """Five reasons get a line, tests and checks without a test alike; one more line counts the others."""
    skipped = Counter({f"Skipped: not run (reason {number})": number for number in range(1, 8)})
    lines = absent.summary(skipped, {"no CUDA device": {"cuda-float64": 1000, "cuda-tf32": 200}})
    assert lines[:2] == [
        "not run: 1,200 checks on cuda-float64, cuda-tf32 (no CUDA device)",
        "not run: 7 tests (reason 7)",
    ]
    assert lines[5:] == ["not run: 6 more (other reasons: 3)"]
    assert absent.summary(Counter({"Skipped: no (such) thing": 1}), {}) == ["not run: 1 test (no (such) thing)"]


@pytest.mark.parametrize("processes", [[], ["-n1"]])
@pytest.mark.skipif("cuda" in devices.present(), reason="not run (there is a CUDA device, so none is absent)")
def test_a_run_without_cuda(processes: list[str], tmp_path: Path) -> None:
    """As a user sees it: no skipped test, one line, one row for each check that was not run, whatever the processes."""
    tests = [
        "properties/laws/test_worked_examples.py",
        "properties/laws/test_ledger.py",
        "-k",
        "test_worked_example or lp-pool-cut-off-window-cpu-float32",
    ]
    options = ["--benchmark-disable", "-p", "no:cacheprovider", f"--evidence={tmp_path}", *processes]
    finished = nested.run(*tests, *options)
    assert finished.returncode == 0, finished.stdout
    assert "skipped" not in finished.stdout
    written = [
        json.loads(line) for path in tmp_path.iterdir() for line in path.read_text(encoding="utf-8").splitlines()
    ]
    rows = [line for line in written if line.get("status") == "not run"]
    assert len({(row["law"], row["operator"], row["subject"], row["test"]) for row in rows}) == len(rows) > 2
    assert {row["reason"] for row in rows} == {"no CUDA device"}
    assert f"not run: {len(rows)} checks on cuda-float64, cuda-float32" in finished.stdout
