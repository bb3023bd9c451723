"""Bounds carried through chains of operators cover what errors of operands lead to; and what is a chain."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from properties.cases.case import Case
from properties.engine.chains import CARRYING, MOVES, Made, is_chain, moved, with_number
from properties.engine.domain import drawn
from properties.engine.tasks import Shaped
from properties.operators import CATALOGUE, Operator, operator
from refimpl.arrays import Array
from refimpl.rounding import FORMATS, Computed

FORMAT = FORMATS["float64"]
CARRIERS = [each for each in CATALOGUE if each.name in CARRYING]
CHANCES = 4
"""How often errors are drawn for one case."""


def first(results: Any) -> Array:
    """The output of loops that may give indices, too."""
    return results[0] if isinstance(results, tuple) else results


def covered(moved: Array, carried: Computed) -> bool:
    """True if a result of operands that were moved is within the bound of the unmoved ones'."""
    return bool((np.abs(moved - carried.value) <= carried.off).all())


@pytest.mark.parametrize("carrier", CARRIERS, ids=str)
def test_errors_are_carried(carrier: Operator) -> None:
    """A result, and its gradients, of operands that are off by some share of what they may be are within their bounds.

    Values are halves, so that many are near a kink, or near the largest of a window.
    """
    generator = np.random.default_rng(5)
    for case in [Case(case.shapes, case.arguments, "ties", case.seed) for case in drawn(carrier)[:4]]:
        values = [carrier.cotangent(case, FORMAT), *carrier.operands(case, FORMAT).values()]
        errors = [generator.choice([0.0, 2.0**-9, 0.5], v.shape) for v in values]
        may_be = [Computed(v, FORMAT, error) for v, error in zip(values, errors, strict=True)]
        output = carrier.carried(may_be[1:], case.arguments, FORMAT)
        gradients = carrier.carried_gradients(may_be, case.arguments, FORMAT)
        for _ in range(CHANCES):
            moved = [v + e * generator.choice([-1.0, 0.5, 1.0], v.shape) for v, e in zip(values, errors, strict=True)]
            assert covered(first(carrier.reference(*moved[1:], **case.arguments)), output)
            assert all(map(covered, carrier.gradients(*moved, **case.arguments), gradients))  # type: ignore[misc]


NUMBERED = {"rsub": {"input": {"tensor": "a"}, "other": 1}, "sub": {"input": {"tensor": "a"}, "other": 0.3},
            "mul": {"input": {"tensor": "a"}, "other": -2}, "clamp": {"input": {"tensor": "a"}, "min": 0}}  # fmt: skip


@pytest.mark.parametrize("name", NUMBERED)
def test_errors_are_carried_past_numbers(name: str) -> None:
    """What a number is added to, or multiplied by, or the least of, and its gradient, is within its bound, too."""
    made, generator = with_number(name, NUMBERED[name]), np.random.default_rng(5)
    assert made
    values, errors = generator.integers(-3, 4, (2, 99)) / 2.0, generator.choice([0.0, 2.0**-9, 0.5], (2, 99))
    g, x = (Computed(v, FORMAT, e) for v, e in zip(values, errors, strict=True))
    output = made.operator.carried([x], made.arguments, FORMAT)
    (gradient,) = made.operator.carried_gradients([g, x], made.arguments, FORMAT)
    for sign in (-1.0, 1.0):
        other, slope = x.value + sign * x.off, g.value + sign * g.off
        assert covered(made.operator.reference(other, **made.arguments), output)
        assert covered(made.operator.gradients(slope, other, **made.arguments)[0], gradient)  # type: ignore[misc]


def test_integers_are_carried_exactly() -> None:
    """Small integers have no error behind any operator that has an exact tier, and none is made up by moving them."""
    x = Computed.operand(np.arange(-4.0, 4.0).reshape(1, 2, 4), FORMAT)
    assert operator("relu").carried([x], {}, FORMAT).error is None
    assert operator("max_pool1d").carried([x], {"kernel_size": (2,)}, FORMAT).error is None
    assert operator("sigmoid").carried([x], {}, FORMAT).error is not None


def calls(*names: str) -> list[Made]:
    """Calls of operators, each fed by the one before."""
    return [Made(operator(n), {"input": f"call {k - 1}" if k else "input 0"}, {}) for k, n in enumerate(names)]


def test_only_chains_are_chains() -> None:
    """Two layers of sums that may be merged are none, nor is what uses an input twice or an operator without carry."""
    assert is_chain(calls("avg_pool2d", "relu", "flatten", "avg_pool1d"), ["input 0"])
    assert not is_chain(calls("avg_pool2d", "flatten", "avg_pool1d"), ["input 0"])
    assert not is_chain(calls("relu", "gelu"), ["input 0"])
    assert not is_chain(calls("relu", "relu"), ["input 0", "input 1"])
    branched = [*calls("relu"), Made(operator("sigmoid"), {"input": "input 0"}, {})]
    assert not is_chain(branched, ["input 0"])


def test_what_a_call_leaves_open_is_no_chain() -> None:
    """A softmax that is told no axis takes one that depends on the number of axes."""
    fed = {"tensor": "call 0"}
    for dim, length in ((1, 2), (None, 0)):
        made = ("relu", {"input": {"tensor": "input 0"}}), ("softmax", {"input": fed, "dim": dim, "_stacklevel": 3})
        assert len(Shaped({}, "Model()", {"input 0": (2, 3)}, {}, True, (2, 3), made).chain) == length


def test_views_are_found() -> None:
    """Sizes of a view may be one argument or several; a dtype is no size."""
    tensor = {"tensor": "call 0"}
    several, one = moved("view", {"0": tensor, "1": 4, "2": -1}), moved("view", {"self": tensor, "shape": (4, -1)})
    assert several
    assert one
    shapes = {each.operator.reference(np.zeros((2, 6)), **each.arguments).shape for each in (several, one)}
    assert shapes == {(4, 3)}
    assert several.operator.name in MOVES
    assert moved("view", {"self": tensor, "dtype": "torch.int8"}) is None
