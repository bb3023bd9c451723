"""What subjects run: torch calls with operands and arguments by name.

torch only, and nothing else of the suite, so that a worker under another interpreter can run them. A program is a
function of this module or of torch itself; a worker finds it by its name.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def conv1d(input: Tensor, weight: Tensor, bias: Tensor | None = None, **arguments: Any) -> Tensor:
    """torch.nn.Conv1d."""
    return F.conv1d(input, weight, bias, **arguments)


def conv2d(input: Tensor, weight: Tensor, bias: Tensor | None = None, **arguments: Any) -> Tensor:
    """torch.nn.Conv2d."""
    return F.conv2d(input, weight, bias, **arguments)


def conv3d(input: Tensor, weight: Tensor, bias: Tensor | None = None, **arguments: Any) -> Tensor:
    """torch.nn.Conv3d."""
    return F.conv3d(input, weight, bias, **arguments)


def max_pool1d(input: Tensor, **arguments: Any) -> tuple[Tensor, Tensor]:
    """torch.nn.MaxPool1d: values and indices."""
    return F.max_pool1d(input, return_indices=True, **arguments)  # type: ignore[return-value]


def max_pool2d(input: Tensor, **arguments: Any) -> tuple[Tensor, Tensor]:
    """torch.nn.MaxPool2d: values and indices."""
    return F.max_pool2d(input, return_indices=True, **arguments)  # type: ignore[return-value]


def max_pool3d(input: Tensor, **arguments: Any) -> tuple[Tensor, Tensor]:
    """torch.nn.MaxPool3d: values and indices."""
    return F.max_pool3d(input, return_indices=True, **arguments)  # type: ignore[return-value]


def avg_pool1d(input: Tensor, **arguments: Any) -> Tensor:
    """torch.nn.AvgPool1d."""
    return F.avg_pool1d(input, **arguments)


def avg_pool2d(input: Tensor, **arguments: Any) -> Tensor:
    """torch.nn.AvgPool2d."""
    return F.avg_pool2d(input, **arguments)


def avg_pool3d(input: Tensor, **arguments: Any) -> Tensor:
    """torch.nn.AvgPool3d."""
    return F.avg_pool3d(input, **arguments)


def linear(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """torch.nn.Linear."""
    return F.linear(input, weight, bias)


def matmul(input: Tensor, other: Tensor) -> Tensor:
    """torch.matmul."""
    return torch.matmul(input, other)


def flatten(input: Tensor, start_dim: int) -> Tensor:
    """torch.nn.Flatten."""
    return torch.flatten(input, start_dim)


def sigmoid(input: Tensor) -> Tensor:
    """torch.nn.Sigmoid."""
    return F.sigmoid(input)


def softmax(input: Tensor) -> Tensor:
    """torch.nn.Softmax over the last axis."""
    return F.softmax(input, dim=-1)


def log_softmax(input: Tensor) -> Tensor:
    """torch.nn.LogSoftmax over the last axis."""
    return F.log_softmax(input, dim=-1)


def cross_entropy(input: Tensor, target: tuple[int, ...]) -> Tensor:
    """torch.nn.CrossEntropyLoss, mean over the batch."""
    return F.cross_entropy(input, _labels(target, input))


def correct(input: Tensor, target: tuple[int, ...]) -> Tensor:
    """How many rows the chapter's ``accuracy`` counts as right."""
    return (input.argmax(dim=1) == _labels(target, input)).sum()


def sgd(parameter: Tensor, gradient: Tensor, lr: float, weight_decay: float) -> Tensor:
    """One step of torch.optim.SGD."""
    stepped = nn.Parameter(parameter.clone())
    stepped.grad = gradient.clone()
    torch.optim.SGD([stepped], lr=lr, weight_decay=weight_decay).step()
    return stepped.detach()


def xavier_uniform(empty: Tensor, seed: int) -> Tensor:
    """torch.nn.init.xavier_uniform_ of a tensor, from a seed."""
    torch.manual_seed(seed)
    return nn.init.xavier_uniform_(empty.clone())


def stack_of_ones(input: Tensor, layers: tuple[tuple[int, int, int], ...]) -> Tensor:
    """1-d convolutions by ones, (kernel, stride, dilation) each."""
    for kernel, stride, dilation in layers:
        input = F.conv1d(input, torch.ones(1, 1, kernel).to(input), stride=stride, dilation=dilation)
    return input


def squared_error_of_convolution(weight: Tensor, input: Tensor, target: Tensor) -> Tensor:
    """The summed squared error of a bias-free convolution (S7)."""
    return ((F.conv2d(input, weight) - target) ** 2).sum()


def lenet() -> nn.Sequential:
    """The chapter's LeNet (S18)."""
    return nn.Sequential(
        nn.Conv2d(1, 6, kernel_size=5, padding=2), nn.Sigmoid(), nn.AvgPool2d(kernel_size=2, stride=2),
        nn.Conv2d(6, 16, kernel_size=5), nn.Sigmoid(), nn.AvgPool2d(kernel_size=2, stride=2),
        nn.Flatten(),
        nn.Linear(400, 120), nn.Sigmoid(), nn.Linear(120, 84), nn.Sigmoid(), nn.Linear(84, 10),
    )  # fmt: skip


def lenet_step(images: Tensor, labels: Tensor, lr: float, **parameters: Tensor) -> dict[str, Tensor]:
    """One step of SGD on LeNet, and all that can be seen on the way.

    Named "activation i" and "cotangent i" (the gradient to activation i) for each of the twelve layers, "loss",
    and "gradient p" and "stepped p" for each parameter p.
    """
    net = lenet().to(images)
    net.load_state_dict(parameters)
    activations: list[Tensor] = []
    for layer in net:
        activations.append(layer(activations[-1] if activations else images))
        activations[-1].retain_grad()
    loss = F.cross_entropy(activations[-1], labels)
    loss.backward()
    gradients = {f"gradient {name}": p.grad.clone() for name, p in net.named_parameters() if p.grad is not None}
    torch.optim.SGD(net.parameters(), lr=lr).step()
    seen = {"loss": loss, **gradients, **{f"stepped {name}": p for name, p in net.named_parameters()}}
    for i, activation in enumerate(activations):
        seen |= {f"activation {i}": activation}
        if activation.grad is not None:
            seen |= {f"cotangent {i}": activation.grad}
    return seen


VIEWS = (flatten,)
"""The programs whose output may share memory with an operand, as torch documents."""


def _labels(target: tuple[int, ...], like: Tensor) -> Tensor:
    return torch.tensor(target, dtype=torch.int64, device=like.device)
