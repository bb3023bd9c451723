"""What a result depends on besides the code: versions, machine and devices. The one place for versions."""

from __future__ import annotations

import functools
import os
import platform
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Any

import torch

from properties.subjects import devices

VERSION = "0.1.0"
ROOT = Path(__file__).resolve().parent.parent.parent
PACKAGES = ("numpy", "numba", "hypothesis", "pytest", "pytest-benchmark", "pandas", "scipy", "ml_dtypes")


def environment() -> dict[str, Any]:
    """The block that heads every results file; each value is a string, a number, None or a list of such."""
    return {
        "convproof": VERSION,
        "commit": _commit(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "torch_build": torch.__config__.show(),
        **{name.replace("-", "_"): _version(name) for name in PACKAGES},
        "os": platform.platform(),
        "cpu": devices.describe("cpu"),
        "cpu_isa": " ".join([torch.backends.cpu.get_cpu_capability(), *devices.instructions()]),
        "cores": cores(),
        "threads": torch.get_num_threads(),
        "memory_gib": _memory_gib(),
        "load_average": list(os.getloadavg()) if hasattr(os, "getloadavg") else None,
        "devices": [{"name": name, "description": devices.describe(name)} for name in devices.present()],
    }


def cores() -> int:
    """The processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


@functools.cache
def _commit() -> str | None:
    """The checkout's commit, marked when files differ from it; None outside a checkout."""
    try:
        described = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"],
            cwd=ROOT, capture_output=True, text=True, check=True, timeout=10,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return None
    return described.stdout.strip() or None


def _memory_gib() -> float | None:
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1)
    except (ValueError, OSError, AttributeError):
        return None
