"""ATen's reductions over axes."""

from __future__ import annotations

from properties.cases.case import Case
from properties.ledger.sums import OPMATH, lossy
from properties.subjects import Subject


@lossy(
    "logsumexp-in-storage",
    ("logsumexp",),
    why=OPMATH + "softmax and log-softmax do so",
    example=Case({"input": (2, 2)}, {"dim": 1, "keepdim": False}, "normal", seed=5),
    narrower="which of its sums break the bound is the luck of roundings",
)
def _each_step(case: Case, subject: Subject) -> bool:
    """The differences from the largest element, their exponentials, the sum and its logarithm are each rounded to the
    16-bit storage, and so are the exponentials in the gradient."""
    return True
