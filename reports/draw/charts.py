"""Charts as inline SVG that follow the page's theme, and the curves of training.

matplotlib draws with placeholder colours, which become the page's CSS variables (`reports.draw.svg`), so that one
picture serves light and dark. The same numbers give the same bytes: no date, ids from a fixed salt. Text stays text.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from typing import Any

import matplotlib
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, NullFormatter

from reports.draw import svg
from reports.tell.chapter import PRINTED

INK, MUTED, LINE, FIRST, SECOND, THIRD, FOURTH, FIFTH = (f"#0{i}0{i}0{i}" for i in range(1, 9))
_NAMES = ("ink", "muted", "line", "series-1", "series-2", "known", "vacuous", "passed")
_VARIABLES = dict(zip((INK, MUTED, LINE, FIRST, SECOND, THIRD, FOURTH, FIFTH), _NAMES, strict=True))
SIZE = (4.7, 2.9)
_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "convproof",
    "text.parse_math": False,
    "font.family": "sans-serif",
    "font.size": 10,
    "text.color": INK,
    "axes.edgecolor": LINE,
    "axes.labelcolor": MUTED,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "grid.color": LINE,
    "grid.linewidth": 0.6,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "ytick.left": False,
    "lines.linewidth": 1.6,
    "legend.frameon": False,
    "legend.fontsize": 9.5,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "savefig.facecolor": "none",
    "hatch.linewidth": 0.7,
}


def loss_curve(history: Sequence[dict[str, float]], name: str) -> Markup:
    """Training loss by epoch, with the chapter's printed loss as a level."""

    def draw(axes: Axes) -> None:
        _series(axes, history, "loss", "training loss", FIRST, "-")
        _level(axes, history, PRINTED["loss"], FIRST, "book, after 10 epochs: ")
        axes.set_xlabel("epoch")
        axes.set_ylim(bottom=0)
        axes.legend(loc="upper right")

    last = _last(history, "loss")
    return drawn(draw, name, "Training loss by epoch", f"It ends at {last}; the book prints {PRINTED['loss']}.")


def accuracy_curves(history: Sequence[dict[str, float]], name: str) -> Markup:
    """Training and test accuracy by epoch, with the chapter's printed values as levels."""

    def draw(axes: Axes) -> None:
        _series(axes, history, "train_acc", "training accuracy", FIRST, "-")
        _series(axes, history, "test_acc", "test accuracy", SECOND, "--")
        _level(axes, history, PRINTED["train_acc"], FIRST, "book, training: ")
        _level(axes, history, PRINTED["test_acc"], SECOND, "book, test: ")
        axes.set_xlabel("epoch")
        axes.set_ylim(0, 1)
        axes.legend(loc="lower right")

    described = (
        f"Training accuracy ends at {_last(history, 'train_acc')}, test accuracy at {_last(history, 'test_acc')}; "
        f"the book prints {PRINTED['train_acc']} and {PRINTED['test_acc']}."
    )
    return drawn(draw, name, "Training and test accuracy by epoch", described)


def learning_loss(loss: Sequence[float], name: str) -> Markup:
    """Squared error by step of gradient descent; logarithmic where all values are positive."""

    def draw(axes: Axes) -> None:
        axes.plot(range(1, len(loss) + 1), loss, color=FIRST, marker="o", markersize=3)
        if min(loss) > 0:
            axes.set_yscale("log")
            axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
            axes.yaxis.set_minor_formatter(NullFormatter())
        axes.set_xlabel("step")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))

    return drawn(draw, name, "Squared error by step", f"From {loss[0]:.3g} to {loss[-1]:.3g} in {len(loss)} steps.")


def learning_weights(weight: Sequence[Sequence[float]], name: str) -> Markup:
    """The two weights by step, towards 1 and −1."""
    steps = range(1, len(weight) + 1)
    first, second = [row[0] for row in weight], [row[-1] for row in weight]

    def draw(axes: Axes) -> None:
        axes.plot(steps, first, color=FIRST, marker="o", markersize=3, label="first weight, towards 1")
        axes.plot(steps, second, color=SECOND, marker="s", markersize=3, ls="--", label="second weight, towards −1")
        for level in (1.0, -1.0):
            axes.axhline(level, color=MUTED, linewidth=0.9, linestyle=":")
        axes.set_xlabel("step")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.legend(loc="center right")

    return drawn(draw, name, "Weights by step", f"They end at {first[-1]:.3f} and {second[-1]:.3f}.")


def readable(name: str, length: int = 24) -> str:
    """A name of the evidence as the font of a chart can write it.

    >>> readable("matrix"), readable("\u4e2da" + "b" * 30)
    ('matrix', '?abbbbbbbbbbbbbbbbbbbbb…')
    """
    shown = "".join(sign if (sign.isascii() and sign.isprintable()) or sign in "→×÷−–…" else "?" for sign in name)
    return shown if len(shown) <= length else f"{shown[: length - 1]}…"


def _series(axes: Axes, history: Sequence[dict[str, float]], key: str, label: str, color: str, style: str) -> None:
    points = [(point["epoch"], point[key]) for point in history if key in point and "epoch" in point]
    marker = "o" if style == "--" else None
    axes.plot([x for x, _ in points], [y for _, y in points], style, color=color, label=label, marker=marker, ms=3)


def _level(axes: Axes, history: Sequence[dict[str, float]], value: float, color: str, label: str) -> None:
    """The book's value: a dotted line across, and a hollow diamond at the tenth epoch, where the book prints it."""
    axes.axhline(value, color=color, linewidth=0.9, linestyle=":")
    axes.plot([10], [value], "D", color=color, fillstyle="none", ms=5, clip_on=False, label=f"{label}{value}")


def _last(history: Sequence[dict[str, float]], key: str) -> str:
    values = [point[key] for point in history if key in point]
    return f"{values[-1]:.3f}" if values else "no value"


def drawn(
    draw: Callable[[Axes], None], name: str, title: str, description: str, size: tuple[float, float] = SIZE
) -> Markup:
    """What ``draw`` puts on the axes, as an element of a page that ``name`` tells apart from all others."""
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=size, layout="constrained")
        axes = figure.add_subplot()
        draw(axes)
        buffer = io.StringIO()
        nothing = {"Date": None, "Creator": None, "Format": None, "Type": None}
        figure.savefig(buffer, format="svg", metadata=nothing)
    return svg.inline(buffer.getvalue(), name, title, description, _VARIABLES)
