"""Downloading leaves whole, verified files or nothing. The servers are on this machine; no test asks the network."""

from __future__ import annotations

import functools
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench import download

WHOLE = b"whole"


def _verify(path: Path) -> None:
    if path.read_bytes() != WHOLE:
        raise ValueError(f"{path.name}: not whole")


def _listing(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("failure", [ConnectionError("cut off"), None], ids=["interrupted", "wrong content"])
def test_no_partial_file_is_left(tmp_path: Path, failure: Exception | None) -> None:
    """A download that breaks off, or brings something else, leaves no file behind and says why."""

    def fetch(source: str, name: str, folder: Path) -> Path:
        (folder / name).write_bytes(WHOLE[:3])
        if failure:
            raise failure
        return folder / name

    with pytest.raises(download.DownloadError, match="cut off" if failure else "not whole"):
        download.download(["a.gz"], tmp_path, _verify, fetch)
    assert _listing(tmp_path) == []


def test_keyboard_interrupt_leaves_nothing(tmp_path: Path) -> None:
    """A download stopped by the user is not taken for a fault of the source, and leaves no file behind."""

    def fetch(source: str, name: str, folder: Path) -> Path:
        (folder / name).write_bytes(WHOLE[:3])
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        download.download(["a.gz"], tmp_path, _verify, fetch)
    assert _listing(tmp_path) == []


def test_second_source_and_files_that_came(tmp_path: Path) -> None:
    """A file comes from the source that has it; one that came whole stays when the next cannot be had."""
    asked = []

    def fetch(source: str, name: str, folder: Path) -> Path:
        asked.append((source, name))
        if source == download.SOURCES[0] or name == "b.gz":
            raise ConnectionError("not here")
        (folder / name).write_bytes(WHOLE)
        return folder / name

    with pytest.raises(download.DownloadError, match=r"b\.gz: not here; .*b\.gz: not here"):
        download.download(["a.gz", "b.gz"], tmp_path, _verify, fetch)
    assert _listing(tmp_path) == ["a.gz"]
    assert asked == [(source, name) for name in ("a.gz", "b.gz") for source in download.SOURCES]


def test_folder_that_cannot_be_made(tmp_path: Path) -> None:
    """A cache that cannot be written to is named."""
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(download.DownloadError, match="file/cache: cannot be written to"):
        download.download(["a.gz"], tmp_path / "file" / "cache", _verify, lambda *_: tmp_path)


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *arguments: object) -> None:
        """Say nothing: what the requests were is seen in what comes of them."""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """The address of a server on this machine, and the folder that it serves."""
    folder = tmp_path / "served"
    folder.mkdir()
    handler = functools.partial(_Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}/", folder
        running.shutdown()
        thread.join()


def test_pooch_downloads(server: tuple[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Through pooch and a real server: a source without the file is passed over, and the file comes from the next."""
    pytest.importorskip("pooch", reason="not run (pooch is not installed)")
    address, served = server
    (served / "a.gz").write_bytes(WHOLE)
    monkeypatch.setattr(download, "SOURCES", (f"{address}elsewhere/", address))
    download.download(["a.gz"], tmp_path / "cache", _verify)
    assert (tmp_path / "cache" / "a.gz").read_bytes() == WHOLE
    with pytest.raises(download.DownloadError, match=f"no answer from {address}elsewhere/ or {address}"):
        download.download(["b.gz"], tmp_path / "cache", _verify)
    assert _listing(tmp_path / "cache") == ["a.gz"]
