"""Parity of 1, 2 and 3 axes: a layer is the one with an axis more, of a single element (S3)."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st

from properties.cases.case import Case
from properties.engine.law import law
from properties.operators import CATALOGUE, Operator
from properties.subjects import Subject
from properties.verdicts.expected import Expected
from properties.verdicts.verdict import verdict
from refimpl.arrays import Array

UNITS = {"kernel_size": 1, "stride": 1, "padding": 0, "dilation": 1, "output_padding": 0, "output_size": 1}
"""What an argument says of an axis along which nothing happens."""


def with_fewer_axes(operator: Operator) -> Operator | None:
    """The layer of the same name with an axis less, if there is one."""
    name = operator.name.replace(f"{operator.axes}d", f"{operator.axes - 1}d")
    return next((o for o in CATALOGUE if o.name == name and o.axes == operator.axes - 1 > 0), None)


def lifted(case: Case, axes: int) -> Case:
    """The same case with an axis of one element before its ``axes`` spatial ones; a bias has none."""
    shapes = {name: (*s[:-axes], 1, *s[-axes:]) if len(s) > axes else s for name, s in case.shapes.items()}
    return Case(shapes, {name: _lifted(name, value) for name, value in case.arguments.items()}, case.fill, case.seed)


def _lifted(name: str, value: Any) -> Any:
    return (UNITS[name], *value) if name in UNITS and isinstance(value, tuple) else value


def lifted_cases(operator: Operator) -> st.SearchStrategy[Case]:
    """The cases of the layer with an axis less, with that axis."""
    fewer = with_fewer_axes(operator)
    assert fewer is not None
    return fewer.cases.map(lambda case: lifted(case, fewer.axes))


@law(
    "unit axes",
    covers=lambda operator: operator.has("window") and with_fewer_axes(operator) is not None,
    cases=lifted_cases,
)
def test_unit_axes(operator: Operator, subject: Subject, case: Case) -> None:
    """On operands with a unit axis the layer gives what the layer with an axis less gives without, gradients too."""
    fewer, at = with_fewer_axes(operator), -operator.axes
    assert fewer is not None
    operands, cotangent = operator.operands(case, subject.format), operator.cotangent(case, subject.format)

    def squeeze(values: Array) -> Array:
        return np.squeeze(values, at) if values.ndim >= operator.axes + 1 else values

    flat = {name: squeeze(values) for name, values in operands.items()}
    arguments = {k: v[1:] if k in UNITS and isinstance(v, tuple) else v for k, v in case.arguments.items()}
    expected = fewer.expected(flat, arguments, subject.format)
    gradients = fewer.expected_gradients(squeeze(cotangent), flat, arguments, subject.format)
    if not subject.kernels:  # which may define one of the two alone
        outcome = subject.run(fewer.program, flat, arguments, squeeze(cotangent))
        verdict(outcome, expected, subject)
        verdict(outcome, gradients, subject, "gradients")
    outcome = subject.run(operator.program, operands, case.arguments, cotangent)
    verdict(outcome, {name: _as(np.shape(cotangent), e) for name, e in expected.items()}, subject)
    verdict(outcome, {name: _as(operands[name].shape, e) for name, e in gradients.items()}, subject, "gradients")


def _as(shape: tuple[int, ...], expected: Expected) -> Expected:
    return expected.map(lambda values: np.broadcast_to(values, np.shape(expected.values)).reshape(shape))
