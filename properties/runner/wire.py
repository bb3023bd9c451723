"""Messages between the suite and its workers: a JSON header and raw arrays.

No pickle: the two ends may run different versions of Python, NumPy and torch, and nothing that a worker sends is ever
executed. A message is the header's length (8 bytes, big-endian), the header, and the bytes of the arrays that it
describes. Sequences arrive as tuples, as which arguments are written everywhere in the suite.
"""

from __future__ import annotations

import json
import socket
import struct
import time
from collections.abc import Mapping
from typing import Any

import numpy as np

Array = np.ndarray
Message = tuple[dict[str, Any], dict[str, Array]]

LENGTH = struct.Struct(">Q")
DTYPES = {"float64", "float32", "int64", "int32", "int16", "int8", "uint8", "bool"}


class Closed(Exception):
    """The other end is gone."""


class Late(Exception):
    """The other end did not answer in time."""


def send(connection: socket.socket, header: Mapping[str, Any], arrays: Mapping[str, Array]) -> None:
    """Send one message. Raises Closed if the other end is gone, ValueError for a dtype that is not on the list."""
    blocks = {name: np.asarray(values, order="C") for name, values in arrays.items()}
    for name, block in blocks.items():
        if str(block.dtype) not in DTYPES:
            raise ValueError(f"{name} has dtype {block.dtype}, which no message can hold")
    described = [[name, str(block.dtype), block.shape] for name, block in blocks.items()]
    text = json.dumps({**header, "arrays": described}).encode()
    try:
        connection.sendall(b"".join([LENGTH.pack(len(text)), text, *(block.tobytes() for block in blocks.values())]))
    except OSError as error:
        raise Closed(str(error)) from error


def receive(connection: socket.socket, timeout: float | None = None) -> Message:
    """Receive one message. Raises Closed at its end, Late after ``timeout`` seconds."""
    deadline = None if timeout is None else time.monotonic() + timeout
    (length,) = LENGTH.unpack(_read(connection, LENGTH.size, deadline))
    header = json.loads(_read(connection, length, deadline), object_hook=_with_tuples)
    arrays = {}
    for name, dtype, shape in header.pop("arrays"):
        if dtype not in DTYPES:
            raise Closed(f"a message with dtype {dtype}")
        count = int(np.prod(shape, dtype=np.int64))
        block = _read(connection, count * np.dtype(dtype).itemsize, deadline)
        arrays[name] = np.frombuffer(block, dtype=dtype).reshape(shape)
    return header, arrays


def _read(connection: socket.socket, count: int, deadline: float | None) -> bytearray:
    block = bytearray(count)
    view = memoryview(block)
    while view:
        try:
            connection.settimeout(None if deadline is None else max(deadline - time.monotonic(), 1e-6))
            got = connection.recv_into(view)
        except TimeoutError as error:
            raise Late from error
        except OSError as error:
            raise Closed(str(error)) from error
        if not got:
            raise Closed("end of file")
        view = view[got:]
    return block


def _with_tuples(header: dict[str, Any]) -> dict[str, Any]:
    return {name: _tuples(value) for name, value in header.items()}


def _tuples(value: Any) -> Any:
    return tuple(_tuples(item) for item in value) if isinstance(value, list) else value
