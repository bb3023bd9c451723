"""Arguments that torch accepts or refuses against its own documentation: what entries about them share."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from properties.cases.case import Case, Geometry
from properties.ledger.record import Predicate, known, require
from properties.operators import modules, operator
from properties.operators.constraints import Invalid
from properties.subjects import FLOATS, INTEGERS, Subject


def violates(rule: str, case: Case) -> bool:
    """True if a case was made to break a rule, that of the constraint of this name."""
    return isinstance(case, Invalid) and case.violated == rule


def accepted(
    id: str,
    operators: tuple[str, ...],
    rule: str,
    *,
    example: Geometry,
    seed: int = 0,
    severity: str = "missing error",
    laws: tuple[str, ...] = ("rejection",),
    devices: tuple[str, ...] = ("cpu", "meta"),
    dtypes: tuple[str, ...] = FLOATS,
    integers_in_empty_batch: bool = False,
    **about: Any,
) -> Callable[[Predicate], Predicate]:
    """Register arguments that break a rule and raise nothing, where the function below is true as well.

    Where a law's cases are not made to break a rule, the function alone decides.
    ``integers_in_empty_batch``: register the same of integers, too. Poolings that have no kernel for integers refuse
    them only if there is something to be computed.
    """
    for name in operators:
        rules = (*operator(name).constraints, *modules.rules(operator(name)))
        require(id, f"rule of {name}", [rule], [constraint.name for constraint in rules])
    shapes, arguments = example
    about |= {"severity": severity, "laws": laws}
    pinned = functools.partial(Invalid, arguments=arguments, seed=seed, violated=rule)

    def register(holds: Predicate) -> Predicate:
        @functools.wraps(holds)
        def breaks(case: Case, subject: Subject) -> bool:
            broken = violates(rule, case) or (len(laws) > 1 and not isinstance(case, Invalid))
            return broken and holds(case, subject)

        known(id, operators, devices=devices, dtypes=dtypes, example=pinned(shapes), **about)(breaks)
        if integers_in_empty_batch:
            empty = {name: (0, 1, *shape[1:]) for name, shape in shapes.items()}
            of_none = _of_no_images(breaks)
            known(f"{id}-of-integers", operators, dtypes=INTEGERS, example=pinned(empty), **about)(of_none)
        return holds

    return register


def _of_no_images(holds: Predicate) -> Predicate:
    """The same predicate of empty batches alone."""

    @functools.wraps(holds)
    def of_no_images(case: Case, subject: Subject) -> bool:
        return holds(case, subject) and case.shapes["input"][0] == 0

    return of_no_images


needs_channels_in_a_batch = functools.partial(
    known,
    severity="valid arguments rejected",
    laws=("whatever the batch",),
    modes=("eager",),
    what="an image of no channels is accepted without a batch, and raises 'Expected input to have non-zero size for "
    "non-batch dimensions' in a batch, even an empty one",
    why="torch.nn.AdaptiveMaxPool2d, Shape: (N, C, H, W) or (C, H, W), with the same C in both; adaptive "
    "average pooling in one and two dimensions accepts both",
)
"""Register a pooling that refuses no channels in a batch alone."""


def has_no_channels(case: Case) -> bool:
    """True if the input of a pooling has no channels."""
    axes = len(case.arguments.get("kernel_size") or case.arguments["output_size"])
    return case.shapes["input"][-axes - 1] == 0
