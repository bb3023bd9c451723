"""The script that shows a divergence, and its upstream issue: what of them the page may show.

Both are texts out of the evidence. A path is opened and linked only when it is a plain relative one whose file lies
below the folder that the report is written to, links followed; an address only when it is one of GitHub's.
"""

from __future__ import annotations

import re
from pathlib import Path

from reports.read.untrusted import text

ROOT = Path(__file__).resolve().parent.parent.parent
LONGEST = 64_000
_PLAIN = re.compile(r"(?!/)(?:[A-Za-z0-9_][A-Za-z0-9_.-]*/)*[A-Za-z0-9_][A-Za-z0-9_.-]*\.py", re.ASCII)
_UPSTREAM = re.compile(r"https://github\.com/[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+(?:/[A-Za-z0-9_./#-]*)?", re.ASCII)


def script(path: str | None, output: Path | None) -> tuple[str, str] | None:
    """Address relative to ``output`` and content of the script at ``path``; None where it may not be shown.

    ``path`` counts from the repository's root or from ``output``.
    """
    if path is None or output is None or not _PLAIN.fullmatch(path):
        return None
    below = output.resolve()
    for start in (ROOT, below):
        try:
            found = (start / path).resolve()
            if found.is_relative_to(below) and found.is_file() and found.stat().st_size <= LONGEST:
                return found.relative_to(below).as_posix(), text(found.read_text(encoding="utf-8"), LONGEST)
        except (OSError, ValueError):  # unreadable, or not UTF-8
            continue
    return None


def upstream(address: str | None) -> str | None:
    """``address`` if it may be a link.

    >>> upstream("https://github.com/pytorch/pytorch/issues/1"), upstream("javascript:alert(1)")
    ('https://github.com/pytorch/pytorch/issues/1', None)
    """
    return address if address and _UPSTREAM.fullmatch(address) and ".." not in address else None
