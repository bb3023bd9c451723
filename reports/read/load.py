"""Evidence: find it, decide what of it belongs together, and say what could not be used.

``load`` makes one report of one place: of the runs of the properties the newest complete one that checked anything
(only where there is none, the newest incomplete one), and of the benchmark files the newest. "Newest" goes by the
time written inside, not by the file's own date, which a copy changes. ``join`` takes all runs that it is given, and
groups them by environment; of two rows on the same check in one environment the newer counts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import file_digest
from pathlib import Path
from typing import Any

from reports.read import environments, runs, schema
from reports.read.benchmarks import Benchmark
from reports.read.notices import Notices
from reports.read.records import FAILED, Check
from reports.read.runs import PropertiesRun, RunFile
from reports.read.untrusted import Unusable, clean, moment, parse, record, text

PROPERTIES = "properties-*.jsonl"
BENCHMARKS = "benchmark-*.json"
LARGEST_FILE = 2**28
FOLDED = 2**26
"""Bytes of evidence, about 90,000 results, beyond which results are folded (`reports.read.folded`)."""

File = tuple[Path, str, bool]


@dataclass
class BenchmarkRun:
    """One file of benchmarks."""

    file: str
    made: datetime
    environment: dict[str, Any]
    benchmarks: list[Benchmark] = field(default_factory=list)
    not_run: list[tuple[str, str]] = field(default_factory=list)


@dataclass
class Place:
    """What was found in one environment; runs and benchmarks are the newest first, and not both empty."""

    id: str
    name: str
    runs: list[PropertiesRun] = field(default_factory=list)
    benches: list[BenchmarkRun] = field(default_factory=list)

    @property
    def environment(self) -> dict[str, Any]:
        """What was checked; what was timed, where nothing was checked."""
        return (self.runs or self.benches)[0].environment


@dataclass
class Evidence:
    """What a report is made of: at least one place."""

    places: list[Place]
    notices: Notices

    @property
    def runs(self) -> list[PropertiesRun]:
        """The runs of all places."""
        return [run for place in self.places for run in place.runs]

    @property
    def benches(self) -> list[BenchmarkRun]:
        """The files of benchmarks of all places."""
        return [bench for place in self.places for bench in place.benches]

    @property
    def several(self) -> bool:
        """True if there is more than one place, so that names must say which."""
        return len(self.places) > 1


def load(sources: Sequence[Path]) -> Evidence:
    """The newest run in these folders and files; raises `Unusable` when they hold nothing that a report can show.

    A file that is named itself must be usable; one that merely lies in a folder is skipped and named.
    """
    notices = Notices()
    groups, benches = _found(_files(sources), notices)
    run = _newest(groups, notices)
    if run is None and not benches:
        raise Unusable(_nothing(sources, notices))
    _tell_missing([run] if run else [], notices)
    place = Place("e1", "", [run] if run else [], _latest(benches))
    place.name = environments.name(place.environment)
    return Evidence([place], notices)


def join(sources: Sequence[Path]) -> Evidence:
    """All runs in these folders (with the folders inside them) and files, grouped by environment.

    Raises `Unusable` like `load`.
    """
    notices = Notices()
    groups, benches = _found(_files(sources, deep=True), notices)
    fold = _bytes(item for group in groups for item in group) > FOLDED
    read = [run for group in groups if (run := _read(group, notices, fold))]
    if not read and not benches:
        raise Unusable(_nothing(sources, notices))
    runs.join_machines(read)
    found: dict[str, Place] = {}
    for run in read:
        found.setdefault(environments.identity(run.environment), Place("", "")).runs.append(run)
    for bench in benches:
        found.setdefault(environments.identity(bench.environment), Place("", "")).benches.append(bench)
    ordered = sorted(
        found.items(), key=lambda item: (not item[1].runs, environments.name(item[1].environment), item[0])
    )
    titles = environments.names([place.environment for _, place in ordered])
    for position, (_, place) in enumerate(ordered):
        place.id, place.name = f"e{position + 1}", titles[position]
        _newest_rows(place, notices)
        _newest_benchmarks(place)
        _tell_missing(place.runs, notices)
    return Evidence([place for _, place in ordered], notices)


def _tell_missing(found: Sequence[PropertiesRun], notices: Notices) -> None:
    for run in found:
        if run.lack:
            notices.add(run.files[0], None, f"its run is incomplete: {run.lack}")


def _newest_rows(place: Place, notices: Notices) -> None:
    """Keep one run's row of each check: the newest that ran, or the newest if none did."""
    if len(place.runs) < 2:
        return
    chosen: dict[Check, tuple[int, str]] = {}
    for position, run in enumerate(place.runs):
        for check, status in run.checks():
            if check not in chosen or (chosen[check][1] == "not run" != status):
                chosen[check] = (position, status)
    for position, run in enumerate(place.runs):
        kept = [chosen[check][0] == position for check, _ in run.checks()]
        if not all(kept):
            gone = [(check, status) for keep, (check, status) in zip(kept, run.checks(), strict=True) if not keep]
            worse = sum(status in FAILED and chosen[check][1] not in FAILED for check, status in gone)
            loud = f"; {worse:,} of them had diverged or failed, and no longer do" if worse else ""
            notices.add(run.files[0], None, f"{len(gone):,} rows superseded by other runs of the same checks{loud}")
            run.keep(kept)
    spent = [run for run in place.runs[1:] if not (run.checked or run.faults or run.complete)]
    place.runs = [run for run in place.runs if run not in spent]


