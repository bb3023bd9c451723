"""Shades of grey as pictures inside the page: a PNG of a few hundred bytes in an SVG that has a title and words."""

from __future__ import annotations

import base64
import struct
import zlib
from collections.abc import Sequence
from typing import Any

from markupsafe import Markup, escape

Grid = Sequence[Sequence[int]]
CLEAR = 0  # the shade that is transparent; black is 1
_ACROSS = 8  # maps in a row
_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def png(rows: Grid) -> str:
    """A greyscale PNG of shades from 0 to 255, of which 0 is transparent, as an address (``data:``).

    Format: W3C, *Portable Network Graphics*, chunks IHDR, tRNS, IDAT and IEND.
    """
    header = struct.pack(">IIBBBBB", len(rows[0]), len(rows), 8, 0, 0, 0, 0)
    raw = b"".join(b"\0" + bytes(row) for row in rows)
    chunks = (b"IHDR", header), (b"tRNS", struct.pack(">H", CLEAR)), (b"IDAT", zlib.compress(raw, 9)), (b"IEND", b"")
    body = b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in chunks
    )
    return "data:image/png;base64," + base64.b64encode(_SIGNATURE + body).decode("ascii")


def montage(maps: Sequence[Grid]) -> list[list[int]]:
    """Maps of one size side by side, eight in a row, with a clear pixel between.

    >>> montage([[[0, 255]], [[7, 8]]])
    [[1, 255, 0, 7, 8]]
    """
    height, width = len(maps[0]), len(maps[0][0])
    across = min(_ACROSS, len(maps))
    down = -(-len(maps) // across)
    picture = [[CLEAR] * (across * (width + 1) - 1) for _ in range(down * (height + 1) - 1)]
    for place, tile in enumerate(maps):
        top, left = place // across * (height + 1), place % across * (width + 1)
        for y, row in enumerate(tile):
            picture[top + y][left : left + width] = [max(1, shade) for shade in row]
    return picture


def feature_maps(data: dict[str, Any], name: str) -> list[dict[str, Any]]:
    """The image and each layer as a picture, with its name, its shape and its range."""
    first = {
        "name": f"image: {data['label']}",
        "shape": [len(data["image"]), len(data["image"][0])],
        "low": 0,
        "high": 1,
    }
    layers = [{**first, "maps": [data["image"]]}, *data["layers"]]
    return [
        {
            "name": layer["name"],
            "shape": " × ".join(map(str, layer["shape"])),
            "low": layer["low"],
            "high": layer["high"],
            "svg": _picture(
                montage(layer["maps"]),
                f"{name}-{place}",
                f"Layer {place}, {layer['name']}" if place else layer["name"],
                f"{len(layer['maps'])} maps in shades of grey, values from {layer['low']:.3g} to {layer['high']:.3g}",
                wide=56 / len(layer["maps"][0][0]) if len(layer["maps"]) > 1 else 112 / len(layer["maps"][0][0]),
            ),
        }
        for place, layer in enumerate(layers)
    ]


def receptive_fields(data: dict[str, Any], name: str) -> list[dict[str, Any]]:
    """For each unit the image with the box that its gradient reaches, and the gradient itself."""
    return [
        {
            "name": unit["name"],
            "field": unit["field"],
            "reached": _reach(unit["gradient"]),
            "svg": _field(data["image"], unit, f"{name}-{place}"),
        }
        for place, unit in enumerate(data["units"])
    ]


def _lit(gradient: Grid) -> list[list[int]]:
    """What is not zero bright enough to be told from black."""
    return [[70 + 185 * shade // 255 if shade else 0 for shade in row] for row in gradient]


def _reach(gradient: Grid) -> tuple[int, int] | None:
    """Height and width of the box around what is not zero."""
    box = _box(gradient)
    return None if box is None else (box[1] - box[0] + 1, box[3] - box[2] + 1)


def _box(gradient: Grid) -> tuple[int, int, int, int] | None:
    """The first and last row, the first and last column of what is not zero."""
    places = [(y, x) for y, row in enumerate(gradient) for x, shade in enumerate(row) if shade]
    if not places:
        return None
    ys, xs = zip(*places, strict=True)
    return min(ys), max(ys), min(xs), max(xs)


def _field(image: Grid, unit: dict[str, Any], name: str) -> Markup:
    box = _box(unit["gradient"])
    outline = ""
    if box:
        top, bottom, left, right = box
        outline = (
            f'<rect class="box-of-field" x="{left}" y="{top}" width="{right - left + 1}" height="{bottom - top + 1}"/>'
        )
    described = f"The gradient is not zero on {_size(_reach(unit['gradient']))} pixels, outlined on the image"
    both = montage([image, _lit(unit["gradient"])])
    return _picture(both, name, f"What a unit of the {unit['name']} sees", described, 4.6, outline)


def _size(reach: tuple[int, int] | None) -> str:
    return "no" if reach is None else f"{reach[0]} × {reach[1]}"


def _picture(rows: Grid, name: str, title: str, description: str, wide: float, more: str = "") -> Markup:
    """The shades as an SVG of its own, ``wide`` CSS pixels for each."""
    width, height = len(rows[0]), len(rows)
    return Markup(
        f'<svg class="grey-image" viewBox="0 0 {width} {height}" style="max-width:{width * wide:.0f}px" role="img" '
        f'aria-labelledby="{name}-title {name}-desc"><title id="{name}-title">{escape(title)}</title>'
        f'<desc id="{name}-desc">{escape(description)}</desc>'
        f'<image href="{png(rows)}" width="{width}" height="{height}"/>{more}</svg>'
    )
