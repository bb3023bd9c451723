"""Evidence files of a run: find them, read them, and say what could not be read.

A folder may hold many runs. Of the property runs the newest complete one is taken (its last line says that it
ended); only when there is none, the newest incomplete one. Of the benchmark files, the newest. "Newest" goes by the
time written inside, not by the file's own date, which a copy changes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from reports.records import Benchmark, Figure, Result
from reports.untrusted import Record, Unusable, clean, count, moment, optional, parse, record, schema, string, strings

SCHEMA_VERSION = 1
PROPERTIES = "properties-*.jsonl"
BENCHMARKS = "benchmark-*.json"
LONGEST_LINE = 4_000_000
MOST_NOTICES = 200


@dataclass(frozen=True)
class Notice:
    """One thing that was not used, or was mended, and why; ``line`` is None when it is the whole file."""

    file: str
    line: int | None
    problem: str


@dataclass
class PropertiesRun:
    """One run of the properties: what its header says, its rows, and whether it reached its end."""

    file: str
    started: datetime
    header: dict[str, Any]
    environment: dict[str, Any]
    subjects: tuple[str, ...]
    results: list[Result] = field(default_factory=list)
    figures: list[Figure] = field(default_factory=list)
    unread: int = 0
    finished: str | None = None
    exitstatus: int | None = None

    @property
    def complete(self) -> bool:
        """The run wrote its last line."""
        return self.finished is not None


@dataclass
class BenchmarkRun:
    """One file of benchmarks."""

    file: str
    made: datetime
    environment: dict[str, Any]
    benchmarks: list[Benchmark] = field(default_factory=list)
    not_run: list[tuple[str, str]] = field(default_factory=list)


@dataclass
class Evidence:
    """What a report is made of. At least one of the two runs is there."""

    properties: PropertiesRun | None
    benchmarks: BenchmarkRun | None
    notices: list[Notice]


def load(sources: Sequence[Path]) -> Evidence:
    """Read the evidence in ``sources``, folders or single files.

    Raises `Unusable` when a source is missing, when a file that was named itself cannot be read, and when nothing
    usable is left.
    """
    notices: list[Notice] = []
    runs: list[tuple[datetime, Path]] = []
    benches: list[BenchmarkRun] = []
    for path, explicit in _files(sources):
        try:
            if path.suffix == ".json":
                benches.append(_benchmark_run(path, notices))
            else:
                runs.append((moment(_header(path), "started"), path))
        except Unusable as error:
            if explicit:
                raise Unusable(f"{path}: {error}; give a file that pytest wrote, or the folder that holds it") from None
            _note(notices, path.name, None, f"not used: {error}")
    properties = _newest_run(runs, notices)
    benchmarks = max(benches, key=lambda run: (run.made, run.file), default=None)
    if properties is None and benchmarks is None:
        raise Unusable(_nothing(sources, notices))
    return Evidence(properties, benchmarks, notices)


def _files(sources: Sequence[Path]) -> Iterator[tuple[Path, bool]]:
    for source in sources:
        if source.is_dir():
            yield from ((path, False) for path in sorted([*source.glob(PROPERTIES), *source.glob(BENCHMARKS)]))
        elif source.exists():
            yield source, True
        else:
            raise Unusable(f"{source} does not exist; run `tox` first, or name the folder that holds {PROPERTIES}")


def _nothing(sources: Sequence[Path], notices: Sequence[Notice]) -> str:
    where = ", ".join(map(str, sources))
    if not notices:
        return f"{where} holds neither {PROPERTIES} nor {BENCHMARKS}; run `tox` first, or name the folder that does"
    first = notices[0]
    return f"{where} holds no usable file (the first, {first.file}, {first.problem}); run `tox` again"


def _note(notices: list[Notice], file: str, line: int | None, problem: str) -> None:
    if len(notices) < MOST_NOTICES:
        notices.append(Notice(file, line, problem))
    elif len(notices) == MOST_NOTICES:
        notices.append(Notice("…", None, f"more problems than the {MOST_NOTICES} listed here"))


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    try:
        with path.open("rb") as handle:
            for number, line in enumerate(handle, 1):
                if line.strip():
                    yield number, line
    except OSError as error:
        raise Unusable(f"cannot be read ({error.strerror})") from None


def _record(line: bytes) -> Record:
    if len(line) > LONGEST_LINE:
        raise Unusable(f"a line of {len(line):,} bytes, more than {LONGEST_LINE:,}")
    return record(parse(line), "the line")


def _header(path: Path) -> Record:
    """First line of a properties file, checked; the rest is read only of the run that is used."""
    _, line = next(_lines(path), (0, b""))
    if not line:
        raise Unusable("the file is empty")
    header = _record(line)
    if header.get("kind") != "run":
        raise Unusable('the first line is not the header of a run ("kind": "run")')
    schema(header, SCHEMA_VERSION)
    moment(header, "started")
    record(header.get("environment"), "environment")
    strings(header, "subjects")
    strings(header, "arguments")
    return header


def _newest_run(runs: Sequence[tuple[datetime, Path]], notices: list[Notice]) -> PropertiesRun | None:
    incomplete: tuple[PropertiesRun, list[Notice]] | None = None
    for _, path in sorted(runs, key=lambda pair: (pair[0], pair[1].name), reverse=True):
        found: list[Notice] = []
        run = _properties_run(path, found)
        if run.complete:
            if incomplete is not None:
                _note(notices, incomplete[0].file, None, f"not used: killed before its end; {run.file} is used instead")
            notices.extend(found)
            return run
        incomplete = incomplete or (run, found)
    if incomplete is None:
        return None
    notices.extend(incomplete[1])
    return incomplete[0]


def _properties_run(path: Path, notices: list[Notice]) -> PropertiesRun:
    header = _header(path)
    kept = ("suite", "started", "profile", "seed")
    run = PropertiesRun(
        path.name,
        moment(header, "started"),
        {key: clean(header.get(key)) for key in kept} | {"arguments": list(strings(header, "arguments"))},
        clean(header["environment"]),
        strings(header, "subjects"),
    )
    for number, line in _lines(path):
        try:
            for remark in _take(run, _record(line)):
                _note(notices, run.file, number, remark)
        except Unusable as error:
            run.unread += 1
            _note(notices, run.file, number, f"line skipped: {error}")
    return run


def _take(run: PropertiesRun, line: Record) -> list[str]:
    """Add one line to ``run``; returns remarks on what was mended in it."""
    kind = line.get("kind")
    if kind == "result":
        result, remarks = Result.read(line)
        run.results.append(result)
        return remarks
    if kind == "figure":
        run.figures.append(Figure.read(line))
    elif kind == "end":
        run.exitstatus = count(line, "exitstatus")
        run.finished = string(line, "finished")
    elif kind != "run":
        raise Unusable('kind is none of "run", "result", "figure", "end"')
    return []


def _benchmark_run(path: Path, notices: list[Notice]) -> BenchmarkRun:
    try:
        whole = record(parse(path.read_bytes()), "the file")
    except OSError as error:
        raise Unusable(f"cannot be read ({error.strerror})") from None
    schema(whole, SCHEMA_VERSION)
    machine = record(whole.get("machine_info"), "machine_info")
    entries, idle = whole.get("benchmarks"), whole.get("not_run") or []
    if not isinstance(entries, list) or not isinstance(idle, list):
        raise Unusable("benchmarks or not_run is not a list")
    environment = clean(record(machine.get("environment", {}), "environment"))
    run = BenchmarkRun(path.name, moment(whole, "datetime"), environment)
    for position, entry in enumerate(entries, 1):
        try:
            run.benchmarks.append(Benchmark.read(record(entry, "the entry")))
        except Unusable as error:
            _note(notices, run.file, None, f"benchmark {position} skipped: {error}")
    for entry in idle:
        try:
            item = record(entry, "the entry")
            run.not_run.append((string(item, "name"), optional(item, "reason") or "no reason given"))
        except Unusable as error:
            _note(notices, run.file, None, f"an entry of not_run skipped: {error}")
    return run
