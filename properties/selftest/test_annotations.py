"""Under GitHub Actions what does not hold is shown at the function in the user's file."""

from __future__ import annotations

from pathlib import Path

import pytest

from properties.selftest.nested import ROOT, run

WRONG = ROOT / "examples" / "subtly_wrong.py"
CHOSEN = ("properties", f"--kernels={WRONG}", "--subjects=cpu-float32", "-k", "agreement and conv2d-")


@pytest.mark.parametrize("actions", [True, False])
def test_a_find_is_shown_at_the_function(actions: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """There, and nowhere else."""
    monkeypatch.setenv("GITHUB_ACTIONS", "true" if actions else "false")
    ran = run(*CHOSEN, "--benchmark-disable", "-p", "no:cacheprovider", f"--evidence={tmp_path}")
    assert ran.returncode == 1
    line = 1 + next(n for n, text in enumerate(WRONG.read_text().splitlines()) if text.startswith("def conv2d("))
    said = [text for text in ran.stdout.splitlines() if text.startswith("::error ")]
    begins = f"::error file={WRONG},line={line},title=agreement%3A conv2d float32::Diverged: output["
    assert [text[: len(begins)] for text in said] == ([begins] if actions else [])
