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
from collections.abc import Iterable, Iterator, Sequence
from operator import attrgetter
from typing import Any

import numpy as np
import pandas as pd

from reports.read.records import COUNTS, NAMES, Check
from reports.read.untrusted import text, texts

ALIKE = 20
"""So many failures for one reason are kept whole."""
NO_SHARE = float("nan")
LISTS = ("systems", "explained")
"""Columns of tuples of texts."""
NAMED = (*NAMES, "parameters")
"""Names, and the parameters of the test before its subject."""


class _Places(dict[Any, int]):
    """The place of each value among all that were asked for."""

    def __missing__(self, value: Any) -> int:
        self[value] = place = len(self)
        return place


class Folded:
    """The columns of such checks: of names their places among the names of a column, of numbers themselves."""

    def __init__(self) -> None:
        self._places = {name: _Places() for name in NAMED}
        kinds = dict.fromkeys(NAMED, "l") | dict.fromkeys(COUNTS, "q") | {"worst_share": "d"}
        self._columns = {name: array(kind) for name, kind in kinds.items()}
        self._alike: Counter[tuple[Any, ...]] = Counter()

    def __len__(self) -> int:
        return len(self._columns["worst_share"])

    def take(self, lines: Sequence[Any | None]) -> list[bool]:
        """Count checks, each a ``ResultLine`` of its counts. False for each of which the row is to be kept whole."""
        before = [None if line is None else _before(line) for line in lines]
        taken = [bool(own) and self._enough(line) for own, line in zip(before, lines, strict=True)]
        rows: list[Any] = list(itertools.compress(lines, taken))
        for name, column in self._columns.items():
            found: Iterable[Any] = map(attrgetter(name), rows)
            if name == "parameters":
                found = itertools.compress(before, taken)
            elif name == "reason":
                found = (None if row.status == "passed" else row.reason for row in rows)
            elif name == "worst_share":
                found = (NO_SHARE if share is None else share for share in found)
            column.extend(map(self._places[name].__getitem__, found) if name in NAMED else found)
        return taken

    def checks(self) -> Iterator[tuple[Check, str]]:
        """Each check and its status."""
        columns = [self.column(name) for name in ("law", "operator", "subject", "parameters", "status")]
        for law, operator, subject, before, status in zip(*columns, strict=True):
            yield (law, operator, subject, f"{before}-{subject}"), status

    def keep(self, kept: Sequence[bool]) -> None:
        """Leave out some checks."""
        for name, own in self._columns.items():
            self._columns[name] = array(own.typecode, itertools.compress(own, kept))

    def column(self, name: str) -> Any:
        """One of COUNTED, or "parameters": categories of texts or tuples, or numbers, NaN where there is no error."""
        own = np.array(self._columns[name])
        if name not in NAMED:
            return own
        safe = list(map(_safe, self._places[name]))
        if name in LISTS:
            return categories(safe, own)
        places = {value: place for place, value in enumerate(dict.fromkeys(v for v in safe if v is not None))}
        codes = np.array([-1 if value is None else places[value] for value in safe], dtype=int)
        return pd.Categorical.from_codes(codes[own], pd.Index(list(places), dtype="str"))

    def _enough(self, line: Any) -> bool:
        """True if nothing more need be known of a check than its counts."""
        if line.status == "passed":
            return line.cases > 0 and not (line.worst_share or 0) > 1
        if line.status == "not run":
            return True
        alike = line.status, line.reason, *(() if line.status == "known" else (line.law, line.operator))
        self._alike[alike] += 1
        return self._alike[alike] > ALIKE


def categories(values: Iterable[tuple[str, ...]], codes: Any) -> pd.Categorical:
    """A column of tuples as categories, of which some may be equal: each row's is the one at the place of its code."""
    places = _Places()
    own = np.fromiter(map(places.__getitem__, values), dtype=np.int64)
    return pd.Categorical.from_codes(own[codes], pd.Index(list(places), dtype=object, tupleize_cols=False))


def _before(line: Any) -> str | None:
    """What parameters of a check's test stand before its subject; None where its subject is not the last of them."""
    test = line.test.removesuffix(f"-{line.subject}]")
    return test.partition("[")[2] if len(test) < len(line.test) else None


def _safe(value: Any) -> Any:
    if isinstance(value, tuple):
        return texts(value)
    return value if value is None else text(value)
