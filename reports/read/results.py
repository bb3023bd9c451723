"""A report read back: ``results.json``, of ``build`` or of ``merge``, as untrusted as evidence."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from reports.read.benchmarks import Benchmark
from reports.read.load import LARGEST_FILE
from reports.read.records import STATUSES, Check, Result
from reports.read.runs import SCHEMA_VERSION
from reports.read.untrusted import Record, Unusable, clean, parse, record, schema, string

LARGEST_REPORT = 4 * LARGEST_FILE


@dataclass
class Report:
    """By environment its checks (the worst row of each) and its benchmarks; ``unread`` counts entries left out."""

    path: Path
    environments: dict[str, dict[str, Any]] = field(default_factory=dict)
    checks: dict[str, dict[Check, Result]] = field(default_factory=dict)
    benchmarks: dict[str, dict[str, Benchmark]] = field(default_factory=dict)
    unread: int = 0


def read(path: Path) -> Report:
    """The report at ``path``, a ``results.json`` or a folder that holds one; raises `Unusable`."""
    file = path / "results.json" if path.is_dir() else path
    if not file.is_file():
        raise Unusable(f"{path}: no results.json there; name the file, or the folder that `reports build` wrote")
    try:
        if file.stat().st_size > LARGEST_REPORT:
            raise Unusable(f"larger than {LARGEST_REPORT:,} bytes")
        whole = record(parse(file.read_bytes()), "the file")
        schema(whole, SCHEMA_VERSION)
        return _report(path, whole)
    except OSError as error:
        raise Unusable(f"{file}: cannot be read ({error.strerror})") from None
    except Unusable as error:
        raise Unusable(f"{file}: {error}; name a results.json that `reports build` wrote") from None


def _report(path: Path, whole: Record) -> Report:
    report = Report(path)
    for entry in _records(whole, "environments", report):
        name = string(entry, "id")
        recorded = clean(record(entry.get("environment"), "environment"))
        report.environments[name] = {"name": string(entry, "name", name), "environment": recorded}
    for entry in _records(whole, "results", report):
        try:
            row, _ = Result.read(entry)
            own = report.checks.setdefault(string(entry, "environment"), {})
        except Unusable:
            report.unread += 1
            continue
        if row.check not in own or STATUSES.index(row.status) < STATUSES.index(own[row.check].status):
            own[row.check] = row
    for entry in _records(whole, "benchmarks", report):
        try:
            benchmark = Benchmark.read({**entry, "stats": {"data": entry.get("samples")}})
            report.benchmarks.setdefault(string(entry, "environment"), {}).setdefault(benchmark.fullname, benchmark)
        except Unusable:
            report.unread += 1
    if not report.environments:
        raise Unusable("environments is empty")
    return report


def _records(whole: Record, key: str, report: Report) -> Iterator[Record]:
    entries = whole.get(key)
    if not isinstance(entries, list):
        raise Unusable(f"{key} is not a list")
    for entry in entries:
        if isinstance(entry, dict):
            yield entry
        else:
            report.unread += 1
