"""What a task's calls amount to: formulas that have a layer's loops, and one call that stands for several.

A ``Model`` may write a layer out, as ``x * torch.sigmoid(x)``, or call a function that is made of others, as attention
is. Its calls are put in another form here, before operators are looked for (:mod:`properties.engine.tasks`). Steps of
a formula may be stored, as Model stores them, or not.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from properties.engine.chains import FLATTEN, Made
from properties.operators import Operator, operator
from refimpl import elementwise_loss as losses
from refimpl.arrays import Array
from refimpl.bounds import elementwise_loss as loss_bounds
from refimpl.bounds import normalization as bounds
from refimpl.bounds.piecewise_activation import narrow
from refimpl.normalization import by_size, by_size_gradient
from refimpl.rounding import Computed

Call = tuple[str, Mapping[str, Any]]
Calls = Mapping[str, Call]
"""Calls by the names of their results."""


def rewritten(calls: Sequence[Call], shapes: Mapping[str, tuple[int, ...]]) -> list[Call]:
    """The calls that the last result depends on, with attention taken apart and a cat with zeros put as one.

    >>> x, y, c = ({"tensor": name} for name in ("input 0", "unknown", "call 1"))
    >>> rewritten([("add_", {"input": y, "other": 1}), ("relu", {"input": x}), ("tanh", {"input": c})], {})
    [('relu', {'input': {'tensor': 'input 0'}}), ('tanh', {'input': {'tensor': 'call 0'}})]
    """
    named = {f"call {k}": call for k, call in enumerate(calls)}
    last, parts = f"call {len(calls) - 1}", dict[str, Call]()
    for name, (function, arguments) in named.items():
        if function == "scaled_dot_product_attention":
            parts |= _attention(name, arguments, shapes)
        else:
            parts[name] = _with_zeros(named, arguments) if function == "cat" else (function, arguments)
    needed = _needed(parts, last)
    kept = [name for name in parts if name in needed or not _is_idle(*parts[name])]
    numbers = {name: f"call {k}" for k, name in enumerate(kept)}
    return [(parts[name][0], _renamed(parts[name][1], numbers)) for name in kept]


def formula(calls: Sequence[Call], inputs: Sequence[str]) -> Made | None:
    """The layer that calls write out, where it is one of :data:`FORMULAS`; inputs: all operands, in their order."""
    if not 0 < len(calls) <= MOST:
        return None
    named = {f"call {k}": call for k, call in enumerate(calls)}
    text = _text(named, {"tensor": f"call {len(calls) - 1}"}, {name: f"x{i}" for i, name in enumerate(inputs)})
    for pattern, make in FORMULAS.items():
        if found := re.fullmatch(pattern, text):
            made = make(**{name: float(value) for name, value in found.groupdict().items()})
            return Made(made, dict(zip(OPERANDS.get(made.name, ("input",)), inputs, strict=True)), {}, stepwise=True)
    return None


def _needed(calls: Calls, last: str) -> set[str]:
    needed, left = set[str](), [last]
    while left:
        name = left.pop()
        if name in calls and name not in needed:
            needed.add(name)
            left += _tensors(calls[name][1])
    return needed


def _is_idle(function: str, arguments: Mapping[str, Any]) -> bool:
    """True if a call changes none of a task's operands: what counts batches changes a buffer."""
    inplace = function.endswith("_") or arguments.get("inplace") or arguments.get("out")
    return not inplace or set(_tensors(arguments)) == {"unknown"}


def _tensors(value: Any) -> list[str]:
    if isinstance(value, Mapping):
        return [value["tensor"]] if "tensor" in value else [n for part in value.values() for n in _tensors(part)]
    return [name for part in value for name in _tensors(part)] if isinstance(value, list | tuple) else []


def _renamed(value: Any, names: Mapping[str, str]) -> Any:
    if isinstance(value, Mapping):
        return {key: _renamed(part, names) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_renamed(part, names) for part in value)
    return names.get(value, value) if isinstance(value, str) else value


