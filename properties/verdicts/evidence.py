"""What was tried and what came of it: one JSON-lines file a run, written as it happens.

The first line describes the run, then one line for each law × operator × subject, then one that ends the run. A run
that was killed, or whose disk was full, has no end line, so that a reader can tell. Nothing here knows what a report
looks like.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

from properties.verdicts.tally import Tally, counting

SCHEMA_VERSION = 1
COUNTED = (
    "cases", "known", "steered", "declined", "comparisons", "exact", "bounded", "vacuous", "worst_share", "worst_case",
    "raised", "compilations", "pairs", "pairs_met",
)  # fmt: skip
"""The fields of a tally that a line of evidence has."""


@dataclass
class Result:
    """One law on one operator on one subject: what was counted, and what is said of it."""

    law: str
    title: str
    operator: str
    subject: str
    device: str
    dtype: str
    systems: tuple[str, ...]
    test: str
    family: str | None = None
    status: str = "passed"
    reason: str | None = None
    message: str | None = None
    seconds: float = 0.0
    repro: str | None = None
    severity: str | None = None
    upstream: str | None = None
    diagnosis: str | None = None
    tally: Tally = field(default_factory=Tally)

    def lines(self) -> Iterator[dict[str, Any]]:
        """The result as it is written, then the numbers for its pictures."""
        said = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "tally"}
        counted = {name: getattr(self.tally, name) for name in COUNTED}
        explained = [f"{entry}: {known}, {steered}" for entry, (known, steered) in self.tally.explained.items()]
        yield {"kind": "result", **said, **counted, "explained": explained}
        for data in self.tally.profiles.values():
            profile = {"operator": self.operator, **data}
            yield {"kind": "figure", "name": "accumulators", "subject": self.subject, "data": profile}
        for name, data in self.tally.figures.items():
            yield {"kind": "figure", "name": name, "subject": self.subject, "data": data}


@contextmanager
def collecting(result: Result) -> Iterator[Result]:
    """Let comparisons made within count towards ``result``, and their time too."""
    started = time.perf_counter()
    try:
        with counting(result.tally):
            yield result
    finally:
        result.seconds = round(result.seconds + time.perf_counter() - started, 4)


class Writer:
    """Appends lines to the run's file, each flushed, so that a crash loses nothing that was finished.

    Where the file cannot be written, the run goes on, ``lost`` says why, and the file gets no end line.
    """

    def __init__(self, folder: Path, header: dict[str, Any]) -> None:
        self.folder = folder
        self.header = header
        self.lost: str | None = None
        self._path: Path | None = None
        self._file: TextIO | None = None

    def write(self, line: dict[str, Any]) -> None:
        """Append one line; the first call makes the file, so that a run without results leaves none."""
        if self.lost:
            return  # half a line may be in the file, and what follows would be a part of it
        with self._losing():
            _, file = self._started()
            file.write(_json(line))
            file.flush()

    def begin(self) -> None:
        """Make the file, even if no line is written."""
        with self._losing():
            self._started()

    def rewrite(self, lines: Iterable[dict[str, Any]]) -> None:
        """Replace all lines but the header: whoever reads the file sees either all of the old or all of the new."""
        with self._losing():
            path, file = self._started()
            path.parent.mkdir(parents=True, exist_ok=True)  # somebody may have cleared it in the hours of a search
            write_whole(path, "".join(_json(line) for line in (self._first, *lines)))
            _close(file)
            self._file = path.open("a", encoding="utf-8")
            self.lost = None

    def close(self, exitstatus: int, peak_mib: int | None = None) -> Path | None:
        """End the run; returns its file, None if nothing was written."""
        if self._file is None:
            return None
        self.write({"kind": "end", "finished": now(), "exitstatus": exitstatus, "peak_mib": peak_mib})
        _close(self._file)
        return self._path

    @contextmanager
    def _losing(self) -> Iterator[None]:
        """Note that lines could not be written, instead of ending the run."""
        try:
            yield
        except OSError as error:
            self.lost = unwritten(error, self._path or self.folder)

    def _started(self) -> tuple[Path, TextIO]:
        if self._path is None or self._file is None:
            self.folder.mkdir(parents=True, exist_ok=True)
            name = f"properties-{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{os.getpid()}.jsonl"
            self._path = self.folder / name
            self._file = self._path.open("x", encoding="utf-8")
            self._file.write(_json(self._first))
        return self._path, self._file

    @property
    def _first(self) -> dict[str, Any]:
        return {"kind": "run", "schema_version": SCHEMA_VERSION, "suite": "properties", **self.header}


def write_whole(path: Path, text: str) -> None:
    """Write a file so that whoever reads it sees either all of the old or all of the new; makes its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as undo:
        with tempfile.NamedTemporaryFile("w", -1, "utf-8", suffix=".tmp", dir=path.parent, delete=False) as partial:
            undo.callback(Path(partial.name).unlink)
            partial.write(text)
        Path(partial.name).chmod(0o644)
        Path(partial.name).replace(path)
        undo.pop_all()


def unwritten(error: OSError, path: Path) -> str:
    """Which file could not be written, why, and what would do."""
    full = error.errno in (errno.ENOSPC, errno.EDQUOT)
    remedy = "free some space or give another folder" if full else "give another folder"
    return f"{error.filename or path}: {error.strerror}; {remedy} with --evidence"


def _close(file: TextIO) -> None:
    """Close a file whose last lines may be refused."""
    with contextlib.suppress(OSError):
        file.close()


def now() -> str:
    """The time in UTC, to the second."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _json(line: dict[str, Any]) -> str:
    return json.dumps(_plain(line), allow_nan=False) + "\n"


def _plain(value: Any) -> Any:
    """JSON has neither NaN nor infinity: both become null."""
    if isinstance(value, float):
        return value if abs(value) < float("inf") else None
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value
