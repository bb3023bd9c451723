"""What the templates need beyond the report's data: pictures, formulas, numbers in words, and sizes kept in bounds."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pandas as pd
from markupsafe import Markup, escape

from reports import charts, speed, summarise
from reports.chapter import PRINTED, PRINTED_RATE
from reports.load import Evidence
from reports.mathml import mathml
from reports.records import Figure

MARKS = {
    "passed": "✓",
    "diverged": "✕",
    "error": "!",
    "known": "◆",
    "vacuous": "○",
    "not run": "–",
    "measured": "●",
    summarise.NO_EVIDENCE: "–",
}
MEANINGS = {
    "diverged": "torch and the loops disagree beyond the bound",
    "error": "the check itself failed, and shows nothing",
    "known": "diverges as the ledger says, and nothing new",
    "vacuous": "ran, but its outputs prove nothing",
    "passed": "every case agrees within its derived bound",
    "not run": "says nothing about this torch",
}
_STEPS = ({"faults": 40, "operators": 400, "drilled": 400}, {"faults": 15, "operators": 200, "drilled": 40})
_LEAST = {"faults": 5, "operators": 50, "drilled": 0}
LEVELS = len(_STEPS) + 1


def limits(level: int) -> dict[str, Any]:
    """How much detail is shown at ``level``, 0 the most."""
    chosen = _STEPS[level] if level < len(_STEPS) else _LEAST
    return {"limit": {**chosen, "groups": 40 if level == 0 else 10, "message": 3000 if level == 0 else 400}}


def view(evidence: Evidence, table: pd.DataFrame) -> dict[str, Any]:
    """Everything that the page shows and `results.json` does not hold in this form."""
    benchmarks = evidence.benchmarks.benchmarks if evidence.benchmarks else []
    entries = speed.throughput(benchmarks)
    return {
        "matrix": summarise.matrix(evidence.properties, table),
        "faults": summarise.faults(table),
        "throughput": entries,
        "rate_scale": max([PRINTED_RATE, *(rate for entry in entries for rate in entry["rates"])]) * 1.04,
        "ten_epochs": [_with_curves(run, position) for position, run in enumerate(speed.ten_epochs(benchmarks)[:6])],
        "pictures": _pictures(evidence.properties.figures if evidence.properties else []),
        "printed": PRINTED,
        "printed_rate": PRINTED_RATE,
        "marks": MARKS,
        "meanings": MEANINGS,
        "no_evidence": summarise.NO_EVIDENCE,
        "any_bundled": any(benchmark.bundled for benchmark in benchmarks),
    }


def _with_curves(run: dict[str, Any], position: int) -> dict[str, Any]:
    return {
        **run,
        "loss_svg": charts.loss_curve(run["history"], f"loss{position}"),
        "accuracy_svg": charts.accuracy_curves(run["history"], f"accuracy{position}"),
    }


def _pictures(figures: list[Figure]) -> dict[str, Any]:
    """The first drawable picture of each kind; the others are in `results.json`."""
    first: dict[str, Figure] = {}
    for figure in figures:
        first.setdefault(figure.name, figure)
    pictures: dict[str, Any] = {"edge": None, "learning": None}
    if edge := first.get("edge-detection"):
        pictures["edge"] = {"subject": edge.subject, **edge.data}
    if learning := first.get("kernel-learning"):
        loss, weight = learning.data["loss"], learning.data["weight"]
        pictures["learning"] = {
            "subject": learning.subject,
            "steps": len(loss),
            "weight": weight[-1],
            "loss_svg": charts.learning_loss(loss, "learning-loss"),
            "weight_svg": charts.learning_weights(weight, "learning-weights"),
        }
    return pictures


def share(value: float | None) -> str:
    """An error as a share of its bound, in percent.

    >>> share(0.314), share(0.0004), share(0.0), share(12.5)
    ('31 %', '<0.1 %', '0 %', '1,250 %')
    """
    if value is None:
        return ""
    percent = 100 * value
    if 0 < percent < 0.1:
        return "<0.1 %"
    return f"{percent:.1f} %" if 0 < percent < 1 else f"{percent:,.0f} %" if percent < 1e6 else f"{percent:.2g} %"


def seconds(value: float | None) -> str:
    """A time in the unit that suits it.

    >>> seconds(0.0000123), seconds(0.0456), seconds(7.891)
    ('12.3 µs', '45.6 ms', '7.89 s')
    """
    if value is None:
        return "–"
    scale, unit = (1e6, "µs") if value < 1e-3 else (1e3, "ms") if value < 1 else (1, "s")
    return f"{value * scale:.3g} {unit}" if value * scale < 1000 else f"{value * scale:,.0f} {unit}"


def times(value: float | None) -> str:
    """A ratio: two digits below ten, none from a hundred on."""
    if value is None:
        return "–"
    return f"{value:,.0f}×" if value >= 100 else f"{value:.1f}×" if value >= 10 else f"{value:.2f}×"


def plain(value: Any) -> str:
    """A value of the environment as text: lists of devices by name, anything odd as JSON."""
    if value is None:
        return "not recorded"
    if isinstance(value, list) and all(isinstance(item, str | int | float) for item in value):
        return ", ".join(f"{item:.2f}" if isinstance(item, float) else str(item) for item in value)
    if isinstance(value, list) and all(isinstance(item, dict) and "name" in item for item in value):
        return ", ".join(f"{item['name']} ({item.get('description') or 'no description'})" for item in value)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True)


def when(value: str) -> str:
    """A time in UTC, to the second; whatever is no time, as it is.

    >>> when("2026-11-24T08:10:00.123456+01:00")
    '2026-11-24 07:10:00 UTC'
    """
    try:
        parsed = datetime.fromisoformat(value)
        return f"{parsed.astimezone(UTC) if parsed.tzinfo else parsed:%Y-%m-%d %H:%M:%S} UTC"
    except (ValueError, OverflowError):
        return value


def markdown(value: object) -> str:
    """Text for a cell of a Markdown table: on one line, and neither HTML nor Markdown of its own."""
    line = " ".join(str(value).split())
    return "".join(f"\\{sign}" if sign in "\\`*_[]|~#" else str(escape(sign)) for sign in line)


def clip(value: str, length: int) -> str:
    """``value`` cut to ``length`` characters, saying so."""
    return value if len(value) <= length else f"{value[:length]} … ({len(value):,} characters in results.json)"


def headline(value: str | None) -> str:
    """First line of a message, cut where it is long."""
    line = (value or "").strip().partition("\n")[0]
    return line if len(line) <= 240 else f"{line[:239]}…"


def grid_class(value: float) -> str:
    """How a number of a picture is shaded, by its sign."""
    return "pos" if value > 0 else "neg" if value < 0 else "zero"


def short(value: float) -> str:
    """A number of a picture, short enough for its cell; a minus sign, and no minus zero."""
    return f"{value + 0.0:.2g}".replace("-0", "0" if value == 0 else "-0").replace("-", "−")


def formula(value: str) -> Markup:
    """The chapter's formula as MathML."""
    return mathml(value)


FILTERS: dict[str, Callable[..., Any]] = {
    "share": share,
    "seconds": seconds,
    "times": times,
    "plain": plain,
    "when": when,
    "md": markdown,
    "clip": clip,
    "headline": headline,
    "grid_class": grid_class,
    "short": short,
    "mathml": formula,
    "quoted": shlex.quote,
}
