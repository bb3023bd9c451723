"""What is promised of classification losses where logits or log-probabilities are NaN or infinite.

A row's loss is NaN or infinite where the formula in float64 says so, and so is the row's gradient; the other rows are
not touched, and a row that is ignored has no loss and no gradient, whatever it holds. Some classes count for nothing,
by a weight or a probability of zero or a smoothing of one. Nobody promises what such a class makes of an infinite
log-probability: the formula multiplies zero and ∞, and some implementations skip the class. Numbers near the largest
are left out, for a difference on the way may be past it, and so are infinite cotangents, which may reach one or both
terms of a gradient.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from properties.cases.case import Case
from properties.edges.special_values import Promise, same_places
from properties.operators import Operator
from properties.verdicts.expected import Expected
from refimpl.arrays import Array
from refimpl.rounding import Format, round_to
from refimpl.targets import is_probabilities

PALETTES = ("nan", "inf", "-inf", "both inf", "all -inf", "zeros", "tiny")
"""Those without numbers near the largest."""
LITTLE = 2.0**-10
"""So little that no sum of weights changes its sign, taken from zero or added to it."""


def cotangent(operator: Operator, case: Case, format: Format) -> Array | None:
    """An ordinary cotangent, none of whose values is special; None where there are no gradients."""
    plain = Case(case.shapes, case.arguments, case.fill, case.seed)
    return operator.cotangent_if_any(plain, format)


def of_losses(
    operator: Operator, case: Case, g: Array | None, operands: Mapping[str, Array], format: Format
) -> tuple[Promise, dict[str, Promise]]:
    """Where NaN and infinities should be in the loss and in its gradients, if any; other numbers may be any."""
    given = [(operands, case.arguments), *(_where_all_count(operands, case.arguments, by) for by in (-LITTLE, LITTLE))]
    with np.errstate(all="ignore"):
        losses = [operator.reference(*values.values(), **a) for values, a in given]
        if operator.gradients is None:
            return _places(losses, format), {}
        gradients = [operator.gradients(g, *values.values(), **a) for values, a in given]
    of_operands = {name: _places(tensors, format) for name, *tensors in zip(operands, *gradients, strict=True)}
    return _places(losses, format), of_operands


def _places(found: Sequence[Array], format: Format) -> Promise:
    """The first of the results, promised where the others have NaN and infinities in the same places."""
    stored = round_to(found[0], format.storage)
    certain = np.logical_and.reduce([same_places(np.asarray(found[0]), np.asarray(other)) for other in found[1:]])
    return Promise(Expected(stored, np.full(stored.shape, np.inf)), certain)


def _where_all_count(
    operands: Mapping[str, Array], arguments: Mapping[str, Any], little: float
) -> tuple[dict[str, Array], dict[str, Any]]:
    """The same with a little in place of weights and probabilities of zero.

    What they are multiplied with then shows: a NaN, an infinity, or opposite infinities that make NaN for a little of
    one sign or the other.
    """
    others, given = dict(operands), dict(arguments)
    if "target" in others:
        others["target"] = np.where(others["target"] == 0.0, little, others["target"])
    elif is_probabilities(others["input"].shape, np.array(given["target"])):
        given["target"] = np.where(np.array(given["target"]) == 0.0, little, given["target"])
    if "weight" in given:
        given["weight"] = tuple(w or little for w in given["weight"])
    if given.get("label_smoothing") == 1.0:  # what is left of the target is zero, times its log-probability
        others["input"] = np.where(np.isinf(others["input"]), np.nan, others["input"])
    return others, given
