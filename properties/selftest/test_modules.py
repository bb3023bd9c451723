"""Classes with the names and constructors of torch.nn's, held as the functions that they compute."""

from __future__ import annotations

import inspect
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from torch import nn

from properties.cases.case import Case
from properties.engine.check import Check
from properties.engine.law import every
from properties.operators import CATALOGUE, Operator, operator
from properties.operators.modules import as_layer
from properties.selftest import nested
from properties.selftest.test_kernels import results
from properties.subjects import Subject, scripts
from properties.verdicts import evidence
from properties.worker import programs
from properties.worker.call import Call
from properties.worker.execute import execute
from properties.worker.modules import function_of
from refimpl.arrays import Array
from refimpl.rounding import FORMATS

LAYERS = [name for name, layer in vars(nn).items() if inspect.isclass(layer) and function_of(name)]
NO_LAYERS = ("matmul", "accuracy", "flatten", "unflatten", "sgd", "sgd_steps", "interpolate_antialiased",
             "adam_steps", "adamw_steps",
             "layer_norm", "rms_norm", "group_norm", "instance_norm", "batch_norm",
             *(o.name for o in CATALOGUE if o.family in ("reduction", "matrix_product")))  # fmt: skip
"""Operators that no layer computes by a function of torch.nn.functional, and those that are held as functions alone."""
FORMAT = FORMATS["float32"]

CONVOLUTION = """
import torch
from torch import nn

class Mine(nn.Module):
    def __init__(self, in_channels, out_channels, kernel_size, stride=1, padding=0, dilation=1, groups=1, bias=True):
        super().__init__()
        self.offsets = nn.Parameter(torch.zeros(out_channels)) if bias else None
        self.kernels = nn.Parameter(torch.zeros(out_channels, in_channels // groups, *kernel_size))
        self.form = stride, padding, dilation, groups

    def forward(self, x):
        return nn.functional.conv2d(x, self.kernels, self.offsets, *self.form)
"""
WRONG = CONVOLUTION.replace("*self.form", "*self.form[:2]")