def _attention(name: str, arguments: Mapping[str, Any], shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Call]:
    """``softmax(q·kᵀ·s)·v`` with s = 1/√E. Torch multiplies q and k by √s each, which may round both."""
    query, key, value = (arguments[each] for each in ("query", "key", "value"))
    others = {n: v for n, v in arguments.items() if v not in (query, key, value, None, False, 0.0)}
    if not isinstance(query, Mapping) or others or query["tensor"] not in shapes:
        return {name: ("scaled_dot_product_attention", arguments)}
    root = shapes[query["tensor"]][-1] ** -0.25
    made = [f"{name}: {part}" for part in ("query", "key", "transposed", "scores", "shares")]
    scaled, moved, turned, scores, shares = ({"tensor": each} for each in made)
    calls: list[Call] = [
        ("mul", {"input": query, "other": root}),
        ("mul", {"input": key, "other": root}),
        ("transpose", {"input": moved, "dim0": -2, "dim1": -1}),
        ("matmul", {"input": scaled, "other": turned}),
        ("softmax", {"input": scores, "dim": -1}),
        ("matmul", {"input": shares, "other": value}),
    ]
    return dict(zip([*made, name], calls, strict=True))


def _with_zeros(calls: Calls, arguments: Mapping[str, Any]) -> Call:
    """A cat of zeros like one element of an axis, and a tensor: "cat" with the tensor and the axis."""
    tensors, dim = arguments.get("tensors", ()), arguments.get("dim", 0)
    names = [_text(calls, each, {}) for each in tensors]
    front = rf"zeros_like\(unsqueeze\(select\([^()]*, dim={dim}, index=\d+\), dim={dim}\)\)"
    if len(names) == 2 and re.fullmatch(front, names[0]):
        return "cat", {"input": tensors[1], "dim": dim}
    return "cat", arguments


def _text(calls: Calls, value: Any, inputs: Mapping[str, str]) -> str:
    """An expression: operands in their order, those of sums and products sorted, and options that are not None.

    >>> calls = {"call 0": ("sigmoid", {"input": {"tensor": "a"}, "out": None})}
    >>> calls["call 1"] = ("mul", {"input": {"tensor": "call 0"}, "other": {"tensor": "a"}})
    >>> _text(calls, {"tensor": "call 1"}, {"a": "x0"})
    'mul(sigmoid(x0), x0)'
    """
    if not isinstance(value, Mapping):
        return repr(float(value)) if type(value) in (int, float) else str(value)
    name = value["tensor"]
    if name not in calls:
        return inputs.get(name, name)
    function, arguments = calls[name]
    given = {key: part for key, part in arguments.items() if part is not None and part is not False}
    operands = [_text(calls, part, inputs) for key, part in given.items() if key in ("input", "0", "other", "exponent")
                or isinstance(part, Mapping)]  # fmt: skip
    options = [f"{key}={part}" for key, part in sorted(given.items()) if key in SHOWN]
    if function == "rsub":
        function, operands = "sub", operands[::-1]
    if (function, operands) == ("mul", operands[:1] * 2) or function == "square":
        function, operands = "pow", [operands[0], "2.0"]
    return f"{function}({', '.join([*(sorted(operands) if function in ('add', 'mul') else operands), *options])})"


MOST = 12
"""Calls of a formula; the text of many, each of which uses a value twice, is long."""
SHOWN = ("dim", "index", "keepdim", "p", "reduction", "log_target")


def _stepwise(layer: Operator, **arguments: Any) -> Operator:
    """An activation of which every step is stored."""

    def bound(x: Computed) -> Computed:
        return _kept(layer.bound(narrow(x), **arguments), x)

    def gradient_bounds(g: Computed, x: Computed) -> tuple[Computed, ...]:
        return tuple(_kept(each, x) for each in layer.gradient_bounds(narrow(g), narrow(x), **arguments))  # type: ignore[misc]

    reference, gradients = (partial(each, **arguments) for each in (layer.reference, layer.gradients))  # type: ignore[arg-type,misc]
    return replace(layer, reference=reference, bound=bound, gradients=gradients, gradient_bounds=gradient_bounds)


def _kept(result: Computed, like: Computed) -> Computed:
    return Computed(result.value, like.format, result.off)


def _log_divergence(probability: Array, target: Array) -> losses.Terms:
    """``t·(log t − log p)``, with ``−t/p`` for a slope."""
    values, (to_log, to_target), _ = losses.kl_div(np.log(probability), target)
    zero = np.zeros(values.shape)
    return values, (to_log / probability, to_target), ((zero, zero), (zero, zero))


