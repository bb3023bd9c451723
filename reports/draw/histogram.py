"""The histogram of errors as shares of their bounds."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup, escape

from reports.tell.precision import BINS

WIDTH, HEIGHT = 252, 64


def histogram(dtype: str, counts: Sequence[int]) -> Markup:
    """Bars by share of the bound, a line at the bound, and what lies beyond it right of the line."""
    step, base = WIDTH / (BINS + 1), HEIGHT - 14
    tallest = max(max(counts), 1)
    bars = [
        f'<rect class="{"beyond" if place == BINS else "bar"}" x="{place * step + 1:.1f}" y="{base - height:.1f}"'
        f' width="{step - 2:.1f}" height="{height:.1f}"/>'
        for place, count in enumerate(counts)
        if count and (height := max((base - 4) * count / tallest, 1.5))
    ]
    bound = BINS * step
    words = f"{sum(counts[:BINS]):,} checks within the bound, {counts[BINS]:,} beyond; most at "
    fullest = counts.index(max(counts))
    words += "more than the bound" if fullest == BINS else f"{5 * fullest} to {5 * fullest + 5} % of the bound"
    return Markup(
        f'<svg class="histogram" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(dtype)}: {words}">'
        f'<line class="axis" x1="0" x2="{WIDTH}" y1="{base}" y2="{base}"/>{"".join(bars)}'
        f'<line class="bound" x1="{bound:.1f}" x2="{bound:.1f}" y1="2" y2="{base}"/>'
        f'<text x="0" y="{HEIGHT - 3}">0</text>'
        f'<text x="{bound / 2:.1f}" y="{HEIGHT - 3}" text-anchor="middle">50 %</text>'
        f'<text x="{bound:.1f}" y="{HEIGHT - 3}" text-anchor="end">bound</text></svg>'
    )
