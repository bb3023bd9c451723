"""A case of a rare kind shrinks to a usual one where those fail, too, and else to the least of its kind that fails."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import hypothesis
import numpy as np
import pytest

from properties.cases.case import Case, kernel_size
from properties.engine.check import Check
from properties.engine.law import every
from properties.operators import operator
from properties.verdicts import evidence
from properties.verdicts.verdict import Diverged, holds

SEARCH = hypothesis.settings(
    hypothesis.settings.get_profile("default"), database=None, max_examples=200,
    phases=[hypothesis.Phase.generate, hypothesis.Phase.shrink],
)  # fmt: skip
FEW = 33
Shapes = dict[str, tuple[int, ...]]


def smallest(name: str, body: Callable[[Case], None]) -> Case:
    """The case that is left of the first on which a law fails."""
    law, result = every()["agreement"], evidence.Result("agreement", "", name, "-", "-", "-", (), "")
    check = Check(replace(law, body=body), operator(name), None, result)
    with pytest.raises(Diverged):
        check.search(SEARCH, 1)
    assert isinstance(check.failing, Case)
    return check.failing


def most(case: Case) -> int:
    """The most elements of an axis or a window."""
    window = int(np.prod(case.arguments.get("kernel_size", 1)))
    return max(window, *(size for shape in case.shapes.values() for size in shape))


@pytest.mark.parametrize(
    "name, shapes",
    [
        ("conv1d", {"input": (1, 1, 1), "weight": (1, 1, 1)}),
        ("conv2d", {"input": (1, 1, 1, 1), "weight": (1, 1, 1, 1)}),
        ("conv_transpose2d", {"input": (1, 1, 1, 1), "weight": (1, 1, 1, 1)}),
        ("max_pool2d", {"input": (1, 1, 1, 1)}),
        ("linear", {"input": (1, 1), "weight": (1, 1)}),
        ("matmul", {"input": (1, 1), "other": (1, 1)}),
    ],
)
def test_what_shows_everywhere_shrinks_out_of_a_rare_case(name: str, shapes: Shapes) -> None:
    """Found first in a case with something large, it is shown by one of a single pixel."""
    found: list[Case] = []

    def wrong(case: Case) -> None:
        if found or most(case) > FEW:
            found.append(case)
        holds(not found, "off by one")

    assert smallest(name, wrong).shapes == shapes


@pytest.mark.parametrize(
    "name, large, shapes",
    [
        ("conv1d", lambda case: kernel_size(case)[0] > 20, {"input": (1, 1, 21), "weight": (1, 1, 21)}),
        ("conv2d", lambda case: case.shapes["weight"][1] > 100, {"input": (1, 101, 1, 1), "weight": (1, 101, 1, 1)}),
        ("conv2d", lambda case: min(case.shapes["input"][-2:]) > 40, {"input": (1, 1, 41, 41), "weight": (1, 1, 1, 1)}),
        ("conv2d", lambda case: case.arguments["groups"] > 9, {"input": (1, 10, 1, 1), "weight": (10, 1, 1, 1)}),
        ("conv_transpose1d", lambda case: kernel_size(case)[0] > 20, {"input": (1, 1, 1), "weight": (1, 1, 21)}),
        ("max_pool1d", lambda case: kernel_size(case)[0] > 700, {"input": (1, 1, 701)}),
        ("linear", lambda case: case.shapes["input"][-1] > 700, {"input": (1, 701), "weight": (1, 701)}),
    ],
)
def test_what_shows_from_some_size_on_shrinks_to_it(name: str, large: Callable[[Case], bool], shapes: Shapes) -> None:
    """All else becomes the least that there is."""

    def wrong(case: Case) -> None:
        holds(not large(case), "too large")

    assert smallest(name, wrong).shapes == shapes