def _log_divergence_jet(probability: Computed, target: Computed) -> loss_bounds.Terms:
    """The same from the computed logarithm."""
    values, (_, to_target), curvatures = loss_bounds.kl_div(probability.log(), target)
    return values, (-target / probability, to_target), curvatures


def _divergence_of_logs(reduction: str = "batchmean") -> Operator:
    return replace(
        operator("kl_div"),
        reference=lambda *operands: losses.loss(_log_divergence(*operands), reduction),
        bound=partial(loss_bounds.loss, _log_divergence_jet, reduction=reduction),
        gradients=lambda g, *operands: losses.gradients(g, _log_divergence(*operands), reduction),
        gradient_bounds=partial(loss_bounds.loss_gradients, _log_divergence_jet, reduction=reduction),
    )


def _by_size(p: float = 2.0, dim: float | None = None, eps: float = 0.0, mean: bool = False) -> Operator:
    """``x/(Σ|x|^p/D + ε)^{1/p}`` along an axis, or over all elements; D is 1, or their number.

    >>> float(_by_size(p=1.0, dim=0.0, mean=True).reference(np.array([[1.0], [3.0]]))[1, 0])
    1.5
    """
    axis = None if dim is None else int(dim)

    def rows(x: Array) -> Array:
        return x.reshape(1, -1) if axis is None else np.moveaxis(x, axis, -1).reshape(-1, x.shape[axis])

    def back(values: Array, shape: tuple[int, ...]) -> Array:
        return values.reshape(shape) if axis is None else np.moveaxis(
            values.reshape(np.moveaxis(np.empty(shape), axis, -1).shape), -1, axis)  # fmt: skip

    def how(x: Any) -> tuple[float, float, float]:
        return p, float(math.prod(x.shape) if axis is None else x.shape[axis]) if mean else 1.0, eps

    return replace(
        FLATTEN,
        name="rms_norm" if eps else "normalize",
        layer="torch.nn.functional.normalize",
        inexact="a root of an integer is seldom one",
        reference=lambda x: back(by_size(rows(x), *how(x)), x.shape),
        bound=lambda x: bounds.by_size(x.map(rows), *how(x)).map(lambda values: back(values, x.shape)),
        gradients=lambda g, x: (back(by_size_gradient(rows(g), rows(x), *how(x)), x.shape),),
        gradient_bounds=lambda g, x: tuple(
            each.map(lambda values: back(values, x.shape))
            for each in bounds.by_size_gradients(g.map(rows), x.map(rows), *how(x))
        ),
        output_shape=lambda case: case.shapes["input"],
    )


NUMBER, AXIS = r"[-+.\de]+", r"dim=(?P<dim>-?\d+), keepdim=True"
FORMULAS: dict[str, Any] = {
    r"mul\(sigmoid\(x0\), x0\)": partial(_stepwise, operator("silu")),
    r"div\(x0, add\(1\.0, abs\(x0\)\)\)": partial(_stepwise, operator("softsign")),
    r"mul\(add\(1\.0, tanh\(mul\(0\.79788456\d*, add\(mul\(0\.044715, pow\(x0, 3\.0\)\), x0\)\)\)\), mul\(0\.5, x0\)\)":
        partial(_stepwise, operator("gelu"), approximate="tanh"),
    r"mean\(pow\(sub\(x0, x1\), 2\.0\)\)": partial(operator, "mse_loss"),
    r"kl_div\(log\(x0\), x1, reduction=batchmean\)": _divergence_of_logs,
    rf"div\(x0, sqrt\(add\((?P<eps>{NUMBER}), mean\(pow\(x0, 2\.0\), {AXIS}\)\)\)\)": partial(_by_size, mean=True),
    rf"div\(x0, mean\(abs\(x0\), {AXIS}\)\)": partial(_by_size, p=1.0, mean=True),
    rf"div\(x0, norm\(x0, {AXIS}, p=(?P<p>[12])\)\)": _by_size,
    r"div\(x0, norm\(x0, p=fro\)\)": _by_size,
}  # fmt: skip
"""Expressions, as :func:`_text` writes them, and the operators whose loops they have."""
OPERANDS = {"mse_loss": ("input", "target"), "kl_div": ("input", "target")}
