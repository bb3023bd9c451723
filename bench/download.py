"""Download files into a folder, so that it only ever holds whole, verified ones.

pooch does the downloading, with progress on a terminal and retries. It is imported here alone, and only when a
download is wanted: the rest of the suite runs without it.
"""

from __future__ import annotations

import importlib.util
import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

SOURCES = (
    "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
    "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
)
RETRIES = 3
# A machine without a network must go on at once; a slow connection must not be given up for one slow read.
REACH_SECONDS = 4.0
READ_SECONDS = 30.0

Fetch = Callable[[str, str, Path], Path]
Verify = Callable[[Path], object]


class DownloadError(Exception):
    """Nothing could be downloaded; the message says from where and why."""


def download(names: Sequence[str], folder: Path, verify: Verify, fetch: Fetch | None = None) -> None:
    """Bring the files called ``names`` into ``folder``, each from the first source whose file passes ``verify``.

    verify: called with the downloaded file, raises ValueError if it is not the right one. fetch: brings
    ``(source, name)`` into a folder and returns its path; by default pooch, from the sources that answer.
    Raises DownloadError if a file is to be had from no source; files that came before it stay.
    """
    sources = _reachable(names[0]) if fetch is None else list(SOURCES)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # In the same folder, so that the last move is a rename, which happens wholly or not at all.
        with tempfile.TemporaryDirectory(dir=folder, prefix=".download-") as temporary:
            for name in names:
                whole = _from_any(sources, name, Path(temporary), verify, fetch or _fetch)
                whole.replace(folder / name)
    except OSError as error:
        raise DownloadError(f"{folder}: cannot be written to ({error.strerror})") from error


def _from_any(sources: Sequence[str], name: str, folder: Path, verify: Verify, fetch: Fetch) -> Path:
    faults = []
    for number, source in enumerate(sources):
        own = folder / f"{number}"
        own.mkdir(exist_ok=True)
        try:
            path = fetch(source, name, own)
            verify(path)
        except Exception as error:  # whatever the network or a wrong file gave: the next source may do
            faults.append(f"{source}{name}: {error}")
        else:
            return path
    raise DownloadError("; ".join(faults))


def _fetch(source: str, name: str, folder: Path) -> Path:
    import pooch

    bar = sys.stderr.isatty() and "CI" not in os.environ and importlib.util.find_spec("tqdm") is not None
    downloader = pooch.HTTPDownloader(progressbar=bar, timeout=(REACH_SECONDS, READ_SECONDS))
    # No hash is given to pooch, which would take that of the .gz: `verify` looks at the content.
    one = pooch.create(path=folder, base_url=source, registry={name: None}, retry_if_failed=RETRIES)
    return Path(one.fetch(name, downloader=downloader))


def _reachable(name: str) -> list[str]:
    """The sources that say within REACH_SECONDS that they have the file ``name``; raises DownloadError if none.

    Asked all at once, in threads that may be left behind: looking a host up can block for longer than any timeout.
    """
    try:
        import pooch
    except ImportError:
        raise DownloadError("pooch, which downloads it, is not installed") from None
    answers: dict[str, bool] = {}

    def ask(source: str) -> None:
        try:
            answers[source] = pooch.HTTPDownloader(timeout=REACH_SECONDS)(source + name, None, None, check_only=True)
        except Exception:  # unreachable, whichever way
            answers[source] = False

    threads = [threading.Thread(target=ask, args=(source,), daemon=True) for source in SOURCES]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + REACH_SECONDS
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    if found := [source for source in SOURCES if answers.get(source)]:
        return found
    raise DownloadError(f"no answer from {' or '.join(SOURCES)}")
