"""Where operands lie in memory, and how torch is set, changes no result."""

from __future__ import annotations

from properties.cases.case import Case, in_layouts, under_flags
from properties.engine.law import law, valued
from properties.operators import Operator
from properties.subjects import Subject
from properties.verdicts.verdict import laid_in_order, verdict


def agrees(operator: Operator, subject: Subject, case: Case) -> None:
    """Raise Diverged unless output and gradients are those of the loops in the case's setting."""
    operands, cotangent = operator.operands(case, subject.format), operator.cotangent_if_any(case, subject.format)
    outcome = subject.run(operator.program, operands, case.arguments, cotangent, setting=case.setting)
    verdict(outcome, operator.expected(operands, case.arguments, subject.format), subject)
    if cotangent is not None:
        expected = operator.expected_gradients(cotangent, operands, case.arguments, subject.format)
        verdict(outcome, expected, subject, "gradients")


@law(
    "layouts",
    covers=lambda operator: True,
    on=lambda subject: subject.mode == "eager" and subject.device != "meta",
    cases=lambda operator: in_layouts(
        operator.cases, operator.output_shape if operator.differentiable else None, operator.given
    ),
    rank=3,
    every_pair=lambda subject: subject.dtype in ("float32", "bfloat16"),  # for which oneDNN has kernels of its own
)
def test_layouts(operator: Operator, subject: Subject, case: Case) -> None:
    """Transposed, strided, expanded or misaligned: output and gradients are still the loops'."""
    agrees(operator, subject, case)


@law(
    "strides", covers=lambda operator: True, on=lambda s: s.inferred or (valued(s) and s.dtype == "float32"),
    unless=lambda operator, subject: bool(subject.kernels), exact=False, share=lambda subject: 0.25,
)  # fmt: skip
def test_strides(operator: Operator, subject: Subject, case: Case) -> None:
    """Operands that lie in the order of their axes give outputs that do, too, with and without a device to ask."""
    outcome = subject.run(operator.program, operator.operands(case, subject.format), case.arguments)
    laid_in_order(outcome)


@law(
    "flags",
    covers=lambda operator: True,
    on=lambda subject: valued(subject) and not subject.kernels,
    cases=lambda operator: under_flags(operator.cases),
    share=lambda subject: 1.0 if subject.dtype == "float32" else 0.25,
)
def test_flags(operator: Operator, subject: Subject, case: Case) -> None:
    """oneDNN on or off, one thread or two, deterministic or not: output and gradients are the loops'."""
    agrees(operator, subject, case)
