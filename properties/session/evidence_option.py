"""Where evidence goes: the option that laws, benchmarks and the report's tests share."""

from __future__ import annotations

from pathlib import Path

import pytest

from properties.session import profiles

ROOT = Path(__file__).resolve().parent.parent.parent
EVIDENCE = (ROOT if (ROOT / "tox.ini").is_file() else Path.cwd()) / "reports" / "generated" / "evidence"
"""In a checkout; where the suite is installed, below the current folder."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Where evidence goes, from which ``python -m reports build`` makes the report."""
    parser.getgroup("convproof").addoption(
        "--evidence",
        metavar="FOLDER",
        type=Path,
        default=EVIDENCE,
        help="where the run's evidence goes (default: reports/generated/evidence)",
    )


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Check the folder and the profile before anything runs."""
    profile = config.getoption("--hypothesis-profile", None)
    try:
        profiles.check(profile or "default")
    except ValueError as error:
        pytest.exit(f"--hypothesis-profile={profile}: {error}", returncode=2)
    folder = config.getoption("--evidence")
    if any(part.exists() and not part.is_dir() for part in (folder, *folder.parents)):
        pytest.exit(f"--evidence={folder}: not a folder; name one that exists or can be made", returncode=2)
