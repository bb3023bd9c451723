"""Messages between the suite and its workers: a JSON header and raw arrays.

No pickle: the two ends may run different versions of Python, NumPy and torch, and nothing that a worker sends is ever
executed. A message is two lengths in bytes (8 bytes each, big-endian), the header, and the arrays that it describes.
Header and arrays are filled up to whole words, so that no element lies across them. Sequences arrive as tuples, as
which arguments are written everywhere in the suite.
"""

from __future__ import annotations

import json
import math
import socket
import struct
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

Array = np.ndarray
Message = tuple[dict[str, Any], dict[str, Array]]

LENGTHS = struct.Struct(">QQ")
WORD = 8
TICK = 0.5
"""Seconds of silence after which a receiver looks at what the other end is doing."""
DTYPES = {"<f8", "<f4", "<i8", "<i4", "<i2", "|i1", "|u1", "|b1"}


class Closed(Exception):
    """The other end is gone."""


def send(connection: socket.socket, header: Mapping[str, Any], arrays: Mapping[str, Array]) -> None:
    """Send one message. Raises Closed if the other end is gone, ValueError for a dtype that is not on the list."""
    blocks = {name: np.asarray(values, order="C") for name, values in arrays.items()}
    for name, block in blocks.items():
        if block.dtype.str not in DTYPES:
            raise ValueError(f"{name} has dtype {block.dtype}, which no message can hold")
    described = [[name, block.dtype.str, block.shape] for name, block in blocks.items()]
    text = _filled(json.dumps({**header, "arrays": described}).encode(), b" ")
    body = b"".join(_filled(block.tobytes(), b"\0") for block in blocks.values())
    connection.settimeout(None)
    try:
        connection.sendall(b"".join((LENGTHS.pack(len(text), len(body)), text, body)))
    except OSError as error:
        raise Closed(str(error)) from error


def receive(connection: socket.socket, silent: Callable[[], None] | None = None) -> Message:
    """Receive one message. Raises Closed at its end. ``silent`` is called after each tick of silence, and may raise."""
    connection.settimeout(None if silent is None else TICK)
    length, more = LENGTHS.unpack(_read(connection, LENGTHS.size, silent))
    block = _read(connection, length + more, silent)
    header = json.loads(block[:length], object_hook=_with_tuples)
    arrays, at = {}, length
    for name, dtype, shape in header.pop("arrays"):
        if dtype not in DTYPES:
            raise Closed(f"a message with dtype {dtype}")
        count = math.prod(shape)
        arrays[name] = np.frombuffer(block, dtype, count, at if count else 0).reshape(shape)
        at += _whole_words(arrays[name].nbytes)
    return header, arrays


def _filled(block: bytes, filling: bytes) -> bytes:
    return block.ljust(_whole_words(len(block)), filling)


def _whole_words(size: int) -> int:
    return -(-size // WORD) * WORD


def _read(connection: socket.socket, count: int, silent: Callable[[], None] | None) -> bytearray:
    block = bytearray(count)
    view = memoryview(block)
    while view:
        try:
            got = connection.recv_into(view)
        except TimeoutError:
            if silent:
                silent()
            continue
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
