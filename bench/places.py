"""The devices that tests run on."""

from __future__ import annotations

from typing import Any

import pytest

from properties.subjects import devices


def _each() -> list[Any]:
    """Every known device; those that are absent are reported as not run."""
    return [
        pytest.param(name, marks=pytest.mark.skip(reason=f"not run ({absence})"))
        if (absence := devices.absence(name))
        else name
        for name in devices.known()
    ]


each_device = pytest.mark.parametrize("device", _each())
