"""Devices: which there are, which are present, what they are called, and how to wait for them."""

from __future__ import annotations

import functools
import os
import platform
from pathlib import Path

import torch

IN_TREE = ("cpu", "cuda", "mps", "xpu", "mtia", "hpu", "meta")
"""The devices that torch has names for, present or not; others are made known by a module of their own."""


def known() -> list[str]:
    """Every device that the suite reports on: the CPU, CUDA, and what else ``torch.accelerator`` names here."""
    names = ["cpu", "cuda"]
    accelerator = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
    if accelerator is not None and accelerator.type not in names:
        names.append(accelerator.type)
    return names


def present() -> list[str]:
    """The known devices that this machine has and this torch can use."""
    return [name for name in known() if absence(name) is None]


def absence(name: str) -> str | None:
    """Why a known device cannot be used here, or None if it can."""
    if name == "cuda" and not torch.cuda.is_available():
        return "no CUDA device"
    return None


def describe(name: str) -> str:
    """A device's name as its vendor gives it."""
    if name == "cpu":
        return _cpu_model()
    named = getattr(torch.get_device_module(name), "get_device_name", lambda: name)
    return str(named())


INSTRUCTIONS = ("avx2", "avx512_f", "avx512_bf16", "avx512_fp16", "amx_bf16", "amx_fp16", "sve", "sve2", "sve_bf16")
"""Extensions of an instruction set for which libraries have kernels of their own, by torch's names."""


LIMITS = {
    "SSE41": 0, "AVX": 0, "AVX2": 1, "AVX2_VNNI": 1, "AVX2_VNNI_2": 1, "AVX512_CORE": 2, "AVX512_CORE_VNNI": 2,
    "AVX512_CORE_BF16": 3, "AVX512_CORE_FP16": 4, "AVX10_1_512": 4, "AVX512_CORE_AMX": 5, "AVX10_1_512_AMX": 5,
}  # fmt: skip
"""How many of them oneDNN may use under ONEDNN_MAX_CPU_ISA, with which it plays an older processor."""


@functools.cache
def instructions() -> tuple[str, ...]:
    """Those that this processor has and oneDNN may use; none where torch cannot tell."""
    capabilities = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    allowed = INSTRUCTIONS[: LIMITS.get(os.environ.get("ONEDNN_MAX_CPU_ISA", "").upper())]
    return tuple(name for name in allowed if capabilities.get(name))


def synchronize(name: str) -> None:
    """Wait until the device has done all that was asked of it; the CPU always has."""
    if name != "cpu":
        torch.get_device_module(name).synchronize()


def _cpu_model() -> str:
    """The processor's name; ``platform.processor`` is empty on most Linux systems."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
