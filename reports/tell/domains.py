"""Where kernels answer, and whether they are right there."""

from __future__ import annotations

from typing import Any

import pandas as pd

from reports.read.load import Evidence

LAW = "domain"
"""The law that tells what is refused, and the figure that says what is taken in its place."""
WRONG = ("diverged", "error", "vacuous")


def remark(evidence: Evidence, table: pd.DataFrame) -> str:
    """A sentence for all operators of kernels that are right where they answer; empty where there are none."""
    answers: dict[str, dict[str, Any]] = {}
    for figure in (each for place in evidence.places for run in place.runs for each in run.figures):
        if figure.name == LAW:
            answers.setdefault(figure.data["operator"], {}).update(dict.fromkeys(figure.data["answers"]))
    said: dict[str, list[str]] = {}
    for operator, words in answers.items():
        own = table[(table["operator"] == operator) & (table["law"] != LAW)]
        wrong = set(own.loc[own["status"].isin(WRONG), "dtype"])
        right = [dtype for dtype in own.loc[own["status"] == "passed", "dtype"].unique() if dtype not in wrong]
        if right:
            said.setdefault(", ".join([*words, *right]), []).append(operator)
    return "".join(f" Right where it answers, {', '.join(names)}: {text}." for text, names in said.items())
