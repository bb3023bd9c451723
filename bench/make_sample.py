"""Make the bundled sample from the full data set: ``python -m bench.make_sample --data-dir FOLDER``.

The sample is the first images of each class, in the order of the full set (which upstream shuffled), so nothing is
drawn at random and the same data gives the same files, byte for byte (xz's own bytes may change with its version).
"""

from __future__ import annotations

import argparse
import lzma
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench import fashion_mnist
from properties.images.idx import CLASSES, DATA, SAMPLE_TEST, SAMPLE_TRAIN, Labelled


def first_of_each_class(labels: NDArray[np.uint8], count: int) -> NDArray[np.intp]:
    """Positions of the first ``count`` labels of each class, in ascending order.

    >>> first_of_each_class(np.array([0, 1, 0, 1, 0, *range(2, 10)], np.uint8), 1)
    array([ 0,  1,  5,  6,  7,  8,  9, 10, 11, 12])
    """
    return np.sort(np.concatenate([np.flatnonzero(labels == c)[:count] for c in range(CLASSES)]))


def to_idx(values: NDArray[np.uint8]) -> bytes:
    """``values`` as an IDX file.

    >>> to_idx(np.array([7, 8], np.uint8)).hex(" ")
    '00 00 08 01 00 00 00 02 07 08'
    """
    header = bytes([0, 0, 0x08, values.ndim]) + b"".join(size.to_bytes(4, "big") for size in values.shape)
    return header + np.ascontiguousarray(values).tobytes()


def sample_files(train: Labelled, test: Labelled) -> dict[str, bytes]:
    """The four bundled files, by name, made from the full training and test parts."""
    files = {}
    for part, full, count in (("train", train, SAMPLE_TRAIN), ("t10k", test, SAMPLE_TEST)):
        chosen = first_of_each_class(full.labels, count // CLASSES)
        files[f"{part}-images-idx3-ubyte.xz"] = _compress(to_idx(full.images[chosen]))
        files[f"{part}-labels-idx1-ubyte.xz"] = _compress(to_idx(full.labels[chosen]))
    return files


def _compress(data: bytes) -> bytes:
    return lzma.compress(data, preset=9 | lzma.PRESET_EXTREME)


def main(arguments: list[str] | None = None) -> int:
    """Write the sample. Returns 0, or 2 where the full data set or the output folder will not do."""
    parser = argparse.ArgumentParser(prog="python -m bench.make_sample", description=__doc__.partition("\n")[0])
    parser.add_argument("--data-dir", type=Path, required=True, help="folder of the four full files (raw or .gz)")
    parser.add_argument("--output", type=Path, default=DATA, help="where to write (default: properties/images/data)")
    options = parser.parse_args(arguments)
    if not options.output.is_dir():
        parser.error(f"--output={options.output}: not a folder; name one that exists")
    try:
        full = fashion_mnist.load(options.data_dir)
    except fashion_mnist.DataSetError as error:
        parser.error(str(error))
    for name, content in sample_files(full.train, full.test).items():
        temporary = options.output / f".{name}.tmp"
        temporary.write_bytes(content)
        temporary.replace(options.output / name)
        print(f"{options.output / name}: {len(content):,} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
