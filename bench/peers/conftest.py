"""Modules of peers that are not installed cannot be read for doctests."""

from __future__ import annotations

from importlib.util import find_spec

collect_ignore = [f"{name}_lenet.py" for name in ("jax", "onnxruntime", "tinygrad") if find_spec(name) is None]
