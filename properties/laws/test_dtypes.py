"""One dtype a call: operands of several are refused or promoted, and on meta alike."""

from __future__ import annotations

from dataclasses import replace

from properties.cases.case import Mixed, mixed
from properties.engine.law import law
from properties.laws.test_gradients import several
from properties.operators import Operator
from properties.subjects import Subject
from properties.verdicts.expected import Refusal
from properties.verdicts.verdict import rejected, verdict
from refimpl.rounding import FORMATS


def single(subject: Subject) -> bool:
    """Torch in float32, eager or on meta: to compile one call for each mixture takes too long."""
    return subject.dtype == "float32" and subject.mode == "eager" and not subject.kernels


@law(
    "one dtype",
    covers=lambda operator: several(operator) and not operator.has("mixed"),
    on=single,
    cases=lambda operator: mixed(operator.cases),
    exact=False,
    share=lambda subject: 0.5,
)
def test_one_dtype(operator: Operator, subject: Subject, case: Mixed) -> None:
    """Operands of two dtypes are refused, or promoted to the wider one; what eager mode refuses, so does meta."""
    given = {name: FORMATS[case.dtypes.get(name, subject.dtype)] for name in case.shapes}
    operands = {name: operator.filled(name, case.shapes[name], case, format) for name, format in given.items()}
    operands |= {name: make(case, subject.format) for name, make in operator.given.items()}
    place = replace(subject, device="cpu") if subject.device == "meta" else subject
    outcome, plain = (s.run(operator.program, operands, case.arguments, dtypes=case.dtypes) for s in (subject, place))
    if plain.error:
        rejected(outcome, Refusal(f"operands are of two dtypes; {place} raises {plain.error}"))
        return
    narrowest = min(given.values(), key=lambda format: format.storage.bits)
    wider = replace(subject, dtype="float64" if "float64" in case.dtypes.values() else "float32")
    verdict(outcome, operator.expected(operands, case.arguments, narrowest), wider)
