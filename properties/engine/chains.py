"""Chains of operators, each fed by those before: what they give, with bounds that cover the errors of all before.

Bounds are carried from layer to layer: what an operator's operands are off by enters its own bound
(:mod:`refimpl.bounds`). Beside the kink of a ReLU, and where several elements of a window may be its largest, a
gradient may be any of those that errors lead to. Results of layers may be stored or not, and sums be formed in any
order. But layers of sums that follow one another, such as a convolution and an average, may be merged into one, with
products of weights and so with other errors: they are no chain.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from properties.cases.case import Case
from properties.operators import CATALOGUE, Operator
from properties.verdicts.expected import Expected
from refimpl.arrays import Array
from refimpl.bounds.common import rounded_constant
from refimpl.rounding import Computed, Format

Moving = Callable[..., Array]


def _all_of(values: tuple[Any, ...]) -> tuple[Any, ...]:
    """Numbers that are given as one argument or as several."""
    return tuple(values[0]) if len(values) == 1 and isinstance(values[0], tuple) else values


MOVING: dict[str, Moving] = {
    **dict.fromkeys(("view", "reshape"), lambda x, *sizes: x.reshape(_all_of(sizes))),
    **dict.fromkeys(("T", "t"), np.transpose),
    **dict.fromkeys(("transpose", "swapaxes"), np.swapaxes),
    "mT": lambda x: np.swapaxes(x, -1, -2),
    "permute": lambda x, *dims: np.transpose(x, _all_of(dims)),
    "unsqueeze": np.expand_dims,
    "flip": lambda x, *dims: np.flip(x, _all_of(dims)),
    "triu": np.triu,
    "tril": np.tril,
    "narrow": lambda x, dim, start, length: x.take(range(start, start + length), dim),
    "cat": lambda x, dim: np.insert(x, 0, 0.0, axis=dim),  # as properties.engine.formulas puts it
}
"""Functions, methods and properties of tensors that move elements, or put zeros in their place."""
SUMS = frozenset({"linear", "matmul", "broadcast_matmul", "bmm", "mv", "sum", "mean", "cumsum",
                  *(f"{kind}{axes}d" for kind in ("conv", "avg_pool") for axes in (1, 2, 3))})  # fmt: skip
MOVES = frozenset({"flatten", "unflatten", *MOVING})
OTHERS = frozenset({"mul", "add", "clamp", "relu", "sigmoid", "tanh", "softmax", "log_softmax",
                    *(f"max_pool{axes}d" for axes in (1, 2, 3))})  # fmt: skip
CARRYING = SUMS | MOVES | OTHERS
"""The operators whose bounds, and those of their gradients, hold for operands that are off."""


@dataclass(frozen=True)
class Made:
    """The one call that a Model makes: of an operator, with where its operands come from, and its arguments.

    target: the input that holds the classes of a loss, which are an argument of the operator. stepwise: True if Model
    writes it out, in steps that may be stored.
    """

    operator: Operator
    sources: Mapping[str, str]
    arguments: Mapping[str, Any]
    target: str | None = None
    stepwise: bool = False

    @property
    def in_parts(self) -> bool:
        """True if the loops can compute parts of its result."""
        return self.operator.parts is not None and (self.operator.name != "linear" or "bias" in self.sources)

    def case(self, case: Case, operands: Mapping[str, Array]) -> Case:
        """The operator's case of a task's, where the classes of a loss are known."""
        shapes = {name: case.shapes[source] for name, source in self.sources.items()}
        return Case(shapes, self.with_target(operands), case.fill, case.seed)

    def with_target(self, operands: Mapping[str, Array]) -> dict[str, Any]:
        """The operator's arguments."""
        target = {} if self.target is None else {"target": nested(operands[self.target].tolist())}
        return {**self.arguments, **target}

    def operands(self, operands: Mapping[str, Any]) -> dict[str, Any]:
        """The operator's operands, of values by their sources."""
        return {name: operands[source] for name, source in self.sources.items()}


