"""Systems S1–S24 of the chapter "Convolutional Neural Networks" of *Dive into Deep Learning*, as the page has them."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
PRINTED = {"loss": 0.469, "train_acc": 0.823, "test_acc": 0.779}
"""What the chapter prints after ten epochs of LeNet (S24)."""
PRINTED_RATE = 55_296.6
"""Examples a second that the chapter prints, on a device that it names as ``cuda:0`` (S24)."""


@dataclass(frozen=True)
class System:
    """One system: its formula in the notation of `reports.draw.mathml`, its loop's ``path`` and ``functions``."""

    id: str
    part: str
    title: str
    formula: str
    path: str
    functions: tuple[str, ...]


@cache
def lines(path: str) -> dict[str, int]:
    """On which line of ``path`` in this checkout each function begins; read as text, never imported."""
    try:
        tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    except (OSError, SyntaxError):
        return {}
    return {
        node.name: min([node.lineno, *(mark.lineno for mark in node.decorator_list)])
        for node in tree.body
        if isinstance(node, ast.FunctionDef)
    }


_DENSE = "From fully connected layers to convolution"
_IMAGE = "Image convolution"
_STRIDE = "Padding and stride"
_CHANNELS = "Channels"
_POOLING = "Pooling"
_LENET = "LeNet"

