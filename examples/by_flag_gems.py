"""Convolution and pooling of FlagGems as kernels: Triton kernels, on CPUs by Triton's interpreter.

pip install flag-gems
pytest properties --kernels examples/by_flag_gems.py --hypothesis-profile=quick --call-timeout=100

FlagGems looks for a GPU when it is imported, and ends with an error where there is none, even for the interpreter.
"""

from __future__ import annotations

import os

import torch

if not torch.cuda.is_available():
    os.environ.setdefault("TRITON_INTERPRET", "1")
    os.environ.setdefault("GEMS_VENDOR", "nvidia")

import flag_gems

conv1d, conv2d, conv3d = (getattr(flag_gems.ops, f"conv{axes}d") for axes in (1, 2, 3))
