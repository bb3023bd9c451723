"""The verdict for other programs, which ``--json`` writes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from properties.selftest.nested import ROOT, UNSHRUNK, run

SCHEMA = json.loads((ROOT / "properties" / "session" / "verdict.schema.json").read_text(encoding="utf-8"))
DECLINING = """
import torch

def conv2d(input, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    if input.ndim == 3:
        raise ValueError("four axes")
    return torch.conv2d(input, weight, bias, stride, padding, dilation, groups)
"""
LATER = """
def conv1d(*operands, **arguments):
    raise NotImplementedError("no conv1d yet")
"""


def told(kernels: Path, folder: Path, *chosen: str, code: int) -> dict[str, Any]:
    """The verdict of a run that ends with this exit code."""
    given = [f"--kernels={kernels}", f"--evidence={folder}/evidence", f"--json={folder}/verdict.json"]
    held = ["properties/laws/test_domain.py", "properties/laws/test_agreement.py", "--subjects=cpu-float32"]
    ran = run(*held, *given, *chosen, *UNSHRUNK, "-p", "no:cacheprovider", "--hypothesis-profile=tests")
    assert ran.returncode == code, ran.stdout + ran.stderr
    verdict: dict[str, Any] = json.loads((folder / "verdict.json").read_text(encoding="utf-8"))
    jsonschema.validate(verdict, SCHEMA)
    assert (verdict["finished"], verdict["exit_code"]) == (True, code)
    return verdict


def test_what_is_wrong(tmp_path: Path) -> None:
    """It has the case, and the path of a script, by whichever process they were found."""
    verdict = told(ROOT / "examples/subtly_wrong.py", tmp_path, "-ktest_agreement[conv2d-", "-n1", code=1)
    (row,), (finding,) = verdict["operators"], verdict["findings"]
    assert (verdict["verdict"], row["laws"], row["cases"] > 0) == ("diverged", {"agreement": "diverged"}, True)
    assert (finding["law"], finding["operator"], finding["dtype"]) == ("agreement", "conv2d", "float32")
    assert finding["message"].startswith("output[")
    assert "shapes={'input'" in finding["message"]
    assert Path(finding["script"]).is_file()


def test_where_it_is_right(tmp_path: Path) -> None:
    """What is refused is a finding, and the rest is right."""
    (tmp_path / "declining.py").write_text(DECLINING, encoding="utf-8")
    verdict = told(tmp_path / "declining.py", tmp_path, "-k[conv2d-", code=1)
    (row,) = verdict["operators"]
    assert row["laws"] == {"domain": "diverged", "agreement": "passed"}
    assert row["answers"] == ["batched"]
    assert [finding["law"] for finding in verdict["findings"]] == ["domain"]


def test_what_is_not_run(tmp_path: Path) -> None:
    """It is no pass, though the exit code is 0."""
    (tmp_path / "later.py").write_text(LATER, encoding="utf-8")
    verdict = told(tmp_path / "later.py", tmp_path, "-ktest_agreement[conv1d-", code=0)
    assert (verdict["verdict"], verdict["operators"], verdict["checks"]["not run"]) == ("not run", [], 1)
    assert verdict["not_run"] == [{"reason": "not run (no conv1d yet)", "tests": 1}]


def test_an_older_verdict_is_removed(tmp_path: Path) -> None:
    """A run that ends before its first test leaves none that could be taken for its own."""
    (tmp_path / "verdict.json").write_text("{}", encoding="utf-8")
    ran = run("properties/laws", f"--json={tmp_path}/verdict.json", f"--kernels={tmp_path}/none.py")
    assert ran.returncode == 2
    assert not (tmp_path / "verdict.json").exists()


@pytest.mark.parametrize("key", ["verdict", "finished"])
def test_schema_demands(key: str) -> None:
    """What other programs rely on is required."""
    assert key in SCHEMA["required"]