SYSTEMS = (
    System(
        "S1",
        _DENSE,
        "Fully connected image layer",
        "H_{i,j} = U_{i,j} + ∑_{a,b} V_{i,j,a,b} X_{i+a,j+b}",
        "refimpl/dense.py",
        ("image_layer", "image_layer_by_offset", "toeplitz"),
    ),
    System(
        "S2",
        _DENSE,
        "Mathematical convolution",
        "{(f ∗ g)}_{i,j} = ∑_{a,b} f_{a,b} g_{i−a,j−b}",
        "refimpl/convolution.py",
        ("convolve_sequences",),
    ),
    System(
        "S3",
        _DENSE,
        "Channels",
        "H_{i,j,d} = ∑_{a=−Δ}^Δ ∑_{b=−Δ}^Δ ∑_c V_{a,b,c,d} X_{i+a,j+b,c}",
        "refimpl/convolution.py",
        ("cross_correlate",),
    ),
    System(
        "S4",
        _IMAGE,
        "Cross-correlation",
        "Y_{i,j} = ∑_{a=0}^{k_h−1} ∑_{b=0}^{k_w−1} K_{a,b} X_{i+a,j+b}",
        "refimpl/convolution.py",
        ("corr2d",),
    ),
    System(
        "S5",
        _IMAGE,
        "Conv2D layer",
        "Y_{i,j} = β + ∑_{a,b} W_{a,b} X_{i+a,j+b}",
        "refimpl/convolution.py",
        ("cross_correlate",),
    ),
    System(
        "S6",
        _IMAGE,
        "Edge detection",
        "Y_{i,j} = X_{i,j} − X_{i,j+1}",
        "refimpl/convolution.py",
        ("corr2d",),
    ),
    System(
        "S7",
        _IMAGE,
        "Learning a kernel",
        "w ← w − η ∇_w ∑_{i,j} {(Ŷ_{i,j} − Y_{i,j})}^2",
        "refimpl/loss.py",
        ("squared_error", "squared_error_gradient"),
    ),
    System(
        "S8",
        _IMAGE,
        "Flip equivalence",
        "K ∗ X = F ⋆ X ; F_{a,b} = K_{k_h−1−a,k_w−1−b}",
        "refimpl/convolution.py",
        ("convolve", "flip"),
    ),
    System(
        "S9",
        _IMAGE,
        "Feature map and receptive field",
        "r = 1 + ∑_l (k_l − 1) ∏_{m<l} s_m",
        "refimpl/geometry.py",
        ("receptive_field",),
    ),
    System(
        "S10",
        _STRIDE,
        "Padding",
        "n_out = n − k + p + 1 ; p = k − 1 ⇒ n_out = n",
        "refimpl/geometry.py",
        ("same_padding",),
    ),
    System(
        "S11",
        _STRIDE,
        "Stride",
        "⌊frac{n_h − k_h + p_h + s_h}{s_h}⌋ × ⌊frac{n_w − k_w + p_w + s_w}{s_w}⌋",
        "refimpl/geometry.py",
        ("chapter_output", "convolution_output"),
    ),
    System(
        "S12",
        _CHANNELS,
        "Many inputs",
        "Y_{i,j} = ∑_c ∑_{a,b} K_{c,a,b} X_{c,i+a,j+b}",
        "refimpl/convolution.py",
        ("cross_correlate",),
    ),
    System(
        "S13",
        _CHANNELS,
        "Many outputs",
        "Y_{o,i,j} = ∑_c ∑_{a,b} K_{o,c,a,b} X_{c,i+a,j+b}",
        "refimpl/convolution.py",
        ("cross_correlate",),
    ),
    System(
        "S14",
        _CHANNELS,
        "1×1 convolution = matrix product",
        "Y_{o,i,j} = ∑_c K_{o,c} X_{c,i,j}",
        "refimpl/dense.py",
        ("matrix_product",),
    ),
    System(
        "S15",
        _POOLING,
        "Max and average pooling",
        "Y_{i,j} = max_{a,b} X_{i+a,j+b} ; Y_{i,j} = frac{1}{A B} ∑_{a,b} X_{i+a,j+b}",
        "refimpl/pooling.py",
        ("pool2d",),
    ),
    System(
        "S16",
        _POOLING,
        "Padding and stride of pooling",
        "Y_{i,j} = max_{a,b} X_{i s − p + a, j s − p + b} ; s = k",
        "refimpl/pooling.py",
        ("max_pool", "average_pool"),
    ),
    System(
        "S17",
        _POOLING,
        "Channels of pooling",
        "Y_{c,i,j} = max_{a,b} X_{c,i+a,j+b}",
        "refimpl/pooling.py",
        ("max_pool", "average_pool"),
    ),
    System(
        "S18",
        _LENET,
        "Architecture",
        "28^2 → 6 × 28^2 → 6 × 14^2 → 16 × 10^2 → 16 × 5^2 → 400 → 120 → 84 → 10",
        "refimpl/lenet.py",
        ("forward", "backward"),
    ),
    System(
        "S19",
        _LENET,
        "Xavier uniform initialisation",
        "W ∼ U(−r, r) ; r = sqrt{frac{6}{n_in + n_out}}",
        "refimpl/initializer.py",
        ("xavier_bound", "xavier_uniform"),
    ),
    System(
        "S20",
        _LENET,
        "Cross-entropy and mini-batch SGD",
        "L = −frac{1}{n} ∑_i log frac{e^{z_{i,t_i}}}{∑_o e^{z_{i,o}}} ; p ← p − η ∇_p L",
        "refimpl/loss.py",
        ("cross_entropy", "cross_entropy_gradient"),
    ),
    System(
        "S21",
        _LENET,
        "Accuracy",
        "frac{1}{n} ∑_i [argmax_o z_{i,o} = t_i]",
        "refimpl/loss.py",
        ("accuracy",),
    ),
    System(
        "S22",
        _LENET,
        "Fashion-MNIST",
        "60,000 = 234 · 256 + 96",
        "bench/fashion_mnist.py",
        (),
    ),
    System(
        "S23",
        _LENET,
        "Training loop",
        "rate = frac{∑_b n_b}{∑_b t_b}",
        "bench/recipes.py",
        (),
    ),
    System(
        "S24",
        _LENET,
        "The printed result after ten epochs",
        "loss = 0.469 ; train = 0.823 ; test = 0.779 ; rate = 55,296.6",
        "bench/test_training.py",
        (),
    ),
)
