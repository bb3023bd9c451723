"""Modules: layers as their constructors make them, in each documented form of their arguments."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import strategies as st

from properties.engine.law import law
from properties.engine.trial import Trial
from properties.operators import Operator, modules
from properties.operators.constraints import Invalid, invalid
from properties.operators.modules import Formed, arguments_of, operands_of, state_of
from properties.subjects import Subject
from properties.verdicts.expected import Expected, Refusal
from properties.verdicts.verdict import rejected, verdict


def plain(subject: Subject) -> bool:
    """Torch itself in float32 and float64: of a dtype constructors know that parameters are made in it."""
    return subject.plain


def few(subject: Subject) -> float:
    """In float32 as many cases as a padded convolution has forms, a quarter of them in the other dtype."""
    return 0.4 if subject.dtype == "float32" else 0.1


@law("modules", covers=modules.is_module, on=plain, turns=modules.in_each_form, share=few)
def test_modules(operator: Operator, subject: Subject, case: Formed) -> None:
    """A layer of torch.nn that is made, saved and loaded gives the loops' output and gradients, and keeps its state."""
    free, cotangent = operator.operands(case, subject.format), operator.cotangent(case, subject.format)
    operands, arguments = operands_of(case, free), arguments_of(operator, case)
    outcome = subject.run(operator.module, operands, arguments, cotangent, wanted=tuple(case.shapes))
    verdict(outcome, operator.expected(free, case.arguments, subject.format), subject)
    verdict(outcome, {f"state {name}": Expected(kept) for name, kept in state_of(operands).items()}, subject)
    gradients = operator.expected_gradients(cotangent, free, case.arguments, subject.format)
    verdict(outcome, gradients, subject, "gradients")


def violations(operator: Operator) -> st.SearchStrategy[Invalid]:
    """A valid case with one rule broken, of the layer's function or of its constructor."""
    return invalid(operator.cases, modules.rules(operator), operator.rank)


@law(
    "rejection by modules",
    covers=lambda operator: modules.is_module(operator) and bool(modules.rules(operator)),
    on=lambda subject: subject.plain and subject.dtype == "float32",
    cases=violations,
    share=few,
)
def test_rejection_by_modules(operator: Operator, subject: Trial, case: Invalid) -> None:
    """A layer that is made, or called, with what breaks one documented rule raises an error."""
    rule = next(rule for rule in modules.rules(operator) if rule.name == case.violated)
    function = replace(subject, law="rejection", case=case)
    function.ask(operator, case, function)
    operands = operands_of(case, operator.any_operands(case, subject.format, rule))
    rejected(subject.run(operator.module, operands, arguments_of(operator, case)), Refusal(rule.name))
