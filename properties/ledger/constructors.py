"""The constructors of torch.nn's layers."""

from __future__ import annotations

from properties.cases.case import Case
from properties.ledger.rules import accepted
from properties.subjects import Subject


@accepted(
    "bilinear-layer-without-outputs",
    ("bilinear",),
    "out_features is above 0",
    laws=("rejection by modules",),
    devices=("cpu",),
    dtypes=("float32",),
    modes=("eager",),
    upstream="https://github.com/pytorch/pytorch/pull/149018",
    why="torch.nn.Bilinear: out_features 'must be > 0'; in1_features is checked",
    example=({"input1": (1, 1), "input2": (1, 1), "weight": (0, 1, 1)}, {}),
)
def _is_made(case: Case, subject: Subject) -> bool:
    """A layer of no outputs is made, and called."""
    return True
