"""LeNet forward, backward and one training step, composed from the loops (S18–S21).

The network is a table of layers. Parameters carry the names that ``torch.nn.Sequential`` gives them, position in
the table and "weight" or "bias", so a state dict and a dictionary of arrays have the same keys.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from refimpl import activation, convolution, dense, loss, optimizer, pooling
from refimpl.arrays import Array
from refimpl.bounds import activation as activation_bounds
from refimpl.bounds import convolution as convolution_bounds
from refimpl.bounds import dense as dense_bounds
from refimpl.bounds import loss as loss_bounds
from refimpl.bounds import optimizer as optimizer_bounds
from refimpl.bounds import pooling as pooling_bounds
from refimpl.initializer import xavier_uniform
from refimpl.rounding import Computed

ARCHITECTURE: tuple[tuple[str, dict[str, Any]], ...] = (
    ("convolution", {"padding": 2}),
    ("sigmoid", {}),
    ("average pooling", {"kernel_size": (2, 2), "stride": 2}),
    ("convolution", {}),
    ("sigmoid", {}),
    ("average pooling", {"kernel_size": (2, 2), "stride": 2}),
    ("flatten", {}),
    ("linear", {}),
    ("sigmoid", {}),
    ("linear", {}),
    ("sigmoid", {}),
    ("linear", {}),
)
PARAMETER_SHAPES = {
    "0.weight": (6, 1, 5, 5), "0.bias": (6,),
    "3.weight": (16, 6, 5, 5), "3.bias": (16,),
    "7.weight": (120, 400), "7.bias": (120,),
    "9.weight": (84, 120), "9.bias": (84,),
    "11.weight": (10, 84), "11.bias": (10,),
}  # fmt: skip

Parameters = Mapping[str, Any]


@dataclass(frozen=True)
class Arithmetic:
    """The operations that LeNet is made of: on plain arrays (:data:`LOOPS`) or with errors (:data:`COMPUTED`)."""

    forward: Mapping[str, Callable[..., Any]]
    backward: Mapping[str, Callable[..., tuple[Any, ...]]]
    loss: Callable[[Any, Array], Any]
    loss_gradient: Callable[[Any, Array], Any]
    update: Callable[[Any, Any, float], Any]


LOOPS = Arithmetic(
    forward={
        "convolution": convolution.cross_correlate,
        "sigmoid": activation.sigmoid,
        "average pooling": pooling.average_pool,
        "flatten": dense.flatten,
        "linear": dense.linear,
    },
    backward={
        "convolution": lambda g, x, w, b, **arguments: (
            convolution.input_gradient(g, x.shape, w, **arguments),
            convolution.weight_gradient(g, x, w.shape, **arguments),
            convolution.bias_gradient(g, axes=2),
        ),
        "sigmoid": lambda g, x: (activation.sigmoid_gradient(g, x),),
        "average pooling": lambda g, x, **arguments: (pooling.average_pool_gradient(g, x.shape, **arguments),),
        "flatten": lambda g, x: (g.reshape(x.shape),),
        "linear": lambda g, x, w, b: (
            dense.linear_input_gradient(g, w),
            dense.linear_weight_gradient(g, x),
            dense.linear_bias_gradient(g),
        ),
    },
    loss=loss.cross_entropy,
    loss_gradient=loss.cross_entropy_gradient,
    update=lambda w, g, lr: optimizer.sgd_step(w, g, lr)[0],
)
COMPUTED = Arithmetic(
    forward={
        "convolution": convolution_bounds.cross_correlate,
        "sigmoid": activation_bounds.sigmoid,
        "average pooling": pooling_bounds.average_pool,
        "flatten": dense_bounds.flatten,
        "linear": dense_bounds.linear,
    },
    backward={
        "convolution": convolution_bounds.convolution_gradients,
        "sigmoid": activation_bounds.sigmoid_gradients,
        "average pooling": pooling_bounds.average_pool_gradients,
        "flatten": dense_bounds.flatten_gradients,
        "linear": dense_bounds.linear_gradients,
    },
    loss=loss_bounds.cross_entropy,
    loss_gradient=lambda logits, target: loss_bounds.cross_entropy_gradients(
        Computed.operand(1.0, logits.format), logits, target
    )[0],
    update=optimizer_bounds.sgd_step,
)


def initial_parameters(seed: int) -> dict[str, Array]:
    """Xavier uniform weights (S19) and zero biases, drawn from ``seed``; names and shapes as in PARAMETER_SHAPES.

    >>> sum(w.size for w in initial_parameters(0).values())
    61706
    """
    generator = np.random.default_rng(seed)
    return {
        name: xavier_uniform(shape, generator) if name.endswith("weight") else np.zeros(shape)
        for name, shape in PARAMETER_SHAPES.items()
    }


def forward(parameters: Parameters, images: Any, arithmetic: Arithmetic = LOOPS) -> list[Any]:
    """What every layer gives, the logits last. images: (N, 1, 28, 28). Returns twelve arrays, (N, …) each.

    >>> [y.shape for y in forward(initial_parameters(0), np.zeros((1, 1, 28, 28)))][-3:]
    [(1, 84), (1, 84), (1, 10)]
    """
    outputs = [images]
    for layer, (kind, arguments) in enumerate(ARCHITECTURE):
        outputs.append(arithmetic.forward[kind](outputs[-1], *_of_layer(parameters, layer), **arguments))
    return outputs[1:]


def backward(
    parameters: Parameters, images: Any, labels: Array, arithmetic: Arithmetic = LOOPS
) -> tuple[Any, dict[str, Any]]:
    """Cross-entropy of a batch (S20) and its gradient to every parameter, from the last layer back to the first.

    images: (N, 1, 28, 28); labels: (N,). Returns the loss and a gradient for each name in ``parameters``.
    """
    outputs = forward(parameters, images, arithmetic)
    inputs = [images, *outputs[:-1]]
    cotangent = arithmetic.loss_gradient(outputs[-1], labels)
    gradients: dict[str, Any] = {}
    for layer, (kind, arguments) in reversed(list(enumerate(ARCHITECTURE))):
        own = _of_layer(parameters, layer)
        cotangent, *to_own = arithmetic.backward[kind](cotangent, inputs[layer], *own, **arguments)
        gradients.update(zip((f"{layer}.weight", f"{layer}.bias"), to_own, strict=False))
    return arithmetic.loss(outputs[-1], labels), gradients


def step(
    parameters: Parameters, images: Any, labels: Array, lr: float, arithmetic: Arithmetic = LOOPS
) -> tuple[dict[str, Any], Any]:
    """One step of mini-batch SGD (S20, S23). Returns the new parameters and the loss before the step."""
    before, gradients = backward(parameters, images, labels, arithmetic)
    return {name: arithmetic.update(w, gradients[name], lr) for name, w in parameters.items()}, before


def _of_layer(parameters: Parameters, layer: int) -> list[Any]:
    return [parameters[name] for name in (f"{layer}.weight", f"{layer}.bias") if name in parameters]
