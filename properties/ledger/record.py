"""What an entry of the ledger is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from properties import devices
from properties.cases import Case
from properties.operators import Operator
from properties.subjects import Subject

UNASKED = ("rejection",)
"""Laws whose cases are invalid: an entry that does not name them is not about them."""


@dataclass(frozen=True)
class Divergence:
    """One known defect.

    ``operators``, ``devices``, ``dtypes``, ``modes``, ``laws`` (none: all) and ``holds`` say where it shows; ``what``
    happens and ``why`` that is wrong, with the document that says so; ``versions`` are the torch releases in which it
    was seen. ``lacking`` names an instruction set (:data:`properties.devices.INSTRUCTIONS`) with which a processor does
    not show it, since libraries have other kernels for it; ``needing`` one without which it does not.
    ``example`` is the smallest case of ``operator`` that breaks the first of its laws ("agreement" by default).
    """

    id: str
    severity: str
    operators: tuple[str, ...]
    laws: tuple[str, ...]
    devices: tuple[str, ...]
    dtypes: tuple[str, ...]
    holds: Callable[[Case, Subject], bool]
    what: str
    why: str
    versions: tuple[str, ...]
    upstream: str | None
    operator: str
    example: Case
    modes: tuple[str, ...] = ("eager", "compiled")
    lacking: str | None = None
    needing: str | None = None

    @property
    def law(self) -> str:
        """The law that the example breaks."""
        return self.laws[0] if self.laws else "agreement"

    def shows(self, subject: Subject) -> bool:
        """Whether it shows on a subject at all; what kernels other than torch's do is not listed here."""
        here = subject.device in self.devices and subject.dtype in self.dtypes and subject.mode in self.modes
        has = devices.instructions()
        spared = subject.device == "cpu" and (self.lacking in has or (self.needing or "") not in ("", *has))
        return here and not subject.kernels and not spared

    def covers(self, law: str, operator: Operator | None, subject: Subject | None, case: object) -> bool:
        """Whether a case of a law on a subject runs into this defect."""
        return (
            operator is not None
            and subject is not None
            and isinstance(case, Case)
            and operator.name in self.operators
            and (law in self.laws if self.laws else law not in UNASKED)
            and self.shows(subject)
            and self.holds(case, subject)
        )
