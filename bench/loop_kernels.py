"""LeNet's convolutions as loops that become vector instructions: the batch innermost, the taps written out.

All operands are float32 and hold CHUNK examples at a time: ``x[k, c, i, j, n]`` is pixel (i, j) of channel c of example
n in chunk k. Threads share the chunks. The loop over n is the innermost one, so that each of its steps is the same on
neighbouring numbers, whatever the size of the image. In its body stand, written out by :func:`_lines` and friends, all
products of a 6×6 window of the input with the four 5×5 windows in it, of whose outputs a pool makes one, for two output
channels: an input that was loaded serves up to eight products, a weight four, and sums stay in registers.

What makes it fast on AVX2, measured: ``parallel=True``, since Numba tells the compiler of such functions alone that
arrays do not overlap, without which nothing is vectorised; fast-math without the flags that assume that there are no
NaN and infinities; chunks whose size is a constant, and small enough for a core's cache.
"""

from __future__ import annotations

import hashlib
import importlib.util
import sys
from collections.abc import Callable, Iterator
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import pooch

CHUNK = 64
KERNEL, WINDOW = 5, 6
PAIR = (0, 1)  # of output channels; also the offsets of a pool
TAPS = tuple(product(range(KERNEL), repeat=2))
QUARTET = tuple(product(PAIR, PAIR, PAIR))  # output channel, row and column in the pool

_HEAD = '''
import numpy as np
from numba import njit, prange

FLAGS = {"contract", "reassoc", "nsz", "arcp"}


@njit(fastmath=FLAGS, error_model="numpy")
def sigmoid(z):
    """σ(z) = (1 + tanh(z/2))/2, tanh by Eigen's quotient of polynomials (ptanh_float), within a few units of 2⁻²⁴."""
    t = min(max(np.float32(0.5) * z, np.float32(-7.99)), np.float32(7.99))
    s = t * t
    p = np.float32(-2.76076847742355e-16) * s + np.float32(2.00018790482477e-13)
    p = p * s + np.float32(-8.60467152213735e-11)
    p = p * s + np.float32(5.12229709037114e-08)
    p = p * s + np.float32(1.48572235717979e-05)
    p = p * s + np.float32(6.37261928875436e-04)
    p = p * s + np.float32(4.89352455891786e-03)
    q = np.float32(1.19825839466702e-06) * s + np.float32(1.18534705686654e-04)
    q = q * s + np.float32(2.26843463243900e-03)
    q = q * s + np.float32(4.89352518554385e-03)
    return np.float32(0.5) + np.float32(0.5) * t * p / q


@njit(parallel=True, fastmath=FLAGS, error_model="numpy", cache=True)
'''


@cache
def convolution() -> Callable[..., None]:
    """5×5 convolution, sigmoid and 2×2 average pool.

    The kernel takes x (K, C, H+4, W+4, CHUNK), w (O, C, 5, 5) and b (O,), and fills s (K, O, H, W, CHUNK) with sigmoids
    and y (K, O, H/2, W/2, CHUNK) with their averages; O, H and W are even.
    """
    sums = {(o, di, dj): f"s[k, o + {o}, i + {di}, j + {dj}, n]" for o, di, dj in QUARTET}
    taps = [
        line
        for u, v in product(range(WINDOW), repeat=2)
        for line in (
            f"x_ = x[k, c, i + {u}, j + {v}, n]",
            *(f"s{o}{di}{dj} += w{o}_{u - di}{v - dj} * x_" for o, di, dj in QUARTET if (u - di, v - dj) in TAPS),
        )
    ]
    return _kernel(
        "convolution",
        f"""
def kernel(x, w, b, s, y):
    _, outputs, height, width, _ = s.shape
    for k in prange(len(s)):
        for o in range(0, outputs, 2):
            for i in range(0, height, 2):
                for j in range(0, width, 2):
                    for p in range(o, o + 2):
                        for n in range({CHUNK}):
                            s[k, p, i, j, n] = s[k, p, i, j + 1, n] = b[p]
                            s[k, p, i + 1, j, n] = s[k, p, i + 1, j + 1, n] = b[p]
                    for c in range(x.shape[1]):
                        {_lines(24, _weights())}
                        for n in range({CHUNK}):
                            {_lines(28, (f"s{o}{di}{dj} = {sums[o, di, dj]}" for o, di, dj in QUARTET))}
                            {_lines(28, taps)}
                            {_lines(28, (f"{sums[o, di, dj]} = s{o}{di}{dj}" for o, di, dj in QUARTET))}
                    for p in range(o, o + 2):
                        for row in range(i, i + 2):
                            for column in range(j, j + 2):
                                for n in range({CHUNK}):
                                    s[k, p, row, column, n] = sigmoid(s[k, p, row, column, n])
                        for n in range({CHUNK}):
                            above = s[k, p, i, j, n] + s[k, p, i, j + 1, n]
                            below = s[k, p, i + 1, j, n] + s[k, p, i + 1, j + 1, n]
                            y[k, p, i // 2, j // 2, n] = np.float32(0.25) * (above + below)
""",
    )


