"""Layers of real networks, in their own sizes: LeNet, AlexNet, VGG-16, ResNet-50 and MobileNet-V2."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import strategies as st

from properties.cases import networks
from properties.cases.case import Case
from properties.cases.spots import Part
from properties.engine.law import law
from properties.operators import Operator
from properties.subjects import Subject
from properties.verdicts.verdict import same_shape, verdict
from properties.worker.call import Outcome


def of_a_network(operator: Operator) -> bool:
    """True if some network has such a layer, and what its elements depend on can be cut out."""
    return operator.parts is not None and bool(networks.in_turn(operator.name))


def holds_at(part: Part, outcome: Outcome, operator: Operator, subject: Subject) -> None:
    """Raise Diverged unless the elements that a part makes up are what the loops make of it."""
    if part.cotangent is None:
        group, expected = "outputs", operator.expected(part.operands, part.arguments, subject.format)
    else:
        of = (part.cotangent, part.operands, part.arguments)
        group, expected = "gradients", operator.expected_gradients(*of, subject.format)
    for name in part.where.keys() & expected.keys():
        whole, own = part.where[name]
        seen = outcome.part(lambda values, at=whole: values[at], group, name)  # type: ignore[misc]
        verdict(seen, {name: expected[name][own]}, subject, group)


def in_turn(operator: Operator) -> Sequence[st.SearchStrategy[Case]]:
    """The layers of each network in turn."""
    return networks.in_turn(operator.name)


@law(
    "layers of networks", covers=of_a_network, turns=in_turn, exact=False, share=lambda subject: 1 / 8,
    one_run_in=lambda subject: 2, elementwise=True,
)  # fmt: skip
def test_layers(operator: Operator, subject: Subject, case: Case) -> None:
    """A real layer's output is the loops' at its corners, beside the borders of tiles and at random elements."""
    assert operator.parts is not None
    operands = operator.operands(case, subject.format)
    outcome = subject.run(operator.program, operands, case.arguments)
    same_shape(outcome, operator.output_shape(case))
    for part in operator.parts(case, operands, None):
        holds_at(part, outcome, operator, subject)


@law(
    "gradients of layers of networks", covers=lambda o: of_a_network(o) and o.differentiable, turns=in_turn,
    exact=False, share=lambda subject: 1 / 8, one_run_in=lambda subject: 2, elementwise=True,
)  # fmt: skip
def test_gradients_of_layers(operator: Operator, subject: Subject, case: Case) -> None:
    """A real layer's gradients are the loops' at some elements, each of them over all images, positions or channels."""
    assert operator.parts is not None
    operands, cotangent = operator.operands(case, subject.format), operator.cotangent(case, subject.format)
    outcome = subject.run(operator.program, operands, case.arguments, cotangent)
    for part in operator.parts(case, operands, cotangent):
        holds_at(part, outcome, operator, subject)
