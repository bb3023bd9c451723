"""Writing a report so that a reader never meets half of one."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path


def write(folder: Path, texts: Mapping[str, str]) -> None:
    """Write every text under its name in ``folder`` (made if missing).

    All are written beside their places first and moved only when each is whole, so that a full disk or an
    interruption leaves the last report as it was. Raises `OSError`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as undo:
        whole: list[tuple[Path, Path]] = []
        for name, text in texts.items():
            final = folder / name
            draft = folder / f".{name}.{os.getpid()}.tmp"
            undo.callback(draft.unlink, missing_ok=True)
            draft.write_text(text, encoding="utf-8", newline="\n")
            whole.append((draft, final))
        for draft, final in whole:
            os.replace(draft, final)  # noqa: PTH105 - its name is known to every reader; atomic on one file system
