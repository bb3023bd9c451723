"""Numbers, times and statuses in the words and marks that the page and the summary share."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from markupsafe import Markup

from reports.tell.summarise import NO_EVIDENCE

MARKS = {
    "passed": "✓",
    "diverged": "✕",
    "error": "!",
    "known": "◆",
    "vacuous": "○",
    "not run": "–",
    "measured": "●",
    NO_EVIDENCE: "–",
}
MEANINGS = {
    "diverged": "torch differs from the reference loops by more than the bound",
    "error": "the check itself failed and says nothing about torch",
    "known": "differs only where a known defect of torch explains it",
    "vacuous": "ran, but its outputs are nearly all zero or constant and prove nothing",
    "passed": "every case is within its derived bound",
    "not run": "says nothing about this torch",
}
STATUSES = ("passed", "diverged", "error", "known", "vacuous", "not run")  # in the order of the page
FACTS = {
    "torch": "torch",
    "commit": "commit",
    "cpu": "CPU",
    "cpu_isa": "CPU ISA",
    "cores": "cores",
    "threads": "threads",
    "memory_gib": "memory, GiB",
    "devices": "devices",
    "os": "OS",
    "python": "Python",
}
"""What the page says of an environment at a glance, and what it calls it."""
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
SEVERITIES = {
    "crash": "The process crashes or hangs, and its work is lost.",
    "silent wrong value": "The result is wrong without any error, and so is whatever is computed from it.",
    "wrong gradient": "The forward pass is right but the gradient is not: training goes wrong without any error.",
    "wrong shape": "The output does not have the shape that the formula gives.",
    "valid arguments rejected": "Arguments that the documentation allows raise an error.",
    "missing error": "Invalid arguments are accepted, so that a mistake in a model goes unnoticed.",
    "lossy accumulation": "Sums are kept in a narrow type, so that the error grows with the size of the layer.",
}
"""What a divergence means for a user, by severity, the most severe first."""


def slug(status: str) -> str:
    """The class of a status.

    >>> slug("passed"), slug("not run (no evidence)")
    ('s-passed', 's-not-run-no-evidence')
    """
    return "s-" + status.replace("(", "").replace(")", "").replace(" ", "-")


def figure(value: float, digits: int = 0) -> str:
    """A number with its thousands set apart.

    >>> figure(12345), figure(1234.56, 1)
    ('12,345', '1,234.6')
    """
    return f"{value:,}" if isinstance(value, int) and not digits else f"{value:,.{digits}f}"


def precise(value: float) -> str:
    """Three digits, with a minus sign."""
    return f"{value:.3g}".replace("-", "−")


def few(names: Sequence[str], most: int, length: int) -> str:
    """The first ``most`` names, cut to ``length`` characters, and how many more there are.

    >>> few(["a", "b", "c"], 2, 80)
    'a, b and 1 more'
    """
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return clip(", ".join(names[:most]), length) + more


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


def ratio(value: float) -> str:
    """A ratio with two digits, or in powers of ten where that says nothing.

    >>> ratio(1.234), ratio(123456.0), ratio(0.00001)
    ('1.23', '1.2e+05', '1e-05')
    """
    return f"{value:.2f}" if 0.01 <= value < 10_000 else f"{value:.2g}"


def prefixed(value: float) -> str:
    """A number with the prefix that suits it.

    >>> prefixed(1.5e9), prefixed(2.0e12), prefixed(3.0)
    ('1.5 G', '2 T', '3 ')
    """
    for scale, prefix in ((1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= scale:
            return f"{value / scale:.3g} {prefix}"
    return f"{value:.3g} "


def size(value: float | None) -> str:
    """A number of bytes in MiB or GiB.

    >>> size(1.5 * 2**30), size(7 * 2**20), size(None)
    ('1.5 GiB', '7 MiB', '–')
    """
    if value is None:
        return "–"
    return f"{value / 2**30:.2g} GiB" if value >= 2**30 else f"{value / 2**20:.3g} MiB"


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
    return "".join(f"\\{sign}" if sign in "\\`*_[]|~#" else _ENTITIES.get(sign, sign) for sign in line)


def clip(value: str, length: int) -> str:
    """``value`` cut to ``length`` characters, saying so."""
    return value if len(value) <= length else f"{value[:length]} … ({len(value):,} characters in results.json)"


def breakable(name: str) -> Markup:
    """A name that may be broken after its underscores.

    >>> breakable("max_pool2d<")
    Markup('max_<wbr>pool2d&lt;')
    """
    return Markup("_<wbr>").join(name.split("_"))


def headline(value: str | None) -> str:
    """First line of a message, cut where it is long."""
    line = (value or "").strip().partition("\n")[0]
    return line if len(line) <= 240 else f"{line[:239]}…"


def tests(names: Sequence[str]) -> list[str]:
    """Names of tests, those of one function as one.

    >>> tests(["test_layer[0-cuda]", "test_copy[cuda]", "test_layer[1-cuda]"])
    ['test_layer (2)', 'test_copy[cuda]']
    """
    found: dict[str, list[str]] = {}
    for name in names:
        found.setdefault(name.partition("[")[0], []).append(name)
    return [own[0] if len(own) == 1 else f"{function} ({len(own)})" for function, own in found.items()]


def grid_class(value: float) -> str:
    """How a number of a picture is shaded, by its sign."""
    return "pos" if value > 0 else "neg" if value < 0 else "zero"


def mark(share: float) -> str:
    """An element of a picture of what is wrong: by how many bounds, or that it is not equal; nothing where it is right.

    >>> mark(0), mark(-1), mark(2.44), mark(3e7)
    ('', '≠', '2.4', 'e7')
    """
    if not share:
        return ""
    return "≠" if share < 0 else f"{share:.2g}" if share < 99.5 else f"e{math.floor(math.log10(share))}"


def short(value: float) -> str:
    """A number of a picture, short enough for its cell; a minus sign, and no minus zero."""
    return f"{value + 0.0:.2g}".replace("-0", "0" if value == 0 else "-0").replace("-", "−")
