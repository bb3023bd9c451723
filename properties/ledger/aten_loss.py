"""ATen's losses."""

from __future__ import annotations

import numpy as np
import torch

from properties.cases.case import Case
from properties.edges.special_values import Special
from properties.ledger.record import known
from properties.ledger.rules import accepted
from properties.ledger.sums import OPMATH, lossy
from properties.subjects import Subject
from properties.worker.call import Setting
from properties.worker.layouts import LAYOUTS
from refimpl.targets import is_probabilities, rows_of


@known(
    "nll-loss-gradient-of-scattered-plane",
    ("nll_loss",),
    severity="valid arguments rejected",
    laws=("layouts",),
    upstream="https://github.com/pytorch/pytorch/issues/175084",
    why="torch.nn.NLLLoss: an input of shape (N, C, d1, d2) is supported; strides are no part of a tensor's value, and "
    "the forward pass accepts them",
    example=Case(
        {"input": (1, 2, 1, 2)}, {"target": (((0, 1),),)}, "normal", setting=Setting({"input": "channels_last"})
    ),
)
def _dense_in_another_order(case: Case, subject: Subject) -> bool:
    """The backward pass of an input of four axes that lie dense in memory, but in another order, as in channels_last,
    raises 'grad_input must be contiguous'."""
    shape = case.shapes["input"]
    return len(shape) == 4 and not torch.empty_like(LAYOUTS[case.layout("input")](torch.empty(shape))).is_contiguous()


@known(
    "cross-entropy-gradient-to-ignored-nan",
    ("cross_entropy",),
    severity="wrong gradient",
    laws=("special losses",),
    upstream="https://github.com/pytorch/pytorch/issues/11551",
    why="torch.nn.CrossEntropyLoss: ignore_index is a target value that is ignored and does not contribute to the "
    "input gradient",
    example=Special(
        {"input": (2, 2)}, {"target": (1, -100), "ignore_index": -100}, "normal", seed=1, palette="nan"
    ),
)  # fmt: skip
def _ignores_a_row_without_softmax(case: Case, subject: Subject) -> bool:
    """The gradient to a row that is ignored is NaN where the row holds a NaN, +∞ or nothing but −∞: zero times its
    softmax."""
    shape, target = case.shapes["input"], np.array(case.arguments["target"])
    if is_probabilities(shape, target):
        return False
    ignored = target.reshape(-1) == case.arguments.get("ignore_index", -100)
    rows = rows_of(case.tensor("input", shape, subject.format))
    with np.errstate(invalid="ignore"):
        return bool((ignored & ~np.isfinite(rows.max(axis=-1, initial=-np.inf))).any())


@accepted(
    "negative-label-smoothing",
    ("cross_entropy",),
    "label_smoothing is at least 0",
    upstream="https://github.com/pytorch/pytorch/issues/134767",
    why="torch.nn.CrossEntropyLoss: label_smoothing is 'a float in [0.0, 1.0]'; one above 1 raises",
    example=({"input": (1, 2)}, {"target": (0,), "label_smoothing": -0.1}),
)
def _negative_smoothing(case: Case, subject: Subject) -> bool:
    """A negative label smoothing is accepted, and ignored."""
    return True


@lossy(
    "nll-loss-summed-in-storage",
    ("nll_loss", "cross_entropy"),
    why=OPMATH + "torch.sum of the same losses does so",
    example=Case({"input": (17, 2)}, {"target": (0,) * 17, "reduction": "sum"}, "constant"),
)
def _sums_rows(case: Case, subject: Subject) -> bool:
    """The losses of the rows, and the weights of their classes, are added up in the 16-bit storage, every partial sum
    rounded."""
    target, arguments = np.array(case.arguments["target"]), case.arguments
    if arguments.get("reduction") == "none" or is_probabilities(case.shapes["input"], target):
        return False
    # The sum of two is rounded once, as it should be.
    return int((target != arguments.get("ignore_index", -100)).sum()) > 2
