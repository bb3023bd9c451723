"""``pytest properties --shard 2/4``: a fixed part of the checks, the others being run by other machines."""

from __future__ import annotations

import hashlib
import re
import zlib
from collections.abc import Sequence
from typing import Any, NamedTuple

import pytest
from pytest_split.algorithms import Algorithms

from properties.subjects import Subject

MOST = 1000


class Shard(NamedTuple):
    """One part of so many."""

    part: int
    of: int


def parse(given: str) -> Shard:
    """The part that an option's value names. Raises ValueError."""
    found = re.fullmatch(r"([0-9]{1,4})/([0-9]{1,4})", given)
    shard = Shard(*map(int, found.groups())) if found else Shard(0, 0)
    if not 1 <= shard.part <= shard.of <= MOST:
        raise ValueError(f"no part of a whole; give K/N with K from 1 to N and N up to {MOST:,}, e.g. 2/4")
    return shard


def split(items: Sequence[pytest.Item], shard: Shard) -> tuple[list[pytest.Item], list[pytest.Item]]:
    """The items of a shard in their order, and the others.

    How long a check takes depends on its law and on its subject: what is compiled takes a dozen times as long as the
    rest, float64 twice as long as float16. So each law's checks on each subject are dealt out in turns. Within them
    the order is by a hash: by name, every third operator is the one over three axes. Of pytest-split's algorithms
    "duration_based_chunks" would cut the list in pieces, and the last would have all of what is slow; "least_duration"
    deals, the longest first, but without durations in the order of names, so that of four shards each might have one
    dtype. Durations that fall along our order make it deal in that. Measured ones are no good: shards that do not
    know the same ones would not make up the whole.
    """
    ordered = sorted(items, key=lambda item: (*_stratum(item), zlib.crc32(item.nodeid.encode())))
    durations = {item.nodeid: float(len(ordered) - place) for place, item in enumerate(ordered)}
    group = Algorithms.least_duration.value(shard.of, list(items), durations)[shard.part - 1]
    return group.selected, group.deselected


def _stratum(item: Any) -> tuple[str, str]:
    """A test's function and subject."""
    about = item.callspec.params.values() if hasattr(item, "callspec") else ()
    return item.nodeid.partition("[")[0], next((str(value) for value in about if isinstance(value, Subject)), "")


def digest(items: Sequence[pytest.Item]) -> str:
    """What tells whether shards are parts of the same checks."""
    return hashlib.sha256("\n".join(sorted(item.nodeid for item in items)).encode()).hexdigest()[:16]
