"""Domain: a subject that stands for torch takes what torch takes."""

from __future__ import annotations

from properties.engine.domain import LAW
from properties.engine.law import law
from properties.engine.trial import Trial
from properties.operators import Operator
from properties.verdicts.tally import figure
from properties.verdicts.verdict import holds


@law(LAW, covers=lambda operator: True, on=lambda subject: subject.asked, rank=0)
def test_domain(operator: Operator, subject: Trial) -> None:
    """What torch takes is taken; what is refused, and always, is told here once, and asked for by no other law."""
    assert subject.domain
    figure("domain", subject.domain.told)
    holds(not subject.domain.findings, "; ".join(subject.domain.findings.values()))
