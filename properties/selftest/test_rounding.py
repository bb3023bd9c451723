"""An entry on rounding explains what sums in the storage may be off by, and nothing more."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import hypothesis
import pytest
import torch.nn.functional as F
from torch import Tensor

from properties.edges.special_values import Special
from properties.engine.check import Check
from properties.engine.law import every
from properties.engine.trial import Trial
from properties.ledger.examples import transposed
from properties.ledger.known import LEDGER, known
from properties.operators import operator
from properties.subjects import Subject
from properties.subjects.devices import instructions
from properties.verdicts import evidence
from properties.verdicts.tally import Tally
from properties.verdicts.verdict import Diverged
from properties.worker.call import Program
from refimpl.rounding import BFLOAT16, FLOAT32

HERE, HALF = Subject("cpu", "bfloat16"), Subject("cpu", "float16")
FEW = hypothesis.settings(max_examples=20, derandomize=True, database=None, deadline=None)
ENTRIES = {entry.id: entry for entry in LEDGER}


def tried(program: Program) -> Tally:
    """Hold a program to agreement in the place of log-softmax, whose sums torch rounds to the storage."""
    law = every()["agreement"]
    result = evidence.Result(law.name, "", "log_softmax", str(HERE), "cpu", "bfloat16", (), "")
    with evidence.collecting(result):
        Check(law, replace(operator("log_softmax"), program=program), HERE, result).search(FEW)
    return result.tally


def off_by_half(input: Tensor, **arguments: Any) -> Tensor:
    """Log-softmax that is wrong by more than sums in the storage are."""
    return F.log_softmax(input, **arguments) - 0.5


def test_cases_are_tried() -> None:
    """None is steered around, and only those count as known that break the bound of sums in float32."""
    tally = tried(operator("log_softmax").program)
    assert tally.entry is ENTRIES["log-softmax-sum-in-storage"]
    assert 0 < tally.known < tally.cases
    assert (tally.steered, tally.comparisons) == (0, tally.cases)


def test_more_than_rounding_is_no_known_defect() -> None:
    """A case under an entry on rounding diverges where the storage's bound is broken, too."""
    with pytest.raises(Diverged, match="times the bound"):
        tried(off_by_half)


def test_gradients_alone_are_held_to_less() -> None:
    """An entry on gradients leaves the bound of outputs as it is; one on all sums widens both."""
    gradients, sums = (ENTRIES[f"{name}-in-storage"] for name in ("avg-pool-gradient-summed", "log-softmax-sum"))
    formats = [Trial.of(HERE, roundings=entries).format for entries in ((), (gradients,), (gradients, sums))]
    assert [format.accumulator for format in formats] == [FLOAT32, FLOAT32, BFLOAT16]
    assert [format.backward.accumulator for format in formats] == [FLOAT32, BFLOAT16, BFLOAT16]


@pytest.mark.skipif("avx512_fp16" in instructions(), reason="not run (with AVX512-FP16 oneDNN sums in float32)")
def test_an_overflow_is_no_rounding() -> None:
    """NaN where ±∞ is due is a defect of its own, here of 16,200 outputs; smaller values do not show it."""
    layer, case = operator("conv_transpose2d"), transposed((6, 7, 15, 23), (7, 3, 15, 18), padding=(2, 2))
    large, normal = (Special(*case, "normal", palette=palette) for palette in ("large", "zeros"))
    assert known("special values", layer, HALF, large) is ENTRIES["transposed-convolution-overflows-in-float16"]
    assert known("special values", layer, HALF, normal) is ENTRIES["transposed-convolution-summed-in-float16"]


def test_no_images_have_no_sums() -> None:
    """A batch of no images overflows nothing, however large its bias is."""
    shapes, arguments = transposed((0, 2, 17), (2, 17, 1), bias=(17,), padding=(1,), output_padding=(1,), dilation=(2,))
    case = Special(shapes, arguments, "normal", seed=1409, palette="large")
    overflow = ENTRIES["transposed-convolution-overflows-in-float16"]
    assert known("special values", operator("conv_transpose1d"), HALF, case) is not overflow
