"""Checks of large evidence of which counts are kept, and no texts.

A page of a million checks can say of one that passed no more than that it did, and on how many cases. So what passed or
was not run is folded; of what is known, all but the first few for one reason; and of other failures, all but the first
few of an operator under a law for one reason. A check whose test is not named by its subject at the end is kept whole.
Of pictures that are drawn once, the first is kept.
"""

from __future__ import annotations

import itertools
from array import array
from collections import Counter
from collections.abc import Iterator, Sequence
from operator import attrgetter
from typing import Any

from reports.read.records import COUNTED, COUNTS, NAMES, Check, parameters
from reports.read.untrusted import text, texts

ALIKE = 20
"""So many failures for one reason are kept whole."""
CHUNK = 50_000
NO_SHARE = float("nan")
NAMED = (*NAMES, "parameters")
"""Names, and the parameters of the test before its subject."""
_row = attrgetter(*COUNTED)


class Folded:
    """The columns of such checks: of names their places among all names, of numbers themselves."""

    def __init__(self) -> None:
        self._places: dict[Any, int] = {}
        kinds = dict.fromkeys(NAMED, "l") | dict.fromkeys(COUNTS, "q") | {"worst_share": "d"}
        self._columns = {name: array(kind) for name, kind in kinds.items()}
        self._waiting: list[tuple[Any, ...]] = []
        self._alike: Counter[tuple[Any, ...]] = Counter()

    def __len__(self) -> int:
        return len(self._columns["worst_share"]) + len(self._waiting)

    def take(self, line: Any | None) -> bool:
        """Count a check, a ``ResultLine`` of its counts. False if its row is to be kept whole."""
        if line is None:
            return False
        before, _, subject = parameters(line.test).rpartition(f"-{line.subject}")
        if not before or subject or not self._enough(line):
            return False
        self._waiting.append((*_row(line), before))
        if len(self._waiting) == CHUNK:
            self._flush()
        return True

    def checks(self) -> Iterator[tuple[Check, str]]:
        """Each check and its status."""
        columns = [self.column(name) for name in ("law", "operator", "subject", "parameters", "status")]
        for law, operator, subject, before, status in zip(*columns, strict=True):
            yield (law, operator, subject, f"{before}-{subject}"), status

    def keep(self, kept: Sequence[bool]) -> None:
        """Leave out some checks."""
        self._flush()
        for name, own in self._columns.items():
            self._columns[name] = array(own.typecode, itertools.compress(own, kept))

    def column(self, name: str) -> list[Any]:
        """One of COUNTED, or "parameters"; where there is no error, its share is NaN."""
        self._flush()
        if name not in NAMED:
            return self._columns[name].tolist()
        values = list(map(_safe, self._places))
        return [values[place] for place in self._columns[name]]

    def _enough(self, line: Any) -> bool:
        """True if nothing more need be known of a check than its counts."""
        if line.status == "passed":
            return line.cases > 0 and not (line.worst_share or 0) > 1
        if line.status == "not run":
            return True
        alike = line.status, line.reason, *(() if line.status == "known" else (line.law, line.operator))
        self._alike[alike] += 1
        return self._alike[alike] > ALIKE

    def _flush(self) -> None:
        """Move what waits into the columns."""
        if not self._waiting:
            return
        found = dict(zip((*COUNTED, "parameters"), zip(*self._waiting, strict=True), strict=True))
        self._waiting.clear()
        told = zip(found["reason"], found["status"], strict=True)
        found["reason"] = tuple(None if status == "passed" else reason for reason, status in told)
        found["worst_share"] = tuple(NO_SHARE if share is None else share for share in found["worst_share"])
        for name, values in found.items():
            self._columns[name].extend(self._coded(values) if name in NAMED else values)

    def _coded(self, values: tuple[Any, ...]) -> Iterator[int]:
        """The place of each among all names."""
        for value in dict.fromkeys(values):
            self._places.setdefault(value, len(self._places))
        return map(self._places.__getitem__, values)


def _safe(value: Any) -> Any:
    if isinstance(value, tuple):
        return texts(value)
    return value if value is None else text(value)
