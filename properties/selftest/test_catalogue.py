"""The catalogue holds all of torch.nn's convolution and pooling layers, and their functional forms."""

from __future__ import annotations

import inspect
import re

import torch.nn.functional as F
from torch import nn

from properties.operators import CATALOGUE

PATTERN = re.compile(r"conv|pool|^(un)?fold$")
"""What torch calls the functions of its documentation's sections Convolution and Pooling."""

LAYERS = {*nn.modules.conv.__all__, *nn.modules.pooling.__all__, *nn.modules.fold.__all__}
FUNCTIONS = {name for name in vars(F) if PATTERN.search(name) and not name.startswith("_")}

LEFT_OUT = {
    **{
        name: "a layer without its number of input channels: at its first input it becomes the other one"
        for name in LAYERS
        if name.startswith("Lazy")
    },
    **{
        name: "what the function without this ending calls where indices are wanted"
        for name in FUNCTIONS
        if name.endswith("_with_indices")
    },
    "conv_tbc": "a convolution over input with its time axis first, which is no layer's function",
}
"""What has no record, and why."""


def functional(layer: str) -> str:
    """The functional form of a layer, e.g. lp_pool2d of LPPool2d."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", layer).lower()


def called() -> set[str]:
    """The functions of torch.nn.functional that programs of records name."""
    return set(re.findall(r"\bF\.(\w+)", "\n".join(inspect.getsource(o.program) for o in CATALOGUE)))


def missing(wanted: set[str], held: set[str]) -> set[str]:
    """What is wanted and neither held nor left out for a reason."""
    return wanted - held - set(LEFT_OUT)


def test_every_layer_has_a_record() -> None:
    """Each layer of torch.nn.modules.conv, pooling and fold is some record's, or listed with a reason."""
    held = {described.layer.rpartition(".")[2] for described in CATALOGUE}
    assert not missing(LAYERS, held)


def test_every_function_is_called() -> None:
    """Each convolution and pooling of torch.nn.functional is in some record's program, or listed with a reason."""
    assert not missing(FUNCTIONS, called())


def test_every_layer_has_a_function() -> None:
    """The two tables are about the same: each layer but a lazy one has a function, and each function a layer."""
    forms = {functional(layer) for layer in LAYERS - set(LEFT_OUT)}
    assert forms == FUNCTIONS - set(LEFT_OUT)


def test_nothing_is_left_out_in_vain() -> None:
    """Whatever is left out exists and has no record."""
    held = {described.layer.rpartition(".")[2] for described in CATALOGUE}
    assert set(LEFT_OUT) <= (LAYERS | FUNCTIONS) - held - called()
