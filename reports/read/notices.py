"""What of the evidence was not used, or was mended, and why; the report shows it, so nothing is lost in silence."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

MOST = 200


@dataclass(frozen=True)
class Notice:
    """One thing that was not used, or was mended; ``line`` is None when it is the whole file."""

    file: str
    line: int | None
    problem: str


class Notices:
    """The notices of one report, in the order in which they arose; past `MOST` only that there are more."""

    def __init__(self) -> None:
        self._notices: list[Notice] = []

    def __iter__(self) -> Iterator[Notice]:
        return iter(self._notices)

    def __len__(self) -> int:
        return len(self._notices)

    def add(self, file: str, line: int | None, problem: str) -> None:
        """Note a problem of ``file``."""
        if len(self._notices) < MOST:
            self._notices.append(Notice(file, line, problem))
        elif len(self._notices) == MOST:
            self._notices.append(Notice("…", None, f"more problems than the {MOST} listed here"))

    def extend(self, others: Notices) -> None:
        """Take over what ``others`` hold."""
        for notice in others:
            self.add(notice.file, notice.line, notice.problem)

    def clear(self) -> None:
        """Forget them all."""
        self._notices.clear()
