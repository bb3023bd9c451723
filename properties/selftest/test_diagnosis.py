"""The diagnosis says when a fault shows, in the terms in which it was planted, and never more than was seen."""

from __future__ import annotations

import itertools

import pytest

from properties.cases.case import Case, Mixed
from properties.edges.special_values import Special
from properties.engine.check import Check
from properties.engine.diagnosis import FEWEST, Diagnosing, Diagnosis
from properties.engine.domain import drawn
from properties.engine.law import every
from properties.engine.neighbours import valid
from properties.engine.rules import Rule, rules
from properties.engine.symptoms import Symptoms, axes_of
from properties.engine.trial import HERE
from properties.ledger.known import every_known
from properties.ledger.record import ENTRIES
from properties.operators import CATALOGUE, Operator, operator
from properties.operators.facts import facts_of
from properties.selftest.diagnosing import check_of, tell
from properties.subjects import Subject
from properties.verdicts.evidence import Result
from properties.verdicts.verdict import Diverged
from properties.worker.call import Setting

FEW = 160
"""Cases of a diagnosis here; a run takes more."""
NEAR = 6

FAMILIES = tuple({operator.program.__module__: operator for operator in CATALOGUE}.values())

PLANTED = {
    "Convolution that adds its bias twice to an input without a batch": ({"a bias", "no batch"}, ""),
    "Convolution that leaves the last of several planes unwritten": ({"output depth > 1"}, "in the last plane"),
}
"""Faults, what it takes for them to show, and what is said of the elements that are wrong."""
REPEATED_LANE = "Convolution whose tail, after whole vectors of eight outputs, repeats its first lane"


@pytest.mark.parametrize("name", PLANTED)
def test_what_was_planted_is_told(name: str) -> None:
    """The rule has the conditions that were planted, and holds of cases that the diagnosis has not seen."""
    told = tell(HERE, name, FEW, held_out=20)
    assert told.diagnosis
    conditions, symptom = PLANTED[name]
    assert conditions <= set(map(str, told.diagnosis.rule.conditions))
    assert symptom in str(told.diagnosis.symptoms)
    assert told.kind == "right"


def test_no_more_than_was_seen() -> None:
    """The sentence has the counts of both sides, and says where a rule does not tell all, or is not confirmed."""
    rule = Rule((), under=(9, 1), beside=(0, 0))
    assert str(Diagnosis(rule)) == "wrong in 9 of 10 cases, and no condition was found that tells which"
    (rule,) = rules([({"groups": n}, n > 2) for n in (1, 2, 3, 4)])
    assert str(Diagnosis(rule)) == "wrong where groups ≥ 3 (2 of 2); right elsewhere (2 of 2)"
    assert str(Diagnosis(rule, confirmed=False)).endswith("; that is not confirmed by fresh cases")
    (rule,) = rules([({"groups": n, "taps": t}, n > 2 or t > 2) for n in range(1, 5) for t in range(1, 5)])
    assert str(Diagnosis(rule)) == "wrong where groups ≥ 3, or where taps ≥ 3 (12 of 12); right elsewhere (4 of 4)"
    (rule,) = rules([({"groups": n}, True) for n in (1, 2, 3, 4)])
    assert str(Diagnosis(rule)) == "wrong in every case that was tried (4)"
    written = Diagnosis(rule, symptoms=Symptoms("output", rule, "", None)).told
    assert (written["elements"], written["value"], written["plane"]) == (None, None, None)


@pytest.mark.parametrize("operator", [*FAMILIES, operator("linear")], ids=str)
def test_axes_have_names(operator: Operator) -> None:
    """Each axis of any operand, and of its gradient, has a name: without one there is no diagnosis."""
    for name, shape in drawn(operator)[5].shapes.items():
        assert len(axes_of(operator, name, len(shape))) == len(shape)


@pytest.mark.parametrize("operator", FAMILIES, ids=str)
def test_each_argument_is_told_of(operator: Operator) -> None:
    """Some fact names each argument, whatever torch's own function says of its signature."""
    case = drawn(operator)[5]
    facts = facts_of(operator, case)
    assert not [name for name in case.arguments if not any(name in fact for fact in facts)]


