"""What `pip install .` installs: every package and data file, and all that they import."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
PROGRAM = """
import reports.draw.page, reports.read.schema, torch
from properties import check
from properties.images.idx import SAMPLE_TEST, sample

assert len(sample().test.images) == SAMPLE_TEST
def relu(input):
    return torch.nn.functional.threshold(input, 0.0, 0.0) if input.numel() else input.clone()

print(check(relu=relu, seconds=0.1, dtypes=("float64",)))
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which a wheel of this checkout is installed, and nothing else."""
    source, target = (tmp_path_factory.mktemp(name) for name in ("source", "target"))
    for name in ("refimpl", "properties", "reports"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__", "generated"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    offline = ["--quiet", "--no-deps", "--no-index", "--no-build-isolation", "--no-compile"]
    subprocess.run([sys.executable, "-m", "pip", "install", *offline, "-t", target, source], check=True)
    return target


def run(installed: Path, folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Run Python elsewhere than in the checkout, with loops as they are: to compile them anew takes long."""
    environment = {**os.environ, "PYTHONPATH": str(installed), "NUMBA_DISABLE_JIT": "1"}
    return subprocess.run(
        [sys.executable, *command], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


def test_functions_are_checked(installed: Path, tmp_path: Path) -> None:
    """With the bundled images, the templates and the schemas at hand."""
    ran = run(installed, tmp_path, "-c", PROGRAM)
    assert ran.stdout.startswith("relu: right in float64"), ran.stdout + ran.stderr


def test_laws_are_found_by_pytest(installed: Path, tmp_path: Path) -> None:
    """`pytest --noconftest -p properties.session.installed --pyargs properties`, with its options."""
    suite = ["--noconftest", "-p", "properties.session.installed", "--pyargs", "properties"]
    chosen = ["-k", "agreement and [relu-", "--subjects=cpu-float32", "-p", "no:cacheprovider"]
    ran = run(installed, tmp_path, "-m", "pytest", *suite, *chosen)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert " 1 passed" in ran.stdout


def test_what_is_needed_is_installed() -> None:
    """The dependencies of the project are those of the group that runs the laws."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    groups = project["dependency-groups"]
    needed = {name for group in ("refimpl", "properties") for name in groups[group] if isinstance(name, str)}
    assert {*project["project"]["dependencies"]} - {"torch>=2.11"} == needed
