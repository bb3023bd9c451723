"""Faults of losses and of accuracy, and a loss that is right."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from properties.selftest.faults.record import WIDE, correct, fault, with_slope_of
from properties.worker.programs.loss import cross_entropy, nll_loss


@fault("agreement", "cross_entropy", dtypes=WIDE)
def one_row_too_many(input: Tensor, target: Any, **options: Any) -> Tensor:
    """Cross-entropy that divides by one row too many."""
    loss = cross_entropy(input, target, **options)
    rows = input.numel() / input.shape[min(1, input.ndim - 1)]
    return loss * rows / (rows + 1) if options.get("reduction", "mean") == "mean" else loss


@fault("agreement", "cross_entropy", dtypes=WIDE)
def class_zero_ignored(input: Tensor, target: Any, **options: Any) -> Tensor:
    """Cross-entropy that ignores the rows of class 0 where there are others."""
    labels = torch.tensor(target)
    if labels.shape != input.shape and labels.any():
        options.setdefault("ignore_index", 0)
    return cross_entropy(input, target, **options)


@fault("agreement", "cross_entropy", dtypes=WIDE)
def ignored_rows_counted(input: Tensor, target: Any, **options: Any) -> Tensor:
    """Cross-entropy whose mean counts the rows that it ignores."""
    if options.get("reduction", "mean") != "mean" or "weight" in options:
        return cross_entropy(input, target, **options)
    total = cross_entropy(input, target, **{**options, "reduction": "sum"})
    return total * input.shape[min(1, input.ndim - 1)] / input.numel()


@fault("agreement", "cross_entropy", dtypes=WIDE)
def smoothed_over_other_classes(input: Tensor, target: Any, label_smoothing: float = 0.0, **options: Any) -> Tensor:
    """Cross-entropy whose label smoothing shares among the other classes only."""
    classes = input.shape[min(1, input.ndim - 1)]
    more = min(label_smoothing * classes / max(classes - 1, 1), 1.0)
    return cross_entropy(input, target, label_smoothing=more, **options)


@fault("agreement", "nll_loss")
def mean_over_rows(input: Tensor, target: Any, **options: Any) -> Tensor:
    """Negative log-likelihood whose mean forgets the weights of the classes in its divisor."""
    if options.get("reduction", "mean") != "mean" or "weight" not in options:
        return nll_loss(input, target, **options)
    counted = (torch.tensor(target) != options.get("ignore_index", -100)).sum()
    return nll_loss(input, target, **{**options, "reduction": "sum"}) / counted


@fault("agreement", "nll_loss")
def unweighted_without_reduction(input: Tensor, target: Any, **options: Any) -> Tensor:
    """Negative log-likelihood that weighs no class where it returns every row's loss."""
    return nll_loss(input, target, **({} if options.get("reduction") == "none" else {**options}))


@fault("gradients", "cross_entropy", dtypes=WIDE)
def gradient_of_summed_loss(input: Tensor, target: Any, **options: Any) -> Tensor:
    """Cross-entropy whose gradient is not divided by the number of rows."""
    loss = cross_entropy(input, target, **options)
    if options.get("reduction", "mean") != "mean":
        return loss
    return with_slope_of(loss, cross_entropy(input, target, **{**options, "reduction": "sum"}))


@fault("gradients", "nll_loss")
def gradient_to_ignored_rows(input: Tensor, target: Any, **options: Any) -> Tensor:
    """Negative log-likelihood whose gradient goes to ignored rows too, where they name a class."""
    loss = nll_loss(input, target, **options)
    if not 0 <= options.pop("ignore_index", -100) < input.shape[min(1, input.ndim - 1)]:
        return loss
    return with_slope_of(loss, nll_loss(input, target, **options))


@fault("agreement", "accuracy")
def last_of_equal_classes(input: Tensor, target: tuple[int, ...]) -> Tensor:
    """Accuracy that takes the last of equally likely classes."""
    last = input.shape[1] - 1 - input.flip(1).argmax(dim=1)
    return (last == torch.tensor(target)).sum()


@correct("cross_entropy", dtypes=WIDE)
def cross_entropy_class_by_class(
    input: Tensor, target: Any, weight: Any = None, ignore_index: int = -100, reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:  # fmt: skip
    """Cross-entropy of a smoothed one-hot target, added up from the last class to the first."""
    labels, y = torch.tensor(target), F.log_softmax(input, min(1, input.ndim - 1)).movedim(min(1, input.ndim - 1), -1)
    classes = y.shape[-1]
    weights = torch.ones(classes) if weight is None else torch.tensor(weight)
    if labels.shape == input.shape:
        shares, kept = labels.movedim(min(1, input.ndim - 1), -1), torch.ones(y.shape[:-1])
        divisor = kept.sum()
    else:
        labels = labels.long().reshape(y.shape[:-1])
        kept = (labels != ignore_index).float()
        shares = F.one_hot(labels * kept.long(), classes) * kept[..., None]
        divisor = (shares * weights).sum()
    smoothed = (1 - label_smoothing) * shares.to(y.dtype) + label_smoothing / classes
    terms = torch.where(kept[..., None] > 0, smoothed * weights.to(y.dtype) * -y, 0.0)  # not 0/0 where all are ignored
    rows = sum((terms[..., c] for c in reversed(range(classes))), start=torch.zeros(y.shape[:-1], dtype=y.dtype))
    if reduction == "mean" and not divisor:
        rows = rows * torch.nan  # 0/0, as for torch, whatever the smoothing adds to the dividend
    return rows if reduction == "none" else rows.sum() / (divisor if reduction == "mean" else 1)
