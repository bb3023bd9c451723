"""Operators of torch.library: held like kernels, and what is registered with them like what they do."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from properties.selftest import nested
from properties.worker import execute

TAKEN = "input: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None, stride: list[int], padding: list[int]"
OPERATORS = f"""
import torch

def right({TAKEN}, dilation: list[int], groups: int) -> torch.Tensor:
    return torch.conv2d(input, weight, bias, stride, padding, dilation, groups)

def of_one_image(*given):
    return right(*given)[:1]

for name, inferred in ("conv2d", right), ("misled", of_one_image):
    torch.library.custom_op(f"mine::{{name}}", right, mutates_args=()).register_fake(inferred)
"""


def run(folder: Path, *arguments: str) -> nested.Ended:
    """``pytest properties`` with few cases, its evidence below a folder."""
    laws = ["properties/laws/test_agreement.py", "properties/laws/test_registered.py", "--subjects=cpu-float32"]
    options = [f"--evidence={folder}/evidence", "--hypothesis-profile=tests", "-p", "no:cacheprovider"]
    return nested.run(*laws, *options, *arguments)


@pytest.mark.parametrize("name, registration", [("conv2d", "passed"), ("misled", "diverged")])
def test_an_operator_is_held(name: str, registration: str, tmp_path: Path) -> None:
    """Its values are held to the loops; where another shape is registered than it gives, that is caught."""
    (tmp_path / "mine.py").write_text(OPERATORS, encoding="utf-8")
    given = [f"--operator=mine::{name}", "--like=conv2d", f"--import={tmp_path}/mine.py"]
    finished = run(tmp_path, *given, "-k", "[conv2d-mine", *nested.UNSHRUNK)
    assert finished.returncode == (registration == "diverged"), finished.stdout
    (path,) = (tmp_path / "evidence").glob("properties-*.jsonl")
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    seen = {line["law"]: line for line in lines if line["kind"] == "result"}
    assert {law: line["status"] for law, line in seen.items()} == {"agreement": "passed", "registration": registration}
    assert {line["subject"] for line in seen.values()} == {f"mine.{name}-cpu-float32"}
    assert registration == "passed" or "raised OpCheckError: " in seen["registration"]["message"]


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--operator=mine::no", "--like=conv2d"], "--operator=mine::no: torch.ops has no mine::no; give one that"),
        (
            ["--operator=mine::no"],
            "--operator=mine::no: give both --operator and --like, e.g. --operator mylib::conv2d",
        ),
        (["--like=conv2d"], "--like=conv2d: give both --operator and --like, e.g. --operator mylib::conv2d --like"),
        (["--operator=conv2d", "--like=conv2d"], "--operator=conv2d: no name of an operator; give its namespace, too"),
        (["--operator=mine::no", "--like=conv5d"], "--like=conv5d: torch.nn.functional has no such function; give one"),
    ],
)
def test_an_operator_that_is_not_there(arguments: list[str], message: str, tmp_path: Path) -> None:
    """One line names the option, the value and what would do, and nothing is written."""
    finished = run(tmp_path, *arguments)
    assert finished.returncode == 2, finished.stdout
    assert message in finished.stderr
    assert "Traceback" not in finished.stderr + finished.stdout
    assert not (tmp_path / "evidence").exists()


def test_what_an_operator_does_not_take() -> None:
    """It need not take what torch takes for granted; anything else torch refuses for it, and nothing is dropped."""
    square, x = execute.Kernels("conv2d=aten::square"), torch.tensor([2.0])
    assert square.conv2d(x, padding=(0, 0), groups=1) == 4
    with pytest.raises(RuntimeError, match="at most 1 argument"):
        square.conv2d(x, dilation=(1, 2))
    product, two = execute.Kernels("linear=aten::mm"), torch.ones(2, 2)
    assert torch.equal(product.linear(torch.eye(2), two, None), two)
    with pytest.raises(RuntimeError, match="at most 2 argument"):
        product.linear(torch.eye(2), two, torch.ones(2))
