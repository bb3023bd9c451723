"""Where 64 bits no longer count what a layer makes on the way, an error is right, too."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from properties.cases.case import INTEGERS
from properties.edges.huge import Huge
from properties.engine import findings
from properties.laws.test_huge import countable, test_shapes
from properties.operators import operator
from properties.subjects import META
from properties.verdicts.evidence import Result
from properties.verdicts.verdict import Diverged
from properties.worker import programs
from properties.worker.call import Call

ARGUMENTS = {"stride": (1,), "dilation": (1,), "groups": 1, "padding_mode": "replicate"}


@pytest.mark.parametrize(
    "rows, padding, counted", [(3, "same", True), (2**57, "same", True), (2**59, "same", False), (2**59, "valid", True)]
)
def test_a_padded_input_is_counted(rows: int, padding: str, counted: bool) -> None:
    """A kernel of 2⁵⁹ elements pads four channels by as many, of which 64 bits cannot count the bytes."""
    shapes = {"input": (1, 4, 1), "weight": (1, 4, rows)}
    case = Huge(shapes, {**ARGUMENTS, "padding": padding}, INTEGERS, 0, inflated=("weight",))
    assert countable(operator("conv1d_padded"), case) == counted


def test_a_padding_that_cannot_be_held_may_raise() -> None:
    """Torch's meta device refuses it: no divergence, since nothing could hold it."""
    shapes = {"input": (1, 1, 1, 1, 4), "weight": (1, 1, 2**59, 1, 1)}
    arguments = {"stride": (1,) * 3, "padding": "same", "dilation": (1,) * 3, "groups": 1, "padding_mode": "replicate"}
    case = Huge(shapes, arguments, INTEGERS, 0, inflated=("weight",))
    test_shapes.law.body(operator=operator("conv3d_padded"), subject=META, case=case)  # type: ignore[attr-defined]


def test_blocks_of_a_padded_input_may_raise() -> None:
    """Meta pads before it gathers blocks, and 64 bits do not count the bytes of 2⁵⁹ rows of five elements."""
    window = {"kernel_size": (1, 1), "dilation": (1, 1), "padding": (0, 2), "stride": (2, 3)}
    case = Huge({"input": (1, 1, 2**59, 1)}, window, INTEGERS, 0, inflated=("size",))
    test_shapes.law.body(operator=operator("unfold"), subject=META, case=case)  # type: ignore[attr-defined]


def test_a_script_of_what_no_memory_holds(tmp_path: Path) -> None:
    """A find whose output no memory would hold has a script without what should be."""
    call = Call(
        programs.transposed.conv_transpose1d,
        {"input": np.ones((1, 2)), "weight": np.ones((1, 1, 2))},
        {"stride": (2**40,), "padding": (0,), "output_padding": (0,), "groups": 1, "dilation": (1,)},
        dtype="float32",
    )
    failure = Diverged("hung")
    failure.call = call
    result = Result("huge arguments", "", "conv_transpose1d", "", "cpu", "float32", (), "", message="hung")
    findings.script(result, failure, tmp_path)
    assert result.repro
