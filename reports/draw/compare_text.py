"""A comparison in words: as text for a terminal, as Markdown for a pull request."""

from __future__ import annotations

from reports.draw.format import markdown
from reports.read.results import Report
from reports.tell.compare import SORTS, Comparison
from reports.tell.summarise import some

MOST = 60


def text(one: Report, other: Report, comparison: Comparison) -> str:
    """Plain text: the verdict first, then what differs, then the remarks."""
    lines = [verdict(comparison), f"A: {_named(one)}", f"B: {_named(other)}", ""]
    for title, found in _sections(comparison):
        lines += [title, *(f"  {line}" for line in found), ""]
    return "\n".join(lines).rstrip() + "\n"


def as_markdown(one: Report, other: Report, comparison: Comparison) -> str:
    """The same as Markdown, in which nothing of the reports is markup."""
    lines = [
        f"# {markdown(verdict(comparison))}",
        "",
        f"- A: {markdown(_named(one))}",
        f"- B: {markdown(_named(other))}",
    ]
    for title, found in _sections(comparison):
        lines += ["", f"## {title}", "", *(f"- {markdown(line)}" for line in found)]
    return "\n".join(lines) + "\n"


def verdict(comparison: Comparison) -> str:
    """One sentence: what is worse, else that nothing is."""
    number = {sort: len(found) for sort, found in comparison.found.items()}
    worse = [
        f"{some(number['broke'], 'check')} broke" if number["broke"] else "",
        f"{some(number['new and failing'], 'check')} that did not run before failed"
        if number["new and failing"]
        else "",
        f"{some(number['slower'], 'benchmark')} got slower" if number["slower"] else "",
    ]
    better = f"{number['fixed']} fixed, {number['faster']} faster"
    same = f"{some(comparison.same, 'check')} and {some(comparison.steady, 'benchmark')} as before"
    broken = ", ".join(part for part in worse if part)
    unchecked = number["no longer run"] + number["gone"]
    doubt = f"; {unchecked:,} no longer checked" if unchecked else ""
    return f"{'Worse: ' + broken if broken else 'Nothing broke'}; {better}; {same}{doubt}."


def _sections(comparison: Comparison) -> list[tuple[str, list[str]]]:
    found = [(f"{SORTS[sort]}: {len(lines):,}", _cut(lines)) for sort, lines in comparison.found.items() if lines]
    return [*found, ("Remarks", _cut(comparison.remarks))] if comparison.remarks else found


def _cut(lines: list[str]) -> list[str]:
    return [*lines[:MOST], f"and {len(lines) - MOST:,} more"] if len(lines) > MOST else lines


def _named(report: Report) -> str:
    return f"{report.path} ({'; '.join(entry['name'] for entry in list(report.environments.values())[:4])})"
