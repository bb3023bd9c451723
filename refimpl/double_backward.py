"""Gradients of gradients as a machine computes them.

With gradients ``G(g, x, …)`` of a layer for a cotangent g, and a direction h for each of them, autograd can
differentiate ``S = ⟨h, G(g, x, …)⟩`` once more. These are the gradients of S to g and to each operand, as
:class:`~refimpl.rounding.Computed`, each with its error.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from refimpl import pooling
from refimpl.arrays import Array, alike
from refimpl.rounding import Computed, rounding_of


def added(*terms: Computed) -> Computed:
    """Stored results added up in any order, each sum stored in turn: ``Σe_i + γ_{2(n−1)}·Σ(|x_i| + e_i)``.

    An addition is one rounding in the accumulator and one to the storage, hence twice n − 1 of the coarser kind.
    """
    value, off, reach = (sum(getattr(term, part) for term in terms) for part in ("value", "off", "reach"))
    storage = terms[0].format.storage
    rounding = rounding_of(reach, 2 * (len(terms) - 1), storage)
    return Computed(value, terms[0].format, off + rounding + storage.underflow)


def bilinear(
    layer: Callable[..., Computed],
    gradients: Callable[..., tuple[Computed, ...]],
    cotangent: Computed,
    *operands_and_directions: Computed,
    **arguments: Any,
) -> tuple[Computed, ...]:
    """Gradients of ``S = ⟨h, gradients(g, x, w, b)⟩`` to g, x, w and b, for a layer ``f(x, w) + b`` linear in each.

    The gradients are adjoints, so ``S = ⟨g, f(h_x, w) + f(x, h_w) + h_b⟩``: to g that sum, to x the gradient of a
    layer with weights h_w, to w that of one with the input h_x, and to b nothing.
    """
    count = len(operands_and_directions) // 2
    (x, w, *bias), (h_x, h_w, *h_bias) = operands_and_directions[:count], operands_and_directions[count:]
    terms = [layer(h_x, w, **arguments), layer(x, h_w, **arguments)]
    if h_bias:
        along_channels = h_bias[0].value.reshape(-1, *(1,) * (len(w.shape) - 2))
        spread = np.broadcast_to(along_channels, terms[0].shape)
        terms.append(Computed.operand(spread, x.format))
    to_operands = [gradients(cotangent, x, h_w, **arguments)[0], gradients(cotangent, h_x, w, **arguments)[1]]
    return (added(*terms), *to_operands, *(Computed.operand(np.zeros(b.shape), b.format) for b in bias))


def trilinear(
    layer: Callable[..., Computed],
    gradients: Callable[..., tuple[Computed, ...]],
    cotangent: Computed,
    *operands_and_directions: Computed,
) -> tuple[Computed, ...]:
    """The same for a layer ``f(x, y, w) + b`` linear in each: ``S = ⟨g, f(h_x,y,w) + f(x,h_y,w) + f(x,y,h_w) + h_b⟩``.

    To x the gradients of two of those terms, ``f(·,h_y,w)`` and ``f(·,y,h_w)``, and likewise to y and to w.
    """
    count = len(operands_and_directions) // 2
    operands, directions = list(operands_and_directions[:3]), operands_and_directions[count : count + 3]
    terms, to_operands = [], [[], [], []]  # type: tuple[list[Computed], list[list[Computed]]]
    for k, h in enumerate(directions):
        replaced = [*operands[:k], h, *operands[k + 1 :]]
        terms.append(layer(*replaced))
        for i in {0, 1, 2} - {k}:
            to_operands[i].append(gradients(cotangent, *replaced)[i])
    bias, h_bias = operands_and_directions[3:count], operands_and_directions[count + 3 :]
    for h in h_bias:
        terms.append(Computed.operand(np.broadcast_to(h.value, terms[0].shape), h.format))
    nothing = (Computed.operand(np.zeros(b.shape), b.format) for b in bias)
    return (added(*terms), *(added(*of_one) for of_one in to_operands), *nothing)


def linear(layer: Callable[..., Computed], cotangent: Computed, *operands: Computed, **arguments: Any) -> Any:
    """The same for a layer of one operand x that is linear in it: to g the layer of h, to x nothing."""
    x, h = operands
    return layer(h, **arguments), Computed.operand(np.zeros(x.shape), x.format)


def selecting(
    layer: Callable[..., tuple[Array, Array]],
    axes: int,
    cotangent: Computed,
    x: Computed,
    h: Computed,
    **arguments: Any,
) -> tuple[Computed, Computed]:
    """The same for a layer that selects elements of x: to g the elements of h where it found them, to x nothing.

    ``layer(x, **arguments)`` gives values and their flat indices into the ``axes`` last axes, −1 for none.
    """
    indices = layer(x.value, **arguments)[1]
    to_cotangent = pooling.picked(alike(h.value, x.value)[0], indices, axes)
    return Computed.operand(to_cotangent, x.format), Computed.operand(np.zeros(x.shape), x.format)
