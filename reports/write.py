"""Writing a report so that a reader never meets half of one."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

try:
    import fcntl
except ImportError:  # not on this system: two reports written at once may mix
    fcntl = None  # type: ignore[assignment]


def write(folder: Path, texts: Mapping[str, str]) -> None:
    """Write every text under its name in ``folder`` (made if missing).

    All are written beside their places first and moved only when each is whole, so that a full disk or an
    interruption leaves the last report as it was; a second writer waits until they are moved. Raises `OSError`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=".draft-", dir=folder) as drafts:
        for name, text in texts.items():
            (Path(drafts) / name).write_text(text, encoding="utf-8", newline="\n")
        with _alone(folder):
            for name in texts:
                os.replace(Path(drafts) / name, folder / name)  # noqa: PTH105 - atomic on one file system


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    if fcntl is None:
        yield
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
