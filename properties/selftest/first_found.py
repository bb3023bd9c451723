"""A plugin for nested runs of pytest that are asked for a verdict alone: the first case that fails is not shrunk."""

from __future__ import annotations

import hypothesis
import pytest
from hypothesis import Phase

NAME = "first found"


@pytest.hookimpl(trylast=True)
def pytest_configure() -> None:
    """Leave the shrinking out of the profile that was asked for."""
    asked = hypothesis.settings()
    hypothesis.settings.register_profile(NAME, asked, phases=[p for p in asked.phases if p is not Phase.shrink])
    hypothesis.settings.load_profile(NAME)