Chain = Sequence[Made]


def is_chain(calls: Chain, operands: Sequence[str]) -> bool:
    """True if each operand, and the result of each call but the last, goes into one call, once."""
    sources = [source for made in calls for source in made.sources.values()]
    every = sorted([*operands, *(f"call {k}" for k in range(len(calls) - 1))])
    return sorted(sources) == every and all(made.operator.name in CARRYING for made in calls) and _apart(calls)


def _apart(calls: Chain) -> bool:
    """True if between any two layers of sums there is one that is not linear."""
    summed = set[str]()
    for k, made in enumerate(calls):
        fed = any(source in summed for source in made.sources.values())
        if fed and made.operator.name in SUMS:
            return False
        if made.operator.name in SUMS or (fed and made.operator.name in MOVES | {"add"}):
            summed.add(f"call {k}")
    return True


def is_one(chain: Chain) -> bool:
    """True if all calls but one, at most, move elements alone: the bounds are that one's own."""
    return not any(made.stepwise for made in chain) and sum(made.operator.name not in MOVES for made in chain) <= 1


def with_number(name: str, arguments: Mapping[str, Any]) -> Made | None:
    """A product, a sum or a difference of a tensor and a number, or a clamp at one; None where there are others.

    >>> made = with_number("rsub", {"input": {"tensor": "call 0"}, "other": 1})
    >>> float(made.operator.reference(3.0, **made.arguments)) if made else None
    -2.0
    """
    given = [value for value in arguments.values() if value is not None]
    tensors = [value["tensor"] for value in given if isinstance(value, dict)]
    numbers = [value for value in given if isinstance(value, int | float)]
    if len(given) != 2 or len(tensors) != 1 or len(numbers) != 1:
        return None
    (number,), source = numbers, {"input": tensors[0]}
    if name == "clamp":
        return Made(CLAMPED, source, {"least": number}) if arguments.get("min") is not None else None
    if name in ("mul", "rmul"):
        return Made(SCALED, source, {"factor": number})
    turned = name == "rsub" or (name == "sub" and not isinstance(given[0], dict))
    how = {"number": -number if name == "sub" and not turned else number, "sign": -1.0 if turned else 1.0}
    return Made(SHIFTED, source, how)


NUMBERED = frozenset({"mul", "rmul", "add", "radd", "sub", "rsub", "clamp"})
"""The functions of which that is known."""


def moved(name: str, arguments: Mapping[str, Any]) -> Made | None:
    """A call that moves elements, with numbers as one argument or as several; None where there are others.

    >>> str(moved("view", {"self": {"tensor": "call 0"}, "shape": (4, -1)}).arguments)
    "{'how': ((4, -1),)}"
    """
    tensor, *how = (value for value in arguments.values() if value is not None)
    numbers = isinstance(tensor, dict) and all(type(number) is int for number in _all_of(tuple(how)))
    return Made(_mover(name), {"input": tensor["tensor"]}, {"how": tuple(how)}) if numbers else None


def _mover(name: str) -> Operator:
    """What flatten is, by another way in which elements are moved."""

    def move(x: Array, how: tuple[Any, ...]) -> Array:
        return MOVING[name](x, *how)

    def back(g: Array, shape: tuple[int, ...], how: tuple[Any, ...]) -> Array:
        places = move(np.arange(1, math.prod(shape) + 1).reshape(shape), how)
        gradient = np.zeros(math.prod(shape) + 1)
        gradient[places.reshape(-1)] = g.reshape(-1)  # those that no element was moved to have the place 0
        return gradient[1:].reshape(shape)

    return replace(
        FLATTEN,
        name="reshape" if name == "view" else name,
        layer=f"torch.Tensor.{name}",
        reference=move,
        bound=lambda x, how: x.map(lambda values: move(values, how)),
        gradients=lambda g, x, how: (back(g, x.shape, how),),
        gradient_bounds=lambda g, x, how: (g.map(lambda values: back(values, x.shape, how)),),
    )


