"""Chains of operators, each fed by the one before: what they give, with bounds that cover the errors of all before.

Bounds are carried from layer to layer: what an operator's operands are off by enters its own bound
(:mod:`refimpl.bounds`). Beside the kink of a ReLU, and where several elements of a window may be its largest, a
gradient may be any of those that errors lead to. Results of layers may be stored or not, and sums be formed in any
order. But layers of sums that follow one another, such as a convolution and an average, may be merged into one, with
products of weights and so with other errors: they are no chain.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from properties.cases.case import Case
from properties.operators import CATALOGUE, Operator
from properties.verdicts.expected import Expected
from refimpl.arrays import Array
from refimpl.bounds import dense
from refimpl.rounding import Computed, Format

SUMS = frozenset({"linear", *(f"{kind}{axes}d" for kind in ("conv", "avg_pool") for axes in (1, 2, 3))})
MOVES = frozenset({"flatten", "unflatten", "reshape"})
OTHERS = frozenset({"relu", "sigmoid", "tanh", "softmax", "log_softmax", *(f"max_pool{axes}d" for axes in (1, 2, 3))})
CARRYING = SUMS | MOVES | OTHERS
"""The operators whose bounds, and those of their gradients, hold for operands that are off."""


@dataclass(frozen=True)
class Made:
    """The one call that a Model makes: of an operator, with where its operands come from, and its arguments.

    target: the input that holds the classes of a loss, which are an argument of the operator.
    """

    operator: Operator
    sources: Mapping[str, str]
    arguments: Mapping[str, Any]
    target: str | None = None

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
    """True if each call is fed by the one before, and takes, with the others, every operand once."""
    sources = [source for made in calls for source in made.sources.values()]
    fed = all(made.sources.get("input") == f"call {k}" for k, made in enumerate(calls[1:]))
    every = sorted([*operands, *(f"call {k}" for k in range(len(calls) - 1))])
    return fed and sorted(sources) == every and all(made.operator.name in CARRYING for made in calls) and _apart(calls)


def _apart(calls: Chain) -> bool:
    """True if between any two layers of sums there is one that is not linear."""
    kinds = [made.operator.name in SUMS for made in calls if made.operator.name not in MOVES]
    return not any(one and other for one, other in itertools.pairwise(kinds))


def reshape(arguments: Mapping[str, Any]) -> Made | None:
    """A call of ``view`` or ``reshape``: sizes as one argument or as several; None where they are no numbers."""
    tensor, *sizes = arguments.values()
    sizes = [*sizes[0]] if len(sizes) == 1 and isinstance(sizes[0], tuple) else sizes
    numbers = isinstance(tensor, dict) and all(type(size) is int for size in sizes)
    return Made(RESHAPE, {"input": tensor["tensor"]}, {"shape": tuple(sizes)}) if numbers else None


RESHAPE = replace(
    next(operator for operator in CATALOGUE if operator.name == "flatten"),
    name="reshape",
    layer="torch.reshape",
    reference=lambda x, shape: x.reshape(shape),
    bound=lambda x, shape: x.map(lambda values: values.reshape(shape)),
    gradients=lambda g, x, shape: (g.reshape(x.shape),),
    gradient_bounds=lambda g, x, shape: dense.flatten_gradients(g, x),
)
"""What flatten is, to any shape."""


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
    back = Computed.operand(cotangent, format)
    for k, made in reversed(list(enumerate(chain))):
        own = [replace(operand, format=format) for operand in (back, *taken[k])]
        gradients = made.operator.carried_gradients(own, made.arguments, format)
        found |= zip(made.sources.values(), gradients, strict=True)
        back = found.pop(f"call {k - 1}") if k else back
    return outputs, {name: Expected.of(gradient) for name, gradient in found.items()}


def nested(value: Any) -> Any:
    """A list, and lists in it, as tuples."""
    return tuple(map(nested, value)) if isinstance(value, list) else value
