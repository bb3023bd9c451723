"""One run on several machines: which part of it a file holds, and which parts are missing (``pytest --shard 2/4``)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from reports.read.untrusted import Record, Unusable, count, optional, record

MOST = 1000
_VERSIONS = ("convproof", "commit", "torch", "python")


class Split(NamedTuple):
    """One part of so many; ``whole`` is equal for the parts of one run.

    What identifies a run are its checks, of which each part notes a digest, how they were tried, and the versions:
    machines that share nothing else agree on that. The machines themselves may differ, as a CI's do.
    """

    part: int
    of: int
    whole: str


def read(header: Record) -> Split | None:
    """The part that a file's header names, None if it is of a run on one machine; raises `Unusable`."""
    if header.get("split") is None:
        return None
    own = record(header["split"], "split")
    part, of = count(own, "part"), count(own, "of")
    if not 1 <= part <= of <= MOST:
        raise Unusable(f"split is part {part} of {of}")
    environment = record(header.get("environment"), "environment")
    versions = [environment.get(key) for key in _VERSIONS]
    same = [of, optional(own, "checks"), header.get("profile"), header.get("seed"), header.get("suite"), *versions]
    return Split(part, of, json.dumps(same, sort_keys=True))


def missing(found: Iterable[Split]) -> tuple[int, ...]:
    """The parts that are not there, of parts of one run; none are missing of a run on one machine."""
    parts = list(found)
    return tuple(sorted(set(range(1, parts[0].of + 1)) - {split.part for split in parts})) if parts else ()


def disjoint(groups: Sequence[Sequence[Split]]) -> bool:
    """True if no part is in two groups, such as those of machines of two kinds: then they are one run together."""
    parts = [split.part for group in groups for split in group]
    return len(parts) == len(set(parts))


def said(gone: Sequence[int], of: int) -> str:
    """The missing parts in words.

    >>> said((3,), 4), said((1, 2, 4), 4)
    ('shard 3 of 4 is missing', 'shards 1, 2 and 4 of 4 are missing')
    """
    if len(gone) == 1:
        return f"shard {gone[0]} of {of} is missing"
    shown = [*map(str, gone[:20]), *([f"{len(gone) - 20} more"] if len(gone) > 20 else [])]
    return f"shards {', '.join(shown[:-1])} and {shown[-1]} of {of} are missing"


def without(arguments: Sequence[str]) -> list[str]:
    """The arguments of a run on one machine.

    >>> without(["properties", "--shard", "2/4", "-q", "--shard=2/4"])
    ['properties', '-q']
    """
    named = {place + 1 for place, argument in enumerate(arguments) if argument == "--shard"}
    return [a for i, a in enumerate(arguments) if i not in named and a.partition("=")[0] != "--shard"]
