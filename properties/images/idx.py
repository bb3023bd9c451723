"""Real images: a reader of the IDX format, and the bundled sample of Fashion-MNIST.

IDX (described at the end of the MNIST page, and used by Fashion-MNIST) is a header and then the values: two zero
bytes, one byte for the type of the values, one for the number of axes, each axis as a big-endian 32-bit integer,
then the values in row-major order. Only unsigned bytes (type 0x08) are read here, the one type Fashion-MNIST uses.
"""

from __future__ import annotations

import gzip
import lzma
import math
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

DATA = Path(__file__).parent / "data"
SIDE = 28
CLASSES = 10
SAMPLE_TRAIN = 2560
SAMPLE_TEST = 1000
_UNSIGNED_BYTE = 0x08
_GZIP = b"\x1f\x8b"
_XZ = b"\xfd7zXZ\x00"


@dataclass(frozen=True)
class Labelled:
    """Images with their classes. ``images``: uint8 (N, 28, 28), 0 black to 255 white; ``labels``: uint8 (N,), 0–9."""

    images: NDArray[np.uint8]
    labels: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class Images:
    """A training part and a test part."""

    train: Labelled
    test: Labelled


def decompress(data: bytes, name: str) -> bytes:
    """The content of a gzip or xz file, told by its first bytes; anything else is returned as it is.

    Raises ValueError, with ``name`` in it, where the compressed data is cut short or damaged.
    """
    try:
        if data.startswith(_GZIP):
            return gzip.decompress(data)
        if data.startswith(_XZ):
            return lzma.decompress(data)
    except (EOFError, OSError, zlib.error, lzma.LZMAError) as error:
        found = f"{len(data):,} bytes that do not decompress ({error})"
        raise ValueError(f"{name}: expected a complete compressed file, found {found}") from error
    return data


def parse_idx(data: bytes, name: str, axes: int) -> NDArray[np.uint8]:
    """The array in decompressed IDX ``data``, with ``axes`` axes; ``name`` is for the messages.

    Returns uint8, of the shape that the header gives. Raises ValueError, naming what was expected and what was
    found, for a wrong magic number, type, number of axes or length.

    >>> parse_idx(bytes([0, 0, 8, 1, 0, 0, 0, 3, 7, 8, 9]), "three labels", axes=1)
    array([7, 8, 9], dtype=uint8)
    """
    if len(data) < 4 or data[:2] != b"\0\0":
        found = data[:4].hex(" ") or "nothing"
        raise ValueError(f"{name}: expected an IDX file, which begins with 00 00, found {found}")
    kind, found_axes = data[2], data[3]
    if kind != _UNSIGNED_BYTE:
        raise ValueError(f"{name}: expected values of type 0x08 (unsigned byte), found type {kind:#04x}")
    if found_axes != axes:
        raise ValueError(f"{name}: expected {_counted(axes, 'axis', 'axes')}, found {found_axes}")
    start = 4 + 4 * axes
    if len(data) < start:
        raise ValueError(f"{name}: expected a header of {start} bytes, found {len(data)} bytes in all")
    shape = tuple(int.from_bytes(data[at : at + 4], "big") for at in range(4, start, 4))
    expected = start + math.prod(shape)
    if len(data) != expected:
        fault = "cut short" if len(data) < expected else "with trailing bytes"
        by = f"{expected:,} bytes (header {shape})"
        raise ValueError(f"{name}: expected {by}, found {len(data):,}: the file is {fault}")
    return np.frombuffer(data, np.uint8, offset=start).reshape(shape)


def read_idx(path: Path, axes: int) -> NDArray[np.uint8]:
    """The array in the IDX file at ``path``, raw or compressed by gzip or xz. Errors as for :func:`parse_idx`."""
    return parse_idx(decompress(path.read_bytes(), str(path)), str(path), axes)


def label(images: NDArray[np.uint8], labels: NDArray[np.uint8], name: str) -> Labelled:
    """Images (N, 28, 28) and labels (N,), held together after a look at whether they fit.

    Raises ValueError, with ``name`` in it, where sizes, counts or classes are not Fashion-MNIST's.
    """
    if images.shape[1:] != (SIDE, SIDE):
        raise ValueError(f"{name}: expected images of {SIDE}×{SIDE}, found {images.shape[1:]}")
    if len(images) != len(labels):
        raise ValueError(f"{name}: expected a label for each of {len(images):,} images, found {len(labels):,}")
    if len(labels) and labels.max() >= CLASSES:
        raise ValueError(f"{name}: expected labels from 0 to {CLASSES - 1}, found {labels.max()}")
    return Labelled(images, labels)


def sample() -> Images:
    """The bundled sample of Fashion-MNIST: 2,560 training images (256 a class), 1,000 test images (100 a class).

    Real images, in the order of the full data set; ``bench/make_sample.py`` chose them. They are few, so figures
    of training on them are not those of the data set. Raises ValueError where a bundled file is damaged.

    >>> sample().train.images.shape
    (2560, 28, 28)
    """
    return Images(_bundled("train", SAMPLE_TRAIN), _bundled("t10k", SAMPLE_TEST))


def _bundled(part: str, count: int) -> Labelled:
    images = read_idx(DATA / f"{part}-images-idx3-ubyte.xz", axes=3)
    labels = read_idx(DATA / f"{part}-labels-idx1-ubyte.xz", axes=1)
    if len(images) != count:
        raise ValueError(f"{DATA}: expected {count:,} images in {part}, found {len(images):,}")
    return label(images, labels, str(DATA))


def _counted(count: int, one: str, many: str) -> str:
    return f"{count} {one if count == 1 else many}"
