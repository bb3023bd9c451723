"""The chapter's LeNet in torch (S18)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def lenet() -> nn.Sequential:
    """The chapter's LeNet (S18)."""
    return nn.Sequential(
        nn.Conv2d(1, 6, kernel_size=5, padding=2), nn.Sigmoid(), nn.AvgPool2d(kernel_size=2, stride=2),
        nn.Conv2d(6, 16, kernel_size=5), nn.Sigmoid(), nn.AvgPool2d(kernel_size=2, stride=2),
        nn.Flatten(),
        nn.Linear(400, 120), nn.Sigmoid(), nn.Linear(120, 84), nn.Sigmoid(), nn.Linear(84, 10),
    )  # fmt: skip


def lenet_step(
    images: Tensor, labels: Tensor, lr: float, format: str = "contiguous_format", **parameters: Tensor
) -> dict[str, Tensor]:
    """One step of SGD on LeNet, and all that can be seen on the way, with images and weights in a memory format.

    Named "activation i" and "cotangent i" (the gradient to activation i) for each of the twelve layers, "loss",
    and "gradient p" and "stepped p" for each parameter p.
    """
    net = lenet().to(images)
    net.load_state_dict(parameters)
    net.to(memory_format=getattr(torch, format))  # type: ignore[call-overload]
    images = images.to(memory_format=getattr(torch, format))
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


def lenet_activations(images: Tensor, **parameters: Tensor) -> dict[str, Tensor]:
    """What each of LeNet's twelve layers gives, named "activation i"."""
    net = lenet().to(images)
    net.load_state_dict(parameters)
    activations = [images]
    for layer in net:
        activations.append(layer(activations[-1]))
    return {f"activation {i}": activation for i, activation in enumerate(activations[1:])}


def lenet_until(images: Tensor, layers: int, **parameters: Tensor) -> Tensor:
    """What the first so many of LeNet's layers give, from the parameters of these layers."""
    return torch.func.functional_call(lenet()[:layers], parameters, images)