def _latest(benches: Sequence[BenchmarkRun]) -> list[BenchmarkRun]:
    """The newest benchmarks, and of one machine with them the newest of each kind that those before do not have.

    A run of the peers alone does not hide the recipes, nor the other way round.
    """
    chosen: list[BenchmarkRun] = []
    kinds: set[str] = set()
    for bench in benches:
        if chosen and not environments.one_machine(chosen[0].environment, bench.environment):
            continue
        bench.benchmarks = [item for item in bench.benchmarks if item.kind not in kinds] if chosen else bench.benchmarks
        if bench.benchmarks or not chosen:
            chosen.append(bench)
            kinds |= {item.kind for item in bench.benchmarks}
    ran = {item.name for bench in chosen for item in bench.benchmarks}
    told: set[str] = set()
    for bench in sorted(chosen, key=lambda bench: len(bench.not_run)):  # the one of few benchmarks knows them best
        bench.not_run = [idle for idle in bench.not_run if idle[0] not in ran | told]
        told |= {name for name, _ in bench.not_run}
    return chosen


def _newest_benchmarks(place: Place) -> None:
    """Keep of each benchmark the newest."""
    seen: set[str] = set()
    for bench in place.benches:
        bench.benchmarks = [item for item in bench.benchmarks if item.fullname not in seen]
        seen |= {item.fullname for item in bench.benchmarks}


def _newest(groups: Sequence[Sequence[RunFile]], notices: Notices) -> PropertiesRun | None:
    """The newest complete run with rows; failing that, the newest with rows; failing that, the newest."""
    best: PropertiesRun | None = None
    read: list[tuple[PropertiesRun, Notices]] = []
    for group in groups:
        remarks = Notices()
        run = _read(group, remarks, _bytes(group) > FOLDED)
        if run is None:
            notices.extend(remarks)
            continue
        read.append((run, remarks))
        if best is None or _worth(run) > _worth(best):
            best = run
        if _worth(run) == (True, True):
            break
    for run, remarks in read:
        if best is not None and run is not best:
            _pass_over(run, best, remarks)
        notices.extend(remarks)
    return best


def _worth(run: PropertiesRun) -> tuple[bool, bool]:
    return run.checked, run.complete


def _pass_over(run: PropertiesRun, best: PropertiesRun, remarks: Notices) -> None:
    """A newer run of the suite's own tests, or an audit, adds what it tells; any other is named and not used."""
    if (
        not run.checked
        and (run.faults or any(figure.name == "audit" for figure in run.figures))
        and environments.identity(run.environment) == environments.identity(best.environment)
    ):
        best.faults += run.faults
        best.figures += run.figures
        return
    why = "it checked nothing" if run.complete else run.lack or "cut off before its end"
    remarks.clear()
    remarks.add(run.files[0], None, f"not used: {why}; {best.files[0]} is used instead")


def _bytes(files: Iterable[RunFile]) -> int:
    return sum(item.path.stat().st_size for item in files)


