"""A full disk does not end a run, which says what is missing; the evidence shows it."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from properties.engine import findings
from properties.laws import test_ledger
from properties.ledger.known import LEDGER
from properties.selftest import nested
from properties.subjects import Subject
from properties.verdicts import evidence
from properties.verdicts.verdict import Diverged
from properties.worker import programs
from properties.worker.call import Call

FULL = """
import pathlib
opened = pathlib.Path.open
def full(self, mode="r", *about, **further):
    if self.suffix == ".jsonl" and mode == "x":
        return opened(pathlib.Path("/dev/full"), "w", *about, **further)
    return opened(self, mode, *about, **further)
pathlib.Path.open = full
"""
SAID = "No space left on device; free some space or give another folder with --evidence"
LINE = {"kind": "result", "message": "x" * 100}


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="not run (there is no /dev/full)")
@pytest.mark.parametrize("processes", [[], ["-n1"]])
def test_a_run_goes_on(processes: list[str], tmp_path: Path) -> None:
    """The verdicts and the exit code are those of the tests; the last line says that evidence is missing."""
    (tmp_path / "full_disk.py").write_text(FULL, encoding="utf-8")
    options = [
        "properties/laws/test_rerun.py",
        "-k",
        "test_rerun[linear-cpu-float64",
        "--subjects=cpu",
        "--hypothesis-profile=tests",
    ]
    options += ["-p", "full_disk", f"--evidence={tmp_path / 'evidence'}", *processes]
    finished = nested.run(*options, first=f"import sys; sys.path.append({str(tmp_path)!r})")
    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert "1 passed" in finished.stdout
    last = finished.stdout.splitlines()[-1]
    assert last.startswith(f"evidence is missing: {tmp_path / 'evidence'}/properties-")
    assert last.endswith(SAID)
    assert "Traceback" not in finished.stdout + finished.stderr


@pytest.fixture
def full(tmp_path: Path) -> Iterator[evidence.Writer]:
    """A writer that has written a line, and whose disk is full from then on."""
    writer = evidence.Writer(tmp_path, {"run": "one"})
    writer.write(LINE)
    assert writer._file
    writer._file.close()
    with Path("/dev/full").open("w", encoding="utf-8") as writer._file, contextlib.suppress(OSError):
        yield writer


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="not run (there is no /dev/full)")
def test_nothing_follows_what_is_missing(full: evidence.Writer, tmp_path: Path) -> None:
    """The file ends where the disk was full, without an end line, though there may be space again."""
    full.write(LINE)
    full.write(LINE)
    path = full.close(0)
    assert path
    assert full.lost == f"{path}: {SAID}"
    assert [json.loads(line)["kind"] for line in path.read_text(encoding="utf-8").splitlines()] == ["run", "result"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="not run (there is no /dev/full)")
def test_space_again(full: evidence.Writer) -> None:
    """A search, which writes all of its lines anew, misses none once there is space."""
    full.write(LINE)
    assert full.lost
    full.rewrite([LINE, LINE])
    assert full.lost is None
    path = full.close(0)
    assert path
    kinds = [json.loads(line)["kind"] for line in path.read_text(encoding="utf-8").splitlines()]
    assert kinds == ["run", "result", "result", "end"]


def test_a_rewrite_that_fails_leaves_the_old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was written before stays, and no half of a file beside it."""
    writer = evidence.Writer(tmp_path, {"run": "one"})
    writer.rewrite([LINE])
    monkeypatch.setattr(Path, "replace", _refuse)
    writer.rewrite([LINE, LINE])
    path = writer.close(0)
    assert [path] == list(tmp_path.iterdir())
    assert path
    assert path.read_text(encoding="utf-8").count('"result"') == 1
    assert writer.lost


def _refuse(path: Path, target: Path) -> None:
    raise OSError(28, "No space left on device")


def diverged() -> Diverged:
    """What a law raises about a call."""
    failure = Diverged("wrong")
    failure.call = Call(programs.activation.sigmoid, {"input": np.ones(2)}, dtype="float32")
    return failure


def test_an_entry_whose_script_cannot_be_written(tmp_path: Path) -> None:
    """An entry of the ledger that has no script fails in one line: it is not confirmed."""
    (tmp_path / "repro").write_text("a file where the folder should be", encoding="utf-8")
    with pytest.raises(pytest.fail.Exception, match=r"not confirmed, for want of a script: .*/repro: File exists"):
        test_ledger.script(LEDGER[0], Subject("cpu", "float64"), diverged(), tmp_path / "repro")


def test_a_script_that_cannot_be_written(tmp_path: Path) -> None:
    """The failure stays what it is, and says that it has no script."""
    (tmp_path / "repro").write_text("a file where the folder should be", encoding="utf-8")
    result = evidence.Result("agreement", "", "sigmoid", "", "cpu", "float32", (), "", message="wrong")
    failure = diverged()
    findings.script(result, failure, tmp_path)
    assert result.repro is None
    assert failure.__notes__ == [f"no script: {tmp_path / 'repro'}: File exists; give another folder with --evidence"]
    assert str(result.message).startswith("wrong\nno script: ")
