"""Bad input: one clear line, exit code 2, nothing written."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from properties.selftest import nested

ROOT = Path(__file__).resolve().parent.parent.parent


def run(*arguments: str) -> nested.Ended:
    """pytest on the laws, as a user starts it."""
    return nested.run("properties/laws/test_rerun.py", "-k", "test_rerun[linear-cpu-float64", *arguments)


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--subjects=gpu"], "--subjects=gpu: 'gpu' is no subject; known here: cpu, cuda"),
        (["--subjects=cpu,"], "--subjects=cpu,: '' is no subject"),
        (
            ["--hypothesis-profile=nigthly"],
            "--hypothesis-profile=nigthly: no such profile; there are default, quick, tests",
        ),
        (
            ["-n2", "--hypothesis-profile=quik"],
            "--hypothesis-profile=quik: no such profile; there are default, quick, tests",
        ),
        (
            ["--subject-python=/no/python"],
            "--subject-python=/no/python: No such file or directory; give an interpreter",
        ),
        (["--module=mine.py"], "--module=mine.py: names no class; give FILE:CLASS, e.g. mine.py:MyConv2d"),
        (["--module=mine.py:A"], "--module=mine.py:A: goes with --like; give e.g. --like=torch.nn.Conv2d"),
        (
            ["--module=mine.py:A", "--like=torch.nn.Conv4d"],
            "--module=mine.py:A: goes with a layer of torch.nn's, which torch.nn.Conv4d is not; give e.g. --like=",
        ),
        (["--module=no.py:A", "--like=torch.nn.ReLU"], "--module=no.py:A: no such file; give a Python file"),
        (["--task=task.py"], "--task=task.py: goes with --kernels; give the file with ModelNew, too"),
        (["--json=no/verdict.json"], "--json=no/verdict.json: "),
        (["--json=docs"], "--json=docs: is a folder; give a file in a folder that there is"),
        (
            ["--json=verdict.json", "--search-minutes=1"],
            "--json=verdict.json: a search has no verdict; leave it out, its finds are in the evidence",
        ),
        (["--shard=5/4"], "--shard=5/4: no part of a whole; give K/N with K from 1 to N"),
        (["--evidence=pyproject.toml/evidence"], "--evidence=pyproject.toml/evidence: not a folder"),
    ],
)
def test_bad_option(arguments: list[str], message: str, tmp_path: Path) -> None:
    """A wrong option ends the run before anything runs, naming the option, the value and what would do."""
    evidence = tmp_path / "evidence"
    finished = run(f"--evidence={evidence}", *arguments)
    assert finished.returncode == 2
    assert message in finished.stderr
    assert "Traceback" not in finished.stderr + finished.stdout
    assert not evidence.exists()


@pytest.mark.parametrize("ci", [{}, {"CI": "true"}])
def test_long_runs_take_fresh_seeds(ci: dict[str, str]) -> None:
    """Each long run draws new cases, in CI too, where Hypothesis repeats itself by default."""
    line = "from properties.session.profiles import settings; print(*(settings.get_profile(p).derandomize for p in {}))"
    command = [sys.executable, "-c", line.format(("nightly", "search"))]
    environment = {name: value for name, value in os.environ.items() if name != "CI"} | ci
    finished = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    assert finished.stdout.split() == ["False", "False"]


def test_another_interpreter(tmp_path: Path) -> None:
    """The torch of another interpreter, here the same one, is held to the same cases under its own name."""
    options = [f"--subject-python={sys.executable}", "--subjects=cpu-float64", "--hypothesis-profile=tests"]
    finished = run(f"--evidence={tmp_path}", *options)
    assert finished.returncode == 0, finished.stdout
    (path,) = tmp_path.glob("properties-*.jsonl")
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    seen = {row["subject"]: row for row in rows if row["kind"] == "result"}
    assert len(seen) == 2
    assert {name.partition("@torch-")[0] for name in seen} == {"cpu-float64"}
    assert {row["status"] for row in seen.values()} == {"passed"}
    assert len({row["cases"] for row in seen.values()}) == 1


def test_absent_device(tmp_path: Path) -> None:
    """Asking for a device that is not there is an error, not a pass."""
    import torch

    if torch.cuda.is_available():
        pytest.skip("not run (there is a CUDA device, so none is absent)")
    finished = run("--subjects=cuda", f"--evidence={tmp_path / 'evidence'}")
    assert finished.returncode == 2
    assert "--subjects=cuda: 'cuda' cannot run here (no CUDA device); present: cpu" in finished.stderr


def test_evidence_of_a_run(tmp_path: Path) -> None:
    """A run leaves one file: what it is, its results, its end."""
    finished = run("--subjects=cpu", f"--evidence={tmp_path}", "--hypothesis-profile=tests")
    assert finished.returncode == 0, finished.stdout
    (path,) = tmp_path.glob("properties-*.jsonl")
    kinds = [line.partition(",")[0] for line in path.read_text(encoding="utf-8").splitlines()]
    assert kinds == ['{"kind": "run"', '{"kind": "result"', '{"kind": "end"']
