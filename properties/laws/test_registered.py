"""Operators of torch.library: what is registered with one is what its kernel does."""

from __future__ import annotations

from dataclasses import replace

from properties.cases.case import Case
from properties.engine.law import law
from properties.operators import Operator
from properties.subjects import Subject
from properties.verdicts.verdict import same_shape
from properties.worker.registered import OPCHECK


@law(
    "registration", covers=lambda operator: True, on=lambda subject: subject.registered, exact=False, rank=2,
    share=lambda subject: 0.5,
)  # fmt: skip
def test_registration(operator: Operator, subject: Subject, case: Case) -> None:
    """torch.library.opcheck finds schema, autograd, fake tensors and tracing to be as the kernel is."""
    watched = replace(subject, kernels=f"{OPCHECK}{subject.kernels}")
    outcome = watched.run(operator.program, operator.operands(case, subject.format), case.arguments)
    same_shape(outcome, operator.output_shape(case))
