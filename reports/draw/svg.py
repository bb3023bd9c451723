"""matplotlib's SVG made into an element of a page: the page's colours and font, ids of its own, and no waste.

matplotlib wraps every line and text in groups with an id each, and repeats the style of every tick. Here groups that
say nothing go, ids that nothing refers to go, and styles that come more than once become classes of the page.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from markupsafe import Markup, escape

STYLES = {
    "font-size:10px;text-anchor:middle;fill:var(--muted)": "tm",
    "font-size:10px;text-anchor:end;fill:var(--muted)": "te",
    "font-size:9px;text-anchor:start;fill:var(--ink)": "ls",
    "font-size:9.5px;text-anchor:start;fill:var(--ink)": "ns",
    "font-size:8.5px;text-anchor:start;fill:var(--ink)": "ps",
    "fill:none;stroke:var(--line);stroke-width:0.6": "gl",
    "fill:none;stroke:var(--line);stroke-width:0.8": "al",
    "fill:var(--muted);stroke:var(--muted);stroke-width:0.8": "tk",
}
"""Styles of ticks, legends and grids, and the class of the page that each becomes."""

_TAG = re.compile(r"<(/?)g\b([^>]*?)(/?)>")
_NUMBERS = re.compile(r' (?:d|x|y|width|height|transform)="[^"]*"')


def css() -> str:
    """The rules of the page's style sheet for `STYLES`."""
    return "".join(f"svg .{name}{{{style}}}" for style, name in STYLES.items())


def inline(svg: str, name: str, title: str, description: str, colours: Mapping[str, str]) -> Markup:
    """The element, whose ids begin with ``name``; ``colours`` are placeholders and the page's variable for each."""
    viewbox = re.search(r'viewBox="[^"]+"', svg)
    assert viewbox is not None, "matplotlib writes a viewBox"
    body = svg[svg.index("<svg") :]
    body = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>", "", body[body.index(">") + 1 :], flags=re.DOTALL)
    body = re.sub(r"#0[0-9]0[0-9]0[0-9]", lambda m: f"var(--{colours[m[0]]})" if m[0] in colours else m[0], body)
    body = re.sub(r'font-family: [^;"]*; | transform="rotate\(-0[^"]*"', "", body)
    body = re.sub(r"font: ([\d.]+px)[^;\"]*", r"font-size: \1", body)
    body = re.sub(r'\s*<path [^>]*style="fill: none"/>|stroke-linejoin: miter;? ?|; stroke-linecap: square', "", body)
    body = _NUMBERS.sub(lambda m: _numbers(m[0]), body)
    body = re.sub(r' style="([^"]*)"', lambda m: _style(m[1]), body)
    body = re.sub(r"\s*\n\s*", " ", re.sub(r">\s+<", "><", body)).replace("xlink:href", "href")
    body = _ungrouped(_ids(body, name))
    head = (
        f'<svg {viewbox[0]} role="img" aria-labelledby="{name}-title {name}-desc">'
        f'<title id="{name}-title">{escape(title)}</title><desc id="{name}-desc">{escape(description)}</desc>'
    )
    return Markup(head + re.sub(r"<defs>\s*</defs>", "", body))


def _numbers(attribute: str) -> str:
    """Coordinates to a tenth, and no space that a path does not need.

    >>> _numbers(' d="M 1.234 2.0 L 30 -0.04 z "')
    ' d="M1.2 2L30 0z"'
    """
    short = re.sub(r"(\.\d)\d+", r"\1", re.sub(r"\s+", " ", attribute))
    short = re.sub(r"(\d)\.0\b", r"\1", short)
    short = re.sub(r"-0\b(?!\.)", "0", short)
    return re.sub(r' ?([MLCQZz]) ?|(?<=") +| +(?=")', r"\1", short) if short.startswith(' d="') else short


def _style(style: str) -> str:
    """A style without spaces, as a class where the page has one.

    >>> _style("fill: none; stroke: var(--line); stroke-width: 0.6"), _style("fill: red; ")
    (' class="gl"', ' style="fill:red"')
    """
    short = re.sub(r"([:;]) ", r"\1", style).rstrip("; ")
    return f' class="{STYLES[short]}"' if short in STYLES else f' style="{short}"' if short else ""


def _ids(body: str, name: str) -> str:
    """Only the ids that something refers to, numbered in the order in which they are defined."""
    used = set(re.findall(r'(?:url\(|href=")#([^)"]+)', body))
    kept = [found for found in re.findall(r'\bid="([^"]+)"', body) if found in used]
    short = {found: f"{name}-{place}" for place, found in enumerate(dict.fromkeys(kept))}
    body = re.sub(r' id="([^"]+)"', lambda m: f' id="{short[m[1]]}"' if m[1] in short else "", body)
    return re.sub(r'(url\(|href=")#([^)"]+)', lambda m: f"{m[1]}#{short.get(m[2], m[2])}", body)


def _ungrouped(body: str) -> str:
    """Without the groups that have no attribute, whose content stays.

    >>> _ungrouped('<g><g class="a"><g/><g></g><text>x</text></g></g>')
    '<g class="a"><text>x</text></g>'
    """
    kept: list[bool] = []

    def tag(match: re.Match[str]) -> str:
        if match[1]:
            return match[0] if kept.pop() else ""
        keep = bool(match[2].strip())
        if not match[3]:
            kept.append(keep)
        return match[0] if keep else ""

    return _TAG.sub(tag, body)
