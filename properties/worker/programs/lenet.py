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


def lenet_narrow_step(
    images: Tensor, labels: Tensor, lr: float, by_hand: bool, scale: float | None, weight: float, form: dict[str, bool],
    **parameters: Tensor,
) -> dict[str, Tensor]:  # fmt: skip
    """One step of SGD with momentum on LeNet, whose layers compute in bfloat16 where the parameters are float32.

    That is what torch.autocast does, or casts that are written out (``by_hand``). The loss, times ``weight``, goes
    backward times the ``scale`` of a torch.amp.GradScaler, if there is one; its scale afterwards is "scale". The rest
    is named as :func:`lenet_step` names it. form: of the optimizer.
    """
    net = lenet().to(images)
    net.load_state_dict(parameters)
    narrow = torch.bfloat16 if images.dtype == torch.float32 else images.dtype
    with torch.autocast(images.device.type, torch.bfloat16, enabled=not by_hand):
        activations = [images]
        for layer in net:
            activations.append(_cast(layer, activations[-1], narrow) if by_hand else layer(activations[-1]))
        loss = weight * F.cross_entropy(activations[-1].to(images.dtype) if by_hand else activations[-1], labels)
    optimizer, scales = torch.optim.SGD(net.parameters(), lr=lr, momentum=0.9, **form), {}
    if scale is None:
        loss.backward()
        optimizer.step()
    else:
        scaler = torch.amp.GradScaler(images.device.type, init_scale=scale)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        scales = {"scale": torch.tensor(scaler.get_scale())}
    seen = {"loss": loss, **{f"activation {i}": activation for i, activation in enumerate(activations[1:])}, **scales}
    seen |= {f"stepped {name}": p for name, p in net.named_parameters()}
    return {name: tensor.to(images.dtype) for name, tensor in seen.items()}


def _cast(layer: nn.Module, x: Tensor, dtype: torch.dtype) -> Tensor:
    """What a layer gives of an input and parameters in a dtype."""
    cast = {name: p.to(dtype) for name, p in layer.named_parameters()}
    return torch.func.functional_call(layer, cast, (x.to(dtype),))


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
