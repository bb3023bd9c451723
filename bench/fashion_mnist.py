"""Fashion-MNIST (S22): found, downloaded or sampled, and verified.

Looked for in this order: the folder that the user names (``--data-dir``, else ``$FASHION_MNIST_DIR``), the cache,
the folder of Debian's package ``dataset-fashion-mnist``, the two upstream addresses, and last the bundled sample,
whose name and note say that it is one. A folder that the user names is used or is an error; it is never passed over.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench import download
from properties.images import idx
from properties.images.idx import Labelled

VARIABLE = "FASHION_MNIST_DIR"
DEBIAN = Path("/usr/share/datasets/fashion-mnist")
NAME = "fashion-mnist"
SAMPLE_NAME = "bundled sample"
# SHA-256 of the decompressed files: gzip headers hold a time and a name, so the same data has many .gz files.
DIGESTS = {
    "train-images-idx3-ubyte": "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    "train-labels-idx1-ubyte": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    "t10k-images-idx3-ubyte": "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
    "t10k-labels-idx1-ubyte": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
}


class DataSetError(ValueError):
    """A data set that the user must mend; the message names the file, what was expected and what would do."""


@dataclass(frozen=True)
class DataSet:
    """Training and test images, and where they are from.

    ``name`` is "fashion-mnist" or "bundled sample"; ``note`` is one sentence for reports; ``folder`` is where the
    files lie, None for the sample.
    """

    train: Labelled
    test: Labelled
    name: str
    note: str
    folder: Path | None


def load(data_dir: Path | None = None, *, downloading: bool = True) -> DataSet:
    """The data set from the first place that has it, or else the bundled sample.

    data_dir: a folder with the four files, raw or ``.gz``; downloading: whether the network may be asked.
    Raises DataSetError where the folder that the user named lacks a file, or where any file found is not the one
    it should be.
    """
    if (named := named_folder(data_dir)) is not None:
        return _read(named)
    cache = cache_folder()
    for folder in (cache, DEBIAN):
        if not _missing(folder):
            return _read(folder)
    if not downloading:
        return _sample("downloading is switched off")
    try:
        download.download([f"{stem}.gz" for stem in _missing(cache)], cache, verify)
    except download.DownloadError as error:
        return _sample(str(error))
    return _read(cache)


def named_folder(data_dir: Path | None = None, environment: Mapping[str, str] = os.environ) -> Path | None:
    """The folder that the user names by the option or the variable, None if neither is given.

    Raises DataSetError where it is not a folder or lacks one of the four files.
    """
    if data_dir is not None:
        folder, given = data_dir, f"--data-dir={data_dir}"
    elif value := environment.get(VARIABLE):
        folder, given = Path(value), f"{VARIABLE}={value}"
    else:
        return None
    if not folder.is_dir():
        raise DataSetError(f"{given}: no such folder; name one that holds {_listing(list(DIGESTS))}")
    if missing := _missing(folder):
        raise DataSetError(f"{given}: {_listing(missing)} not there; put the files in it, from {download.SOURCES[0]}")
    return folder


def cache_folder() -> Path:
    """Where downloads are kept: convproof's folder in the user's cache, as ``pooch.os_cache`` has it."""
    try:
        from platformdirs import user_cache_dir  # what pooch uses; both are there or neither
    except ImportError:
        return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "convproof", NAME)
    return Path(user_cache_dir("convproof"), NAME)


def verify(path: Path) -> NDArray[np.uint8]:
    """The array in one of the four files, shown to be the published one. images: (N, 28, 28); labels: (N,).

    path: named as upstream, raw or ``.gz``. Raises DataSetError with the file, what was expected and found, and how
    to get a good one.
    """
    stem = path.name.removesuffix(".gz")
    try:
        data = idx.decompress(path.read_bytes(), str(path))
        values = idx.parse_idx(data, str(path), axes=3 if "images" in stem else 1)
    except (ValueError, OSError) as error:
        raise DataSetError(f"{error}; {_remedy(path)}") from error
    found = hashlib.sha256(data).hexdigest()
    if found != DIGESTS[stem]:
        expected = f"expected decompressed content of SHA-256 {DIGESTS[stem]}"
        raise DataSetError(f"{path}: {expected}, found {found}; {_remedy(path)}")
    return values


def _read(folder: Path) -> DataSet:
    values = {stem: verify(_file(folder, stem)) for stem in DIGESTS}
    train, test = (
        idx.label(values[f"{part}-images-idx3-ubyte"], values[f"{part}-labels-idx1-ubyte"], str(folder))
        for part in ("train", "t10k")
    )
    return DataSet(train, test, NAME, f"{_counts(train, test)}, verified by SHA-256", folder)


def _sample(reason: str) -> DataSet:
    sample = idx.sample()
    what = f"{_counts(sample.train, sample.test)} bundled for want of the full data set ({reason})"
    note = f"{what}: its figures are not those of Fashion-MNIST"
    return DataSet(sample.train, sample.test, SAMPLE_NAME, note, None)


def _counts(train: Labelled, test: Labelled) -> str:
    return f"{len(train):,} training and {len(test):,} test images"


def _file(folder: Path, stem: str) -> Path:
    raw = folder / stem
    return raw if raw.is_file() else folder / f"{stem}.gz"


def _missing(folder: Path) -> list[str]:
    return [stem for stem in DIGESTS if not _file(folder, stem).is_file()]


def _listing(stems: list[str]) -> str:
    return ", ".join(f"{stem}[.gz]" for stem in stems)


def _remedy(path: Path) -> str:
    if path.parent == DEBIAN:
        return "get a good one by: apt-get install --reinstall dataset-fashion-mnist"
    if path.parent == cache_folder():
        return "delete it, and the next run downloads it again"
    return f"get a good one from {download.SOURCES[0]}{path.name.removesuffix('.gz')}.gz"
