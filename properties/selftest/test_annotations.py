"""Under GitHub Actions what does not hold is shown at the function in the user's file."""

from __future__ import annotations

from pathlib import Path

import pytest

from properties.selftest.nested import ROOT, UNSHRUNK, run

WRONG = ROOT / "examples" / "subtly_wrong.py"
ANSWER = ROOT / "examples" / "answer.py"
CHOSEN = ("properties/laws/test_agreement.py", "--subjects=cpu-float32", "-k", "conv2d-", "--hypothesis-profile=tests")


def shown(file: Path, folder: Path, *chosen: str) -> list[str]:
    """The workflow commands of a run that finds something."""
    about = [f"--kernels={file}", "--benchmark-disable", f"--evidence={folder}", "-p", "no:cacheprovider", *UNSHRUNK]
    ran = run(*chosen, *about)
    assert ran.returncode == 1
    return [text for text in ran.stdout.splitlines() if text.startswith("::error ")]


def line_of(file: Path, begins: str) -> int:
    """The number of the line that begins so."""
    return 1 + next(n for n, text in enumerate(file.read_text().splitlines()) if text.startswith(begins))


@pytest.mark.parametrize("actions", [True, False])
def test_a_find_is_shown_at_the_function(actions: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """There, and nowhere else."""
    monkeypatch.setenv("GITHUB_ACTIONS", "true" if actions else "false")
    said = shown(WRONG, tmp_path, *CHOSEN)
    line = line_of(WRONG, "def conv2d(")
    begins = f"::error file={WRONG},line={line},title=agreement%3A conv2d float32::Diverged: output["
    assert [text[: len(begins)] for text in said] == ([begins] if actions else [])


def test_an_answer_to_a_task_is_shown_at_its_class(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In one line, however many of its parts are wrong."""
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    (said,) = shown(ANSWER, tmp_path, "properties/laws", "--hypothesis-profile=quick")
    assert said.startswith(f"::error file={ANSWER},line={line_of(ANSWER, 'class ModelNew')},title=")
