"""ATen's losses of rows of scores."""

from __future__ import annotations

import numpy as np

from properties.cases.case import Case
from properties.edges.special_values import Special
from properties.ledger.record import known
from properties.operators import operator
from properties.subjects import Subject


@known(
    "margin-losses-pass-over-nan",
    ("multi_margin_loss", "multilabel_margin_loss"),
    severity="silent wrong value",
    laws=("special terms",),
    why="torch.nn.MultiMarginLoss: a sum of max(0, margin − x[y] + x[i]), which is NaN for torch.maximum; other losses "
    "with a margin give NaN",
    example=Special({"input": (2, 3)}, {}, "normal", palette="nan", often=1.0),
)
def _no_score(case: Case, subject: Subject) -> bool:
    """A score that is NaN counts as if it kept its margin: the loss is a number, often zero."""
    loss = operator("multi_margin_loss")
    return bool(np.isnan(loss.filled("input", case.shapes["input"], case, subject.format)).any())
