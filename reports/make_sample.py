"""The sample that the README shows: the summary and the top of the page of a real run, with its age."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from reports import browser
from reports.draw.report import render
from reports.read.load import Evidence, load
from reports.read.untrusted import Unusable

WIDTH, HEIGHT = 1200, 1000


def sample(sources: Sequence[Path], output: Path) -> list[Path]:
    """Write ``summary.md`` and ``report.png`` of the newest run; raises `Unusable` without evidence or a browser."""
    evidence = load(sources)
    texts = render(evidence)
    with TemporaryDirectory() as folder:
        page, picture = Path(folder) / "index.html", Path(folder) / "report.png"
        page.write_text(texts["index.html"], encoding="utf-8")
        try:
            browser.screenshot(page, picture, WIDTH, HEIGHT)
            drawn = picture.read_bytes()
        except (OSError, subprocess.SubprocessError) as error:
            raise Unusable(f"the picture needs Chromium, and it gave none ({error})") from None
    output.mkdir(parents=True, exist_ok=True)
    summary = output / "summary.md"
    summary.write_text(f"> {age(evidence)}\n\n{texts['summary.md']}", encoding="utf-8", newline="\n")
    (output / "report.png").write_bytes(drawn)
    return [summary, output / "report.png"]


def age(evidence: Evidence) -> str:
    """When the run was made that the sample shows, and how to make a newer one."""
    place = evidence.places[0]
    made: datetime = place.runs[0].started if place.runs else place.benches[0].made
    return (
        f"A sample: the run of {made.astimezone(UTC):%Y-%m-%d} on {place.name}. "
        "`python -m reports sample` makes it anew from the newest run."
    )
