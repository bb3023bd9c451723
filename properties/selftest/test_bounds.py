"""The bounds as a library give what the laws hold torch to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from properties.engine.domain import drawn
from properties.operators import CATALOGUE, Operator, operator
from properties.selftest import tolerances
from properties.selftest.faults import FAULTS
from properties.subjects import Subject
from refimpl import assert_within, bound, gradient_bounds
from refimpl.bounds import dropout
from refimpl.expected import Expected
from refimpl.rounding import BFLOAT16, FLOAT16, FORMATS, Computed, Precision, round_to

FORMS = ("accuracy", "max_pool1d_values", "sgd_steps", "adam_steps", "adamw_steps")
"""Operators that are others in another form, or take lists."""
OFFERED = [operator for operator in CATALOGUE if operator.name not in FORMS and "dropout" not in operator.name]
DTYPE = "bfloat16"
FORMAT = FORMATS[DTYPE]


def listed(results: Any) -> list[Expected]:
    """One result or several, with errors or bounds, as expectations."""
    each = results if isinstance(results, tuple) else (results,)
    return [result if isinstance(result, Expected) else Expected.of(result) for result in each]


def same(one: list[Expected], other: list[Expected]) -> bool:
    """True if two lists of expectations are equal, element by element."""
    pairs = [(a, b) for e, f in zip(one, other, strict=True) for a, b in ((e.values, f.values), (e.bound, f.bound))]
    return all(b is None if a is None else b is not None and np.array_equal(a, b, equal_nan=True) for a, b in pairs)


@pytest.mark.parametrize("operator", OFFERED, ids=str)
def test_library_has_every_operator(operator: Operator) -> None:
    """``bound`` and ``gradient_bounds`` give the operator's own bounds, for arguments as torch has them."""
    for case in drawn(operator)[:3]:
        operands, cotangent = operator.operands(case, FORMAT), operator.cotangent_if_any(case, FORMAT)
        free = [Computed.operand(v, FORMAT) for name, v in operands.items() if name not in operator.given]
        values = [x.value for x in free]
        arguments = dict(case.arguments) | {name: as_torch_has_it(name, operands[name]) for name in operator.given}
        known = {name: value for name, value in arguments.items() if name not in ("foreach", "fused")}
        found, own = (listed(each) for each in (bound(operator.name, *values, dtype=DTYPE, **known),
                                                operator.bound(*free, **arguments)))  # fmt: skip
        assert same(found[: len(own)], own)
        if cotangent is not None and operator.gradient_bounds:
            gradients = gradient_bounds(operator.name, cotangent, *values, dtype=DTYPE, **known)
            g = Computed.operand(cotangent, FORMAT)
            assert same([*gradients.values()], listed(operator.gradient_bounds(g, *free, **arguments)))


@pytest.mark.parametrize("name", ["dropout", "alpha_dropout"])
def test_library_has_dropout_by_its_mask(name: str) -> None:
    """What is kept is given: of an operator's own bound, chance leaves all or nothing."""
    x, g = (np.array([1.0, -2.0, 3.0]) for _ in range(2))
    kept = np.array([1.0, 0.0, 1.0])
    whole = bound(name, x, kept=kept, p=0.25, dtype=DTYPE)
    slope = gradient_bounds(name, g, x, kept=kept, p=0.25, dtype=DTYPE)["input"]
    own = getattr(dropout, name)(Computed.operand(x, FORMAT), kept, 0.25)
    assert same([whole], listed(own))
    assert list(slope.values == 0.0) == [False, True, False]


def as_torch_has_it(name: str, values: np.ndarray) -> np.ndarray:
    """A given operand; torch wants an axis of images in random samples always."""
    return values[None] if name == "samples" and values.ndim == 2 else values


GENERATOR = np.random.default_rng(0)
X, W = GENERATOR.standard_normal((8, 512)), GENERATOR.standard_normal((8, 512))


def summed_in(precision: Precision, x: np.ndarray, w: np.ndarray) -> np.ndarray:
    """Σxw, every product and every partial sum rounded."""
    total = np.zeros((len(x), len(w)))
    for k in range(x.shape[1]):
        total = round_to(total + round_to(np.outer(x[:, k], w[:, k]), precision), precision)
    return total


