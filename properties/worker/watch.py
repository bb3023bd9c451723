"""What a kernel does beside its work: settings of torch's that it changes, and functions of torch's that it calls."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.overrides import TorchFunctionMode, resolve_name

SETTINGS: dict[str, tuple[Callable[[], Any], Callable[[Any], Any]]] = {
    "torch.set_num_threads": (torch.get_num_threads, torch.set_num_threads),
    "torch.set_default_dtype": (torch.get_default_dtype, torch.set_default_dtype),
    "torch.set_grad_enabled": (torch.is_grad_enabled, torch.set_grad_enabled),
    "torch.use_deterministic_algorithms": (
        torch.are_deterministic_algorithms_enabled, torch.use_deterministic_algorithms,
    ),
    "torch.set_float32_matmul_precision": (torch.get_float32_matmul_precision, torch.set_float32_matmul_precision),
    "torch.backends.mkldnn.enabled": (torch._C._get_mkldnn_enabled, torch._C._set_mkldnn_enabled),
    "torch.backends.cudnn.enabled": (torch._C._get_cudnn_enabled, torch._C._set_cudnn_enabled),
    "torch.backends.cudnn.benchmark": (torch._C._get_cudnn_benchmark, torch._C._set_cudnn_benchmark),
    "torch.backends.cudnn.deterministic": (torch._C._get_cudnn_deterministic, torch._C._set_cudnn_deterministic),
}  # fmt: skip
"""Torch's settings by the names by which they are set, each with what reads and what sets it."""


@contextmanager
def settings_kept() -> Iterator[list[str]]:
    """Set torch's settings, and the state of its random numbers, back at the end, and name those that were changed."""
    changed: list[str] = []
    before = {name: read() for name, (read, _) in SETTINGS.items()}
    seed, state = torch.initial_seed(), torch.get_rng_state()
    try:
        yield changed
    finally:
        for name, (read, write) in SETTINGS.items():
            if read() != before[name]:
                changed.append(name)
                write(before[name])
        if torch.initial_seed() != seed:
            changed.append("torch.manual_seed")
            torch.set_rng_state(state)


ALIASES = {"conv": ("convolution", "_convolution", "mkldnn_convolution"), "unfold": ("im2col",), "fold": ("col2im",)}
"""What torch calls of a function goes by in ATen, too, by the beginning of its name."""


def is_called(name: str, by: str) -> bool:
    """True if a function is one of another's name, or a variant of it that has more in its name.

    >>> [is_called("max", by) for by in ("max", "_max", "maximum")], is_called("max_pool2d", "max_pool2d_with_indices")
    ([True, True, False], True)
    """
    return re.match(rf"{re.escape(name)}(?![a-z])", by.lstrip("_")) is not None


class Watching(TorchFunctionMode):
    """Notes which functions of torch's are called that some names stand for, whoever calls them."""

    def __init__(self, names: Iterable[str]) -> None:
        super().__init__()
        self._names = tuple(names)
        self._aliases = {alias for start, own in ALIASES.items() if self._begin(start) for alias in own}
        self.seen: list[str] = []

    def _begin(self, start: str) -> bool:
        return any(name.startswith(start) for name in self._names)

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Note a function, and call it."""
        name = str(getattr(func, "__name__", "")).partition(".")[0]
        stands = name in self._aliases or any(is_called(own, name) for own in self._names)
        if stands and func is not torch.Tensor.unfold and not _of_others(func):
            said = resolve_name(func) or str(func)
            if said not in self.seen:
                self.seen.append(said)
        return func(*args, **(kwargs or {}))


def _of_others(func: Any) -> bool:
    """True of an operator of torch.library that is not torch's."""
    return getattr(func, "namespace", None) not in (None, "aten")
