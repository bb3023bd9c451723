"""Finding, reading and verifying Fashion-MNIST, and what is said where a file will not do."""

from __future__ import annotations

import gzip
import hashlib
import lzma
import re
from pathlib import Path

import numpy as np
import pytest

from bench import download, fashion_mnist, make_sample
from properties.images import idx
from properties.selftest import nested

STEMS = list(fashion_mnist.DIGESTS)
THREE = bytes([0, 0, 8, 1, 0, 0, 0, 3, 7, 8, 9])


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    """Four small files that take the published ones' place: two training images and one test image."""
    files = {}
    for part, count in (("train", 2), ("t10k", 1)):
        pictures = np.arange(count * 28 * 28, dtype=np.uint8).reshape(count, 28, 28)
        files[f"{part}-images-idx3-ubyte"] = make_sample.to_idx(pictures)
        files[f"{part}-labels-idx1-ubyte"] = make_sample.to_idx(np.arange(count, dtype=np.uint8))
    digests = {stem: hashlib.sha256(content).hexdigest() for stem, content in files.items()}
    monkeypatch.setattr(fashion_mnist, "DIGESTS", digests)
    return files


@pytest.fixture
def places(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, Path]:
    """Empty folders in the place of the cache's and Debian's, no variable, and no network."""
    folders = {name: tmp_path / name for name in ("named", "variable", "cache", "debian")}
    for folder in folders.values():
        folder.mkdir()
    monkeypatch.setattr(fashion_mnist, "cache_folder", lambda: folders["cache"])
    monkeypatch.setattr(fashion_mnist, "DEBIAN", folders["debian"])
    monkeypatch.delenv(fashion_mnist.VARIABLE, raising=False)
    monkeypatch.setattr(download, "_reachable", _no_answer)
    return folders


def _no_answer(name: str) -> list[str]:
    raise download.DownloadError("no answer")


def _fill(folder: Path, files: dict[str, bytes], suffix: str = ".gz") -> None:
    for stem, content in files.items():
        (folder / f"{stem}{suffix}").write_bytes(gzip.compress(content) if suffix else content)


@pytest.mark.parametrize(
    "data, says",
    [
        (b"", "expected an IDX file, which begins with 00 00, found nothing"),
        (b"<html>", "expected an IDX file, which begins with 00 00, found 3c 68 74 6d"),
        (b"\0\0\x0d" + THREE[3:], "expected values of type 0x08 (unsigned byte), found type 0x0d"),
        (b"\0\0\x08\x03" + THREE[4:], "expected 1 axis, found 3"),
        (THREE[:6], "expected a header of 8 bytes, found 6 bytes in all"),
        (THREE[:-1], "expected 11 bytes (header (3,)), found 10: the file is cut short"),
        (THREE + b"\0", "expected 11 bytes (header (3,)), found 12: the file is with trailing bytes"),
        (b"\0\0\x08\x01\xff\xff\xff\xff", "expected 4,294,967,303 bytes (header (4294967295,)), found 8"),
    ],
    ids=["empty", "page", "type", "axes", "header", "truncated", "trailing", "huge"],
)
def test_reader_says_what_is_wrong(tmp_path: Path, data: bytes, says: str) -> None:
    """A file that is not the IDX file asked for is refused, with its name, what was expected and what was found."""
    path = tmp_path / "labels"
    path.write_bytes(data)
    with pytest.raises(ValueError, match="^" + re.escape(f"{path}: {says}")):
        idx.read_idx(path, axes=1)


@pytest.mark.parametrize("compress", [bytes, gzip.compress, lzma.compress])
def test_reader_takes_raw_gzip_and_xz(tmp_path: Path, compress: type[bytes]) -> None:
    """The same array comes out of a raw and a compressed file."""
    path = tmp_path / "labels"
    path.write_bytes(compress(THREE))
    np.testing.assert_array_equal(idx.read_idx(path, axes=1), [7, 8, 9])


