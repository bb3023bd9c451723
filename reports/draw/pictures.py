"""The pictures of throughput: intervals beside a noise floor, a roofline, stacked phases, cost as work grows.

Nothing is told by colour alone: what is not the same has another marker, another line or another hatch, and a name.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullFormatter, NullLocator

from reports.draw.charts import FIFTH, FIRST, FOURTH, INK, LINE, MUTED, SECOND, SIZE, THIRD, drawn, readable
from reports.draw.format import prefixed, ratio

MOST_ROWS = 30
WIDTH = SIZE[0]
MARKERS = {"faster": ("o", FIRST), "slower": ("v", SECOND)}  # any other word: hollow and grey
_UNITS = {"image size": "pixels per side", "batch size": "examples per batch"}
_FILLS = ((FIRST, ""), (SECOND, "///"), (THIRD, "|||"), (FOURTH, "\\\\\\"), (FIFTH, "xx"), (MUTED, "---"))


def intervals(
    rows: Sequence[dict[str, Any]], name: str, title: str, axis: str, floor: float = 0.0, absent: Sequence[Any] = ()
) -> Markup:
    """Medians with their 95 % intervals, a row each, beside 1 and the noise floor about it.

    A row: label, low, median, high, word (or None). absent: name and reason of what has no numbers, said in a row.
    """
    shown = list(rows[:MOST_ROWS])
    gone = [f"{readable(str(who))}: not run ({readable(str(why), 36)})" for who, why in absent[:6]]

    def draw(axes: Axes) -> None:
        if floor:
            axes.axvspan(1 / (1 + floor), 1 + floor, facecolor=LINE, edgecolor=MUTED, hatch="///", lw=0, alpha=0.55)
        axes.plot([1, 1], [-0.6, len(shown) - 0.4], color=MUTED, linewidth=1, linestyle="--")
        for place, row in enumerate(shown):
            marker, color = MARKERS.get(row["word"] or "", ("s", MUTED if row["word"] else FIRST))
            hollow = bool(row["word"]) and row["word"] not in MARKERS
            axes.plot([row["low"], row["high"]], [place, place], color=color, linewidth=2.2)
            axes.plot([row["median"]], [place], marker, color=color, ms=6, mfc="none" if hollow else color)
            axes.annotate(_told(row), (1.0, place), xycoords=("axes fraction", "data"), xytext=(4, -3),
                          textcoords="offset points", fontsize=9, annotation_clip=False)  # fmt: skip
        for place, line in enumerate(gone, len(shown)):
            axes.annotate(line, (0.02, place), xycoords=("axes fraction", "data"), fontsize=9, va="center")
        axes.set_yticks(range(len(shown) + len(gone)), [readable(r["label"]) for r in shown] + [""] * len(gone))
        axes.set_ylim(len(shown) + len(gone) - 0.4, -0.6)
        axes.grid(axis="y", visible=False)
        _ratio_axis(axes, [1.0, *(row[key] for row in shown for key in ("low", "high"))])
        axes.set_xlabel(axis)

    described = "; ".join([f"{row['label'][:40]} {_told(row)}" for row in shown] + gone)
    band = f" Noise floor ±{100 * floor:.1f} %." if floor else ""
    return drawn(draw, name, title, f"{described}.{band}", (WIDTH, 0.75 + 0.25 * (len(shown) + len(gone))))


def _told(row: dict[str, Any]) -> str:
    """The numbers of a row, and the word where a difference is shown."""
    word = f" {row['word']}" if row["word"] in MARKERS else ""
    return f"{ratio(row['median'])} [{ratio(row['low'])}, {ratio(row['high'])}]{word}"


def _legend_below(axes: Axes, columns: int) -> None:
    figure, told = axes.figure, axes.get_legend_handles_labels()
    if figure is not None and told[1]:  # names that begin with _ have no place in a legend
        figure.legend(*told, loc="outside lower center", ncol=columns, fontsize=9)


def _ratio_axis(axes: Axes, values: Sequence[float]) -> None:
    """From 0 where that shows the differences, in powers of ten where the values lie far apart."""
    if max(values) > 20 or min(values) < 0.01:
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.set_xlim(min(values) / 1.5, max(values) * 1.5)
    else:
        axes.set_xlim(0, max(values) * 1.06)


def roofline(roof: dict[str, Any], name: str) -> Markup:
    """FLOP a second against FLOP a byte: the machine's roofs, and every recipe and layer below them."""
    copy = roof["limits"].get("copy")
    peaks = {key: value for key, value in sorted(roof["limits"].items()) if key != "copy"}
    points = [p for p in roof["points"] if p["flop"] and p["flop"] / p["seconds"] < 1e18][:60]
    xs = [p["intensity"] for p in points] or [1.0]
    left, right = min(xs) / 4, max([*xs, *(value / copy for value in peaks.values() if copy)]) * 4

    def draw(axes: Axes) -> None:
        for (label, peak), style in zip(list(peaks.items())[:3], ("-", "--", "-."), strict=False):
            bend = min(max(peak / copy, left), right) if copy else left
            axes.plot(
                [bend, right],
                [peak, peak],
                style,
                color=INK,
                lw=1.3,
                label=f"{readable(label)}, {prefixed(peak)}FLOP/s",
            )
        if copy:
            top = max([*peaks.values(), copy * left * 10]) / copy
            axes.plot([left, top], [copy * left, copy * top], ":", color=INK, label=f"copy: {prefixed(copy)}B/s")
        for what, marker, color in (("steps", "o", FIRST), ("forward", "^", SECOND), ("backward", "v", THIRD)):
            own = [p for p in points if p["what"] == what]
            label = "recipes, whole steps" if what == "steps" else f"layers, {what}"
            if own:
                axes.plot([p["intensity"] for p in own], [p["flop"] / p["seconds"] for p in own], marker,
                          color=color, ms=5, mfc="none", label=label)  # fmt: skip
        _name_points(axes, points, copy)
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_xlim(left, right)
        axes.set_xlabel("FLOP per byte")
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: prefixed(value)))
        axes.yaxis.set_minor_locator(NullLocator())
        axes.set_ylabel("FLOP/s")
        _legend_below(axes, 2)

    limits = ", ".join(
        f"{key} {prefixed(value)}{'B/s' if key == 'copy' else 'FLOP/s'}" for key, value in roof["limits"].items()
    )
    below = "; ".join(f"{p['name'][:40]} {p['what']} {prefixed(p['flop'] / p['seconds'])}FLOP/s" for p in points)
    return drawn(draw, name, f"Roofline of {roof['device'][:40]}", f"Limits: {limits}. {below}", (WIDTH, 4.0))


