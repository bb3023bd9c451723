"""One compiled function serves several sizes in turn, and what it gets wrong at a later one is found and shown."""

from __future__ import annotations

import runpy
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import hypothesis
import numpy as np
import pytest
import torch

from properties.cases.case import Case
from properties.engine import families, repro
from properties.engine.bundles import Bundle
from properties.engine.check import Check
from properties.engine.law import every
from properties.engine.trial import Engine, Engines, Trial
from properties.ledger.examples import transposed
from properties.operators import CATALOGUE, Operator, operator
from properties.session import law_tests
from properties.session.options import OPTIONS
from properties.subjects import Subject
from properties.verdicts import evidence
from properties.verdicts.expected import Expected
from properties.verdicts.verdict import Diverged
from properties.worker import execute as runner
from properties.worker import programs
from properties.worker.call import Call, Outcome
from properties.worker.execute import execute
from refimpl import activation
from refimpl.arrays import Array

DYNAMIC = Subject("cpu", "float32", "dynamic")
STATIC = Subject("cpu", "float32", "compiled")
AGREEMENT, GRADIENTS = every()["agreement"], every()["gradients"]
FEW = hypothesis.settings(max_examples=80, derandomize=True, database=None, deadline=None)


def row(columns: int) -> Array:
    """Two rows of some numbers."""
    return np.linspace(-1.0, 1.0, 2 * columns).reshape(2, columns)


def sigmoids(*operands: Array, served: list[Call] | None) -> list[Outcome]:
    """The sigmoid of each, compiled; by one function where there is a list of the calls that it has served."""
    trial = Trial.of(DYNAMIC, served=served)
    return [trial.run(programs.activation.sigmoid, {"input": values}) for values in operands]


def compilations(*outcomes: Outcome) -> list[int]:
    """How many graphs each needed, none of which may have failed."""
    assert not [outcome.error for outcome in outcomes if outcome.error]
    return [outcome.compilations for outcome in outcomes]


def test_one_function_serves_several_sizes() -> None:
    """Within, one compilation is enough for all; apart, each call has its own."""
    assert compilations(*sigmoids(*map(row, (5, 9, 16, 3)), served=[])) == [1, 0, 0, 0]
    assert compilations(*sigmoids(*map(row, (5, 9)), served=None)) == [1, 1]


def test_compilations_are_counted() -> None:
    """Fewer than the cases, in the evidence of a check."""
    result = evidence.Result("agreement", "", "sigmoid", "", "cpu", "float32", (), "")
    with evidence.collecting(result):
        Check(AGREEMENT, operator("sigmoid"), DYNAMIC, result).search(FEW)
    assert 0 < result.tally.compilations < result.tally.cases / 5


def test_too_many_compilations_are_no_silent_eager_mode(monkeypatch: pytest.MonkeyPatch) -> None:
    """Past its limit torch would go on uncompiled: here that is an error."""
    monkeypatch.setattr(runner, "RECOMPILATIONS", 1)
    first, other = sigmoids(np.ones((2, 3)), np.ones((2, 3, 4)), served=[])
    assert not first.error
    assert str(other.error).startswith("FailOnRecompileLimitHit")


def test_outputs_of_given_sizes_are_held_once() -> None:
    """What is compiled for one case is so for "gradients", which holds outputs, too, and for what has none."""
    assert [AGREEMENT.includes(operator(name), STATIC) for name in ("sigmoid", "accuracy")] == [False, True]
    assert GRADIENTS.includes(operator("sigmoid"), STATIC)
    assert AGREEMENT.includes(operator("sigmoid"), DYNAMIC)


def held(seed: int, one_run_in: int) -> bool:
    """True if a run of all checks, of a seed, holds a test that one in so many runs does."""
    config = SimpleNamespace(stash={OPTIONS: SimpleNamespace(all_checks=True)}, getoption=lambda *_: seed)
    item: Any = SimpleNamespace(config=config, name="test_a_law[sigmoid]")
    return not law_tests.leaves_to_another(item, one_run_in)


def test_each_run_of_all_checks_has_some_of_those_that_take_long() -> None:
    """By its seed: of the gradients that are compiled for many sizes, an eighth, and any of the others."""
    assert GRADIENTS.one_run_in(DYNAMIC) == 8
    assert 45 < sum(held(seed, 8) for seed in range(600)) < 105
    assert all(held(seed, 1) for seed in range(20))


def in_eager_mode(call: Call) -> Outcome:
    """What compiled code would answer that does what eager mode does."""
    return execute(replace(call, mode="eager"))