@pytest.fixture(scope="module")
def subclasses(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A file that defines every layer of torch.nn as a subclass of torch's own."""
    path = tmp_path_factory.mktemp("layers") / "layers.py"
    lines = ["from torch import nn", *(f"class {name}(nn.{name}):\n    pass" for name in LAYERS)]
    path.write_text("\n".join(lines), encoding="utf-8")
    return str(path)


@pytest.mark.parametrize("layer", [o for o in CATALOGUE if o.name not in NO_LAYERS], ids=str)
def test_layer_is_its_function(layer: Operator, subclasses: str) -> None:
    """A subclass of torch's layer gives what torch's function gives, gradients included, to the bit."""

    @settings(settings.get_profile("tests"), max_examples=3)
    @given(case=layer.cases)
    def same(case: Case) -> None:
        case = as_layer(layer, case)
        operands, cotangent = layer.operands(case, FORMAT), layer.cotangent_if_any(case, FORMAT)
        call = Call(layer.program, operands, dict(case.arguments), cotangent, dtype="float32")
        ours, torchs = (seen(Call(**{**vars(call), "kernels": kernels})) for kernels in (subclasses, None))
        assert ours.keys() == torchs.keys(), (ours, torchs)
        assert all(np.array_equal(ours[name], torchs[name], equal_nan=True) for name in torchs)

    same()


def seen(call: Call) -> dict[str, Array]:
    """What a call gave, and its gradients; or its error."""
    with warnings.catch_warnings(action="ignore"):  # as in a worker
        outcome = execute(call)
    if outcome.error:  # fractional_max_pool3d rejects what is valid, and so does its layer
        return {outcome.error: np.zeros(0)}
    groups = {"": outcome.outputs, "gradient ": outcome.gradients}
    return {f"{group}{name}": np.asarray(t.values) for group, found in groups.items() for name, t in found.items()}


def relu(source: str, folder: Path) -> str | None:
    """The error of a ReLU of that source."""
    path = folder / "mine.py"
    path.write_text(f"import torch\nfrom torch import nn\n{source}", encoding="utf-8")
    return execute(Call(programs.activation.relu, {"input": np.ones(2)}, kernels=str(path))).error


def test_torchs_own_layer_is_undefined(tmp_path: Path) -> None:
    """A layer of torch's own that a file imports is none of the file's."""
    assert relu("from torch.nn import ReLU\ndef sigmoid(input): ...\n", tmp_path) == "Undefined: mine defines no relu"


def test_missing_argument_declines(tmp_path: Path) -> None:
    """What a constructor has no argument for is declined; what is torch's default needs none."""
    path = tmp_path / "mine.py"
    path.write_text("from torch import nn\nclass Softmax(nn.Softmax):\n    def __init__(self):\n"
                    "        super().__init__(dim=None)\n", encoding="utf-8")  # fmt: skip
    call = Call(programs.activation.softmax, {"input": np.ones((2, 2))}, {"dim": 1}, kernels=str(path))
    assert execute(call).error == "NotImplementedError: Softmax takes no dim"


def hold(folder: Path, source: str, *arguments: str) -> nested.Ended:
    """``pytest properties --module`` on a class of that source, with few cases."""
    path = folder / "mine.py"
    path.write_text(source, encoding="utf-8")
    options = [f"--evidence={folder}/evidence", "--hypothesis-profile=tests", "-p", "no:cacheprovider"]
    return nested.run("properties/laws", f"--module={path}:Mine", *options, "--subjects=cpu-float32", *arguments)


@pytest.mark.parametrize("law", ["agreement", "gradients"])
def test_right_module_passes(law: str, tmp_path: Path) -> None:
    """A module whose parameters have other names gets its weights by their shapes, and the gradients come from them."""
    path = tmp_path / "mine.py"
    path.write_text(CONVOLUTION, encoding="utf-8")
    subject = Subject("cpu", "float32", kernels=f"{path}:Mine=Conv2d")
    result = evidence.Result(law, "", "conv2d", str(subject), "cpu", "float32", (), "")
    check = Check(every()[law], operator("conv2d"), subject, result)
    with evidence.collecting(result):
        check.search(settings(max_examples=20, database=None), seed=1)
    assert str(subject) == "Mine-cpu-float32"
    assert check.tally.bounded > 0
    assert not check.tally.declined


def test_wrong_module_is_caught(tmp_path: Path, script: scripts.Run) -> None:
    """One that forgets dilation and groups is caught, and its script shows it without the suite."""
    finished = hold(tmp_path, WRONG, "--like=nn.Conv2d", "-k", "test_agreement and [conv2d-", "--diagnosis=0")
    assert finished.returncode == 1, finished.stdout
    (line,) = results(tmp_path)
    assert line["status"] == "diverged"
    shown = script(tmp_path / line["repro"], 60.0)
    assert shown.returncode == 1, shown.stderr
    assert f"--module={tmp_path / 'mine.py'}:Mine" in line["message"]


BAD = {
    "class Other: ...": "Mine is no subclass of torch.nn.Module; give",
    CONVOLUTION.replace("*kernel_size", "1"): "the layer for conv2d cannot be built: weights do not match: Mine has "
    "{'offsets': (1,), 'kernels': (1, 1, 1)}, but should have {'weight': (1, 1, 1, 1), 'bias': (1,)}; give",
}


@pytest.mark.parametrize("source", BAD, ids=["none", "weights"])
def test_bad_module(source: str, tmp_path: Path) -> None:
    """What is no module, or has other weights, ends the run before it starts: one line, exit code 2."""
    finished = hold(tmp_path, source, "--like=torch.nn.Conv2d")
    assert finished.returncode == 2, finished.stdout
    assert f"--module={tmp_path / 'mine.py'}:Mine: cannot be loaded: {BAD[source]}" in finished.stderr
    assert "Traceback" not in finished.stderr + finished.stdout
