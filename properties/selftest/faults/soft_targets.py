"""Faults of cross-entropy of class probabilities."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from properties.selftest.faults.record import WIDE, fault
from properties.worker.programs.soft_targets import cross_entropy_probabilities


@fault("gradients", "cross_entropy_probabilities", dtypes=WIDE)
def target_is_a_constant(input: Tensor, target: Tensor, **options: Any) -> Tensor:
    """Cross-entropy of probabilities whose target has the gradient of an unsmoothed one."""
    loss = cross_entropy_probabilities(input, target.detach(), **options)
    plain = cross_entropy_probabilities(input.detach(), target, **{**options, "label_smoothing": 0.0})
    return loss + (plain - plain.detach())


@fault("agreement", "cross_entropy_probabilities", dtypes=WIDE)
def probabilities_made_to_sum_to_one(input: Tensor, target: Tensor, **options: Any) -> Tensor:
    """Cross-entropy that divides the probabilities of each row by their sum."""
    total = target.sum(min(1, input.ndim - 1), keepdim=True)
    return cross_entropy_probabilities(input, target / torch.where(total == 0, 1.0, total), **options)


@fault("gradients of gradients", "cross_entropy_probabilities", dtypes=WIDE)
def probabilities_apart_from_logits(input: Tensor, target: Tensor, **options: Any) -> Tensor:
    """Cross-entropy whose gradient to the logits is differentiated as if it did not depend on the probabilities."""
    return _ApartFromLogits.apply(input, target, options)


class _ApartFromLogits(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, input: Tensor, target: Tensor, options: dict[str, Any]) -> Tensor:
        context.save_for_backward(input, target)
        context.options = options
        return cross_entropy_probabilities(input, target, **options)

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor, Tensor, None]:
        input, target = context.saved_tensors
        with torch.enable_grad():
            kept = cross_entropy_probabilities(input, target.detach(), **context.options)
            (to_input,) = torch.autograd.grad(kept, input, gradient, create_graph=True)
            other = cross_entropy_probabilities(input.detach(), target, **context.options)
            (to_target,) = torch.autograd.grad(other, target, gradient, create_graph=True)
        return to_input, to_target, None
