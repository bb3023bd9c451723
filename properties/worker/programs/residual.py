"""A block of a residual network in torch: two convolutions, each normalised, beside the identity."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

NORMS: dict[str, Callable[[int], nn.Module]] = {
    "batch_norm": lambda channels: nn.BatchNorm2d(channels, momentum=0.125),
    "group_norm": lambda channels: nn.GroupNorm(2, channels),
    "instance_norm": lambda channels: nn.InstanceNorm2d(channels, affine=True),
}
ACTIVATIONS: dict[str, type[nn.Module]] = {
    "relu": nn.ReLU, "leaky_relu": nn.LeakyReLU, "silu": nn.SiLU, "hardswish": nn.Hardswish,
}  # fmt: skip
BRANCH = 5
"""How many layers stand beside the identity; the sum of both and an activation follow."""


def branch(channels: int, norm: str, activation: str) -> nn.Sequential:
    """What is added to the identity."""
    return nn.Sequential(
        nn.Conv2d(channels, channels, 3, padding=1, bias=False), NORMS[norm](channels), ACTIVATIONS[activation](),
        nn.Conv2d(channels, channels, 3, padding=1, bias=False), NORMS[norm](channels),
    )  # fmt: skip


def residual_step(
    input: Tensor, cotangent: Tensor, lr: float, norm: str, activation: str, format: str, **parameters: Tensor
) -> dict[str, Tensor]:
    """One step of SGD on a residual block, and all that can be seen on the way, in a memory format.

    Named "activation i" and "cotangent i" (the gradient to activation i) for the branch's layers, the sum and the last
    activation, "gradient p" and "stepped p" for each parameter p, "gradient input", and the running statistics.
    """
    layers = branch(input.shape[1], norm, activation).to(input)
    layers.load_state_dict(parameters, strict=False)
    layers.to(memory_format=getattr(torch, format))  # type: ignore[call-overload]
    x = input.detach().clone(memory_format=getattr(torch, format)).requires_grad_()
    activations = [x]
    for layer in layers:
        activations.append(layer(activations[-1]))
    activations.append(activations[-1] + x)
    activations.append(ACTIVATIONS[activation]()(activations[-1]))
    for made in activations:
        made.retain_grad()
    activations[-1].backward(cotangent)
    gradients = {name: made.grad for name, made in {**dict(layers.named_parameters()), "input": x}.items()}
    seen = {f"gradient {name}": grad.clone() for name, grad in gradients.items() if grad is not None}
    torch.optim.SGD(layers.parameters(), lr=lr).step()
    seen |= {f"stepped {name}": p for name, p in layers.named_parameters()}
    seen |= {name: buffer for name, buffer in layers.named_buffers() if buffer.ndim}
    for i, made in enumerate(activations[1:]):
        seen |= {f"activation {i}": made} | ({} if made.grad is None else {f"cotangent {i}": made.grad})
    return seen