def _read(group: Sequence[RunFile], notices: Notices, fold: bool) -> PropertiesRun | None:
    try:
        return runs.read(group, notices, fold)
    except Unusable as error:
        notices.add(group[0].name, None, f"not used: {error}")
        return None


def _found(files: Iterator[File], notices: Notices) -> tuple[list[list[RunFile]], list[BenchmarkRun]]:
    """The property runs, each as its files, and the benchmark files; both the newest first."""
    headers: list[RunFile] = []
    benches: list[BenchmarkRun] = []
    for path, name, explicit in _once(files, notices):
        try:
            if path.suffix == ".json":
                benches.append(_benchmark_run(path, name, notices))
            else:
                headers.append(runs.header(path, name))
        except Unusable as error:
            if explicit:
                raise Unusable(f"{path}: {error}; give a file that pytest wrote, or the folder that holds it") from None
            notices.add(name, None, f"not used: {error}")
    benches.sort(key=lambda item: (item.made, item.file), reverse=True)
    return runs.grouped(headers, notices), benches


def _files(sources: Sequence[Path], deep: bool = False) -> Iterator[File]:
    """Every file, what the report calls it, and whether it was named itself."""
    for source in sources:
        if source.is_dir():
            found = source.rglob if deep else source.glob
            for path in sorted([*found(PROPERTIES), *found(BENCHMARKS)]):
                yield path, text(str(path.relative_to(source.parent)) if deep else path.name), False
        elif source.exists():
            yield source, text(source.name), True
        else:
            raise Unusable(f"{source} does not exist; run `tox` first, or name the folder that holds {PROPERTIES}")


def _once(files: Iterator[File], notices: Notices) -> Iterator[File]:
    """Leave out what is no regular file, and copies of a file that is there already."""
    found = []
    for path, name, explicit in files:
        if path.is_file():
            found.append((path, name, explicit))
        elif explicit:
            raise Unusable(f"{path}: not a regular file; give a file that pytest wrote")
        else:
            notices.add(name, None, "not used: not a regular file")
    sizes = Counter(path.stat().st_size for path, _, _ in found)
    first: dict[str, tuple[Path, str]] = {}
    for path, name, explicit in found:
        alone = sizes[path.stat().st_size] == 1  # no other can be a copy of it, so it need not be read for that
        copied, called = (path, name) if alone else first.setdefault(_digest(path), (path, name))
        if copied is path:
            yield path, name, explicit
        elif not copied.samefile(path):
            notices.add(name, None, f"not used: a copy of {called}")


def _digest(path: Path) -> str:
    with path.open("rb") as handle:
        return file_digest(handle, "sha256").hexdigest()


def _nothing(sources: Sequence[Path], notices: Notices) -> str:
    where = ", ".join(map(str, sources))
    first = next(iter(notices), None)
    if first is None:
        return f"{where} holds neither {PROPERTIES} nor {BENCHMARKS}; run `tox` first, or name the folder that does"
    return f"{where} holds no usable file (the first, {first.file}, {first.problem}); run `tox` again"


def _benchmark_run(path: Path, name: str, notices: Notices) -> BenchmarkRun:
    try:
        if path.stat().st_size > LARGEST_FILE:
            raise Unusable(f"larger than {LARGEST_FILE:,} bytes")
        whole = record(parse(path.read_bytes()), "the file")
    except OSError as error:
        raise Unusable(f"cannot be read ({error.strerror})") from None
    schema.check_version(whole)
    schema.check(whole, "benchmarks")
    run = BenchmarkRun(name, moment(whole, "datetime"), clean(whole["machine_info"].get("environment", {})))
    for position, entry in enumerate(whole["benchmarks"], 1):
        try:
            run.benchmarks.append(Benchmark.read(record(entry, "the entry")))
        except Unusable as error:
            notices.add(name, None, f"benchmark {position} skipped: {error}")
    for entry in whole.get("not_run") or []:
        try:
            schema.check(entry, "idle_benchmark", "the entry")
            item = schema.taken(entry, "idle_benchmark")
            run.not_run.append((item["name"], item["reason"] or "no reason given"))
        except Unusable as error:
            notices.add(name, None, f"an entry of not_run skipped: {error}")
    return run
