"""The ledger: what torch is known to get wrong, each with a narrow predicate, a reason and a pinned example.

Cases under a predicate are steered around and counted, so that the suite is green on a torch whose defects are all
listed and red on anything new. The pinned example must still diverge: an entry that no longer does fails
(``properties/test_divergences.py``), so the ledger cannot outlive a fix. Nothing is listed that is not understood.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from properties.cases import Case
from properties.operators import Operator
from properties.subjects import Subject
from refimpl import pooling


@dataclass(frozen=True)
class Divergence:
    """One known defect.

    ``operators`` and ``holds`` say for which cases it shows; ``what`` happens and ``why`` that is wrong, with the
    document that says so; ``versions`` are the torch releases in which it was seen, ``devices`` where.
    """

    id: str
    severity: str
    operators: tuple[str, ...]
    devices: tuple[str, ...]
    holds: Callable[[Case], bool]
    what: str
    why: str
    versions: tuple[str, ...]
    upstream: str | None
    operator: str
    example: Case

    def covers(self, operator: Operator | None, subject: Subject | None, case: object) -> bool:
        """Whether a case on a subject runs into this defect."""
        return (
            operator is not None
            and subject is not None
            and isinstance(case, Case)
            and operator.name in self.operators
            and subject.device in self.devices
            and self.holds(case)
        )


def _sees_only_padding(case: Case) -> bool:
    """Whether some max-pooling window has no tap inside the input, as a dilated one can."""
    plane = np.zeros(case.shapes["input"][-len(case.arguments["kernel_size"]) - 1 :])
    return bool((pooling.max_pool(plane, **case.arguments)[1] < 0).any())


def _smaller_than_kernel(case: Case) -> bool:
    """Whether the input without its padding is smaller than the kernel on some axis."""
    kernel = case.arguments["kernel_size"]
    return any(size < k for size, k in zip(case.shapes["input"][-len(kernel) :], kernel, strict=True))


LEDGER: tuple[Divergence, ...] = (
    Divergence(
        id="max-pool-window-in-padding",
        severity="silent wrong value",
        operators=("max_pool1d", "max_pool2d", "max_pool3d"),
        devices=("cpu",),
        holds=_sees_only_padding,
        what="a dilated window that sees nothing but padding gets an index past the end of its plane, and the "
        "backward pass adds its gradient there: to the next channel, or outside the tensor after the last",
        why="torch.nn.MaxPool2d: indices are where the maxima are, for torch.nn.MaxUnpool2d. Here no such element "
        "exists; an error or an index that backward skips would be right, another channel's element is not",
        versions=("2.13.0",),
        upstream="https://github.com/pytorch/pytorch/issues/114216",
        operator="max_pool2d",
        example=Case(
            shapes={"input": (1, 1, 1, 1)},
            arguments={"kernel_size": (1, 2), "padding": (0, 1), "ceil_mode": False, "dilation": (1, 2)},
        ),
    ),
    Divergence(
        id="avg-pool3d-ignores-padding-in-size-check",
        severity="valid arguments rejected",
        operators=("avg_pool3d",),
        devices=("cpu",),
        holds=_smaller_than_kernel,
        what="raises 'input image smaller than kernel size' though the padded input is large enough",
        why="torch.nn.AvgPool3d, Shape: the output size ⌊(size + 2·padding − kernel_size)/stride⌋ + 1 is positive; "
        "avg_pool1d, avg_pool2d and max_pool3d accept the same window",
        versions=("2.13.0",),
        upstream=None,
        operator="avg_pool3d",
        example=Case(
            shapes={"input": (1, 1, 1, 1, 1)},
            arguments={"kernel_size": (1, 1, 2), "padding": (0, 0, 1), "ceil_mode": False},
        ),
    ),
)


def known(operator: Operator | None, subject: Subject | None, case: object) -> Divergence | None:
    """The ledger's entry that a case runs into, or None."""
    return next((entry for entry in LEDGER if entry.covers(operator, subject, case)), None)
