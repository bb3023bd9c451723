"""``python -m properties.ledger``: how much torch is known to get wrong, and all that is known of one defect."""

from __future__ import annotations

import argparse
import inspect
import pprint
import sys
import textwrap
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from properties.ledger.known import LEDGER
from properties.ledger.record import OUT_OF_RANGE, SEVERITIES, Divergence, nearest

ROOT = Path(__file__).resolve().parents[2]
WIDTH = 100


def main(arguments: list[str] | None = None) -> int:
    """Print counts, or what a name stands for. Returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m properties.ledger",
        description="Count what torch is known to get wrong, or tell all that is known of one defect.",
    )
    parser.add_argument(
        "name",
        nargs="?",
        metavar="NAME",
        help="an entry, of which all is told, or a component, whose entries are listed",
    )
    name = parser.parse_args(arguments).name
    entries = {entry.id: entry for entry in LEDGER}
    components = sorted({entry.component for entry in LEDGER})
    if name is None:
        lines = counts()
    elif name in entries:
        lines = story(entries[name])
    elif name in components:
        lines = (f"{entry.id}: {entry.severity}" for entry in LEDGER if entry.component == name)
    else:
        print(
            f"no entry and no component is called {name!r}; {nearest(name, [*entries, *components])}", file=sys.stderr
        )
        return 2
    print("\n".join(lines))
    return 0


def counts() -> Iterator[str]:
    """How many entries there are: in all, by severity, by component and by release."""
    yield f"{len(LEDGER)} entries"
    severities = Counter(entry.severity for entry in LEDGER)
    yield from _table("by severity", {severity: severities[severity] for severity in SEVERITIES})
    yield from _table("by component", dict(sorted(Counter(entry.component for entry in LEDGER).items())))
    releases = Counter(f"seen in torch {entry.seen}" for entry in LEDGER)
    releases.update(f"fixed in torch {entry.fixed}" for entry in LEDGER if entry.fixed)
    yield from _table("by release", releases)


def _table(title: str, rows: dict[str, int]) -> Iterator[str]:
    yield f"\n{title}"
    yield from (f"{count:5}  {name}" for name, count in rows.items())


def story(entry: Divergence) -> Iterator[str]:
    """All that is known of one defect."""
    yield f"{entry.id}: {entry.severity} in {entry.component}\n"
    yield textwrap.fill(f"What happens: {entry.what}.", WIDTH)
    yield textwrap.fill(f"Why that is wrong: {entry.why}.", WIDTH)
    yield ""
    laws = entry.laws or (f"all but {', '.join(law for law in OUT_OF_RANGE if law not in entry.also)}",)
    processor = [f"with {entry.having}"] if entry.having else []
    processor += [f"without {entry.lacking}"] if entry.lacking else []
    processor += [f"without {entry.served_with}, or with oneDNN off"] if entry.served_with else []
    facts = {"operators": entry.operators, "laws": laws, "devices": entry.devices, "dtypes": entry.dtypes}
    facts |= {"modes": entry.modes, "processors": tuple(processor) or ("any",)}
    facts |= {"torch": (f"seen in {entry.seen}", f"fixed in {entry.fixed}" if entry.fixed else "not fixed yet")}
    facts |= {"memory": ("overwrites what is not its own",)} if entry.overwrites else {}
    facts |= {"upstream": (entry.upstream or "no issue",), "predicate": (_place(entry),)}
    for name, values in facts.items():
        yield textwrap.fill(f"{name:12}{', '.join(values)}", WIDTH, subsequent_indent=" " * 12)
    yield f"\nexample of {entry.operator}, which breaks {entry.law!r}:"
    yield textwrap.indent(pprint.pformat(entry.example, width=WIDTH - 4, sort_dicts=False), "    ")


def _place(entry: Divergence) -> str:
    """Where the function is that says of which cases an entry is true."""
    code = inspect.unwrap(entry.holds).__code__
    return f"{Path(code.co_filename).relative_to(ROOT).as_posix()}:{code.co_firstlineno}"


if __name__ == "__main__":
    sys.exit(main())
