"""One run of the properties, out of the file or files that it wrote.

Under pytest-xdist each worker process writes a file of its own; their headers name the same ``run``, and each its
worker (under the key ``shard``). Such files are one run: it is complete when each of them is. A file that names no
run is one by itself. Shards of a run (``--shard 2/4``) on several machines are one run, too: it is complete when none
of them is missing.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from reports.read import records, schema, shards
from reports.read.environments import identity
from reports.read.folded import Folded
from reports.read.notices import Notices
from reports.read.records import Check, Fault, Figure, Result
from reports.read.shards import Shard
from reports.read.untrusted import Record, Unusable, clean, described, moment, parse, record, text, texts

LONGEST_LINE = 4_000_000
BATCH = 300
"""So many lines are folded at a time: column by column, in the processor's cache."""
DRAWN_ONCE = ("edge-detection", "kernel-learning", "feature-maps", "receptive-field")
_KEPT = ("suite", "profile", "seed")


@dataclass(frozen=True)
class RunFile:
    """A properties file of which only the header was read; ``name`` is how the report calls it."""

    path: Path
    name: str
    started: datetime
    header: Record
    run: str | None
    worker: str | None
    shard: Shard | None


@dataclass
class PropertiesRun:
    """One run of the properties: what its headers say, its rows, and whether it reached its end.

    Of large evidence ``folded`` has the checks of which counts are kept, and ``results`` the rows that tell more;
    ``drawn`` names the pictures that are there, of which no other is needed.
    """

    files: tuple[str, ...]
    run: str | None
    started: datetime
    header: dict[str, Any]
    environment: dict[str, Any]
    subjects: tuple[str, ...]
    results: list[Result] = field(default_factory=list)
    folded: Folded | None = None
    drawn: set[str] = field(default_factory=set)
    figures: list[Figure] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    unread: int = 0
    finished: dict[str, str] = field(default_factory=dict)
    exitstatus: int = 0
    peak_mib: int | None = None
    shards: tuple[Shard, ...] = ()
    missing: tuple[int, ...] = ()

    @property
    def cut_off(self) -> list[str]:
        """Files whose last line is missing: what wrote them was killed, or still writes."""
        return [file for file in self.files if file not in self.finished]

    @property
    def complete(self) -> bool:
        """Every file of the run has its last line, and none of its shards is missing."""
        return not self.cut_off and not self.missing

    @property
    def checked(self) -> bool:
        """True if the run has a row."""
        return bool(self.results or self.folded)

    def checks(self) -> Iterator[tuple[Check, str]]:
        """Each check and its status: of the rows, then of what is folded."""
        yield from ((row.check, row.status) for row in self.results)
        yield from self.folded.checks() if self.folded else ()

    def keep(self, kept: Sequence[bool]) -> None:
        """Leave out checks; ``kept`` is in the order of `checks`."""
        if self.folded:
            self.folded.keep(kept[len(self.results) :])
        self.results = list(itertools.compress(self.results, kept))

    @property
    def lack(self) -> str | None:
        """Which of its shards are missing, in words; None if none is."""
        return shards.missing_in_words(self.missing, self.shards[0].of) if self.missing else None

    @property
    def ended(self) -> str | None:
        """When the last of its files ended; None while one is cut off."""
        return None if self.cut_off else max(self.finished.values())


def header(path: Path, name: str) -> RunFile:
    """A file's header, checked; the rest is read only of a run that is used. Raises `Unusable`."""
    _, line = next(_lines(path), (0, b""))
    if not line:
        raise Unusable("the file is empty")
    first = _record(line)
    if first.get("kind") != "run":
        raise Unusable('the first line is not the header of a run ("kind": "run")')
    schema.check_version(first)
    schema.check(first, "run")
    own = schema.taken(first, "run")
    return RunFile(path, name, moment(first, "started"), first, own["run"], own["shard"], shards.read(first))


def grouped(files: Sequence[RunFile], notices: Notices) -> list[list[RunFile]]:
    """Runs as the files that each consists of, the newest run first.

    Files are of one run when they name the same ``run`` and were made in the same environment. Of two files of one
    worker (one is a copy that was cut off) the larger is used.
    """
    found: dict[tuple[str, str], dict[str, RunFile]] = {}
    for item in sorted(files, key=lambda item: (-item.path.stat().st_size, item.name)):
        run = ("run", f"{item.run}\n{identity(item.header['environment'])}") if item.run else ("file", str(item.path))
        own = found.setdefault(run, {})
        name = item.worker or item.name
        if name in own:
            notices.add(item.name, None, f"not used: {own[name].name} is of the same worker of the run, and larger")
        else:
            own[name] = item
    groups = [sorted(own.values(), key=lambda item: item.name) for own in found.values()]
    return _newest_first(_wholes(_newest_first(groups), notices))


def _newest_first(groups: Sequence[list[RunFile]]) -> list[list[RunFile]]:
    return sorted(groups, key=lambda group: min((item.started, item.name) for item in group), reverse=True)


def _wholes(groups: Sequence[list[RunFile]], notices: Notices) -> list[list[RunFile]]:
    """Shards run in one environment as one run; of two runs of one shard the newer is used."""
    found: dict[tuple[str, ...], dict[int, list[RunFile]]] = {}
    for position, group in enumerate(groups):
        shard = group[0].shard
        key = (str(position),) if shard is None else (shard.whole, identity(group[0].header["environment"]))
        parts, part = found.setdefault(key, {}), 0 if shard is None else shard.part
        if shard and part in parts:
            newer = parts[part][0].name
            notices.add(group[0].name, None, f"not used: {newer} is a newer run of shard {part} of {shard.of}")
        else:
            parts[part] = group
    return [[item for _, group in sorted(parts.items()) for item in group] for parts in found.values()]


