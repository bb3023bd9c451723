"""One run on several machines: which shard of it a file holds, and which are missing (``pytest --shard 2/4``)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from reports.read import schema
from reports.read.untrusted import Record, Unusable

_VERSIONS = ("convproof", "commit", "torch", "python")


class Shard(NamedTuple):
    """One shard of so many; ``whole`` is equal for the shards of one run.

    What identifies a run are its checks, of which each shard notes a digest, how they were tried, and the versions:
    machines that share nothing else agree on that. The machines themselves may differ, as a CI's do.
    """

    part: int
    of: int
    whole: str


def read(header: Record) -> Shard | None:
    """The shard that a file's header names, None if it is of a run on one machine; raises `Unusable`."""
    if header.get("split") is None:
        return None
    own = schema.taken(header["split"], "split")
    if own["part"] > own["of"]:
        raise Unusable(f"split is part {own['part']} of {own['of']}")
    versions = [header["environment"].get(key) for key in _VERSIONS]
    same = [own["of"], own["checks"], header.get("profile"), header.get("seed"), header.get("suite"), *versions]
    return Shard(own["part"], own["of"], json.dumps(same, sort_keys=True))


def missing(found: Iterable[Shard]) -> tuple[int, ...]:
    """The shards that are not there, of shards of one run; none are missing of a run on one machine."""
    shards = list(found)
    return tuple(sorted(set(range(1, shards[0].of + 1)) - {shard.part for shard in shards})) if shards else ()


def disjoint(groups: Sequence[Sequence[Shard]]) -> bool:
    """True if no shard is in two groups, such as those of machines of two kinds: then they are one run together."""
    shards = [shard for group in groups for shard in group]
    return len(shards) == len(set(shards))


def missing_in_words(gone: Sequence[int], of: int) -> str:
    """The missing shards in words.

    >>> missing_in_words((3,), 4), missing_in_words((1, 2, 4), 4)
    ('shard 3 of 4 is missing', 'shards 1, 2 and 4 of 4 are missing')
    """
    if len(gone) == 1:
        return f"shard {gone[0]} of {of} is missing"
    shown = [*map(str, gone[:20]), *([f"{len(gone) - 20} more"] if len(gone) > 20 else [])]
    return f"shards {', '.join(shown[:-1])} and {shown[-1]} of {of} are missing"


def without_option(arguments: Sequence[str]) -> list[str]:
    """The arguments of the same run on one machine.

    >>> without_option(["properties", "--shard", "2/4", "-q", "--shard=2/4"])
    ['properties', '-q']
    """
    named = {place + 1 for place, argument in enumerate(arguments) if argument == "--shard"}
    return [a for i, a in enumerate(arguments) if i not in named and a.partition("=")[0] != "--shard"]
