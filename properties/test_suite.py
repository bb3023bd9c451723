"""The suite tested on itself: it catches planted faults, passes what is right, and covers what it holds."""

from __future__ import annotations

import inspect
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import hypothesis
import pytest

from properties import (
    evidence,
    faults,
    laws,
    test_agreement,
    test_channels,
    test_flip,
    test_gradients,
    test_locality,
    test_rerun,
)
from properties.operators import CATALOGUE, operator
from properties.runner.call import Program
from properties.subjects import Subject
from refimpl import activation, convolution, dense, geometry, initializer, loss, optimizer, pooling

HERE = Path(__file__).resolve().parent
REFERENCES = (activation, convolution, dense, geometry, initializer, loss, optimizer, pooling)
LAWS = {
    test.law.name: test.law  # type: ignore[attr-defined]
    for test in (
        test_agreement.test_agreement,
        test_channels.test_pooling_per_channel,
        test_flip.test_flip_equivalence,
        test_gradients.test_gradients,
        test_locality.test_locality,
        test_rerun.test_rerun,
    )
}
QUICK = hypothesis.settings(
    max_examples=300, derandomize=True, database=None, deadline=None,
    phases=[hypothesis.Phase.generate], suppress_health_check=list(hypothesis.HealthCheck),
)  # fmt: skip
SUBJECTS = (Subject("cpu", "float64"), Subject("cpu", "float32"))


def attempt(law: str, stands_for: str, program: Program, subject: Subject) -> evidence.Result:
    """Hold a program to a law in an operator's place; raises AssertionError where it fails."""
    planted = replace(operator(stands_for), program=program)
    result = evidence.Result(law, "", stands_for, str(subject), subject.device, subject.dtype, (), "")
    with evidence.collecting(result):
        laws.search(LAWS[law], planted, subject, result, QUICK)
    return result


@pytest.mark.parametrize("name", faults.FAULTS)
def test_fault_is_caught(name: str) -> None:
    """A planted fault fails the law that is there to catch it, in float64 or float32."""
    law, stands_for, program = faults.FAULTS[name]
    caught = 0
    for subject in SUBJECTS:
        try:
            attempt(law, stands_for, program, subject)
        except AssertionError:
            caught += 1
    assert caught, f"{name}: not caught by {law}"


@pytest.mark.parametrize("name", faults.CORRECT)
def test_no_false_alarm(name: str) -> None:
    """A correct program in an unusual order of evaluation holds the laws, in float64 and float32."""
    stands_for, program = faults.CORRECT[name]
    for subject in SUBJECTS:
        assert attempt("agreement", stands_for, program, subject).cases


def public(module: ModuleType) -> list[str]:
    """The functions that a reference module defines for others."""
    return [
        name
        for name, function in vars(module).items()
        if inspect.isfunction(function) and function.__module__ == module.__name__ and not name.startswith("_")  # type: ignore[attr-defined]
    ]


def test_every_reference_is_used() -> None:
    """Every public loop is held against torch by an operator or a law, or serves another loop."""
    sources = "\n".join(
        p.read_text(encoding="utf-8") for p in [*HERE.rglob("*.py"), *HERE.parent.glob("refimpl/**/*.py")]
    )
    for module in REFERENCES:
        name = module.__name__.rpartition(".")[2]
        for function in public(module):
            calls = len(re.findall(rf"\b{function}\(", inspect.getsource(module)))
            used = re.search(rf"\b{name}\.{function}\b|import .*\b{function}\b|getattr\({name}, ", sources)
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


def test_compiled_loops_give_the_bits_of_plain_python() -> None:
    """Numba makes the loops fast and changes no bit: the same digest of every reference with and without it."""
    digests = {
        subprocess.run(
            [sys.executable, "-m", "properties.digest"], cwd=HERE.parent, capture_output=True, text=True,
            check=True, env={**os.environ, "NUMBA_DISABLE_JIT": disabled},
        ).stdout
        for disabled in ("0", "1")
    }  # fmt: skip
    assert len(digests) == 1
