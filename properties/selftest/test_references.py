"""The references refuse what does not fit together: their loops, which are compiled, check no bounds."""

from __future__ import annotations

import contextlib
import importlib
import math
import pkgutil
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import refimpl
from properties.cases.case import Case
from properties.engine.domain import drawn
from properties.operators import CATALOGUE, Operator
from refimpl.arrays import Array
from refimpl.rounding import FORMATS

FORMAT = FORMATS["float64"]


@pytest.fixture
def in_python(monkeypatch: pytest.MonkeyPatch) -> None:
    """Loops that are not compiled, so that an index past the end is an IndexError."""
    for found in pkgutil.walk_packages(refimpl.__path__, "refimpl."):
        module = importlib.import_module(found.name)
        for name, value in vars(module).items():
            if hasattr(value, "py_func"):
                monkeypatch.setattr(module, name, value.py_func)


def others(shape: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    """Shapes of which one axis is longer, or shorter."""
    for axis, size in enumerate(shape):
        yield from ((*shape[:axis], other, *shape[axis + 1 :]) for other in (size - 1, size + 2) if other >= 0)


def smallest(operator: Operator) -> list[Case]:
    """The cases with the fewest elements of those drawn."""
    return sorted(drawn(operator), key=lambda case: sum(map(math.prod, case.shapes.values())))[:3]


def operands_of(operator: Operator, case: Case) -> tuple[dict[str, Array], dict[str, Any]]:
    """A case's free operands, and its arguments with those that are made of them."""
    operands = operator.operands(case, FORMAT)
    return {n: operands[n] for n in case.shapes}, {**case.arguments, **{n: operands[n] for n in operator.given}}


@pytest.mark.parametrize("operator", [o for o in CATALOGUE if o.differentiable], ids=str)
def test_gradients_refuse_another_shape(operator: Operator, in_python: None) -> None:
    """Gradients of an output of another shape are refused, or what NumPy makes of them."""
    assert operator.gradients is not None
    for case in smallest(operator):
        free, arguments = operands_of(operator, case)
        for shape in others(operator.output_shape(case)):
            with contextlib.suppress(ValueError):
                operator.gradients(np.ones(shape), *free.values(), **arguments)


@pytest.mark.parametrize("operator", [o for o in CATALOGUE if o.second], ids=str)
def test_second_gradients_refuse_another_shape(operator: Operator, in_python: None) -> None:
    """Directions that have not their operand's shape, and gradients of another output, are refused, too."""
    for case in smallest(operator):
        operands, g = operator.operands(case, FORMAT), operator.cotangent(case, FORMAT)
        directions = operator.directions(case, FORMAT)
        for shape in others(g.shape):
            with contextlib.suppress(ValueError), np.errstate(all="ignore"):
                operator.expected_second(np.ones(shape), operands, directions, case.arguments, FORMAT)
        for name, values in directions.items():
            for shape in others(values.shape):
                with contextlib.suppress(ValueError), np.errstate(all="ignore"):
                    along = {**directions, name: np.ones(shape)}
                    operator.expected_second(g, operands, along, case.arguments, FORMAT)


@pytest.mark.parametrize("operator", [o for o in CATALOGUE if not o.name.endswith("_steps")], ids=str)
def test_references_refuse_another_shape(operator: Operator, in_python: None) -> None:
    """Operands that do not fit together are refused, or what NumPy makes of them."""
    for case in smallest(operator):
        free, arguments = operands_of(operator, case)
        for name, values in free.items():
            for shape in others(values.shape):
                with contextlib.suppress(ValueError, ZeroDivisionError), np.errstate(all="ignore"):
                    operator.reference(*{**free, name: np.ones(shape)}.values(), **arguments)
