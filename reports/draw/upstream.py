"""The text of an issue for those who can mend a defect: of an entry of the ledger, or of a find."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

from reports.draw import scripts
from reports.read.load import Evidence, Place
from reports.read.records import Result
from reports.read.untrusted import Unusable

PINNED = "known divergences"
"""The law whose rows are of the examples of the ledger's entries."""
SEARCH = "https://github.com/pytorch/pytorch/issues?q="
COMMON = "that this with where which what from than then their there whatever into"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*", re.ASCII)


def reported(evidence: Evidence) -> dict[str, list[tuple[Place, Result]]]:
    """What can be reported, by its name: the entry's, or that of a find's script; each with its rows."""
    found: dict[str, list[tuple[Place, Result]]] = {}
    for place in evidence.places:
        for row in (row for run in place.runs for row in run.results):
            if name := _name(row):
                found.setdefault(name, []).append((place, row))
    return found


def waiting(evidence: Evidence) -> list[str]:
    """The entries of the ledger of which no upstream issue is known."""
    rows = reported(evidence).items()
    return sorted(name for name, own in rows if all(row.status == "known" and not row.upstream for _, row in own))


def issue(evidence: Evidence, name: str, output: Path) -> dict[str, Any]:
    """What the text of an issue says. Raises `Unusable` for a name that there is not.

    output: the folder of the report, below which scripts lie.
    """
    known = reported(evidence)
    if name not in known:
        near = difflib.get_close_matches(name, known, 3, 0.4) or sorted(known)[:3]
        raise Unusable(f"{name} is no entry and no find of this evidence; the nearest: {', '.join(near) or 'none'}")
    place, row = max(known[name], key=lambda own: (own[1].diagnosis is not None, own[1].repro is not None))
    what, why, seen = _parts(row)
    script = scripts.script(row.repro, output)
    return {
        "name": name,
        "row": row,
        "what": what,
        "why": why,
        "seen": seen,
        "environment": place.environment,
        "subjects": sorted({own.subject for _, own in known[name]}),
        "script": script[1] if script else None,
        "right": next(_right(place, row)),
        "link": scripts.upstream(row.upstream),
        "search": f"{SEARCH}{quote_plus(f'is:issue {row.operator} {_words(what)}')}",
    }


def _name(row: Result) -> str | None:
    name = row.reason if row.law == PINNED and row.status == "known" else None
    if row.status == "diverged" and row.repro:
        name = Path(row.repro).stem
    return name if name and _NAME.fullmatch(name) else None


def _parts(row: Result) -> tuple[str, str, str]:
    """What happens, why that is wrong, and what was seen here."""
    message = (row.message or "").strip()
    if row.law != PINNED:
        return message.partition("\n")[0], row.title, message
    said, _, seen = message.removeprefix(f"{row.severity}: ").partition(". Here: ")
    return row.title, said.removeprefix(row.title).lstrip(". "), seen.partition("\nDiagnosis:")[0]


def _right(place: Place, row: Result) -> Iterator[list[str]]:
    """The right cases that are most like the failing one, of the diagnosis of a row."""
    for figure in (figure for run in place.runs for figure in run.figures if figure.name == "diagnosis"):
        about = figure.data["law"], figure.data["operator"], figure.data["entry"]
        if (figure.subject, *about) == (row.subject, row.law, row.operator, row.reason):
            yield figure.data["right"]
    yield []


def _words(what: str) -> str:
    """A few words of a sentence, for a search."""
    return " ".join([word for word in re.findall(r"[A-Za-z]{4,}", what) if word.lower() not in COMMON.split()][:4])
