"""The text of an issue has what is needed to mend a defect: what, when, a script, versions, and what was searched."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from reports.__main__ import main
from reports.draw.report import issue_text, render
from reports.draw.upstream import waiting
from reports.read.load import Evidence, load
from reports.tests import fake_run

WRONG = "wrong where groups > 1 (52 of 53); right elsewhere (148 of 148)"
ISSUE = "https://github.com/pytorch/pytorch/issues/1"


def entry(name: str, **changes: Any) -> dict[str, Any]:
    """The row of an entry of the ledger."""
    about = {"status": "known", "title": "the last column is zero", "reason": name, "severity": "silent wrong value"}
    message = "silent wrong value: the last column is zero. torch.nn.Conv2d: the sum. Here: output[0] is 0.0"
    return fake_run.result("known divergences", **{**about, "message": message, **changes})


def evidence(folder: Path, *lines: dict[str, Any]) -> Evidence:
    """A complete run of these lines, and a script below the report."""
    (folder / "repro").mkdir()
    (folder / "repro" / "zero.py").write_text("import torch\n", encoding="utf-8")
    fake_run.write_run(folder, [fake_run.header(), *lines, fake_run.END])
    return load([folder])


def test_an_entry_as_an_issue(tmp_path: Path) -> None:
    """All of it is there: why it is wrong, what was seen, the diagnosis, right cases, script, versions, search."""
    told = fake_run.diagnosis("known divergences")
    told["data"]["entry"] = "zero-column"
    found = evidence(tmp_path, entry("zero-column", diagnosis=WRONG, repro="repro/zero.py"), told)
    text = issue_text(found, "zero-column", tmp_path)
    for part in (
        "# conv2d: the last column is zero", "Severity: silent wrong value.", "wrong: torch.nn.Conv2d: the sum",
        "output[0] is 0.0", f"{WRONG[1:]}. (Counts", "- `Case({'input': (1, 1)}, {'groups': 1})`", "import torch",
        "torch 2.13.0+cpu, Python 3.11.7", "AVX2", "No issue about this is known", "conv2d+last+column+zero",
    ):  # fmt: skip
        assert part in text, part


def test_a_find_as_an_issue(tmp_path: Path) -> None:
    """A find goes by the name of its script; what was not diagnosed says so."""
    row = fake_run.result(status="diverged", message="output[0] is 0.0, but should be 1.0", repro="repro/zero.py")
    text = issue_text(evidence(tmp_path, row), "zero", tmp_path)
    assert text.startswith("# conv2d: output[0] is 0.0, but should be 1.0\n")
    assert "Not diagnosed." in text


def test_what_waits_is_counted(tmp_path: Path) -> None:
    """Entries without an issue wait; the page says how many."""
    found = evidence(tmp_path, entry("told", upstream=ISSUE), entry("a-b"), entry("a-b", subject="cpu-float64"))
    assert waiting(found) == ["a-b"]
    assert "1 known defect waits to be" in render(found)["index.html"]


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It writes a file for each name, lists what waits without one, and refuses a name that there is not."""
    evidence(tmp_path, entry("a-b"))
    places = ["--evidence", str(tmp_path), "--output", str(tmp_path)]
    assert main(["upstream", *places]) == 0
    assert capsys.readouterr().out == "a-b\n"
    assert main(["upstream", "a-b", *places]) == 0
    text = (tmp_path / "upstream" / "a-b.md").read_text(encoding="utf-8")
    assert text.startswith("# conv2d: the last column is zero")
    assert main(["upstream", "a-c", *places]) == 2
    assert "a-c is no entry and no find of this evidence; the nearest: a-b" in capsys.readouterr().err
