"""Operators of torch.library in the place of functions of torch.nn.functional.

``conv2d=mylib::conv2d`` says that the operator ``torch.ops.mylib.conv2d`` stands for ``conv2d``.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any

import torch

OPCHECK = "opcheck "
"""What comes before it where torch.library.opcheck is to look at each call, too."""
USUAL = {"padding": 0, "dilation": 1, "groups": 1, "ceil_mode": False, "count_include_pad": True}
"""Arguments that an operator need not take as long as they are these, which torch takes where none are given."""
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
    taken = {argument.name for schema in schemas for argument in schema.arguments}

    def asked(*operands: Any, **given: Any) -> Any:
        if like.startswith(BIASED):
            operands, given = operands[:2], given | dict(zip(("bias",), operands[2:], strict=False))
        arguments = {n: value for n, value in given.items() if n in taken or not _usual(n, value)}
        if missing := arguments.keys() - taken:
            raise NotImplementedError(f"{name} takes no {', '.join(sorted(missing))}")
        if where.startswith(OPCHECK):
            _check(packet, operands, arguments)
        return packet(*operands, **arguments)

    module = ModuleType(name)
    setattr(module, like, asked)
    return module


def _usual(name: str, value: Any) -> bool:
    """True if an argument is what it would be if it were not given, for all axes or for each."""
    parts = value if isinstance(value, tuple | list) else (value,)
    return value is None or (name in USUAL and all(part == USUAL[name] for part in parts))


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
