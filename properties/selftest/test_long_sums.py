"""Long sums are drawn for every layer that has one, with an exact tier left to them, and planes like an image's."""

from __future__ import annotations

import hypothesis
import numpy as np
import pytest

from properties.cases.case import Case
from properties.cases.dealing import BACKEND
from properties.operators import operator
from refimpl.rounding import FORMATS

FLOAT32 = FORMATS["float32"]
SEARCH = hypothesis.settings(
    max_examples=300, derandomize=True, database=None, deadline=None,
    phases=[hypothesis.Phase.generate], suppress_health_check=list(hypothesis.HealthCheck), backend=BACKEND,
)  # fmt: skip


def drawn(name: str) -> list[Case]:
    """What the operator's strategy draws, the same at every run."""
    found: list[Case] = []

    @SEARCH
    @hypothesis.given(case=operator(name).cases)
    def draw(case: Case) -> None:
        found.append(case.with_integers())

    draw()
    return found


def largest(case: Case) -> int:
    """The most elements along an axis, or in a window."""
    window = int(np.prod(case.arguments.get("kernel_size", 1)))
    return max(window, *(size for shape in case.shapes.values() for size in shape))


@pytest.mark.parametrize("name", ["conv1d", "conv2d", "conv3d", "linear", "matmul", "max_pool2d", "avg_pool2d"])
def test_long_sums_are_drawn(name: str) -> None:
    """Some cases, not most, have a sum of 129 terms or more; most of these are exact in float32."""
    cases = drawn(name)
    long = [case for case in cases if largest(case) >= 129]
    assert 5 <= len(long) <= len(cases) // 4
    exact = [is_exact(name, case) for case in long]
    assert 2 * sum(exact) > len(exact)


@pytest.mark.parametrize("name", ["conv2d", "conv3d", "conv_transpose2d", "conv_transpose3d"])
def test_planes_are_drawn(name: str) -> None:
    """Some cases, not most, have a plane whose sides are both longer than a block of columns, in some with a stride."""
    cases = drawn(name)
    planes = [case for case in cases if min(case.shapes["input"][-2:]) >= 24 or min(output(name, case)[-2:]) >= 24]
    assert 5 <= len(planes) <= len(cases) // 4
    assert any(max(case.arguments["stride"]) > 1 for case in planes)


def output(name: str, case: Case) -> tuple[int, ...]:
    """The shape of the output."""
    return operator(name).output_shape(case)


def is_exact(name: str, case: Case) -> bool:
    """True if integers leave nothing to round."""
    return (
        operator(name).expected(operator(name).operands(case, FLOAT32), case.arguments, FLOAT32)["output"].bound is None
    )
