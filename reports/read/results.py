"""A report read back: ``results.json``, of ``build`` or of ``merge``, as untrusted as evidence."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from reports.read import schema
from reports.read.benchmarks import Benchmark
from reports.read.load import LARGEST_FILE
from reports.read.records import STATUSES, Check, Result
from reports.read.untrusted import Record, Unusable, parse, record

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
        schema.check_version(whole)
        schema.check(whole, "report")
        return _report(path, whole)
    except OSError as error:
        raise Unusable(f"{file}: cannot be read ({error.strerror})") from None
    except Unusable as error:
        raise Unusable(f"{file}: {error}; name a results.json that `reports build` wrote") from None


def _report(path: Path, whole: Record) -> Report:
    report = Report(path)
    for entry in whole["environments"]:
        own = schema.taken(entry, "place")
        report.environments[own["id"]] = {"name": own["name"] or own["id"], "environment": own["environment"]}
    for entry in _records(whole, "results", report):
        try:
            row, _ = Result.read(entry)
            checks = report.checks.setdefault(_place(entry), {})
        except Unusable:
            report.unread += 1
            continue
        if row.check not in checks or STATUSES.index(row.status) < STATUSES.index(checks[row.check].status):
            checks[row.check] = row
    for entry in _records(whole, "folded", report):
        try:
            checks = report.checks.setdefault(_place(entry), {})
            for row in Result.unfolded(entry):
                checks.setdefault(row.check, row)
        except Unusable:
            report.unread += 1
    for entry in _records(whole, "benchmarks", report):
        try:
            benchmark = Benchmark.read({**entry, "stats": {"data": entry.get("samples")}})
            report.benchmarks.setdefault(_place(entry), {}).setdefault(benchmark.fullname, benchmark)
        except Unusable:
            report.unread += 1
    return report


def _records(whole: Record, key: str, report: Report) -> Iterator[Record]:
    for entry in whole.get(key, []):
        if isinstance(entry, dict):
            yield entry
        else:
            report.unread += 1


def _place(entry: Record) -> str:
    schema.check(entry, "placed")
    return schema.taken(entry, "placed")["environment"]
