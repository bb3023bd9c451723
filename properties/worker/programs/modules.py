"""The layers of torch.nn as their constructors make them."""

from __future__ import annotations

import inspect
import io
from collections.abc import Collection
from typing import Any

import torch
from torch import Tensor, nn


def inputs_of(operands: Collection[str]) -> list[str]:
    """The names of those operands with which a layer is called, in that order."""
    called = ("input", "input1", "input2", "anchor", "positive", "negative", "indices", "target", "var")
    return [name for name in called if name in operands]


def module(layer: str, made: dict[str, Any], called: dict[str, Any], **operands: Tensor) -> dict[str, Tensor]:
    """What a layer of torch.nn gives whose state was that of another, saved and loaded, and "state …", its state.

    made: the arguments of its constructor; called: those with which it is called, and whether that is in training.
    Operands with which it is not called are its parameters and buffers.
    """
    inputs = tuple(operands.pop(name) for name in inputs_of(operands))
    first, second = (_made(layer, made, operands, inputs[0]) for _ in range(2))
    first.load_state_dict(operands)
    second.train(called.get("training", True))
    called = {name: value for name, value in called.items() if name != "training"}
    file = io.BytesIO()
    torch.save(first.state_dict(), file)
    file.seek(0)
    second.load_state_dict(torch.load(file))
    state = {f"state {name}": values.clone() for name, values in second.state_dict().items()}
    result = torch.func.functional_call(second, operands, inputs, called, strict=True)
    results = result if isinstance(result, tuple) else (result,)
    return {**dict(zip(("output", "indices"), results, strict=False)), **state}


def _made(layer: str, made: dict[str, Any], state: dict[str, Tensor], like: Tensor) -> nn.Module:
    """A new layer, in the dtype and on the device of a tensor; of its state it is given what its constructor takes."""
    kind = getattr(nn, layer)
    takes = inspect.signature(kind).parameters
    given = {"device": like.device, "dtype": like.dtype} if "dtype" in takes else {}
    buffers = {name: torch.zeros_like(values) for name, values in state.items() if name in takes and name not in made}
    return kind(**made, **buffers, **given)
