"""Faults of activations, losses and the optimizer, forward.

Those of log-softmax and cross-entropy are shown in wide dtypes only: in sixteen bits torch's own are known to be lossy
for more than one class, and all such cases are steered around.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from properties.faults.record import WIDE, fault


@fault("agreement", "softmax")
def softmax_unshifted(input: Tensor) -> Tensor:
    """Softmax without its shift."""
    powers = input.exp()
    return powers / powers.sum(-1, keepdim=True)


@fault("agreement", "softmax")
def softmax_over_the_first_axis(input: Tensor) -> Tensor:
    """Softmax over the first axis."""
    return F.softmax(input, dim=0)


@fault("agreement", "log_softmax", dtypes=WIDE)
def log_of_softmax(input: Tensor) -> Tensor:
    """Log of a softmax."""
    return F.softmax(input, dim=-1).log()


# In float32 it takes large values that nearly tie, which the search meets only after some 300 cases.
@fault("agreement", "log_softmax", dtypes=("float64",))
def log_softmax_by_difference(input: Tensor) -> Tensor:
    """Log-softmax as the difference of large numbers."""
    return input - torch.logsumexp(input, dim=-1, keepdim=True)


@fault("agreement", "sigmoid")
def sigmoid_by_tanh(input: Tensor) -> Tensor:
    """Sigmoid by tanh, which loses the small values."""
    return (torch.tanh(input / 2) + 1) / 2


@fault("agreement", "sigmoid")
def sigmoid_cut_off(input: Tensor) -> Tensor:
    """Sigmoid that takes anything below −6 for −6."""
    return torch.sigmoid(input.clamp(min=-6.0))


@fault("agreement", "sigmoid")
def overwritten_input(input: Tensor) -> Tensor:
    """Sigmoid that overwrites its input."""
    return input.detach().sigmoid_()


@fault("agreement", "cross_entropy", dtypes=WIDE)
def one_row_too_many(input: Tensor, target: tuple[int, ...]) -> Tensor:
    """Cross-entropy that divides by one row too many."""
    total = F.cross_entropy(input, torch.tensor(target), reduction="sum")
    return total / (len(target) + 1)


@fault("agreement", "cross_entropy", dtypes=WIDE)
def class_zero_ignored(input: Tensor, target: tuple[int, ...]) -> Tensor:
    """Cross-entropy that ignores the rows of class 0 where there are others."""
    labels = torch.tensor(target)
    return F.cross_entropy(input, labels, ignore_index=0 if any(target) else -100)


@fault("agreement", "accuracy")
def last_of_equal_classes(input: Tensor, target: tuple[int, ...]) -> Tensor:
    """Accuracy that takes the last of equally likely classes."""
    last = input.shape[1] - 1 - input.flip(1).argmax(dim=1)
    return (last == torch.tensor(target)).sum()


@fault("agreement", "sgd")
def weight_decay_sign(parameter: Tensor, gradient: Tensor, lr: float, weight_decay: float) -> Tensor:
    """SGD whose weight decay adds to the step with the wrong sign."""
    return parameter - lr * (gradient - weight_decay * parameter)


@fault("agreement", "sgd")
def decoupled_weight_decay(parameter: Tensor, gradient: Tensor, lr: float, weight_decay: float) -> Tensor:
    """SGD whose weight decay does not depend on the learning rate."""
    return parameter - lr * gradient - weight_decay * parameter


@fault("agreement", "sgd", dtypes=("float64",))
def learning_rate_in_float32(parameter: Tensor, gradient: Tensor, lr: float, weight_decay: float) -> Tensor:
    """SGD that keeps its learning rate in float32."""
    narrow = float(torch.tensor(lr, dtype=torch.float32))
    return parameter - narrow * (gradient + weight_decay * parameter)
