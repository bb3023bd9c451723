"""Headless Chromium: how a page looks, and what a script says of it. Without a network, in a profile of its own."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

NAMES = ("chromium", "chromium-browser", "google-chrome")
_OPTIONS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--host-resolver-rules=MAP * ~NOTFOUND",
)


def chromium() -> str | None:
    """Path of the browser, if it is here."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


def run(page: Path, *options: str, seconds: float = 90) -> subprocess.CompletedProcess[str]:
    """Open ``page`` with these options; raises `FileNotFoundError` without a browser, `subprocess.SubprocessError`."""
    path = chromium()
    if path is None:
        raise FileNotFoundError(f"none of {', '.join(NAMES)} is installed")
    with TemporaryDirectory() as profile:
        command = [path, *_OPTIONS, f"--user-data-dir={profile}", *options, page.resolve().as_uri()]
        return subprocess.run(command, capture_output=True, text=True, timeout=seconds, check=True)


def screenshot(page: Path, picture: Path, width: int, height: int, *options: str) -> None:
    """A picture of the top ``height`` pixels of ``page`` in a window of ``width``; raises like `run`."""
    run(page, f"--screenshot={picture}", f"--window-size={width},{height}", *options)