@cache
def pool_gradient() -> Callable[..., None]:
    """Through the pool and the sigmoid: g = σ(1−σ)·(gradient to the average)/4, and what it gives the bias.

    The kernel takes to_y (K, O, H/2, W/2, CHUNK) and s (K, O, H, W, CHUNK), and fills g, of s's shape, and to_b (K, O).
    """
    return _kernel(
        "pool_gradient",
        f"""
def kernel(to_y, s, g, to_b):
    _, outputs, height, width, _ = s.shape
    for k in prange(len(s)):
        for o in range(outputs):
            total = np.float32(0)
            for i in range(height):
                for j in range(width):
                    for n in range({CHUNK}):
                        s_ = s[k, o, i, j, n]
                        g_ = s_ * (np.float32(1) - s_) * np.float32(0.25) * to_y[k, o, i // 2, j // 2, n]
                        g[k, o, i, j, n] = g_
                        total += g_
            to_b[k, o] = total
""",
    )


@cache
def weight_gradient() -> Callable[..., None]:
    """The gradient of a convolution to its weight: five taps of a row and two output channels at once.

    The kernel takes g (K, O, H, W, CHUNK) and x (K, C, H+4, W+4, CHUNK), and fills to_w (K, O, C, 5, 5). A row of
    outputs is one loop: what stands a tap to the right of an input lies CHUNK numbers after it.
    """
    sums = [(o, b) for o in PAIR for b in range(KERNEL)]
    return _kernel(
        "weight_gradient",
        f"""
def kernel(g, x, to_w):
    _, outputs, height, width, _ = g.shape
    channels = x.shape[1]
    for k in prange(len(g)):
        rows_g = g[k].reshape(outputs, height, width * {CHUNK})
        rows_x = x[k].reshape(channels, height + 4, (width + 4) * {CHUNK})
        for o in range(0, outputs, 2):
            for c in range(channels):
                for a in range({KERNEL}):
                    {" = ".join(f"w{o}_{b}" for o, b in sums)} = np.float32(0)
                    for i in range(height):
                        for m in range(width * {CHUNK}):
                            {_lines(28, (f"x{b} = rows_x[c, i + a, m + {b * CHUNK}]" for b in range(KERNEL)))}
                            {_lines(28, (f"g{o} = rows_g[o + {o}, i, m]" for o in PAIR))}
                            {_lines(28, (f"w{o}_{b} += g{o} * x{b}" for o, b in sums))}
                    {_lines(20, (f"to_w[k, o + {o}, c, a, {b}] = w{o}_{b}" for o, b in sums))}
""",
    )


@cache
def input_gradient(channels: int, outputs: int, size: int) -> Callable[..., None]:
    """The gradient of a convolution to its input: what the forward pass gathers, the backward pass scatters.

    The kernel takes g (K, O, size, size, CHUNK) and w (O, C, 5, 5), and fills to_x (K, C, size+4, size+4, CHUNK). Flat
    arrays and constants show the compiler that the elements of a window do not overlap; else nothing is vectorised.
    """
    wide = size + 4

    def scattered(u: int, v: int) -> str:
        terms = [f"w{o}_{u - di}{v - dj} * g{o}{di}{dj}" for o, di, dj in QUARTET if (u - di, v - dj) in TAPS]
        return f"flat_x[to + {(u * wide + v) * CHUNK} + n] += {' + '.join(terms)}"

    return _kernel(
        "input_gradient",
        f"""
def kernel(g, w, to_x):
    for k in prange(len(g)):
        flat_g, flat_x = g[k].reshape(-1), to_x[k].reshape(-1)
        flat_x[:] = 0
        for o in range(0, {outputs}, 2):
            for i in range(0, {size}, 2):
                for j in range(0, {size}, 2):
                    for c in range({channels}):
                        {_lines(24, _weights())}
                        {_lines(24, (f"of{o} = (((o + {o}) * {size} + i) * {size} + j) * {CHUNK}" for o in PAIR))}
                        to = ((c * {wide} + i) * {wide} + j) * {CHUNK}
                        for n in range({CHUNK}):
                            {
            _lines(28, (f"g{o}{di}{dj} = flat_g[of{o} + {(di * size + dj) * CHUNK} + n]" for o, di, dj in QUARTET))
        }
                            {_lines(28, (scattered(u, v) for u, v in product(range(WINDOW), repeat=2)))}
""",
    )


def _weights() -> Iterator[str]:
    return (f"w{o}_{a}{b} = w[o + {o}, c, {a}, {b}]" for o in PAIR for a, b in TAPS)


def _lines(indent: int, lines: Any) -> str:
    return f"\n{' ' * indent}".join(lines)


def _kernel(name: str, source: str) -> Callable[..., None]:
    """A compiled kernel, from a file in the user's cache: beside it Numba keeps the machine code."""
    text = f'"""Written by bench/loop_kernels.py."""\n{_HEAD}{source.lstrip()}'
    folder = Path(pooch.os_cache("convproof")) / "kernels"
    path = folder / f"{name}_{hashlib.sha256(text.encode()).hexdigest()[:16]}.py"
    if not path.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        draft = path.with_suffix(f".{id(text)}")
        draft.write_text(text, encoding="utf-8")
        draft.replace(path)
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[path.stem] = importlib.util.module_from_spec(spec)  # Numba's cache asks for it by its name
    spec.loader.exec_module(module)
    kernel: Callable[..., None] = module.kernel
    return kernel