FLATTEN = next(operator for operator in CATALOGUE if operator.name == "flatten")
SCALED = replace(
    FLATTEN,
    name="mul",
    layer="torch.mul",
    reference=lambda x, factor: x * factor,
    bound=lambda x, factor: (x * rounded_constant(factor, x)).stored(),
    gradients=lambda g, x, factor: (g * factor,),
    gradient_bounds=lambda g, x, factor: ((g * rounded_constant(factor, g)).stored(),),
    output_shape=lambda case: case.shapes["input"],
)
"""What a product with a number is; one rounding, and that of the number to the storage, at most."""
SHIFTED = replace(
    SCALED,
    name="add",
    layer="torch.add",
    reference=lambda x, number, sign: number + sign * x,
    magnitude=lambda x, number, sign: abs(number) + np.abs(x),
    bound=lambda x, number, sign: ((x if sign > 0.0 else -x) + rounded_constant(number, x)).stored(),
    gradients=lambda g, x, number, sign: (sign * g,),
    gradient_bounds=lambda g, x, number, sign: (Computed(sign * g.value, g.format, g.error),),
)
"""The same of a sum or a difference."""


def _clamped(x: Computed, least: float) -> Computed:
    """A comparison; no error where the least is surely larger."""
    surely = x.value < least - x.off
    return Computed(np.maximum(x.value, least), x.format, None if x.error is None else np.where(surely, 0.0, x.off))


def _clamped_gradient(g: Computed, x: Computed, least: float) -> Computed:
    """The cotangent where ``x ≥ least``, else zero; either where errors may decide that."""
    turns, passes = (np.abs(x.value - least) <= 2.0 * x.off) & (x.off > 0.0), x.value >= least
    off = np.where(turns, g.reach, np.where(passes, g.off, 0.0))
    return Computed(np.where(passes, g.value, 0.0), g.format, None if x.error is None and g.error is None else off)


CLAMPED = replace(
    SCALED,
    name="clamp",
    layer="torch.clamp",
    reference=lambda x, least: np.maximum(x, least),
    bound=_clamped,
    gradients=lambda g, x, least: (np.where(x >= least, g, 0.0),),
    gradient_bounds=lambda g, x, least: (_clamped_gradient(g, x, least),),
)
"""What ``clamp(min=…)`` is, with torch's slope of one at the least."""


def expected(
    chain: Chain, operands: Mapping[str, Array], format: Format, cotangent: Array | None = None
) -> tuple[dict[str, Expected], dict[str, Expected]]:
    """The output of a chain and, with a cotangent, the gradients to its operands.

    Gradients may be summed in 16 bits, where results are kept in these: torch's own are, in some layers.
    """
    known, taken = {name: Computed.operand(values, format) for name, values in operands.items()}, []
    for k, made in enumerate(chain):
        taken.append(list(made.operands(known).values()))
        known[f"call {k}"] = made.operator.carried(taken[-1], made.arguments, format)
    outputs = {"output": Expected.of(known[f"call {len(chain) - 1}"])}
    if cotangent is None:
        return outputs, {}
    format, found = format.summing_in_storage(forward=False).backward, dict[str, Computed]()
    found[f"call {len(chain) - 1}"] = Computed.operand(cotangent, format)
    for k, made in reversed(list(enumerate(chain))):
        own = [replace(operand, format=format) for operand in (found.pop(f"call {k}"), *taken[k])]
        gradients = made.operator.carried_gradients(own, made.arguments, format)
        found |= zip(made.sources.values(), gradients, strict=True)
    return outputs, {name: Expected.of(gradient) for name, gradient in found.items()}


def nested(value: Any) -> Any:
    """A list, and lists in it, as tuples."""
    return tuple(map(nested, value)) if isinstance(value, list) else value
