"""What convolutions by other algorithms show, and what they are held to."""

from __future__ import annotations

from dataclasses import replace

import pytest

from properties.cases.case import Case
from properties.engine import algorithms
from properties.engine.algorithms import Algorithms
from properties.engine.check import Check
from properties.engine.domain import drawn
from properties.engine.law import every
from properties.engine.trial import HERE
from properties.operators import Operator, operator
from properties.selftest import faults
from properties.selftest.faults.record import WIDE
from properties.subjects import Subject
from properties.verdicts.evidence import Result
from refimpl.rounding import ELEMENTWISE, IN_NORM, RECIPROCAL

CPU = Subject("cpu", "float32")


def shown(monkeypatch: pytest.MonkeyPatch, planted: faults.Planted, dtype: str = "float32") -> algorithms.Shown:
    """What a planted convolution shows, where any algorithm may be used."""
    monkeypatch.setattr(algorithms, "free", lambda subject: True)
    monkeypatch.setattr(algorithms, "CATALOGUE", [planted.planted()])
    return Algorithms(HERE).of(planted.planted(), replace(CPU, dtype=dtype))


RIGHT = [(name, dtype) for name, planted in faults.CORRECT.items() if planted.algorithm in IN_NORM
         for dtype in WIDE]  # fmt: skip
"""In 16 bits F(2, 3) is as good as exact."""


@pytest.mark.parametrize("name, dtype", RIGHT, ids=str)
def test_algorithm_is_shown(name: str, dtype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A right convolution by transforms breaks the bound of sums, and keeps its own."""
    found = shown(monkeypatch, faults.CORRECT[name], dtype)
    assert found.algorithm == faults.CORRECT[name].algorithm
    assert found.shares[ELEMENTWISE] > 1 >= found.shares[found.algorithm]


def test_accumulator_in_norm() -> None:
    """In the storage, too, sums by transforms may be off where the exact ones are zero."""
    shapes = {"input": (1, 5, 3), "weight": (8, 1, 2, 4), "bias": (8,)}
    arguments = {"stride": (4, 3), "padding": (4, 6), "dilation": (3, 3), "groups": 1}
    right, subject = faults.CORRECT["Convolution by fast Fourier transforms"], Subject("cpu", "bfloat16")
    result = Result("accumulator", "", right.operator, str(subject), "cpu", "bfloat16", (), "")
    check = Check(every()["accumulator"], right.planted(), subject, result, algorithm=right.algorithm)
    assert check.divergence(Case(shapes, arguments, "ties", 2743)) is None


@pytest.mark.parametrize("name", [n for n, planted in faults.CORRECT.items() if planted.algorithm == RECIPROCAL])
def test_quotients_are_exact(name: str) -> None:
    """An average by reciprocals keeps its bound, and breaks that of quotients on integers, which torch's own keeps."""
    own = faults.CORRECT[name].operator
    shares = {kind: most_of(kind) for kind in (operator(own), faults.CORRECT[name].planted())}
    assert [found[ELEMENTWISE] > 1 for found in shares.values()] == [False, True]
    assert all(found[RECIPROCAL] <= 1 for found in shares.values())


def most_of(own: Operator) -> dict[str, float]:
    """The largest shares of the bounds of an operator on the CPU."""
    worst = algorithms.Shown()
    for case in (algorithms.telling_case(own, case) for case in drawn(own)[:18]):
        operands, cotangent = own.operands(case, CPU.format), own.cotangent(case, CPU.format)
        outcome = CPU.run(own.program, operands, case.arguments, cotangent)
        worst = worst.with_more(algorithms.measured(own, outcome, operands, cotangent, case, CPU.format))
    return dict(worst.shares)


def test_free_subjects_may_average_by_reciprocals() -> None:
    """Kernels, tasks and other devices are held to the bound of either way, torch's own on the CPU to quotients."""
    held_to, mean, kernels = Algorithms(HERE).held_to, operator("mean"), replace(CPU, kernels="mine.py")
    assert held_to(mean, CPU) == held_to(replace(mean, name="Model"), CPU) == ELEMENTWISE
    for free in (kernels, replace(CPU, device="cuda"), replace(CPU, mode="compiled", backend="theirs")):
        assert held_to(mean, free) == held_to(replace(mean, name="Model"), free) == RECIPROCAL
    assert held_to(operator("max_pool2d"), kernels) == ELEMENTWISE


def test_sums_are_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """A convolution by patches, and torch's own, show sums of products."""
    for name in ("Convolution as one matrix product with the patches of the image (im2col)",):
        assert shown(monkeypatch, faults.CORRECT[name]).algorithm == ELEMENTWISE
    own = faults.Planted("", "conv2d", operator("conv2d").program, ("float32",))
    assert shown(monkeypatch, own).shares[ELEMENTWISE] <= 1


def test_wrong_convolutions_show_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """What keeps no bound is beyond any, and held to that of sums."""
    found = shown(monkeypatch, faults.FAULTS["Convolution that flips its kernel"])
    assert found.name == algorithms.BEYOND
    assert found.algorithm == ELEMENTWISE
