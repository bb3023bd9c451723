"""The page in a browser: light, dark, on a phone, on paper; nothing scrolls sideways, nothing is fetched, all is named.

Each check needs Chromium; the one of accessibility also axe-core: ``npm install --no-save axe-core`` in the checkout.
"""

from __future__ import annotations

import json
import os
import re
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from reports import browser
from reports.draw.report import render
from reports.read.load import Evidence, join, load
from reports.tests import fake_run

PLACES = ("node_modules", "/usr/lib/node_modules", "/usr/local/lib/node_modules")
DARK = "--blink-settings=preferredColorScheme=0"
WAIT = "--virtual-time-budget=20000"
POLICY = re.compile(r'<meta http-equiv="Content-Security-Policy"[^>]*>')

pytestmark = pytest.mark.skipif(browser.chromium() is None, reason="no Chromium on this machine to lay the page out")


def axe() -> Path | None:
    """axe-core's script: from ``$AXE_CORE``, the checkout, or where npm installs for all."""
    root = Path(__file__).resolve().parent.parent.parent
    files = [root / place / "axe-core" / "axe.min.js" for place in PLACES]
    named = os.environ.get("AXE_CORE")
    return next((file for file in ([Path(named)] if named else []) + files if file.is_file()), None)


def evidence(folder: Path, which: str) -> Evidence:
    """A run on 30 subjects, or two environments."""
    (fake_run.write_wide if which == "wide" else fake_run.write_all)(folder)
    if which != "merged":
        return load([folder])
    other = {**fake_run.ENVIRONMENT, "torch": "2.11.0", "cpu": "Another processor with a name that goes on and on"}
    fake_run.write_run(folder, [fake_run.header(environment=other), *fake_run.all_results(), fake_run.END], "other")
    return join([folder])


@pytest.fixture(scope="module", params=["wide", "merged"])
def html(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The page of each of these."""
    return render(evidence(tmp_path_factory.mktemp("evidence"), request.param))["index.html"]


@pytest.fixture(scope="module")
def wide(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The page that shows the most."""
    return render(evidence(tmp_path_factory.mktemp("evidence"), "wide"))["index.html"]


def probed(folder: Path, html: str, script: str, *options: str) -> Any:
    """What ``script`` (an expression, or a promise of one) gives in the page, its policy left out for the script."""
    told = f"Promise.resolve({script}).then(found => {{const out = document.createElement('pre'); out.id = 'told';"
    told += "out.textContent = JSON.stringify(found); document.body.append(out)})"
    page = folder / "probed.html"
    page.write_text(POLICY.sub("", html).replace("</body>", f"<script>{told}</script></body>"), encoding="utf-8")
    shown = browser.run(page, "--dump-dom", WAIT, *options).stdout
    found = re.search(r'<pre id="told">(.*?)</pre>', shown, re.DOTALL)
    assert found, shown[-500:]
    return json.loads(unescape(found[1]))


def test_no_horizontal_scroll_on_a_phone(html: str, tmp_path: Path) -> None:
    """At 360 pixels, everything opened, only the boxes of tables and formulas are wider than the page."""
    opened = html.replace("<details", "<details open")
    (tmp_path / "index.html").write_text(opened, encoding="utf-8")
    frame = '<iframe id="phone" src="index.html" style="width:360px;height:700px;border:0"></iframe>'
    script = (
        "new Promise(done => onload = () => {"
        "const page = document.getElementById('phone').contentDocument.documentElement;"
        "done([page.scrollWidth, page.clientWidth])})"
    )
    scroll, client = probed(tmp_path, f"<body>{frame}</body>", script, "--allow-file-access-from-files")
    assert scroll <= client == 360


def test_nothing_is_fetched_and_nothing_complains(wide: str, tmp_path: Path) -> None:
    """The page as it is: no message on the console, and a copy of it that looks finds no resource loaded."""
    page = tmp_path / "index.html"
    page.write_text(wide, encoding="utf-8")
    assert "CONSOLE" not in browser.run(page, "--dump-dom", "--enable-logging=stderr").stderr
    assert probed(tmp_path, wide, "performance.getEntriesByType('resource').map(entry => entry.name)") == []


@pytest.mark.skipif(axe() is None, reason="no axe-core: `npm install --no-save axe-core` in the checkout")
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(html: str, tmp_path: Path, scheme: str) -> None:
    """axe-core's rules, of WCAG A and AA and its best practices, with everything opened."""
    script = axe()
    assert script is not None
    (tmp_path / "axe.js").write_bytes(script.read_bytes())
    page = html.replace("<details", "<details open").replace("</body>", '<script src="axe.js"></script></body>')
    checked = "axe.run(document, {resultTypes: ['violations']}).then(found => ({violations: found.violations, "
    checked += "paper: getComputedStyle(document.body).backgroundColor}))"
    found = probed(tmp_path, page, checked, *([DARK] if scheme == "dark" else []))
    assert (found["paper"] == "rgb(255, 255, 255)") == (scheme == "light")
    assert [(item["id"], item["nodes"][0]["html"][:300]) for item in found["violations"]] == []


def test_it_prints(wide: str, tmp_path: Path) -> None:
    """A PDF of more than one page."""
    page, paper = tmp_path / "index.html", tmp_path / "report.pdf"
    page.write_text(wide, encoding="utf-8")
    browser.run(page, f"--print-to-pdf={paper}", "--no-pdf-header-footer")
    content = paper.read_bytes()
    assert content.startswith(b"%PDF-")
    assert len(re.findall(rb"/Type\s*/Page\b", content)) > 1
