"""Operators of torch.library in the place of functions of torch.nn.functional.

``conv2d=mylib::conv2d`` says that the operator ``torch.ops.mylib.conv2d`` stands for ``conv2d``.
"""

from __future__ import annotations

import inspect
from types import ModuleType
from typing import Any

import torch

OPCHECK = "opcheck "
"""What comes before it where torch.library.opcheck is to look at each call, too."""
BIASED = ("conv", "linear")
"""What the names of functions begin with whose third operand is a bias."""


def functions(where: str) -> ModuleType:
    """The function that an operator stands for, in a module. Raises ImportError where there is no such operator."""
    like, _, name = where.removeprefix(OPCHECK).partition("=")
    namespace, _, own = name.partition("::")
    try:
        packet = getattr(getattr(torch.ops, namespace), own)
    except AttributeError:
        raise ImportError(f"{where} torch.ops has no {name}") from None
    schemas = [getattr(packet, overload)._schema for overload in packet.overloads()]
    taken = dict.fromkeys(argument.name for schema in schemas for argument in schema.arguments)

    def asked(*operands: Any, **arguments: Any) -> Any:
        if like.startswith(BIASED) and len(operands) > 2:
            *operands, bias = operands  # type: ignore[assignment]
            arguments |= {"bias": bias} if "bias" in taken or bias is not None else {}
        if where.startswith(OPCHECK):
            _check(packet, tuple(operands), arguments)
        return packet(*operands, **arguments)

    parameters = [inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD) for name in taken]
    asked.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    module = ModuleType(name)
    setattr(module, like, asked)
    return module


def _check(packet: Any, operands: tuple[Any, ...], arguments: dict[str, Any]) -> None:
    """Have torch.library.opcheck look at a call; with gradients, as its documentation asks, if there are any."""
    leaves, named = tuple(map(_leaf, operands)), {name: _leaf(value) for name, value in arguments.items()}
    try:
        result = packet(*leaves, **named)
        (result[0] if isinstance(result, tuple) else result).sum().backward()
    except RuntimeError:  # it has no formula for them, which is no fault of its registration
        leaves, named = operands, arguments
    torch.library.opcheck(packet, leaves, named)


def _leaf(operand: Any) -> Any:
    """A copy of an operand that requires a gradient, if it can."""
    floating = isinstance(operand, torch.Tensor) and operand.is_floating_point()
    return operand.detach().clone().requires_grad_() if floating else operand
