"""The law on what is compiled, in turn, catches a fault that shows in compiled code of one dtype alone."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import hypothesis
import pytest
import torch
from torch import Tensor

from properties.cases.case import INTEGERS, Case
from properties.engine.check import Check
from properties.engine.law import every
from properties.engine.trial import Trial
from properties.laws import test_compiled_settings as laws
from properties.operators import operator
from properties.subjects import Declined, Subject
from properties.verdicts import evidence
from properties.verdicts.verdict import Diverged
from properties.worker.call import Setting

TRACED = Subject("cpu", "float32", "compiled", backend="aot_eager")


def cases(number: int) -> hypothesis.settings:
    """Settings of a search of so many cases, the same at every run, unshrunk; of traced code it tries a quarter."""
    phases = [hypothesis.Phase.generate]
    return hypothesis.settings(max_examples=number, derandomize=True, database=None, deadline=None, phases=phases)


def without_bias_when_compiled(input: Tensor, weight: Tensor, bias: Tensor | None = None, **arguments: Any) -> Tensor:
    """Convolution that forgets its bias in compiled code of float64."""
    forgetful = torch.compiler.is_compiling() and input.dtype == torch.float64
    return torch.nn.functional.conv1d(input, weight, None if forgetful else bias, **arguments)


def in_turn(program: Any, monkeypatch: pytest.MonkeyPatch) -> Check:
    """The law on a program in the place of conv1d, whose turn it is."""
    about = replace(operator("conv1d"), program=program)
    monkeypatch.setattr(laws, "TURNS", (about,))
    monkeypatch.setattr(laws, "operator", lambda name: about)
    result = evidence.Result("settings when compiled, in turn", "", "-", str(TRACED), "cpu", "float32", (), "")
    return Check(every()[result.law], None, TRACED, result)


def test_a_fault_of_one_dtype_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """A convolution that is right in eager mode, and in compiled code of any other dtype."""
    check = in_turn(without_bias_when_compiled, monkeypatch)
    with evidence.collecting(check.result), pytest.raises(Diverged, match=r"^output"):
        check.search(cases(60))


def test_torchs_own_is_right(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same convolution with its bias."""
    check = in_turn(operator("conv1d").program, monkeypatch)
    with evidence.collecting(check.result):
        check.search(cases(4))
    assert check.tally.comparisons > check.tally.vacuous


def test_what_eager_mode_does_not_implement_is_declined() -> None:
    """An average of bytes, of which the compiler says that an error was raised."""
    arguments = {"kernel_size": (1,), "stride": (1,), "padding": (0,), "ceil_mode": False, "count_include_pad": False}
    case = Case({"input": (1, 1, 1)}, arguments, INTEGERS, 0, Setting())
    retyped = laws.Retyped(case, "uint8", "avg_pool1d")
    with pytest.raises(Declined):
        every()["settings when compiled, in turn"].body(subject=Trial.of(TRACED), case=retyped)
