"""What an entry of the ledger is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch.torch_version import TorchVersion

from properties.cases.case import Case
from properties.operators import Operator
from properties.subjects import Subject, devices

CONVOLUTIONS = tuple(f"conv{axes}d{kind}" for kind in ("", "_padded") for axes in (1, 2, 3))
TRANSPOSED = tuple(f"conv_transpose{axes}d" for axes in (1, 2, 3))

OUT_OF_RANGE = ("rejection", "whatever the batch", "errors when compiled")
"""Laws whose cases are not all valid, which an entry has to name to be asked about them."""
OF_GRADIENTS = (
    "gradients", "layouts", "flags", "adjoint", "gradient mass", "unit axes", "special gradients",
    "transpose = input gradient", "convolution = transpose's gradient",
)  # fmt: skip
"""The laws that look at gradients, for an entry about those alone; "gradients of gradients" are another matter."""
OF_WRONG_GRADIENTS = (*OF_GRADIENTS, "accumulator", "receptive field")
"""The same for a gradient that is wrong; one that is rounded "accumulator" measures and "receptive field" lets pass."""


COMPILED = ("compiled", "dynamic")
"""What the compiler gets wrong for given shapes it gets wrong for symbolic ones, too, but where an entry says less."""
MODES = ("eager", *COMPILED)
"""What torch's own kernels get wrong, they get wrong when compiled code calls them."""


@dataclass(frozen=True)
class Divergence:
    """One known defect.

    ``operators``, ``devices``, ``dtypes``, ``modes``, ``laws`` (none: all) and ``holds`` say where it shows; ``what``
    happens and ``why`` that is wrong, with the document that says so; ``seen`` is the first torch release in which it
    was seen, ``fixed`` the first that was seen without it (None: none yet). ``having`` and ``lacking`` name an
    instruction set (:data:`properties.subjects.devices.INSTRUCTIONS`) without which, or with which, a processor
    does not show it: libraries have kernels of their own for it. An entry that names no laws is asked about none of
    :data:`OUT_OF_RANGE` but those that are ``also`` named: ``holds`` then has to answer for arguments that no layer
    allows.
    ``example`` is the smallest case of ``operator`` that breaks the first of its laws ("agreement" by default), every
    time; where the defect ``overwrites`` memory that is not its own, the process may end with a signal instead.
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
    upstream: str | None
    operator: str
    example: Case
    modes: tuple[str, ...] = MODES
    having: str | None = None
    lacking: str | None = None
    also: tuple[str, ...] = ()
    seen: str = "2.13.0"
    fixed: str | None = None
    overwrites: bool = False

    @property
    def law(self) -> str:
        """The law that the example breaks."""
        return self.laws[0] if self.laws else "agreement"

    def shows(self, subject: Subject) -> bool:
        """Whether it shows on a subject at all; what kernels other than torch's do is not listed here."""
        cpu = subject.device == "cpu"
        here = subject.device in self.devices and subject.dtype in self.dtypes and subject.mode in self.modes
        return here and not subject.kernels and self._in(subject.torch) and (not cpu or self._on_this_processor)

    def _in(self, other: str) -> bool:
        """Whether it shows in the release of another torch, or in the suite's own where that is none."""
        return self.fixed is None or TorchVersion(other.removeprefix("torch-") or torch.__version__) < self.fixed

    @property
    def _on_this_processor(self) -> bool:
        here = devices.instructions()
        return (self.having is None or self.having in here) and self.lacking not in here

    def concerns(self, law: str, operator: Operator, subject: Subject) -> bool:
        """Whether some case of a law on a subject may run into this defect; which, ``holds`` says."""
        asked = law in self.laws if self.laws else self._asked(law)
        return operator.name in self.operators and asked and self.shows(subject)

    def _asked(self, law: str) -> bool:
        """Whether an entry that names no laws is about one: "accumulator" measures lossy sums."""
        if law in OUT_OF_RANGE:
            return law in self.also
        return not (law == "accumulator" and self.severity == "lossy accumulation")
