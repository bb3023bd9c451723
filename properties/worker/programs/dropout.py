"""Dropout as torch computes it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor


def dropout(input: Tensor, inplace: bool = False, seed: int | None = None, **arguments: Any) -> Any:
    """torch.nn.functional.dropout."""
    return _placed(input, F.dropout, inplace, seed, **arguments)


def feature_dropout(input: Tensor, inplace: bool = False, seed: int | None = None, **arguments: Any) -> Any:
    """torch.nn.functional.dropout1d, dropout2d or dropout3d, by the axes after the channels."""
    functions = {3: F.dropout1d, 4: F.dropout2d, 5: F.dropout3d}
    return _placed(input, functions[input.ndim], inplace, seed, **arguments)


def alpha_dropout(input: Tensor, inplace: bool = False, seed: int | None = None, **arguments: Any) -> Any:
    """torch.nn.functional.alpha_dropout."""
    return _placed(input, F.alpha_dropout, inplace, seed, **arguments)


def feature_alpha_dropout(input: Tensor, inplace: bool = False, seed: int | None = None, **arguments: Any) -> Any:
    """torch.nn.functional.feature_alpha_dropout."""
    return _placed(input, F.feature_alpha_dropout, inplace, seed, **arguments)


def _placed(input: Tensor, function: Callable[..., Any], inplace: bool, seed: int | None, **arguments: Any) -> Any:
    """What a function gives from a seed; inplace: what it leaves of a copy of its operand."""
    given = input.clone() if inplace else input
    more = {"inplace": True} if inplace else {}
    with contextlib.nullcontext() if seed is None else seeded(seed):
        result = function(given, **arguments, **more)
    return given if inplace else result


@contextlib.contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Random numbers from a seed, and after that as if none had been drawn."""
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(seed)
        yield
