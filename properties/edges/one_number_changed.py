"""Cases with one number changed, perhaps to a value that no layer allows.

Such a case may be valid or not, so it serves laws that hold either way: what one subject, or one batch, accepts,
another must not reject.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hypothesis import strategies as st

from properties.cases.case import Case
from properties.operators import Operator

NEAR = (-1, 1, -2, 2)
FIXED = (0, -1)


class Disturbed(Case):
    """A case that may be invalid."""


@st.composite
def disturbed(draw: st.DrawFn, operator: Operator, arguments: bool = True) -> Disturbed:
    """A valid case of an operator with one size of one operand, or one number of one argument, changed."""
    case = draw(operator.cases)
    places = [("shapes", name) for name, shape in case.shapes.items() if shape]
    places += [("arguments", name) for name, value in case.arguments.items() if arguments and _numbers(value)]
    kind, name = draw(st.sampled_from(places))
    values: Mapping[str, Any] = getattr(case, kind)
    changed = _changed(draw, values[name], least=0 if kind == "shapes" else -(2**31))
    return Disturbed(**{**vars(case), kind: {**values, name: changed}})


def _numbers(value: Any) -> bool:
    """True if there is a number to change."""
    if isinstance(value, tuple):
        return any(map(_numbers, value))
    return isinstance(value, int) and not isinstance(value, bool)


def _changed(draw: st.DrawFn, value: Any, least: int) -> Any:
    if isinstance(value, tuple):
        at = draw(st.sampled_from([i for i, part in enumerate(value) if _numbers(part)]))
        return (*value[:at], _changed(draw, value[at], least), *value[at + 1 :])
    others = sorted({v for v in (*FIXED, *(value + step for step in NEAR)) if v >= least} - {value})
    return draw(st.sampled_from(others))
