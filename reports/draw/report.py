"""From evidence to the four texts of a report, with nothing written yet."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
import msgspec
import pandas as pd

from reports.draw import page, upstream
from reports.read.load import Evidence
from reports.tell import benchmarks, summarise
from reports.tell.report import assemble

PAGE_LIMIT = 800_000
SUMMARY_LIMIT = 60_000  # GitHub takes a comment of 65,536 characters
_TEMPLATES = Path(__file__).with_name("templates")
_ENCODER = msgspec.json.Encoder(order="sorted")


def render(evidence: Evidence, output: Path | None = None) -> dict[str, str]:
    """The files of a report, by name. The same evidence gives the same texts.

    ``output`` is where they will be: repro scripts that lie below it are shown and linked.
    """
    table = summarise.frame(evidence)
    report = assemble(evidence, table)
    shown = {**report, **page.view(evidence, table, output)}
    return {
        "index.html": _within_limit(shown, evidence, table),
        "summary.md": _summary(shown),
        "samples.csv": benchmarks.samples(evidence).to_csv(index=False, lineterminator="\n"),
        "results.json": dumps(report),
    }


def issue_text(evidence: Evidence, name: str, output: Path) -> str:
    """The text of an issue about an entry of the ledger, or about a find."""
    return _template("upstream.md.jinja", autoescape=False).render(upstream.issue(evidence, name, output))


def dumps(report: dict[str, Any]) -> str:
    """JSON with sorted keys, one line for each record of a list: quick to write, and two reports diff line by line."""
    return "{\n" + ",\n".join(_members(report)) + "\n}\n"


def _members(report: dict[str, Any]) -> Iterator[str]:
    for key, value in sorted(report.items()):
        if isinstance(value, list) and value:
            yield f"{_encoded(key)}: [\n " + ",\n ".join(map(_encoded, value)) + "\n]"
        else:
            yield f"{_encoded(key)}: {_encoded(value)}"


def _encoded(value: Any) -> str:
    return _ENCODER.encode(value).decode()


def _within_limit(shown: dict[str, Any], evidence: Evidence, table: pd.DataFrame) -> str:
    """The page with as much detail as fits; `results.json` always has the whole."""
    template = _template("index.html.jinja", autoescape=True)
    text = ""
    for level in range(page.LEVELS):
        text = template.render(shown, **page.limits(level), matrices=page.tables(evidence, table, level))
        if len(text.encode()) < PAGE_LIMIT:
            break
    return text


def _summary(shown: dict[str, Any]) -> str:
    """The summary with as much detail as a comment on a pull request may have."""
    text = ""
    for level in range(page.LEVELS):
        text = _template("summary.md.jinja", autoescape=False).render(shown, **page.limits(level))
        if len(text.encode()) < SUMMARY_LIMIT:
            break
    return text


@cache
def _template(name: str, autoescape: bool) -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        autoescape=autoescape,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(page.FILTERS)
    return environment.get_template(name)
