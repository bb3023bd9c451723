"""A device outside torch's tree, written in Python: its name is ``notebook``.

pytest properties --device notebook --device-import properties.selftest.python_device

Its tensors keep their values in memory of the CPU, which computes for it. Its tanh is wrong, and its convolution takes
no dilation, so that a run shows these, too.
Where the variable :data:`IMPORTED` names a file, each process that imports this module adds its number to it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch.utils.backend_registration import _DummyBackendModule, _setup_privateuseone_for_python_backend

NAME, CPU = "notebook", torch.device("cpu")
IMPORTED = "CONVPROOF_PYTHON_DEVICE"
aten = torch.ops.aten
WRONG = {aten.tanh.default: aten.sigmoid.default}
"""What is computed in the place of some operations."""


class Module(_DummyBackendModule):
    """What ``torch.notebook`` is."""

    def get_device_name(self) -> str:
        """The name that its maker gave it."""
        return "A notebook"

    def synchronize(self) -> None:
        """Wait for what was asked of it, which has been done at once."""


class OnDevice(torch.Tensor):
    """A tensor on the device; what it holds is on the CPU."""

    held: torch.Tensor
    __torch_function__ = torch._C._disabled_torch_function_impl  # type: ignore[assignment]

    @staticmethod
    def __new__(cls, held: torch.Tensor) -> OnDevice:
        """A tensor of the same shape, strides and dtype."""
        tensor: OnDevice = torch.Tensor._make_wrapper_subclass(
            cls, held.shape, held.stride(), held.storage_offset(), dtype=held.dtype, device=torch.device(NAME, 0)
        )
        tensor.held = held
        return tensor

    @classmethod
    def __torch_dispatch__(  # type: ignore[override]
        cls, operation: Any, types: Any, arguments: Sequence[Any] = (), named: Mapping[str, Any] | None = None
    ) -> Any:
        """Any operation, computed by the CPU; a tensor that it changes in place is returned as it is."""
        named = dict(named or {})
        if operation is aten.convolution.default and max(arguments[5]) > 1:
            raise RuntimeError("no dilation here")
        given = {id(_on_cpu(t)): t for t in (*arguments, *named.values()) if isinstance(t, torch.Tensor)}
        results = WRONG.get(operation, operation)(*_mapped(_on_cpu, arguments), **_mapped(_on_cpu, named))
        if named.get("device") == CPU:
            return results
        return _mapped(lambda values: given[id(values)] if id(values) in given else OnDevice(values), results)


def _on_cpu(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.held if isinstance(tensor, OnDevice) else tensor


def _mapped(change: Callable[[torch.Tensor], torch.Tensor], thing: Any) -> Any:
    """The tensors among an operation's arguments or results changed, and its devices the CPU."""
    if isinstance(thing, torch.Tensor):
        return change(thing)
    if isinstance(thing, torch.device):
        return CPU
    if isinstance(thing, dict):
        return {name: _mapped(change, part) for name, part in thing.items()}
    return type(thing)(_mapped(change, part) for part in thing) if isinstance(thing, list | tuple) else thing


def _empty(size: Sequence[int], dtype: torch.dtype | None = None, **about: Any) -> torch.Tensor:
    return OnDevice(torch.empty(size, dtype=dtype))


def _empty_strided(
    size: Sequence[int], stride: Sequence[int], dtype: torch.dtype | None = None, **about: Any
) -> torch.Tensor:
    return OnDevice(torch.empty_strided(size, stride, dtype=dtype))


def register() -> torch.library.Library:
    """Make the device known to torch."""
    if path := os.environ.get(IMPORTED):
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(f"{os.getpid()}\n")
    _setup_privateuseone_for_python_backend(NAME, Module())
    library = torch.library.Library("aten", "IMPL")
    library.impl("empty.memory_format", _empty, "PrivateUse1")
    library.impl("empty_strided", _empty_strided, "PrivateUse1")
    return library


LIBRARY = register()
