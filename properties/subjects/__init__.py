"""Subjects: what computes. Here torch in eager mode, for each device and dtype."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from properties import devices
from properties.subjects.eager import Outcome, Program, execute
from refimpl.arrays import Array
from refimpl.rounding import FORMATS, Format

DTYPES = ("float64", "float32")


@dataclass(frozen=True)
class Subject:
    """One way to compute: a device and a dtype."""

    device: str
    dtype: str

    def __str__(self) -> str:
        return f"{self.device}-{self.dtype}"

    @property
    def format(self) -> Format:
        """What this subject stores and accumulates in."""
        return FORMATS[self.dtype]

    @cached_property
    def absence(self) -> str | None:
        """Why this subject cannot run here, or None if it can."""
        if self.device == "mps" and self.dtype == "float64":
            return "MPS has no float64"
        return devices.absence(self.device)

    def run(
        self,
        program: Program,
        operands: Mapping[str, Array],
        arguments: Mapping[str, Any] | None = None,
        cotangent: Array | None = None,
    ) -> Outcome:
        """Compute ``program(**operands, **arguments)`` here; with a cotangent, its gradients too.

        Operands are float64 arrays whose values this subject's dtype can represent, so that nothing is rounded on
        the way in. Never raises for what the program does: an exception becomes the outcome's error.
        """
        return _engine(program, dict(operands), dict(arguments or {}), cotangent, self.device, self.dtype)


_engine: Callable[..., Outcome] = execute


def run_by(engine: Callable[..., Outcome]) -> None:
    """Let programs run elsewhere than in this process, e.g. in :class:`properties.subjects.worker.Workers`."""
    global _engine
    _engine = engine


META = Subject("meta", "float32")
"""Shapes without values: what torch infers, and what a compiler believes."""


def known() -> list[Subject]:
    """Every subject that the suite reports on, present or not."""
    return [Subject(device, dtype) for device in devices.known() for dtype in DTYPES]


def select(names: str | None) -> list[Subject]:
    """The subjects of the devices in a comma-separated list; None selects all, present or not.

    Raises ValueError for a device that is unknown or absent: a request that cannot be met is no pass.
    """
    if names is None:
        return known()
    wanted = [name.strip() for name in names.split(",")]
    for name in wanted:
        if name not in devices.known():
            raise ValueError(f"{name!r} is no device; known here: {', '.join(devices.known())}")
        if reason := devices.absence(name):
            raise ValueError(f"{name!r} cannot run here ({reason}); present: {', '.join(devices.present())}")
    return [subject for subject in known() if subject.device in wanted]
