"""Errors: what is compiled raises where eager mode does.

Values, gradients, shapes and dtypes need no law of their own here: "agreement" and "gradients" hold each mode, and the
meta device, to the same loops.
"""

from __future__ import annotations

from dataclasses import replace

from properties.cases.case import Case
from properties.edges.one_number_changed import disturbed
from properties.engine.law import law
from properties.operators import Operator
from properties.subjects import Subject
from properties.verdicts.expected import Refusal
from properties.verdicts.verdict import holds, rejected, same_shape

FEW = 0.05
"""The share of sizes of one compiled function: a call that raises is traced anew each time."""


@law(
    "errors when compiled", covers=lambda operator: operator.differentiable, on=lambda subject: subject.compiled,
    cases=disturbed, exact=False, share=lambda subject: FEW if subject.mode == "dynamic" else 1.0,
    one_run_in=lambda subject: 8,
)  # fmt: skip
def test_errors(operator: Operator, subject: Subject, case: Case) -> None:
    """Compiled, a call raises where eager mode does, and where not its output has the same shape."""
    operands = operator.any_operands(case, subject.format)
    eager = replace(subject, mode="eager")
    plain, other = (s.run(operator.program, operands, case.arguments) for s in (eager, subject))
    if not plain.error:
        same_shape(other, plain.outputs["output"].shape)
    elif not other.error:
        rejected(other, Refusal(f"{eager} raises {plain.error}"))
    else:
        holds(True, "both raise")
