"""A repro script ends with 0 where torch is right, and with 1 for all that a verdict can object to."""

from __future__ import annotations

import runpy
from pathlib import Path

import numpy as np
import pytest
import torch

from properties.engine import repro
from properties.verdicts.expected import Expected
from properties.worker import programs
from properties.worker.call import Call, Setting
from refimpl import activation
from refimpl.arrays import Array

X = np.linspace(-2.0, 2.0, 200).reshape(2, 100)

KERNELS = {
    "wrong dtype": "return torch.sigmoid(input).float()",
    "operand overwritten": "return input.detach().sigmoid_()",
    "memory shared": "return input.view_as(input)",
    "wrong value": "return torch.sigmoid(input) * (1 + 1e-9)",
    "wrong shape": "return torch.sigmoid(input)[:1]",
    "right": "return torch.sigmoid(input)",
}


def ends(folder: Path, call: Call, expected: Array, bound: Array | None) -> int:
    """The exit status of the script of a call whose output should be something."""
    path = repro.write(folder, "a script", call, "said", "a formula", Expected(expected, bound))
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(path))
    return int(ended.value.code or 0)


@pytest.mark.parametrize("name", KERNELS)
def test_a_script_shows_what_is_wrong(name: str, tmp_path: Path) -> None:
    """Dtype, operands, memory, shape and values, each wrong alone."""
    kernels = tmp_path / "kernels.py"
    kernels.write_text(f"import torch\n\n\ndef sigmoid(input):\n    {KERNELS[name]}\n", encoding="utf-8")
    call = Call(programs.activation.sigmoid, {"input": X}, kernels=str(kernels))
    should = X if name == "memory shared" else activation.sigmoid(X)
    assert ends(tmp_path, call, should, np.full(X.shape, 2.0**-50)) == (name != "right")


def test_a_script_makes_the_call_that_was_made(tmp_path: Path) -> None:
    """Gradients, arguments, layouts and NaN come through."""
    weight = np.array([[[1.0, np.nan, 2.0]]])
    call = Call(
        programs.convolution.conv1d, {"input": np.ones((1, 1, 5)), "weight": weight}, {"stride": (2,)},
        np.ones((1, 1, 2)),
        setting=Setting({"input": "strided", "weight": "offset 16", "cotangent": "axis 1 innermost"}),
    )  # fmt: skip
    path = repro.write(
        tmp_path, "gradient", call, "said", "a formula", Expected(np.full((1, 1, 3), 2.0)), "gradients", "weight"
    )
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(path))
    assert not ended.value.code


def test_a_script_shows_what_was_held(tmp_path: Path) -> None:
    """Calls in the same memory come first, for some gradients alone, and what the first of them gave is compared."""
    call = Call(
        programs.dense.linear, {"input": np.ones((2, 3)), "weight": np.ones((4, 3))}, cotangent=np.ones((2, 4)),
        wanted=("weight",), before={"input": 2 * np.ones((2, 3)), "weight": np.ones((4, 3))}, rounds=3,
    )  # fmt: skip
    expected = Expected(np.full((4, 3), 4.0))
    path = repro.write(tmp_path, "held", call, "said", "a formula", expected, "held", "gradient weight")
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(path))
    assert not ended.value.code


def test_a_script_compiles_an_optimizers_step(tmp_path: Path) -> None:
    """The step alone: a parameter cannot be made within a graph."""
    ones = np.ones(3)
    call = Call(
        programs.optimizer.sgd, {"parameter": ones, "gradient": ones}, {"lr": 0.5}, mode="compiled", dtype="float32"
    )
    before = torch._dynamo.utils.counters["stats"]["unique_graphs"]
    assert ends(tmp_path, call, ones / 2, None) == 0
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] > before