def join_machines(found: Sequence[PropertiesRun]) -> None:
    """Let shards run on machines of several kinds make up a whole, unless two of them ran the same shard."""
    wholes: dict[str, list[PropertiesRun]] = {}
    for run in found:
        for whole in {shard.whole for shard in run.shards}:
            wholes.setdefault(whole, []).append(run)
    for runs in wholes.values():
        if shards.disjoint([run.shards for run in runs]):
            for run in runs:
                run.missing = shards.missing(shard for other in runs for shard in other.shards)


def read(files: Sequence[RunFile], notices: Notices, fold: bool = False) -> PropertiesRun:
    """The whole run that wrote ``files`` (at least one); raises `Unusable` if one cannot be read.

    ``fold``: of checks that passed or were not run, and of more of the same, counts alone are kept.
    """
    first = min(files, key=lambda item: (item.started, item.name))
    parts = tuple(sorted({item.shard for item in files if item.shard}))
    arguments = list(texts(first.header.get("arguments", [])))
    arguments = shards.without_option(arguments) if len(parts) > 1 else arguments
    run = PropertiesRun(
        tuple(item.name for item in files),
        first.run,
        first.started,
        {key: clean(first.header.get(key)) for key in _KEPT} | {"arguments": arguments},
        clean(first.header["environment"]),
        tuple(dict.fromkeys(subject for item in files for subject in texts(item.header.get("subjects", [])))),
        folded=Folded() if fold else None,
        shards=parts,
        missing=shards.missing(parts),
    )
    for item in files:
        _read_file(run, item, notices)
    if run.folded:
        told = f"of {len(run.folded):,} checks of its run counts alone are kept, in `folded` of results.json"
        notices.add(run.files[0], None, told)
    return run


def _read_file(run: PropertiesRun, item: RunFile, notices: Notices) -> None:
    unknown: Counter[str] = Counter()
    for number, line in _unfolded(run, _lines(item.path)):
        try:
            for remark in _read_line(run, line, item.name, unknown):
                notices.add(item.name, number, remark)
        except Unusable as error:
            run.unread += 1
            notices.add(item.name, number, f"line skipped: {error}")
    for kind, lines in sorted(unknown.items()):
        notices.add(item.name, None, f"not shown: {lines:,} of its lines are of kind {kind!r}, which is unknown here")


def _unfolded(run: PropertiesRun, lines: Iterator[tuple[int, bytes]]) -> Iterator[tuple[int, bytes]]:
    """The numbered lines of which more than counts is kept, in ``run`` or not at all."""
    if run.folded is None:
        yield from lines
        return
    while batch := list(itertools.islice(lines, BATCH)):
        found = [records.decoded(line, counts=True) if len(line) <= LONGEST_LINE else None for _, line in batch]
        taken = run.folded.take(found)
        yield from (numbered for numbered, folded in zip(batch, taken, strict=True) if not folded)


def _read_line(run: PropertiesRun, line: bytes, file: str, unknown: Counter[str]) -> list[str]:
    """Add one line to ``run``; returns remarks on what was mended in it."""
    if len(line) > LONGEST_LINE:
        raise Unusable(f"a line of more than {LONGEST_LINE:,} bytes")
    if plain := records.decoded(line):
        result, remarks = Result.taken(plain, plain.worst_share)
        run.results.append(result)
        return remarks
    if figure := records.plain_figure(line, run.drawn):
        run.figures += [figure] if figure.data else []
        return []
    return _take(run, _record(line), file, unknown)


def _take(run: PropertiesRun, line: Record, file: str, unknown: Counter[str]) -> list[str]:
    """The same of a line that is no result, or not plainly one."""
    sort = line.get("kind")
    if sort == "result":
        result, remarks = Result.read(line)
        run.results.append(result)
        return remarks
    if sort == "figure":
        run.figures.append(Figure.read(line))
        if run.folded is not None and run.figures[-1].name in DRAWN_ONCE:
            run.drawn.add(run.figures[-1].name)
    elif sort == "fault":
        run.faults.append(Fault.read(line))
    elif sort == "end":
        schema.check(line, "end")
        end = schema.taken(line, "end")
        run.exitstatus = max(run.exitstatus, end["exitstatus"])
        run.finished[file] = end["finished"]
        if end["peak_mib"] is not None:  # each file's process has memory of its own
            run.peak_mib = (run.peak_mib or 0) + end["peak_mib"]
    elif sort != "run":
        if not isinstance(sort, str) or not sort:
            raise Unusable(f"kind is {described(sort)}, not text")
        unknown[text(sort, 40)] += 1
    return []


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    try:
        with path.open("rb") as handle:
            for number, line in enumerate(iter(partial(handle.readline, LONGEST_LINE + 1), b""), 1):
                if not line.isspace():
                    yield number, line
                while len(line) > LONGEST_LINE and not line.endswith(b"\n"):  # the rest of it is passed over
                    line = handle.readline(LONGEST_LINE + 1)
    except OSError as error:
        raise Unusable(f"cannot be read ({error.strerror})") from None


def _record(line: bytes) -> Record:
    if len(line) > LONGEST_LINE:
        raise Unusable(f"a line of more than {LONGEST_LINE:,} bytes")
    return record(parse(line), "the line")
