"""Typed reading of values out of files that anyone may have written.

Nothing is assumed of them: a value of the wrong type, a number that is not finite, a count beyond what JSON readers
hold exactly, text with control characters or lone surrogates. Each function returns a value that is safe to store,
show and serialise, or raises `Unusable` with a text that says what was found and what was expected.
"""

from __future__ import annotations

import json
import math
import unicodedata
from collections.abc import Mapping
from datetime import UTC, datetime
from sys import intern
from typing import Any

Record = Mapping[str, Any]

LARGEST_COUNT = 10**12  # more than a run can count, and sums over millions of rows still fit 64 bits
LARGEST_INTEGER = 2**53  # beyond it, readers of JSON that hold numbers as doubles lose the last digit
TEXT_LIMIT = 20_000
ITEMS_LIMIT = 100_000
DEPTH_LIMIT = 8
_BIDIRECTIONAL = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


class Unusable(ValueError):
    """Evidence that cannot be used; the text names what is wrong with it."""


def parse(raw: bytes) -> Any:
    """The JSON value in ``raw``; raises `Unusable` on whatever is not UTF-8 JSON."""
    try:
        return json.loads(raw.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise Unusable(f"not UTF-8 text (byte {error.start})") from None
    except json.JSONDecodeError as error:
        raise Unusable(f"not JSON ({error.msg}, character {error.pos + 1})") from None
    except (ValueError, RecursionError) as error:  # an integer of too many digits; nesting without end
        raise Unusable(f"JSON beyond reading ({str(error).split(';')[0]})") from None


def record(value: object, what: str = "value") -> Record:
    """``value`` if it is a JSON object."""
    if not isinstance(value, dict):
        raise Unusable(f"{what} is {_kind(value)}, not an object")
    return value


def text(value: str, limit: int = TEXT_LIMIT) -> str:
    """``value`` without characters that break or disguise a page, cut to ``limit`` characters.

    >>> text("a\\x00b\\u202ec\\ud800")
    'a\ufffdb\ufffdc\ufffd'
    """
    shown = value if len(value) <= limit else value[: limit - 1] + "…"
    if shown.isascii() and shown.isprintable():
        return shown
    return "".join("\ufffd" if _disguises(character) else character for character in shown)


def string(source: Record, key: str, default: str | None = None) -> str:
    """Text under ``key``; ``default`` (if there is one) where it is absent or null."""
    value = source.get(key)
    if value is None and default is not None:
        return default
    if not isinstance(value, str) or not value:
        raise Unusable(f"{key} is {_kind(value)}, not text")
    return intern(text(value))  # the same few names in every row: keep each once


def optional(source: Record, key: str) -> str | None:
    """Text under ``key``, or None where it is absent or null."""
    return None if source.get(key) is None else string(source, key)


def strings(source: Record, key: str) -> tuple[str, ...]:
    """List of texts under ``key``; empty where it is absent or null."""
    value = source.get(key)
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise Unusable(f"{key} is not a list of texts")
    return tuple(text(item, 200) for item in value[:1000])


def count(source: Record, key: str) -> int:
    """Whole number in [0, 10¹²] under ``key``; 0 where it is absent or null."""
    value = source.get(key)
    if value is None:
        return 0
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= LARGEST_COUNT:
        raise Unusable(f"{key} is {_kind(value)}, not a whole number from 0 to 10¹²")
    return value


def number(value: object, what: str, largest: float = LARGEST_COUNT) -> float:
    """``value`` as a float within ±``largest``, so that sums, means and axes of such numbers are finite too."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Unusable(f"{what} is {_kind(value)}, not a number")
    try:
        converted = float(value)
    except OverflowError:
        converted = math.inf
    if not math.isfinite(converted):
        raise Unusable(f"{what} is {converted}, not a finite number")
    if abs(converted) > largest:
        raise Unusable(f"{what} is {converted:.3g}, beyond ±{largest:.0e}")
    return converted


def numbers(value: object, what: str) -> list[float]:
    """``value`` as a list of numbers, at least one."""
    if not isinstance(value, list) or not 0 < len(value) <= ITEMS_LIMIT:
        raise Unusable(f"{what} is not a list of 1 to {ITEMS_LIMIT} numbers")
    return [number(item, what) for item in value]


def moment(source: Record, key: str) -> datetime:
    """Time under ``key`` (ISO 8601; UTC where no zone is given)."""
    value = string(source, key)
    try:
        parsed = datetime.fromisoformat(value)
        return parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed.astimezone(UTC)
    except (ValueError, OverflowError):
        raise Unusable(f"{key} is {value[:40]!r}, not a time such as 2026-11-24T08:00:00Z") from None


def schema(source: Record, newest: int) -> None:
    """Raise `Unusable` unless ``schema_version`` is one that this program reads, 1 to ``newest``."""
    value = source.get("schema_version")
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise Unusable(f"schema_version is {_kind(value)}, not a whole number from 1 on")
    if value > newest:
        raise Unusable(f"schema_version {value:.3g} is newer than {newest}, the newest that this program reads")


def clean(value: Any, depth: int = 0) -> Any:
    """Any JSON value with its texts made safe, its sizes bounded, and null for a number that is not finite."""
    if isinstance(value, str):
        return text(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int):
        return value if abs(value) <= LARGEST_INTEGER else None
    if depth >= DEPTH_LIMIT:
        return None
    if isinstance(value, list):
        return [clean(item, depth + 1) for item in value[:ITEMS_LIMIT]]
    return {text(str(key), 200): clean(item, depth + 1) for key, item in list(value.items())[:1000]}


def _disguises(character: str) -> bool:
    if character in "\n\t":
        return False
    return character in _BIDIRECTIONAL or unicodedata.category(character) in {"Cc", "Cs"}


def _kind(value: object) -> str:
    if value is None:
        return "missing"
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else "a list"
    try:
        shown = repr(value)
    except ValueError:  # an integer of more digits than Python converts
        shown = "a huge integer"
    return text(shown, 40)
