"""When one thing may be called faster than another: its whole interval clears the noise floor, on a quiet machine."""

from __future__ import annotations

NOT_JUDGED = "not judged: machine busy"
NO_DIFFERENCE = "no difference shown"


def side(low: float, high: float, floor: float) -> int:
    """Where an interval of ratios lies: 1 above the noise floor about 1, −1 below it, 0 where it touches it.

    >>> side(1.2, 1.4, 0.1), side(0.5, 0.8, 0.1), side(1.05, 1.4, 0.1)
    (1, -1, 0)
    """
    if low > 1 + floor:
        return 1
    return -1 if high < 1 / (1 + floor) else 0


def judged(ratio: dict[str, float] | None, floor: float | None, busy: str | None) -> str | None:
    """Of a ratio of speeds "faster" or "slower", else that nothing is shown or judged; None without a ratio.

    >>> judged({"low": 1.2, "median": 1.3, "high": 1.4}, 0.1, None)
    'faster'
    >>> judged({"low": 1.2, "median": 1.3, "high": 1.4}, 0.1, "others took half")
    'not judged: machine busy'
    """
    if ratio is None or floor is None:
        return None
    if busy:
        return NOT_JUDGED
    return {1: "faster", -1: "slower"}.get(side(ratio["low"], ratio["high"], floor), NO_DIFFERENCE)
