"""The examples that hold other libraries, where these are installed."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path

import pytest

from properties.selftest import nested


@pytest.mark.parametrize(
    "example, library, law", [("onnx_runtime", "onnxruntime", "agreement"), ("by_jax", "jax", "gradients")]
)
def test_another_library_is_held(example: str, library: str, law: str, tmp_path: Path) -> None:
    """Its convolution is right in float32; what it does not take is declined, and all else not run."""
    if find_spec(library) is None:
        pytest.skip(f"not run ({library} is not installed)")
    given = [f"--kernels=examples/{example}.py", "--subjects=cpu-float32", f"--evidence={tmp_path}"]
    chosen = ["-k", f"test_{law}[conv2d-", "--hypothesis-profile=tests", "-p", "no:cacheprovider"]
    finished = nested.run(f"properties/laws/test_{law}.py", *given, *chosen)
    assert finished.returncode == 0, finished.stdout
    (path,) = tmp_path.glob("properties-*.jsonl")
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    (held,) = (line for line in lines if line["kind"] == "result")
    assert (held["status"], held["subject"]) == ("passed", f"{example}-cpu-float32")
    assert held["cases"] > 0
    assert "input without a batch" in held["reason"]