def test_facts_of_huge_arguments() -> None:
    """Of windows through which no loop counts in time sizes are told, and no values."""
    huge = {"kernel_size": (2**40,), "stride": (2**40,), "padding": (2**39,), "ceil_mode": False}
    facts = facts_of(operator("avg_pool1d"), Case({"input": (1, 1, 4)}, huge))
    assert facts["kernel_size"] == 2**40
    assert "bits of input" not in facts


@pytest.mark.parametrize("operator", [o for o in CATALOGUE if o.has("window")], ids=str)
def test_facts_of_nothing(operator: Operator) -> None:
    """Facts are told of a case one of whose axes has no elements, which a neighbour may have."""
    for case in drawn(operator)[:24]:
        for name, shape in case.shapes.items():
            for axis in range(len(shape)):
                empty = case.with_shape(name, (*shape[:axis], 0, *shape[axis + 1 :])).with_integers()
                assert not valid(operator, empty) or facts_of(operator, empty)


def test_facts_of_lengths_that_change() -> None:
    """How long adaptive windows are is told, what becomes of axes, and what is left of a number in 32 bits."""
    facts = facts_of(operator("adaptive_avg_pool2d"), Case({"input": (1, 1, 7, 3)}, {"output_size": (4, None)}))
    assert (facts["longest window of the height"], facts["longest window of the width"]) == (3, 1)
    assert facts["an output_size of None for several elements"]
    assert facts["windows of one length along the width"]
    assert not facts["windows of one length along the height"]
    scaled = Case({"input": (1, 1, 4, 6)}, {"mode": "bilinear", "size": (8, 3)})
    facts = facts_of(operator("interpolate_linear"), scaled)
    assert facts["last axis that gets shorter"]
    assert not facts["second last axis that gets shorter"]
    assert (facts["scale of the last axis"], facts["scale of the second last axis"]) == (0.5, 2.0)
    factors = {"mode": "bilinear", "scale_factor": (1.5, 1.5)}
    facts = facts_of(operator("interpolate_linear"), Case({"input": (1, 1, 4, 3)}, factors))
    assert facts["a length that is rounded"]
    assert facts["a scale that is no whole number"]
    assert facts["a scale_factor"]
    assert not facts["a recompute_scale_factor"]
    facts = facts_of(operator("mean"), Case({"input": (3, 1, 4)}, {"dim": (0, -2)}))
    assert (facts["axes that are reduced"], facts["axes of several elements that are reduced"]) == (2, 1)
    huge = {"kernel_size": (1,), "stride": (2**33 + 3,), "padding": (0,), "ceil_mode": False}
    assert facts_of(operator("avg_pool1d"), Case({"input": (1, 1, 4)}, huge))["stride in 32 bits"] == 3


def test_facts_of_cotangents() -> None:
    """NaN and infinity in the incoming gradient, which is no operand, are facts."""
    facts = facts_of(operator("tanh"), Special({"input": (8,)}, {}, palette="nan", often=1.0))
    assert facts["a NaN in cotangent"]
    assert not facts["an infinite cotangent"]


def test_facts_of_given_operands() -> None:
    """How operands lie in memory is told of those, too, that are made from arguments."""
    laid = Setting({"indices": "strided"})
    pooled = Case({"input": (1, 1, 2, 2)}, {"kernel_size": (2, 2), "padding": (0, 0)}, setting=laid)
    assert not facts_of(operator("max_unpool2d"), pooled)["contiguous indices"]


def test_facts_of_shapes_of_images() -> None:
    """Square images, square outputs and uneven padding are facts."""
    facts = facts_of(operator("avg_pool2d"), Case({"input": (1, 1, 4, 4)}, {"kernel_size": (2, 1), "padding": (0, 0)}))
    assert facts["the same size on all axes"]
    assert not facts["the same output size on all axes"]
    padded = {"stride": (1, 1), "padding": "same", "dilation": (1, 2), "groups": 1, "padding_mode": "reflect"}
    facts = facts_of(operator("conv2d_padded"), Case({"input": (1, 1, 4, 4), "weight": (1, 1, 2, 2)}, padded))
    assert (facts["uneven padding of the height"], facts["uneven padding of the width"]) == (True, False)


