"""Layouts lay the same values out as they say, and an operand that has none is contiguous and aligned."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from properties.cases.case import Case
from properties.engine.law import every
from properties.engine.trial import Trial
from properties.ledger.examples import convolution
from properties.ledger.record import ENTRIES
from properties.operators import operator
from properties.session.law_tests import ENGINES
from properties.subjects import Subject
from properties.verdicts.verdict import Diverged
from properties.worker.call import Call, Setting
from properties.worker.execute import execute
from properties.worker.layouts import FAITHFUL, LAYOUTS

SHAPES = ((), (3,), (2, 3), (2, 3, 4), (32, 1, 3, 1), (2, 3, 1, 1), (2, 1, 3, 2, 2), (0, 2, 3))
FORMATS = {
    (1, 1, 28, 28): (784, 1, 28, 1),
    (2, 3, 1, 1): (3, 1, 3, 3),
    (32, 1, 3, 1): (3, 1, 1, 1),
    (2, 1, 3, 3, 3): (27, 1, 9, 3, 1),
}
ON_PADDING = Case(
    *convolution((3, 4, 5, 1), (32, 1, 3, 1), (32,), stride=(3, 3), padding=(2, 4), dilation=(1, 3), groups=4),
    setting=Setting({"weight": "channels_last"}),
)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("layout", FAITHFUL)
def test_a_layout_changes_no_value(layout: str, shape: tuple[int, ...]) -> None:
    """Every element is where its index says, whatever the strides."""
    values = torch.arange(float(np.prod(shape, dtype=int))).view(shape)
    assert torch.equal(LAYOUTS[layout](values), values)


@pytest.mark.parametrize("shape", FORMATS)
def test_channels_last_has_the_strides_of_torch(shape: tuple[int, ...]) -> None:
    """An image of one channel, a plane of one element and a depthwise weight have them, too."""
    assert LAYOUTS["channels_last"](torch.empty(shape)).stride() == FORMATS[shape]


@pytest.mark.parametrize("layout, bytes", [("offset", 4), ("offset 8", 8), ("offset 16", 16), ("offset 32", 32)])
def test_offsets_start_off_alignment(layout: str, bytes: int) -> None:
    """So many bytes past an address that 64 divides; without a name, an element."""
    assert LAYOUTS[layout](torch.empty(3, 5)).data_ptr() % 64 == bytes


def address(input: Tensor) -> Tensor:
    """How far an operand's first element is past an address that 64 divides, and whether it is contiguous."""
    return torch.tensor([float(input.data_ptr() % 64), float(input.is_contiguous())])


def test_an_operand_without_a_layout_is_aligned() -> None:
    """However the array that it is made of lies in memory."""
    turned = np.arange(35.0).reshape(5, 7).T[:, 1:]
    seen = execute(Call(address, {"input": turned})).outputs["output"].values
    assert seen is not None
    assert seen.tolist() == [0.0, 1.0]


def test_a_weight_of_one_channel_in_channels_last_crashes(request: pytest.FixtureRequest) -> None:
    """Its strides are those of torch's own format, so that oneDNN's crash shows, which the ledger has."""
    entry, subject = ENTRIES["channels-last-crash-on-last-axis-of-padding"], Subject("cpu", "float32")
    if not entry.shows(subject):
        pytest.skip("not run (this torch, or this processor, does not crash there)")
    assert entry.holds(ON_PADDING, subject)
    trial = Trial.of(subject, request.config.stash[ENGINES])
    with pytest.raises(Diverged, match="NativeCrash: SIGSEGV"):
        every()["layouts"].body(operator("conv2d"), trial, ON_PADDING)


@pytest.mark.parametrize("layout", ["contiguous", "scalar", "expanded"])
def test_no_product_of_repeated_values_overflows(layout: str) -> None:
    """Cumulative products of one value have few factors but −1, 0 and 1, as those of many have."""
    case = Case({"input": (63, 2)}, {"dim": 0}, "normal", setting=Setting({"input": layout}))
    x = operator("cumprod").operands(case, Subject("cpu", "float16").format)["input"]
    assert (np.abs(x) != 1.0).sum(axis=0).max() <= 16
    assert np.abs(np.cumprod(x, axis=0)).max() < 1.5**16