def split(x: np.ndarray, w: np.ndarray, parts: int) -> np.ndarray:
    """Σxw in float64 by parts, which are stored in bfloat16 and added there."""
    total = np.zeros((len(x), len(w)))
    for part in np.split(np.arange(x.shape[1]), parts):
        total = round_to(total + round_to(x[:, part] @ w[:, part].T, BFLOAT16), BFLOAT16)
    return total


TOLD: list[tuple[str, dict[str, Any], Callable[[np.ndarray, np.ndarray], np.ndarray]]] = [
    ("float32", {"tf32": True}, lambda x, w: round_to(x, FLOAT16) @ round_to(w, FLOAT16).T),
    ("float16", {"accumulator": "float16"}, lambda x, w: summed_in(FLOAT16, x, w)),
    ("bfloat16", {"split_k": 32}, lambda x, w: split(x, w, 32)),
]


@pytest.mark.parametrize("dtype, told, computed", TOLD, ids=["tf32", "accumulator", "split_k"])
def test_bound_says_how_sums_are_formed(
    dtype: str, told: dict[str, Any], computed: Callable[[np.ndarray, np.ndarray], np.ndarray]
) -> None:
    """What sums in a narrower way keeps the bound that is told of it, and not the one that is not."""
    x, w = (round_to(values, FORMATS[dtype].storage) for values in (X, W))
    seen = computed(x, w)
    assert_within(seen, bound("linear", x, w, dtype=dtype, **told))
    with pytest.raises(AssertionError, match=r"times the bound\); \d+ of 64 differ"):
        assert_within(seen, bound("linear", x, w, dtype=dtype))


LAYERS: dict[str, dict[str, Any]] = {
    "layer_norm": {"normalized_shape": (300,)},
    "group_norm": {"num_groups": 1},
    "batch_norm": {"running_mean": np.zeros(300), "running_var": np.ones(300), "training": True, "momentum": 0.5},
}


@pytest.mark.parametrize("name", LAYERS)
def test_sums_too_long_for_a_bound_have_none(name: str) -> None:
    """Infinite errors times zero, a deviation or a weight of zero, are as infinite, and no invalid number."""
    x, weight, bias = np.ones((300, 300)), np.zeros(300), np.zeros(300)
    about: dict[str, Any] = {"dtype": "bfloat16", "accumulator": "bfloat16", "eps": 0.125, **LAYERS[name]}
    found = bound(name, x, weight, bias, **about), gradient_bounds(name, x, x, weight, bias, **about)["input"]
    for each in listed(found[0])[:1] + listed(found[1])[:1]:
        assert each.bound is not None
        assert np.isinf(each.bound).all()


def test_library_says_what_is_wrong() -> None:
    """Another shape, an unknown operation, dtype or part, and gradients where there are none, are told as such."""
    with pytest.raises(AssertionError, match=r"output has shape \(2,\), but should have \(8, 8\)"):
        assert_within(np.zeros(2), bound("linear", X, W))
    with pytest.raises(ValueError, match="'conv4d' is no operation here; there are"):
        bound("conv4d", X, W)
    with pytest.raises(ValueError, match="'int3' is no format here; there are bfloat16"):
        bound("linear", X, W, dtype="int3")
    with pytest.raises(ValueError, match="split_k=0"):
        bound("linear", X, W, split_k=0)
    with pytest.raises(ValueError, match="sgd has no gradients here"):
        gradient_bounds("sgd", X, X, X, lr=0.1)


def test_bounds_catch_what_a_tolerance_misses() -> None:
    """One element that is off by 1e-4 of itself breaks both tiers, and no tolerance of 1e-2; torch breaks neither."""
    fault = FAULTS["Convolution with one element off by 1e-4 of itself from the 17th output on"]
    raised = tolerances.alarms(fault.planted(), Subject("cpu", "float32"))
    assert "both tiers" in raised
    assert "KernelBench (1e-2, 1e-2)" not in raised
    assert "both tiers" not in tolerances.alarms(operator("conv1d"), Subject("cpu", "float32"))