def _name_points(axes: Axes, points: Sequence[dict[str, Any]], copy: float | None) -> None:
    """Layers at the right, in the order of their rates, a line from each; of the recipes the fastest and slowest."""
    by_rate = sorted(points, key=lambda p: (-p["flop"] / p["seconds"], p["name"]))
    layers = [p for p in by_rate if p["what"] == "forward"]
    recipes = [p for p in by_rate if p["what"] == "steps"]
    for place, p in enumerate(layers):
        axes.annotate(readable(p["name"], 16), (p["intensity"], p["flop"] / p["seconds"]), (1.02, 0.78 - 0.11 * place),
                      textcoords="axes fraction", fontsize=8.5, va="center", annotation_clip=False,
                      arrowprops={"arrowstyle": "-", "color": MUTED, "lw": 0.4, "relpos": (0, 0.5)})  # fmt: skip
    for p in [*recipes[:1], *recipes[1:][-1:]]:
        below = copy is not None and p["flop"] / p["seconds"] < copy * p["intensity"]  # the slope is at its left
        axes.annotate(readable(p["name"], 16), (p["intensity"], p["flop"] / p["seconds"]), (6 if below else -6, -3),
                      fontsize=8.5, textcoords="offset points", ha="left" if below else "right")  # fmt: skip


def stacked(entry: dict[str, Any], name: str) -> Markup:
    """The phases of a step as one bar for each recipe, in milliseconds."""
    rows = entry["recipes"][:MOST_ROWS]

    def draw(axes: Axes) -> None:
        begins = [0.0] * len(rows)
        for place, phase in enumerate(entry["names"]):
            widths = [1000 * row["parts"].get(phase, 0.0) for row in rows]
            color, hatch = _FILLS[place % len(_FILLS)]
            axes.barh(range(len(rows)), widths, left=begins, height=0.62, facecolor=color, hatch=hatch, edgecolor=INK,
                      linewidth=0.4, alpha=0.75, label=readable(phase))  # fmt: skip
            begins = [begin + width for begin, width in zip(begins, widths, strict=True)]
        axes.set_yticks(range(len(rows)), [readable(row["recipe"]) for row in rows])
        axes.invert_yaxis()
        axes.grid(axis="y", visible=False)
        axes.set_xlabel("milliseconds per step of 256 examples")
        _legend_below(axes, 3)

    told = "; ".join(
        f"{row['recipe'][:40]} {1000 * row['total']:.3g} ms: "
        + ", ".join(f"{phase} {100 * seconds / row['total']:.0f} %" for phase, seconds in row["parts"].items())
        for row in rows
    )
    return drawn(draw, name, f"Phases of a step on {entry['device'][:40]}", told, (WIDTH, 1.45 + 0.3 * len(rows)))


def grown(entry: dict[str, Any], name: str) -> Markup:
    """Examples a second against batch size, threads or image size, with the range of the rounds."""
    points = entry["points"][:MOST_ROWS]
    axis = entry["axis"]

    def draw(axes: Axes) -> None:
        xs, ys = [p["value"] for p in points], [p["median"] for p in points]
        for p in points:
            axes.plot([p["value"]] * 2, [p["low"], p["high"]], color=FIRST, linewidth=1)
        axes.plot(xs, ys, "o-", color=FIRST, ms=4)
        if max(xs) / min(xs) >= 4:
            axes.set_xscale("log", base=2)
            axes.xaxis.set_minor_formatter(NullFormatter())
        axes.set_xticks(xs, [f"{x:g}" for x in xs])
        if max(ys) / min(ys) > 50:
            axes.set_yscale("log")
            axes.yaxis.set_minor_formatter(NullFormatter())
        else:
            axes.set_ylim(0, max(p["high"] for p in points) * 1.08)
            axes.yaxis.set_major_locator(MaxNLocator(5))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: prefixed(value).strip()))
        axes.set_ylabel("examples/s")
        axes.set_xlabel(_UNITS.get(axis, readable(axis)))

    told = "; ".join(f"{p['value']:g}: {p['median']:,.0f}" for p in points)
    return drawn(draw, name, f"Examples per second by {axis[:40]} on {entry['device'][:40]}", told, (3.1, 2.3))
