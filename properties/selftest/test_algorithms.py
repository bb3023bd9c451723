"""What convolutions by other algorithms show, and what they are held to."""

from __future__ import annotations

from dataclasses import replace

import pytest

from properties.engine import algorithms
from properties.engine.algorithms import Algorithms
from properties.engine.trial import HERE
from properties.operators import operator
from properties.selftest import faults
from properties.selftest.faults.record import WIDE
from properties.subjects import Subject
from refimpl.rounding import ELEMENTWISE

CPU = Subject("cpu", "float32")


def shown(monkeypatch: pytest.MonkeyPatch, planted: faults.Planted, dtype: str = "float32") -> algorithms.Shown:
    """What a planted convolution shows, where any algorithm may be used."""
    monkeypatch.setattr(algorithms, "free", lambda subject: True)
    monkeypatch.setattr(algorithms, "CATALOGUE", [planted.planted()])
    return Algorithms(HERE).of(planted.planted(), replace(CPU, dtype=dtype))


RIGHT = [(name, dtype) for name, planted in faults.CORRECT.items() if planted.algorithm != ELEMENTWISE
         for dtype in WIDE]  # fmt: skip
"""In 16 bits F(2, 3) is as good as exact."""


@pytest.mark.parametrize("name, dtype", RIGHT, ids=str)
def test_algorithm_is_shown(name: str, dtype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A right convolution by transforms breaks the bound of sums, and keeps its own."""
    found = shown(monkeypatch, faults.CORRECT[name], dtype)
    assert found.algorithm == faults.CORRECT[name].algorithm
    assert found.shares[ELEMENTWISE] > 1 >= found.shares[found.algorithm]


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
