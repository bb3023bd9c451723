"""How a fault, or a correct program, is registered, and what several of them need."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from properties.operators import Operator, operator
from properties.worker.call import Program
from refimpl.rounding import ELEMENTWISE

WIDE = ("float64", "float32")
SIXTEEN = ("bfloat16", "float16")
EVERY = (*WIDE, *SIXTEEN)


@dataclass(frozen=True)
class Planted:
    """A program that stands for an operator's, the law that must catch it, and where it shows: dtypes and mode.

    of: "program" or "module", whichever of the operator's it stands for. algorithm: that whose bound it is held to.
    """

    law: str
    operator: str
    program: Program
    dtypes: tuple[str, ...]
    mode: str = "eager"
    of: str = "program"
    algorithm: str = ELEMENTWISE

    def planted(self) -> Operator:
        """The operator with this program in place."""
        own = operator(self.operator)
        return replace(own, module=self.program) if self.of == "module" else replace(own, program=self.program)


FAULTS: dict[str, Planted] = {}
"""Wrong programs by what is wrong with them."""

CORRECT: dict[str, Planted] = {}
"""Right programs by what is unusual about them; the laws are agreement and gradients."""


def fault(
    law: str, operator: str, dtypes: tuple[str, ...] = EVERY, mode: str = "eager", of: str = "program",
    algorithm: str = ELEMENTWISE,
) -> Callable[[Program], Program]:  # fmt: skip
    """Register a fault; it is shown by its docstring."""
    return _registering(FAULTS, law, operator, dtypes, mode, of, algorithm)


def correct(
    operator: str, dtypes: tuple[str, ...] = EVERY[:3], algorithm: str = ELEMENTWISE
) -> Callable[[Program], Program]:
    """Register a correct program; it is shown by its docstring."""
    return _registering(CORRECT, "", operator, dtypes, algorithm=algorithm)


def _registering(
    into: dict[str, Planted], law: str, operator: str, dtypes: tuple[str, ...], mode: str = "eager",
    of: str = "program", algorithm: str = ELEMENTWISE,
) -> Callable[[Program], Program]:  # fmt: skip
    def register(program: Program) -> Program:
        name = str(program.__doc__).rstrip(".")
        assert name not in into, f"two programs are called {name!r}"
        into[name] = Planted(law, operator, program, dtypes, mode, of, algorithm)
        return program

    return register


def with_slope_of(value: Tensor, slope: Tensor) -> Tensor:
    """The value of one tensor with the gradient of another of the same shape."""
    return value.detach() + (slope - slope.detach())


def as_if_contiguous(t: Tensor) -> Tensor:
    """What a kernel sees that walks through the memory from a tensor's first element on and ignores its strides."""
    if not t.numel():
        return t
    memory = t.as_strided((t.untyped_storage().nbytes() // t.element_size(),), (1,), 0)
    walk = (int(t.storage_offset()) + torch.arange(t.numel())).clamp(max=len(memory) - 1)
    return memory[walk].view(t.shape)
