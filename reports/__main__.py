"""Command line of the reports: ``python -m reports build|merge|compare|sample|upstream``."""

from __future__ import annotations

import argparse
import gc
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from reports.read.untrusted import Unusable

if TYPE_CHECKING:
    from reports.read.load import Evidence

GENERATED = Path(__file__).with_name("generated")
EVIDENCE = GENERATED / "evidence"
SAMPLE = Path(__file__).with_name("sample")
SOURCES = {"upstream": "--evidence", "build": "--evidence", "merge": "PATH", "compare": "A B", "sample": "--evidence"}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit code.

    0: a report was written (its verdict is in it), or nothing got worse; 1: ``compare`` found that something broke or
    got slower; 2: bad input.
    """
    options = _parser().parse_args(arguments)
    try:
        with _uncollected():
            return int(options.run(options))
    except Unusable as error:
        print(f"reports: {SOURCES[options.command]}: {error}".replace("\n", " "), file=sys.stderr)
    except OSError as error:
        place = options.output if error.filename is None else error.filename
        print(f"reports: --output {options.output}: cannot write {place} ({error.strerror});"
              " name a place that can be written", file=sys.stderr)  # fmt: skip
    return 2


@contextmanager
def _uncollected() -> Iterator[None]:
    """Do not look for cycles: of a million checks each is looked at many times, and next to none is in a cycle."""
    before = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if before:
            gc.enable()


def _build(options: argparse.Namespace) -> int:
    from reports.read.load import load

    return _write(load(options.evidence or [EVIDENCE]), options.output)


def _merge(options: argparse.Namespace) -> int:
    from reports.read.load import join

    return _write(join(options.paths), options.output)


def _write(evidence: Evidence, output: Path) -> int:
    from reports.draw.report import render
    from reports.write import write

    write(output, render(evidence, output))
    for notice in evidence.notices:
        line = "" if notice.line is None else f", line {notice.line}"
        print(f"reports: {notice.file}{line}: {notice.problem}".replace("\n", " "), file=sys.stderr)
    print(f"wrote {output / 'index.html'} and, beside it, summary.md, results.json and samples.csv")
    return 0


def _compare(options: argparse.Namespace) -> int:
    from reports.draw.compare_text import as_markdown, text
    from reports.read.results import read
    from reports.tell.compare import compare, times_two_torches
    from reports.write import write

    one = read(options.a)
    if not options.b and not times_two_torches(one):
        raise Unusable(f"{options.a} times no two torches; give the newer report, too")
    other = read(options.b) if options.b else one
    comparison = compare(one, other, options.noise_floor)
    if options.output:
        write(options.output.parent, {options.output.name: as_markdown(one, other, comparison)})
    print(text(one, other, comparison), end="")
    return int(comparison.worse)


def _sample(options: argparse.Namespace) -> int:
    from reports.make_sample import sample

    for path in sample(options.evidence or [EVIDENCE], options.output):
        print(f"wrote {path}")
    return 0


def _upstream(options: argparse.Namespace) -> int:
    from reports.draw.report import issue_text
    from reports.draw.upstream import waiting
    from reports.read.load import load
    from reports.write import write

    evidence = load(options.evidence or [EVIDENCE])
    if not options.names:
        print("\n".join(waiting(evidence)) or "nothing waits to be reported")
        return 0
    folder = options.output / "upstream"
    write(folder, {f"{name}.md": issue_text(evidence, name, options.output) for name in options.names})
    for name in options.names:
        print(f"wrote {folder / name}.md")
    return 0


def _floor(value: str) -> float:
    floor = float(value)
    if not 0 <= floor < 1:
        raise argparse.ArgumentTypeError(f"{value} is not a share from 0 to less than 1, such as 0.02")
    return floor


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m reports", description="Reports from the evidence of runs.")
    commands = parser.add_subparsers(dest="command", required=True)

    build = commands.add_parser(
        "build",
        help="write index.html, summary.md, results.json and samples.csv",
        description="Write a report of the newest complete run of the properties and the newest benchmarks.",
    )
    _evidence(build)
    _output(build, GENERATED)
    build.set_defaults(run=_build)

    merge = commands.add_parser(
        "merge",
        help="write one report of runs from several machines",
        description="Write one report of all runs found, grouped by environment. "
        "Shards of one run are joined, and those that are missing are named.",
    )
    merge.add_argument("paths", type=Path, nargs="+", metavar="PATH", help="a file of evidence, or a folder, searched")
    merge.add_argument("--output", type=Path, required=True, metavar="DIR", help="where the report goes")
    merge.set_defaults(run=_merge)

    compare = commands.add_parser(
        "compare",
        help="say what broke, what got fixed and what got slower between two reports",
        description="Compare report B, the newer, with report A, and the two torches that B timed. "
        "Without B: the two torches that A timed. Exits 1 when something broke or got slower.",
    )
    compare.add_argument("a", type=Path, metavar="A", help="a results.json, or the folder of a report")
    compare.add_argument("b", type=Path, metavar="B", nargs="?", help="the same of the newer report")
    compare.add_argument("--output", type=Path, metavar="FILE", help="write the same as Markdown, too")
    compare.add_argument(
        "--noise-floor", type=_floor, metavar="SHARE", help="what change of time is noise (default: as measured)"
    )
    compare.set_defaults(run=_compare)

    sample = commands.add_parser(
        "sample",
        help="make the sample that the README shows",
        description="Write summary.md and, with Chromium, report.png of the newest run.",
    )
    _evidence(sample)
    _output(sample, SAMPLE)
    sample.set_defaults(run=_sample)

    upstream = commands.add_parser(
        "upstream",
        help="write the text of an issue about an entry of the ledger, or about a find",
        description="Write the text of an issue below DIR/upstream, ready to be posted. "
        "Without a name, the entries of which no issue is known are listed.",
    )
    upstream.add_argument("names", nargs="*", metavar="ID", help="an entry of the ledger, or a script of a find")
    _evidence(upstream)
    _output(upstream, GENERATED)
    upstream.set_defaults(run=_upstream)
    return parser


def _evidence(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--evidence",
        type=Path,
        action="append",
        metavar="PATH",
        help=f"a folder of evidence, or one file of it; may be repeated (default: {_relative(EVIDENCE)})",
    )


def _output(parser: argparse.ArgumentParser, default: Path) -> None:
    parser.add_argument(
        "--output",
        type=Path,
        default=default,
        metavar="DIR",
        help=f"where the report goes (default: {_relative(default)})",
    )


def _relative(path: Path) -> str:
    return str(path.relative_to(Path(__file__).parent.parent))


if __name__ == "__main__":
    sys.exit(main())
