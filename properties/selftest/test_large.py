"""What is large is dealt: a fault that shows at a large size alone is caught by a default run of any seed."""

from __future__ import annotations

import hypothesis
import pytest

from properties.engine.trial import HERE
from properties.selftest import faults
from properties.selftest.test_suite import attempt, cpu

DEFAULT = hypothesis.settings(
    hypothesis.settings.get_profile("default"), database=None, phases=[hypothesis.Phase.generate]
)  # fmt: skip
LARGE = [name for name, fault in faults.FAULTS.items() if fault.law in ("large sizes", "gradients of large sizes")]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", LARGE, ids=lambda name: faults.FAULTS[name].program.__name__)
def test_fault_is_caught_whatever_the_seed(name: str, seed: int) -> None:
    """In as many cases as a default run has."""
    seen = attempt(HERE, faults.FAULTS[name].law, name, cpu("float32"), DEFAULT, seed=seed)
    assert seen.caught, f"{name} was not caught in {seen.tried} cases"
