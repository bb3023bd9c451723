"""Values out of files that anyone may have written: parsed, and made safe to store, show and serialise.

Nothing is assumed of them. `reports.read.schema` says which form they must have; here are what JSON Schema cannot say,
and what is mended and not refused: text with control characters or lone surrogates, and sizes without end.
"""

from __future__ import annotations

import json
import math
import unicodedata
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

Record = Mapping[str, Any]

LARGEST_INTEGER = 2**53  # beyond it, readers of JSON that hold numbers as doubles lose the last digit
LARGEST = 10**18  # FLOP a second of a device; its inverse is the least that counts as positive
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


def record(value: object, what: str) -> dict[str, Any]:
    """``value`` if it is a JSON object."""
    if not isinstance(value, dict):
        raise Unusable(f"{what} is {described(value)}, not an object")
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


def texts(values: Sequence[str]) -> tuple[str, ...]:
    """The first thousand texts of a list, each cut to 200 characters."""
    return tuple(text(value, 200) for value in values[:1000])


def moment(source: Record, key: str) -> datetime:
    """The time under ``key`` (ISO 8601; UTC where no zone is given)."""
    value = text(source[key])
    try:
        parsed = datetime.fromisoformat(value)
        return parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed.astimezone(UTC)
    except (ValueError, OverflowError):
        raise Unusable(f"{key} is {value[:40]!r}, not a time such as 2026-11-24T08:00:00Z") from None


def clean(value: Any, depth: int = 0) -> Any:
    """Any JSON value with its texts made safe, its sizes bounded, and null for a number that is not finite."""
    if isinstance(value, str):
        return text(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int):
        return value if abs(value) <= LARGEST_INTEGER else float(value) if abs(value) <= LARGEST else None
    if depth >= DEPTH_LIMIT:
        return None
    if isinstance(value, list):
        return [clean(item, depth + 1) for item in value[:ITEMS_LIMIT]]
    return {text(str(key), 200): clean(item, depth + 1) for key, item in list(value.items())[:1000]}


def described(value: object) -> str:
    """What a value is, in a few words for a message."""
    if value is None:
        return "missing"
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else "a list"
    try:
        shown = repr(value)
    except ValueError:  # an integer of more digits than Python converts
        shown = "a huge integer"
    return text(shown, 40)


def _disguises(character: str) -> bool:
    if character in "\n\t":
        return False
    return character in _BIDIRECTIONAL or unicodedata.category(character) in {"Cc", "Cs"}
