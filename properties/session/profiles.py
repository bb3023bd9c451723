"""Hypothesis's profiles: how many cases a test tries, and how."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, Phase, settings

QUICK, TESTS, NIGHTLY, SEARCH = "quick", "tests", "nightly", "search"
PROFILES = ("default", QUICK, TESTS, NIGHTLY, SEARCH)


def check(profile: str) -> None:
    """Raise ValueError unless there is such a profile."""
    if profile not in PROFILES:
        raise ValueError(f"no such profile; there are {', '.join(PROFILES)}")


# A case's time is torch's, mostly the building of a kernel for a new shape, so deadlines would only flake.
_COMMON: dict[str, Any] = {
    "deadline": None,
    "phases": [phase for phase in Phase if phase is not Phase.explain],  # of a case, not of the suite's own lines
    "print_blob": False,  # it decorates a test function, of which there is none
    "report_multiple_bugs": False,
    "suppress_health_check": [HealthCheck.too_slow],
}
settings.register_profile("default", max_examples=40, **_COMMON)
settings.register_profile(QUICK, max_examples=15, **_COMMON)
# In the tests of the suite the laws meet torch in passing, and compiled code not at all: the main job is for that.
settings.register_profile(TESTS, max_examples=6, derandomize=True, database=None, **_COMMON)
# Where the variable CI is set, Hypothesis would try the same cases every time: these take fresh seeds there, too.
settings.register_profile(NIGHTLY, max_examples=800, derandomize=False, **_COMMON)
settings.register_profile(SEARCH, derandomize=False, **_COMMON)
