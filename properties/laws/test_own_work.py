"""Own work: a kernel is not torch's function under another name."""

from __future__ import annotations

from properties.cases.case import Case
from properties.engine.domain import OWN_WORK
from properties.engine.law import law
from properties.operators import Operator
from properties.subjects import Declined, Subject
from properties.verdicts.verdict import holds
from properties.worker.execute import named_functions


def alone(operator: Operator) -> bool:
    """True if an operator is one function; before that of a padded convolution comes torch's own padding."""
    return not operator.has("padded")


@law(
    OWN_WORK,
    covers=alone,
    on=lambda subject: bool(subject.kernels),
    exact=False,
    rank=0,
    share=lambda subject: 0.25,
)
def test_own_work(operator: Operator, subject: Subject, case: Case) -> None:
    """No kernel hands on to the function of torch's that it stands for, whose result the laws would then hold."""
    operands, cotangent = operator.operands(case, subject.format), operator.cotangent_if_any(case, subject.format)
    watched = tuple(sorted(named_functions(operator.program)))
    outcome = subject.run(operator.program, operands, case.arguments, cotangent, watched=watched)
    if outcome.error:
        raise Declined(f"raises {outcome.error}")
    holds(not outcome.handed_on, f"hands on to {', '.join(outcome.handed_on)}: what the laws hold is torch's own")