@pytest.mark.parametrize("compress", [gzip.compress, lzma.compress])
@pytest.mark.parametrize("damage", ["cut short", "altered"])
def test_reader_refuses_damaged_compression(tmp_path: Path, compress: type[bytes], damage: str) -> None:
    """A compressed file that was cut short or altered is refused by name."""
    whole = bytearray(compress(THREE * 50))
    if damage == "altered":
        whole[len(whole) // 2] ^= 0xFF
    path = tmp_path / "labels"
    path.write_bytes(whole if damage == "altered" else whole[:-6])
    with pytest.raises(ValueError, match="labels: expected a complete compressed file, found"):
        idx.read_idx(path, axes=1)


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_raw_and_gz_folders(small: dict[str, bytes], places: dict[str, Path], suffix: str) -> None:
    """A named folder may hold raw or compressed files."""
    _fill(places["named"], small, suffix)
    found = fashion_mnist.load(places["named"])
    assert (found.name, found.folder) == ("fashion-mnist", places["named"])
    assert (len(found.train), len(found.test)) == (2, 1)
    np.testing.assert_array_equal(found.train.labels, [0, 1])


def test_lookup_order(small: dict[str, bytes], places: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """Each place is used when those before it are absent; the sample, which says what it is, comes last."""
    assert fashion_mnist.load().name == "bundled sample"
    for place in ("debian", "cache"):
        _fill(places[place], small)
        assert fashion_mnist.load().folder == places[place]
    for place in ("variable", "named"):
        _fill(places[place], small)
    monkeypatch.setenv(fashion_mnist.VARIABLE, str(places["variable"]))
    assert fashion_mnist.load().folder == places["variable"]
    assert fashion_mnist.load(places["named"]).folder == places["named"]


@pytest.mark.parametrize("downloading, why", [(True, "no answer"), (False, "downloading is switched off")])
def test_sample_is_labelled(places: dict[str, Path], downloading: bool, why: str) -> None:
    """The sample's note says how many images it has, why it was taken and that its figures are its own."""
    found = fashion_mnist.load(downloading=downloading)
    assert found.name == "bundled sample"
    assert found.note.startswith("2,560 training and 1,000 test images bundled for want of the full data set")
    assert f"({why})" in found.note
    assert "not those of Fashion-MNIST" in found.note


def test_named_folder_is_never_passed_over(
    small: dict[str, bytes], places: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A named folder that is missing or incomplete is an error, even where another place has the files."""
    _fill(places["cache"], small)
    with pytest.raises(fashion_mnist.DataSetError, match=r"--data-dir=.*nowhere: no such folder; name one that"):
        fashion_mnist.load(places["named"] / "nowhere")
    monkeypatch.setenv(fashion_mnist.VARIABLE, str(places["variable"]))
    _fill(places["variable"], {stem: small[stem] for stem in STEMS[:3]})
    with pytest.raises(fashion_mnist.DataSetError, match=rf"^{fashion_mnist.VARIABLE}=.*: {STEMS[3]}\[.gz\] not there"):
        fashion_mnist.load()


def test_wrong_content_names_file_digest_and_remedy(small: dict[str, bytes], places: dict[str, Path]) -> None:
    """A well-formed file with other content is refused; the remedy fits the place."""
    for place, remedy in (("named", "get a good one from http"), ("cache", "delete it"), ("debian", "apt-get install")):
        _fill(places[place], small | {STEMS[0]: make_sample.to_idx(np.zeros((2, 28, 28), np.uint8))})
        with pytest.raises(fashion_mnist.DataSetError) as caught:
            fashion_mnist.verify(places[place] / f"{STEMS[0]}.gz")
        message = str(caught.value)
        assert f"{STEMS[0]}.gz: expected decompressed content of SHA-256 {fashion_mnist.DIGESTS[STEMS[0]]}" in message
        assert remedy in message


def test_cut_short_file_names_remedy(small: dict[str, bytes], places: dict[str, Path]) -> None:
    """A cut file in the cache is an error with a remedy, not a reason to train on something else."""
    _fill(places["cache"], small)
    path = places["cache"] / f"{STEMS[0]}.gz"
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(fashion_mnist.DataSetError, match=r"expected a complete compressed file.*; delete it"):
        fashion_mnist.load()


def test_cache_is_where_pooch_has_it() -> None:
    """The cache is found without pooch, in the place that pooch would name."""
    pooch = pytest.importorskip("pooch", reason="not run (pooch is not installed)")
    assert fashion_mnist.cache_folder().parent == Path(pooch.os_cache("convproof"))


def test_sample_is_stratified() -> None:
    """The sample has the same number of images of each class."""
    sample = idx.sample()
    np.testing.assert_array_equal(np.bincount(sample.train.labels), np.full(10, 256))
    np.testing.assert_array_equal(np.bincount(sample.test.labels), np.full(10, 100))
    assert sum(path.stat().st_size for path in idx.DATA.iterdir()) < 1_500_000


def test_sample_comes_from_the_full_data_set(pytestconfig: pytest.Config) -> None:
    """Made again from the full data set, the sample's content is the bundled one, byte for byte."""
    full = fashion_mnist.load(pytestconfig.getoption("--data-dir"), downloading=False)
    if full.name != fashion_mnist.NAME:
        pytest.skip("not run (the full data set is not here)")
    for name, content in make_sample.sample_files(full.train, full.test).items():
        assert lzma.decompress((idx.DATA / name).read_bytes()) == lzma.decompress(content), name


def test_unusable_data_dir_exits_with_2(tmp_path: Path) -> None:
    """The command line says in one line what is wrong with the folder, and exits with 2 before any test."""
    ended = nested.run("bench", f"--data-dir={tmp_path}/nowhere", f"--evidence={tmp_path}")
    assert ended.returncode == 2
    assert f"--data-dir={tmp_path}/nowhere: no such folder; name one that holds train-images" in ended.stderr
