"""Where the frames of Python's calls lie."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar, cast

Function = TypeVar("Function", bound=Callable[..., Any])

SLOTS = 2**15
"""Places on the stack of a frame for which CPython makes a chunk of 512 KiB, of which half is left for other frames."""


def with_room_for_frames(function: Function) -> Function:
    """Have the frames of all that a function calls lie in one chunk of memory.

    CPython keeps frames in chunks of 16 KiB. 3.11 and 3.12, and the first releases of 3.13 and 3.14, give a chunk back
    as soon as the call ends for which it was made: where a loop happens to run at the end of one, each call in it asks
    the kernel for memory and returns it (https://github.com/python/cpython/issues/142183). A search runs that deep, and
    a seventh of its time went there.
    """

    def calling(*arguments: Any, **named: Any) -> Any:
        return function(*arguments, **named)

    calling.__code__ = calling.__code__.replace(co_stacksize=SLOTS)
    return cast(Function, functools.wraps(function)(calling))
