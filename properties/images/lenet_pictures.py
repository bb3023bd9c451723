"""Numbers for the report's pictures of LeNet: a real image, and what the layers make of it, as shades of grey."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from refimpl.arrays import Array

CLASSES = (
    "T-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot",
)  # fmt: skip
LAYERS = {
    0: "convolution 5×5", 1: "sigmoid", 2: "average pooling 2×2", 3: "convolution 5×5", 4: "sigmoid",
    5: "average pooling 2×2", 7: "dense", 8: "sigmoid", 9: "dense", 10: "sigmoid", 11: "dense: the ten classes",
}  # fmt: skip
"""What is shown, by position; the flattened layer has the numbers of the one before it."""
_ROW = 12  # units of a dense layer in a row; 120, 84 and 10 of them


def grey(values: Array, low: float, high: float) -> list[Any]:
    """Values as whole numbers from 0 at ``low`` to 255 at ``high``, of the same shape.

    >>> grey(np.array([-1.0, 0.0, 1.0]), -1.0, 1.0)
    [0, 128, 255]
    """
    return np.rint(255 * (values - low) / ((high - low) or 1.0)).astype(int).tolist()


def feature_maps(image: Array, label: int, activations: Mapping[int, Array]) -> dict[str, Any]:
    """LeNet's activations of one image (28, 28) in [0, 1], by layer.

    activations: (C, H, W) of a layer with maps, (C,) of a dense one, which becomes rows of twelve. Each map, and each
    dense layer as a whole, is on a scale from its least value to its largest: what a map has in it would not be seen
    on a scale for all. Every position in LAYERS must be there.
    """
    layers = []
    for position, name in LAYERS.items():
        values = np.asarray(activations[position], dtype=float)
        maps = [_scaled(own) for own in values] if values.ndim == 3 else [_rows(_scaled(values))]
        ends = {"low": float(values.min()), "high": float(values.max())}
        layers.append({"name": name, "shape": list(values.shape), **ends, "maps": maps})
    return {"image": grey(image, 0.0, 1.0), "label": CLASSES[label], "layers": layers}


def _scaled(values: Array) -> list[Any]:
    return grey(values, float(values.min()), float(values.max()))


def _rows(units: Sequence[int]) -> list[list[int]]:
    return [list(units[i : i + _ROW]) for i in range(0, len(units), _ROW)]