@pytest.mark.parametrize("seed", range(20))
def test_one_case_is_compiled_or_as_many_as_prove_something(seed: int) -> None:
    """Of given sizes; half of the accuracies that are drawn are 0 or 1."""
    result = evidence.Result("agreement", "", "accuracy", "", "cpu", "float32", (), "")
    check = Check(AGREEMENT, operator("accuracy"), STATIC, result, Engines({"": Engine(in_eager_mode)}))
    with evidence.collecting(result):
        check.search_enough(seed)
    assert result.tally.cases > 0
    assert not result.tally.proves_nothing


def at_a_later_size(call: Call) -> bool:
    """True if a function was compiled for another size."""
    compiled_for = call.earlier[0] if call.earlier else call
    return np.shape(compiled_for.operands["input"]) != np.shape(call.operands["input"])


def wrong_at_later_sizes(call: Call) -> Outcome:
    """What a function would answer that is right for the shape for which it was compiled alone."""
    outcome = in_eager_mode(call)
    return outcome.part(lambda values: values + 1.0) if at_a_later_size(call) else outcome


def test_a_later_size_is_caught() -> None:
    """It takes two cases to show, to which Hypothesis shrinks the family."""
    result = evidence.Result("agreement", "", "tanh", "", "cpu", "float32", (), "")
    engines = Engines({"": Engine(wrong_at_later_sizes)})
    with pytest.raises(Diverged) as failure:
        Check(AGREEMENT, operator("tanh"), DYNAMIC, result, engines).search(FEW)
    assert "".join(failure.value.__notes__).count(" Case(") == 1
    assert failure.value.call
    assert failure.value.call.earlier


def gradients_of_convolutions(refused: str) -> evidence.Result:
    """What comes of gradients whose compilation for a later size is refused with these words."""

    def answer(call: Call) -> Outcome:
        return Outcome(error=refused) if at_a_later_size(call) else in_eager_mode(call)

    result = evidence.Result("gradients", "", "conv2d", "", "cpu", "float32", (), "")
    with evidence.collecting(result):
        Check(GRADIENTS, operator("conv2d"), DYNAMIC, result, Engines({"": Engine(answer)})).search(FEW, seed=1)
    return result


def test_a_known_error_is_looked_for_by_its_words() -> None:
    """No predicate tells when the compiler raises it: cases are tried, and known if they raise just that."""
    tally = gradients_of_convolutions("InductorError: LoweringException: ValueRangeError: Invalid ranges [0:-1]").tally
    assert tally.entry
    assert tally.entry.id == "dynamic-convolution-of-divided-strides"
    assert 0 < tally.known - tally.steered < tally.cases


def test_another_error_is_no_known_one() -> None:
    """The same cases diverge where they raise something else."""
    with pytest.raises(Diverged, match="raised InductorError: something else"):
        gradients_of_convolutions("InductorError: something else")


@pytest.mark.parametrize("wrong", [False, True])
def test_a_script_serves_the_earlier_sizes_first(wrong: bool, tmp_path: Path) -> None:
    """Its one function is compiled once, for another size than that which it shows."""
    earlier = Call(programs.activation.sigmoid, {"input": row(5)}, cotangent=row(5), mode="dynamic")
    call = replace(earlier, operands={"input": row(7)}, cotangent=row(7), fresh=False, earlier=(earlier,))
    should = activation.sigmoid(row(7)) + wrong
    path = repro.write(tmp_path, "a script", call, "said", "a formula", Expected(should, np.full((2, 7), 2.0**-48)))
    before = torch._dynamo.utils.counters["stats"]["unique_graphs"]
    torch._dynamo.reset()
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(path))
    assert bool(ended.value.code) == wrong
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] == before + 1


@pytest.mark.parametrize("about", CATALOGUE, ids=str)
def test_members_are_valid(about: Operator) -> None:
    """The loops compute each member of a family, all of which have the first one's arguments."""

    @hypothesis.settings(FEW, max_examples=5, phases=[hypothesis.Phase.generate])
    @hypothesis.given(families.families(AGREEMENT, about, 7))
    def drawn(family: Bundle) -> None:
        for case in family.cases:
            operands = about.operands(case, DYNAMIC.format)
            expected = about.expected(operands, case.arguments, DYNAMIC.format)
            assert case.arguments == family.cases[0].arguments
            assert np.shape(expected["output"].values) == about.output_shape(case)

    drawn()


def test_a_weight_of_the_inputs_shape_stays() -> None:
    """That an input and a weight are of one shape is chance: the channels of neither grow."""
    case = Case(*transposed((1, 1, 1, 1), (1, 1, 1, 1)))
    assert families._free(operator("conv_transpose2d"), case, "input") == range(2, 4)
    grown = families._of_sizes(operator("conv_transpose2d"), case, "input", (1, 1, 3, 3))
    assert grown.shapes == {"input": (1, 1, 3, 3), "weight": (1, 1, 1, 1)}
