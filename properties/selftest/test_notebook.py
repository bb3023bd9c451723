"""Functions of a notebook, or of a test of one's own, are held to the laws by :func:`properties.check`."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from properties import check
from properties.selftest.conftest import Forked
from properties.session import notebook
from properties.subjects import scripts
from properties.subjects.launchers import ROOT
from properties.verdicts.verdict import Diverged


def floors(input: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1, **_: Any) -> Any:
    """Max pooling that knows no ceil mode."""
    return torch.nn.functional.max_pool2d(input, kernel_size, stride, padding, dilation, return_indices=True)


def rectified(input: Tensor) -> Tensor:
    """The right ReLU, NaN included."""
    return F.threshold(input, 0.0, 0.0) if input.numel() else input.clone()


def ends(input: Tensor) -> Tensor:
    """Ends its process."""
    sys.exit(3)


@pytest.fixture(autouse=True)
def forked(monkeypatch: pytest.MonkeyPatch) -> None:
    """What should be a new process, in which torch is imported anew, is a fork of one that has done so."""
    monkeypatch.setattr(notebook, "Interpreter", lambda python, places: Forked(places))


def test_what_is_wrong_is_told(tmp_path: Path, script: scripts.Run) -> None:
    """With the smallest case, and a script that shows it without this suite."""
    result = check(max_pool2d=floors, seconds=20, dtypes=("float32",))
    assert result.right is False
    assert result.verdict.startswith("max_pool2d: wrong in float32")
    assert "'ceil_mode': True" in str(result.counterexample)
    (tmp_path / "script.py").write_text(str(result.script), encoding="utf-8")
    ran = script(tmp_path / "script.py", 60.0)
    assert (ran.returncode, ran.stderr) == (1, "")


def test_what_is_right_is_told() -> None:
    """It says on how many cases, and raises nothing."""
    result = check(relu=rectified, seconds=0.1, dtypes=("float64",))
    assert str(result).startswith("relu: right in float64 (")
    assert result.right
    assert (result.counterexample, result.script) == (None, None)
    result.raise_for_divergence()


CELL = """
import os, torch
from properties import check
from properties.session import notebook

notebook.CASES = 0  # no diagnosis of many crashes, at which nobody looks
torch.ones(1, requires_grad=True).sum().backward()
SIGN = 1.0

def rectified(input):
    return torch.where(input > 0, SIGN * input, torch.where(input != input, input, torch.zeros_like(input)))

def dies(input):
    os.abort()

print(check(relu=rectified, seconds=0.1, dtypes=("float64",)))
print(check(relu=dies, seconds=0.1, dtypes=("float64",)))
"""


def test_autograd_has_run_before() -> None:
    """As in most notebooks: torch then refuses gradients in a fork, and the functions are carried to a new process."""
    ran = subprocess.run([sys.executable, "-"], input=CELL, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert "relu: right in float64 (" in ran.stdout
    assert "raised NativeCrash: SIGABRT" in ran.stdout


def test_what_cannot_be_carried() -> None:
    """It is called in the process itself."""
    torch.ones(1, requires_grad=True).sum().backward()
    lock = threading.Lock()

    def locked(input: Tensor) -> Tensor:
        with lock:
            return rectified(input)

    assert check(relu=locked, seconds=0.1, dtypes=("float64",)).right


def test_it_raises_where_it_is_asked_to(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a test of one's own; a function that ends its process does not end this one."""
    monkeypatch.setattr(notebook, "CASES", 0)  # no diagnosis of many ends, at which nobody looks
    result = check(relu=ends, seconds=0.1, dtypes=("float32",))
    with pytest.raises(Diverged, match="relu: wrong in float32"):
        result.raise_for_divergence()


def test_nothing_tried_is_no_pass() -> None:
    """A function that declines everything is neither right nor wrong."""

    def declines(input: Tensor) -> Tensor:
        raise NotImplementedError("not yet")

    result = check(relu=declines, seconds=0.1, dtypes=("float32",))
    assert result.right is None
    assert str(result).startswith("relu: not run (not yet)")


@pytest.mark.parametrize(
    "given, message",
    [
        ({}, "no function was given; give one by the name of torch.nn.functional's"),
        ({"conv4d": rectified}, "conv4d: no function of torch.nn.functional's that has a loop; the nearest: conv3d"),
        ({"relu": 3}, "relu=3: not callable; give a function like torch.nn.functional.relu"),
        ({"relu": rectified, "seconds": 0}, "seconds=0: must be more than 0"),
        ({"relu": rectified, "without": ("batches",)}, "without: 'batches' is none of unbatched, batched"),
        ({"relu": rectified, "dtypes": ("f32",)}, "dtypes: 'f32' is none of float64, float32, bfloat16, float16"),
    ],
)
def test_bad_input(given: dict[str, Any], message: str) -> None:
    """One line that names the argument, the value and what would do."""
    with pytest.raises(ValueError, match=message):
        check(**given)
