"""Adjoints: a layer and its gradients are one bilinear form, read from three sides (S3)."""

from __future__ import annotations

import math

import numpy as np

from properties.cases.case import Case
from properties.engine.law import law
from properties.laws.test_scaling import factors, is_linear
from properties.operators import Operator
from properties.subjects import Subject
from properties.verdicts.expected import Expected
from properties.verdicts.verdict import Diverged, same, tensor, verdict, weighted


@law("adjoint", covers=lambda operator: operator.differentiable and (is_linear(operator) or operator.has("selecting")))
def test_adjoint(operator: Operator, subject: Subject, case: Case) -> None:
    """⟨Ax, y⟩ = ⟨x, Aᵀy⟩ = ⟨w, ∂w⟩ by the subject's own output and gradients, the bias counted with each."""
    operands, cotangent = operator.operands(case, subject.format), operator.cotangent(case, subject.format)
    outcome = subject.run(operator.program, operands, case.arguments, cotangent)
    output = operator.expected(operands, case.arguments, subject.format)["output"]
    gradients = operator.expected_gradients(cotangent, operands, case.arguments, subject.format)
    try:
        products = {
            name: weighted(tensor(outcome, name, "gradients"), gradients[name], values, subject.format)
            for name, values in operands.items()
            if name in gradients
        }
        form = weighted(tensor(outcome), output, cotangent, subject.format)
        for name in factors({name: operands[name] for name in gradients}):
            side = products[name].plus(products["bias"]) if "bias" in products else products[name]
            same(f"⟨{name}, gradient to {name}⟩", side, form)
    except Diverged:
        verdict(outcome, {"output": output}, subject)  # says which side it is, and writes a script of it
        verdict(outcome, gradients, subject, "gradients")
        raise


@law(
    "gradient of moved elements",
    covers=lambda operator: operator.has("moving"),
    on=lambda subject: subject.plain,
    exact=False,
    share=lambda subject: 0.5,
)
def test_moved(operator: Operator, subject: Subject, case: Case) -> None:
    """The cotangent of each output goes to the element that the output is, whichever of two a rounding made it."""
    shape, integers = case.shapes["input"], case.with_integers()
    places = np.arange(float(math.prod(shape))).reshape(shape)
    cotangent = operator.cotangent(integers, subject.format)
    outcome = subject.run(operator.program, {"input": places}, case.arguments, cotangent)
    gradient = np.zeros(math.prod(shape))
    np.add.at(gradient, tensor(outcome).astype(np.int64).ravel(), cotangent.ravel())
    verdict(outcome, {"input": Expected(gradient.reshape(shape))}, subject, "gradients")
