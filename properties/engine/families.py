"""Families of cases: the same arguments over operands of several sizes, which one compiled function serves in turn."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from hypothesis import strategies as st

from properties.cases.case import COIN, REAL_FILLS, Case, among, whole
from properties.cases.dealing import in_hand, perhaps
from properties.edges.huge import formula
from properties.edges.one_number_changed import disturbed
from properties.engine.bundles import Bundle
from properties.engine.law import Law
from properties.operators import Operator
from refimpl.rounding import FORMATS

MEMBERS = 44
"""Cases of a family beside the one that its function is compiled for first."""
COMPILATIONS = 2
"""Of one function: where the compiler makes a new one of nearly every size, the others have the first case's."""
ROOM = 2**12
"""Elements beyond which neither batch nor channels grow: the loops take as long as there are."""
MOSTLY = among(False, True, True, True)
LONGER = among(0, 1, 2, 3, 4, 5, 7, 8, 12)


@st.composite
def families(draw: st.DrawFn, law: Law, operator: Operator, number: int = MEMBERS) -> Bundle:
    """A case of an operator, and so many of a law made from it at other sizes, any of which may be left out.

    In most families no two of the first case's axes are as long: the compiler takes lengths that are equal for one, and
    compiles once more where they are not.
    """
    first, _ = in_hand(draw, operator.cases)
    if draw(COIN):
        first = draw(resized(operator, first, ones=True))
    if draw(MOSTLY):
        first = _apart(operator, first)
    again = replace(operator, cases=resized(operator, first))
    sizes_alone = law.cases is disturbed
    others = disturbed(again, arguments=False) if sizes_alone else law.strategy(again)
    some = perhaps(others)
    members = [case for _ in range(number) for case, _ in draw(some)]
    return Bundle((first, *members))


@st.composite
def resized(draw: st.DrawFn, operator: Operator, case: Case, ones: bool = False) -> Case:
    """The same arguments, other values, and longer axes where any length goes with the arguments.

    ones: whether axes of one element may become longer. Only a first case's do: one element is a shape of its own to
    the compiler, so that a function compiled for it does not serve others. So is none, which proves nothing: the others
    have some.
    """

    def longer(size: int) -> int:
        if size == 0:
            return 0 if ones else 2 + draw(LONGER)
        return size + draw(LONGER) if size > 1 or ones else size

    case = replace(case, fill=draw(among(*REAL_FILLS)), seed=draw(whole(0, 2**16 - 1)))
    name = next(iter(case.shapes))
    shape, free, batch = case.shapes[name], _free(operator, case, name), _batch(operator, case)
    if math.prod(shape) > ROOM:
        free, batch = free[-2:], ()
    batch = tuple(longer(size) for size in batch) or shape[: len(_batch(operator, case))]
    shape = tuple(longer(size) if axis in free else size for axis, size in enumerate(shape))
    return _of_sizes(operator, case, name, (*batch, *shape[len(batch) :]))


def _of_sizes(operator: Operator, case: Case, name: str, shape: tuple[int, ...]) -> Case:
    """The same case with another shape of an operand, and of those that have the same; itself where that is invalid.

    That a weight has the same shape is chance.
    """
    batch = _batch(operator, case)
    tied = [other for other in case.shapes if case.shapes[other] == case.shapes[name] and other != "weight"]
    grown = replace(case, shapes={**case.shapes, **dict.fromkeys(tied, shape)})
    if batch:
        grown = operator.in_batch(grown, shape[: len(batch)])
    return grown if _valid(operator, grown) else case


def _apart(operator: Operator, case: Case) -> Case:
    """The same case with axes that are all of another length, where any length goes with the arguments."""
    name = next(iter(case.shapes))
    shape, batch = list(case.shapes[name]), _batch(operator, case)
    for axis in (*range(len(batch)), *_free(operator, case, name)):
        while shape[axis] > 1 and shape.count(shape[axis]) > 1:
            shape[axis] += 1
    return _of_sizes(operator, case, name, tuple(shape))


def _batch(operator: Operator, case: Case) -> tuple[int, ...]:
    """The leading axes that the examples are laid out on."""
    if not operator.batched:
        return ()
    name, axes = next(iter(operator.example(case).items()))
    shape = case.shapes[name]
    return shape[: len(shape) - axes]


def _free(operator: Operator, case: Case, name: str) -> range:
    """The axes of an operand, but for those of a batch, whose lengths neither an argument nor a weight determines."""
    shape, batch = case.shapes[name], len(_batch(operator, case))
    classes = min(1, len(shape) - 1)
    if "target" in case.arguments:
        fixed = "weight" in case.arguments or np.shape(case.arguments["target"]) == shape
        return range(0) if fixed else range(classes, classes + 1)
    weighted = "weight" in case.arguments or "pos_weight" in case.arguments
    if weighted or operator.has("columns"):
        return range(0)
    if "weight" not in case.shapes and all(other == shape for other in case.shapes.values()):
        return range(batch, len(shape))
    return range(len(shape) - operator.axes, len(shape))


def _valid(operator: Operator, case: Case) -> bool:
    """True if the formula gives a shape, and what is given with the operands can be made."""
    if formula(operator, case) is None:
        return False
    try:
        for make in operator.given.values():
            make(case, FORMATS["float32"])
    except ValueError:
        return False
    return True
