"""Command line of the reports: ``python -m reports build``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from reports.untrusted import Unusable

GENERATED = Path(__file__).with_name("generated")
EVIDENCE = GENERATED / "evidence"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit code: 0 a report was written (its verdict is in it), 2 bad input."""
    options = _parser().parse_args(arguments)
    try:
        return _build(options.evidence or [EVIDENCE], options.output)
    except Unusable as error:
        print(f"reports: --evidence: {error}", file=sys.stderr)
    except OSError as error:
        place = options.output if error.filename is None else error.filename
        print(f"reports: --output {options.output}: cannot write {place} ({error.strerror});"
              " name a folder that can be written", file=sys.stderr)  # fmt: skip
    return 2


def _build(sources: Sequence[Path], output: Path) -> int:
    from reports.load import load  # here, so that --help does not wait for pandas and matplotlib
    from reports.report import render
    from reports.write import write

    evidence = load(sources)
    write(output, render(evidence, output))
    for notice in evidence.notices:
        line = "" if notice.line is None else f", line {notice.line}"
        print(f"reports: {notice.file}{line}: {notice.problem}".replace("\n", " "), file=sys.stderr)
    print(f"wrote {output / 'index.html'} and, beside it, summary.md, results.json and samples.csv")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m reports", description="Reports from the evidence of a run.")
    commands = parser.add_subparsers(dest="command", required=True)
    build = commands.add_parser(
        "build",
        help="write index.html, summary.md, results.json and samples.csv",
        description="Write a report of the newest complete run of the properties and the newest benchmarks.",
    )
    build.add_argument(
        "--evidence",
        type=Path,
        action="append",
        metavar="PATH",
        help=f"a folder of evidence, or one file of it; may be repeated (default: {_relative(EVIDENCE)})",
    )
    build.add_argument(
        "--output",
        type=Path,
        default=GENERATED,
        metavar="DIR",
        help=f"where the report goes (default: {_relative(GENERATED)})",
    )
    return parser


def _relative(path: Path) -> str:
    return str(path.relative_to(Path(__file__).parent.parent))


if __name__ == "__main__":
    sys.exit(main())