def test_facts_of_dtypes() -> None:
    """Each operand has a dtype, the subject's where none is given, so that a rule may say which it is not."""
    facts = facts_of(operator("linear"), Mixed({"input": (1, 2), "weight": (2, 2)}, {}, dtypes={"weight": "float64"}))
    assert (facts["dtypes of input"], facts["dtypes of weight"]) == ("", "float64")


def test_shared_condition_is_paid_for_once() -> None:
    """A condition that two conjunctions share costs nothing in the second, which little that is wrong meets."""
    times = ((4, 1, True, 23), (1, 4, True, 2), (4, 1, False, 9), (1, 4, False, 9), (1, 1, True, 9))
    each = [(g, t, bias) for g, t, bias, number in times for _ in range(number)]
    (rule,) = rules([({"groups": g, "taps": t, "a bias": bias}, bias and g + t > 2) for g, t, bias in each])
    assert str(rule) == "a bias and groups ≥ 4, or where a bias and taps ≥ 4"


def test_facts_of_values() -> None:
    """Which facts are about values is known: these alone are missing where values are not looked at."""
    own, case = operator("conv2d"), drawn(operator("conv2d"))[5]
    of_values = facts_of(own, case).keys() - facts_of(own, case, values=False).keys()
    assert {"largest |input|", "bits of weight", "a zero in output"} <= of_values
    assert not {"groups", "values", "smallest stride", "a bias"} & of_values


def test_entry_beside_one_on_rounding() -> None:
    """An example is diagnosed that an entry on rounding has, too: it fails beyond the bound of rounded sums."""
    entry = ENTRIES["transposed-size-past-64-bits"]
    layer, place = operator(entry.operator), Subject("cpu", "bfloat16")
    assert any(other.rounds for other in every_known(entry.law, layer, place, entry.example))
    check = Check(every()[entry.law], layer, place, Result(entry.law, "", layer.name, str(place), "", "", (), ""), HERE)
    failure = check.divergence(entry.example)
    assert failure
    assert Diagnosing(check, entry.example, failure, NEAR, entry).failing()


def test_right_by_luck() -> None:
    """A right case is right by luck if other values make it wrong, and not if none do."""
    diagnosing = Diagnosing(check_of(HERE, REPEATED_LANE), alike(12), Diverged("output is off"), NEAR)
    assert diagnosing.is_lucky(alike(12), Rule(()))
    assert not diagnosing.is_lucky(alike(8), Rule(()))


def alike(length: int) -> Case:
    """A convolution all of whose outputs are equal."""
    arguments = {"stride": (1,), "padding": (0,), "dilation": (1,), "groups": 1}
    return Case({"input": (1, 1, length), "weight": (1, 1, 1)}, arguments, "constant")


@pytest.mark.parametrize("operator", FAMILIES, ids=str)
def test_neighbours_are_valid(operator: Operator) -> None:
    """Torch is right on neighbours of a case: what is no valid case does not count as wrong."""
    subject, law = Subject("cpu", "float32"), every()["agreement"]
    check = Check(law, operator, subject, Result(law.name, "", operator.name, str(subject), "cpu", "float32", (), ""))
    case = drawn(operator)[5]
    diagnosing = Diagnosing(check, case, Diverged("output is off"), NEAR)
    diagnosing.try_each(itertools.islice(diagnosing.near(case), NEAR))
    assert not [seen.case for seen in diagnosing.seen if seen.wrong]


def test_neighbours_are_small() -> None:
    """A neighbour whose output no memory would hold, since a long kernel scatters to it, is none."""
    layer, given = operator("conv_transpose2d"), {"stride": (1, 1), "padding": (0, 0), "dilation": (1, 1), "groups": 1}
    given |= {"output_padding": (0, 0)}
    sizes = [Case({"input": (1, 1, n, n), "weight": (1, 1, 8192, 1)}, given) for n in (4, 128)]
    assert [valid(layer, case) for case in sizes] == [True, False]


def test_without_a_budget() -> None:
    """Nothing is diagnosed where no cases may be tried for it."""
    told = tell(HERE, "Power-average pooling that forgets the root", FEWEST - 1)
    assert told.diagnosis is None
