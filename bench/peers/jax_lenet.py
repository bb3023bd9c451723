"""LeNet in JAX: the whole step under ``jax.jit``."""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from refimpl.arrays import Array
from refimpl.lenet import PARAMETER_SHAPES

Parameters = dict[str, jax.Array]


class JaxLeNet:
    """LeNet (S18) and its step (S20)."""

    def __init__(self, parameters: dict[str, Array], lr: float) -> None:
        assert set(parameters) == set(PARAMETER_SHAPES)
        self._parameters = {name: jnp.asarray(p, jnp.float32) for name, p in parameters.items()}
        self._lr = lr

    def step(self, images: Array, labels: Array) -> float:
        """One step of SGD; the mean loss before it."""
        self._parameters, loss = _step(self._parameters, jnp.asarray(images), jnp.asarray(labels, jnp.int32), self._lr)
        return float(loss)

    def logits(self, images: Array) -> Array:
        """The forward pass."""
        return np.asarray(_forward(self._parameters, jnp.asarray(images)))


@partial(jax.jit, donate_argnums=0)
def _step(p: Parameters, images: jax.Array, labels: jax.Array, lr: float) -> tuple[Parameters, jax.Array]:
    loss, gradients = jax.value_and_grad(_loss)(p, images, labels)
    return jax.tree.map(lambda value, gradient: value - lr * gradient, p, gradients), loss


def _loss(p: Parameters, images: jax.Array, labels: jax.Array) -> jax.Array:
    """Mean cross-entropy."""
    logits = jax.nn.log_softmax(_logits(p, images))
    return -jnp.take_along_axis(logits, labels[:, None], axis=1).mean()


def _logits(p: Parameters, x: jax.Array) -> jax.Array:
    x = _pool(jax.nn.sigmoid(_convolve(x, p["0.weight"], p["0.bias"], padding=2)))
    x = _pool(jax.nn.sigmoid(_convolve(x, p["3.weight"], p["3.bias"], padding=0)))
    x = x.reshape(len(x), -1)
    for layer in ("7", "9"):
        x = jax.nn.sigmoid(x @ p[f"{layer}.weight"].T + p[f"{layer}.bias"])
    return x @ p["11.weight"].T + p["11.bias"]


_forward = jax.jit(_logits)


def _convolve(x: jax.Array, weight: jax.Array, bias: jax.Array, padding: int) -> jax.Array:
    pads = [(padding, padding)] * 2
    return (
        lax.conv_general_dilated(x, weight, (1, 1), pads, dimension_numbers=("NCHW", "OIHW", "NCHW"))
        + (bias[:, None, None])
    )


def _pool(x: jax.Array) -> jax.Array:
    return lax.reduce_window(x, 0.0, lax.add, (1, 1, 2, 2), (1, 1, 2, 2), "VALID") / 4
