"""Normalisation does not see by what an input was scaled, nor, where rows are centred, by what it was moved."""

from __future__ import annotations

from properties.cases.case import Case
from properties.engine.law import law
from properties.operators import Operator
from properties.subjects import Subject
from properties.verdicts.expected import Expected, off
from properties.verdicts.verdict import tensor, verdict
from refimpl.rounding import Format


def far(format: Format) -> float:
    """A number from zero so far that the storage adds a hundred to it without error, and that its square has no place
    in the accumulator beside a variance, which a difference of squares would need.
    """
    return 2.0 ** min(format.storage.bits - 1, format.accumulator.bits // 2)


@law(
    "shift and scale",
    covers=lambda operator: operator.has("normalizing"),
    exact=False,
    share=lambda subject: 0.5,
)
def test_shift_and_scale(operator: Operator, subject: Subject, case: Case) -> None:
    """Rows ``a·x + c`` far from zero, with ``a²·ε``, give what x gives with ε; where no mean is taken c is zero."""
    near, trained = operator.operands(case.with_integers(), subject.format), {**case.arguments}
    trained |= {"training": True} if "training" in trained else {}
    scale, shift = 2.0 ** (case.seed % 4), far(subject.format) if operator.has("centered") else 0.0
    moved = {**near, "input": scale * near["input"] + shift}
    pairs = ((near, trained), (moved, {**trained, "eps": scale**2 * trained["eps"]}))
    outcomes = [subject.run(operator.program, *pair) for pair in pairs]
    errors = [off(operator.expected(*pair, subject.format)["output"], subject.format) for pair in pairs]
    verdict(outcomes[1], {"output": Expected.off_by(tensor(outcomes[0]), sum(errors))}, subject)
